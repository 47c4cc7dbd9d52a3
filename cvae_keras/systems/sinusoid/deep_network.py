"""The deep network of the sinusoid tasks: it reads y by convolutions, and generates ramp ends.

Every layer works in units of the task's box: its middle is 0, and its width 4.
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.networks import GatedMLP


def middle_and_unit(box):
    """The middle of the range of the ramps, and a quarter of its width."""
    low, high = box
    return (low + high) / 2, (high - low) / 4


@keras.saving.register_keras_serializable("cvae_keras")
class CurveReader(CompositeLayer):
    """Reads the curves y once, for the posterior, the prior and the decoder.

    Args:
        width: units of the dense blocks.
        depth: number of dense blocks.
        filters: filters of each convolution; every convolution after the first has stride 2.
        kernel: kernel size of the convolutions.

    Call arguments:
        y: `(batch, points, 2)`.

    Returns:
        `(batch, width)`.

    Example:
        >>> tuple(CurveReader(width=16, depth=1)(np.zeros((3, 50, 2), "float32")).shape)
        (3, 16)
    """

    def __init__(self, width, depth, filters=(32, 64), kernel=5, **kwargs):
        super().__init__(**kwargs)
        options = {"padding": "same", "activation": "relu"}
        self.convolutions = [
            keras.layers.Conv1D(f, kernel, strides=2 if number else 1, **options)
            for number, f in enumerate(filters)
        ]
        self.flatten = keras.layers.Flatten()
        self.body = GatedMLP(width, depth)

    def call(self, y):
        for convolution in self.convolutions:
            y = convolution(y)
        return self.body(self.flatten(y))


@keras.saving.register_keras_serializable("cvae_keras")
class RampEncoder(CompositeLayer):
    """The network of the posterior: reads the ends of the ramps x, and the features of y.

    Args:
        width: units of the dense blocks.
        box: range of the ramps.
        points: length of the ramps.

    Call arguments:
        x: `(batch, points, 2)`.
        c: features of y, `(batch, features)`.
        mask: None.

    Returns:
        `(batch, width)`.

    Raises:
        ValueError: a mask is given.

    Example:
        >>> x, features = np.zeros((3, 50, 2), "float32"), np.zeros((3, 16), "float32")
        >>> tuple(RampEncoder(8, (0.1, 1.0), 50)(x, features).shape)
        (3, 8)
    """

    def __init__(self, width, box, points, **kwargs):
        super().__init__(**kwargs)
        self.middle, self.unit = middle_and_unit(box)
        rise = np.linspace(0.0, 1.0, points)
        ends = np.linalg.pinv(np.stack([1.0 - rise, rise], axis=1))
        self.ends = ends.astype("float32")  # (2, points): the least-squares fit of a line
        self.body = GatedMLP(width, 2)

    def call(self, x, c=None, mask=None):
        if mask is not None:
            raise ValueError("mask is not supported by RampEncoder: give complete ramps.")
        ends = ops.reshape(ops.matmul(self.ends, ops.cast(x, "float32")), (-1, 4))
        return self.body(ops.concatenate([(ends - self.middle) / self.unit, c], axis=-1))


@keras.saving.register_keras_serializable("cvae_keras")
class RampDecoder(CompositeLayer):
    """Generates ramp ends and the scale of their noise, for `RampNormal`.

    Args:
        width: units of the dense blocks.
        depth: number of dense blocks.
        box: range of the ramps.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: features of y, `(batch, features)`.

    Returns:
        Dictionary: "mean" `(samples, batch, 4)`, the ramp ends lo0, hi0, lo1, hi1; "log_scale"
        `(samples, batch, 1)`.

    Example:
        >>> z, features = np.zeros((2, 3, 4), "float32"), np.zeros((3, 16), "float32")
        >>> tuple(RampDecoder(8, 1, (0.1, 1.0))(z, features)["mean"].shape)
        (2, 3, 4)
    """

    def __init__(self, width, depth, box, **kwargs):
        super().__init__(**kwargs)
        self.middle, self.unit = middle_and_unit(box)
        self.body = GatedMLP(width, depth)
        self.ends = keras.layers.Dense(4, dtype="float32")
        self.log_scale = keras.layers.Dense(1, dtype="float32")

    def call(self, z, c):
        shared = ops.broadcast_to(c, (ops.shape(z)[0], ops.shape(c)[0], c.shape[-1]))
        h = self.body(ops.concatenate([z, shared], axis=-1))
        ends = self.middle + self.unit * self.ends(h)
        return {"mean": ends, "log_scale": self.log_scale(h) + np.log(self.unit)}
