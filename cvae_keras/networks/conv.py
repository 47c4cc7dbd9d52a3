"""Conv1D networks of curves: what reads (x, c) for a posterior, what decodes z given c."""

import keras
from keras import ops

from cvae_keras.networks.tile import tile


@keras.saving.register_keras_serializable("cvae_keras")
class ConvEncoder(keras.layers.Layer):
    """Conv1D layers over the curves of x and c side by side: the features of a posterior.

    Args:
        filters: filters of each convolution.
        kernels: kernel size of each convolution ("valid" padding).
        kernel_initializer: of the convolutions.

    Call arguments:
        x, c: `(batch, points, channels)` each; mask: of x's shape, read as further channels.

    Returns:
        `(batch, (points - sum(kernels) + len(kernels)) * filters[-1])`.

    Example:
        >>> ConvEncoder()(np.zeros((3, 50, 2)), np.zeros((3, 50, 2))).shape      # (3, 1792)
    """

    def __init__(
        self, filters=(32, 64), kernels=(16, 8), kernel_initializer="glorot_uniform", **kwargs
    ):
        super().__init__(**kwargs)
        self.convolutions = [
            keras.layers.Conv1D(f, k, activation="relu", kernel_initializer=kernel_initializer)
            for f, k in zip(filters, kernels, strict=True)
        ]
        self.flatten = keras.layers.Flatten()

    def call(self, x, c=None, mask=None):
        h = ops.concatenate([part for part in (x, c, mask) if part is not None], axis=-1)
        for convolution in self.convolutions:
            h = convolution(h)
        return self.flatten(h)


@keras.saving.register_keras_serializable("cvae_keras")
class ConvDecoder(keras.layers.Layer):
    """A dense layer on [z, c], then transposed convolutions that grow it to the curves of x.

    Args:
        points: length of the curves; channels: their number.
        filters, kernels: of the transposed convolutions before the last, and of all of them.
        dense_channels: channels that the dense layer gives the first convolution.
        kernel_initializer: of all layers.

    Call arguments:
        z: `(samples, batch, latent_dim)`; c: `(batch, points, channels)`.

    Returns:
        `(samples, batch, points, channels)`, float32, not negative (the last layer ends in ReLU).

    Example:
        >>> ConvDecoder(50)(np.zeros((1, 3, 4)), np.zeros((3, 50, 2))).shape     # (1, 3, 50, 2)
    """

    def __init__(
        self,
        points,
        channels=2,
        filters=(32,),
        kernels=(8, 16),
        dense_channels=64,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.length = points - sum(kernels) + len(kernels)
        if self.length < 1:
            raise ValueError(
                f"points must be at least {sum(kernels) - len(kernels) + 1} for kernels {kernels}, "
                f"got {points}: use longer curves or smaller kernels."
            )
        self.points, self.channels, self.dense_channels = points, channels, dense_channels
        init = {"activation": "relu", "kernel_initializer": kernel_initializer}
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(self.length * dense_channels, **init)
        self.convolutions = [
            keras.layers.Conv1DTranspose(f, k, **init)
            for f, k in zip((*filters, channels), kernels, strict=True)
        ]

    def call(self, z, c):
        samples, batch = ops.shape(z)[0], ops.shape(c)[0]
        flat = ops.reshape(z, (-1, z.shape[-1]))
        h = ops.concatenate([flat, self.flatten(tile(c, samples))], axis=-1)
        h = ops.reshape(self.dense(h), (-1, self.length, self.dense_channels))
        for convolution in self.convolutions:
            h = convolution(h)
        h = ops.reshape(h, (samples, batch, self.points, self.channels))
        return ops.cast(h, "float32")
