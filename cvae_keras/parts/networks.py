"""Networks that fill the slots: dense, residual, normalized, and convolutional over curves."""

import keras
from keras import ops

from cvae_keras.checks import check_count, check_units
from cvae_keras.parts.layers import CompositeLayer, Dropout, flat, join


@keras.saving.register_keras_serializable("cvae_keras")
class DenseStack(CompositeLayer):
    """Dense layers, optionally each with a gate that depends on a pattern.

    `h <- act(W h + b) * (V relu(U pattern) + 1)`, the gate being 1 before training.

    A pattern, such as which values are known, changes *which function* of the values is right.
    With gates, products of pattern and values need not be learned by the dense layers.

    Args:
        units: list of the units of each layer.
        activation: a Keras activation.
        batch_norm: whether batch normalization comes before each activation.
        gated: whether there are gates.

    Call arguments:
        h: `(batch, features)`.
        pattern: `(batch, d)`, only used by the gates.

    Returns:
        `(batch, units[-1])`.

    Raises:
        ValueError: units is empty or holds something else than positive integers.

    Source: the gates are the scaling of FiLM, Perez et al., "FiLM: visual reasoning with a general
    conditioning layer", 2018, eq. 2.

    Example:
        >>> import numpy as np
        >>> tuple(DenseStack([64, 32])(np.zeros((5, 10))).shape)
        (5, 32)
    """

    def __init__(self, units, activation="relu", batch_norm=False, gated=False, **kwargs):
        super().__init__(**kwargs)
        units = check_units("units", units)
        dense = keras.layers.Dense
        self.dense = [dense(width, use_bias=not batch_norm) for width in units]
        norm = keras.layers.BatchNormalization
        self.norms = [norm() for _ in units] if batch_norm else [None] * len(units)
        self.activation = keras.layers.Activation(activation)
        self.read = dense(units[0], activation="relu") if gated else None
        gates = {"kernel_initializer": "zeros", "bias_initializer": "ones"}
        self.gates = [dense(width, **gates) for width in units] if gated else [None] * len(units)

    def call(self, h, pattern=None):
        if self.read is not None and pattern is None:
            raise ValueError("pattern is missing: the gates read it; use gated=False without one.")
        read = None if self.read is None else self.read(pattern)
        for dense, norm, gate in zip(self.dense, self.norms, self.gates, strict=True):
            h = dense(h) if norm is None else norm(dense(h))
            h = self.activation(h) if gate is None else self.activation(h) * gate(read)
        return h


@keras.saving.register_keras_serializable("cvae_keras")
class ResidualMLP(CompositeLayer):
    """Dense residual blocks: `h <- h + W2 act(W1 h)`.

    Args:
        width: units of every layer.
        depth: number of blocks.
        activation: a Keras activation.

    Call arguments:
        h: `(batch, features)`.

    Returns:
        `(batch, width)`.

    Source: He et al., "Deep residual learning", 2016, with dense layers.

    Example:
        >>> import numpy as np
        >>> tuple(ResidualMLP(64, 3)(np.zeros((5, 10))).shape)
        (5, 64)
    """

    def __init__(self, width, depth, activation="silu", **kwargs):
        super().__init__(**kwargs)
        width, depth = check_count("width", width), check_count("depth", depth)
        self.enter = keras.layers.Dense(width)
        self.inner = [keras.layers.Dense(width, activation=activation) for _ in range(depth)]
        self.outer = [keras.layers.Dense(width) for _ in range(depth)]
        self.leave = keras.layers.Activation(activation)

    def call(self, h):
        h = self.enter(h)
        for inner, outer in zip(self.inner, self.outer, strict=True):
            h = h + outer(inner(h))
        return self.leave(h)


@keras.saving.register_keras_serializable("cvae_keras")
class GatedMLP(CompositeLayer):
    """Dense residual blocks whose hidden units are products: `h <- h + W (U n(h) * silu(V n(h)))`.

    n is layer normalization. Products of features, block by block, give polynomials of them: from
    cos and sin of two angles, those of sums of their multiples.

    Args:
        width: units of every layer.
        depth: number of blocks.

    Call arguments:
        h: `(..., features)`.

    Returns:
        `(..., width)`.

    Source: Shazeer, "GLU variants improve transformer", 2020, eq. 6 (SwiGLU).

    Example:
        >>> import numpy as np
        >>> tuple(GatedMLP(64, 3)(np.zeros((5, 10))).shape)
        (5, 64)
    """

    def __init__(self, width, depth, **kwargs):
        super().__init__(**kwargs)
        width, depth = check_count("width", width), check_count("depth", depth)
        self.enter = keras.layers.Dense(width)
        self.norms = [keras.layers.LayerNormalization() for _ in range(depth)]
        self.inner = [keras.layers.Dense(2 * width) for _ in range(depth)]
        self.outer = [keras.layers.Dense(width) for _ in range(depth)]

    def call(self, h):
        h = self.enter(h)
        for norm, inner, outer in zip(self.norms, self.inner, self.outer, strict=True):
            value, gate = ops.split(inner(norm(h)), 2, axis=-1)
            h = h + outer(value * ops.silu(gate))
        return h


@keras.saving.register_keras_serializable("cvae_keras")
class PriorHead(CompositeLayer):
    """The network of the prior: a Gaussian of the latent, and what the steps of a flow read.

    Args:
        latent_dim: number of latent dimensions.
        width: units of its one dense block.

    Call arguments:
        c: features of the condition, `(batch, features)`.

    Returns:
        `(mean, log_var, features)`, of widths latent_dim, latent_dim and width. The first two are 0
        before training.

    Example:
        >>> import numpy as np
        >>> [tuple(part.shape) for part in PriorHead(2, 8)(np.zeros((3, 16), "float32"))]
        [(3, 2), (3, 2), (3, 8)]
    """

    def __init__(self, latent_dim, width, **kwargs):
        super().__init__(**kwargs)
        self.body = GatedMLP(width, 1)
        zeros = {"kernel_initializer": "zeros", "dtype": "float32"}
        self.mean = keras.layers.Dense(check_count("latent_dim", latent_dim), **zeros)
        self.log_var = keras.layers.Dense(latent_dim, **zeros)

    def call(self, c):
        features = self.body(c)
        return self.mean(features), self.log_var(features), features


@keras.saving.register_keras_serializable("cvae_keras")
class ConvEncoder(CompositeLayer):
    """Conv1D layers over the curves of x and c, concatenated as channels.

    Args:
        filters: filters of each convolution.
        kernels: kernel size of each convolution ("valid" padding).
        kernel_initializer: of the convolutions.
        reads_condition: whether c is read.

    Call arguments:
        x: `(batch, points, channels)`.
        c: `(batch, points, channels)`; `(batch, ...)` or a dictionary of such, which is repeated
            at each point; or None.
        mask: of x's shape, read as further channels, or None.

    Returns:
        `(batch, (points - sum(kernels) + len(kernels)) * filters[-1])`.

    Example:
        >>> import numpy as np
        >>> tuple(ConvEncoder()(np.zeros((3, 50, 2)), np.zeros((3, 50, 2))).shape)
        (3, 1792)
    """

    def __init__(
        self,
        filters=(32, 64),
        kernels=(16, 8),
        kernel_initializer="glorot_uniform",
        reads_condition=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.reads_condition = bool(reads_condition)
        self.convolutions = [
            keras.layers.Conv1D(
                check_count("filters", f),
                check_count("kernels", k),
                activation="relu",
                kernel_initializer=kernel_initializer,
            )
            for f, k in zip(filters, kernels, strict=True)
        ]
        self.flatten = keras.layers.Flatten()

    def call(self, x, c=None, mask=None):
        c = c if self.reads_condition else None
        if isinstance(c, dict) or (c is not None and c.shape[1:-1] != x.shape[1:-1]):
            c = ops.repeat(ops.expand_dims(flat(c), 1), x.shape[1], axis=1)
        h = ops.concatenate([part for part in (x, c, mask) if part is not None], axis=-1)
        for convolution in self.convolutions:
            h = convolution(h)
        return self.flatten(h)


@keras.saving.register_keras_serializable("cvae_keras")
class ConvDecoder(CompositeLayer):
    """A dense layer on [z, c], then transposed convolutions up to the length of the curves.

    Args:
        points: length of the curves.
        channels: number of curves.
        filters: filters of the transposed convolutions before the last.
        kernels: kernel size of each transposed convolution.
        dense_channels: channels that the dense layer passes to the first convolution.
        kernel_initializer: of all layers.
        inner_activation: a Keras activation, of the transposed convolutions before the last. The
            dense layer has ReLU.
        activation: of the last one; "relu" for curves that are not negative.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: `(batch, ...)`, a dictionary of such, or None.

    Returns:
        `(samples, batch, points, channels)`, float32.

    Raises:
        ValueError: points is too small for the kernels.

    Example:
        >>> import numpy as np
        >>> tuple(ConvDecoder(50)(np.zeros((1, 3, 4)), np.zeros((3, 50, 2))).shape)
        (1, 3, 50, 2)
    """

    def __init__(
        self,
        points,
        channels=2,
        filters=(32,),
        kernels=(8, 16),
        dense_channels=64,
        kernel_initializer="glorot_uniform",
        inner_activation="relu",
        activation="linear",
        **kwargs,
    ):
        super().__init__(**kwargs)
        counts = {"points": points, "channels": channels, "dense_channels": dense_channels}
        points, channels, dense_channels = (check_count(*item) for item in counts.items())
        kernels = check_units("kernels", kernels)
        filters = check_units("filters", filters, least=0)
        self.length = points - sum(kernels) + len(kernels)
        if self.length < 1:
            raise ValueError(
                f"points must be at least {sum(kernels) - len(kernels) + 1} for kernels {kernels}, "
                f"got {points}: use longer curves or smaller kernels."
            )
        self.points, self.channels, self.dense_channels = points, channels, dense_channels
        init = {"kernel_initializer": kernel_initializer}
        self.dense = keras.layers.Dense(self.length * dense_channels, activation="relu", **init)
        activations = [*(inner_activation for _ in filters), activation]
        self.convolutions = [
            keras.layers.Conv1DTranspose(f, k, activation=activation, **init)
            for f, k, activation in zip((*filters, channels), kernels, activations, strict=True)
        ]

    def call(self, z, c=None):
        h = ops.reshape(self.dense(join(z, c)), (-1, self.length, self.dense_channels))
        for convolution in self.convolutions:
            h = convolution(h)
        h = ops.reshape(h, (ops.shape(z)[0], -1, self.points, self.channels))
        return ops.cast(h, "float32")


@keras.saving.register_keras_serializable("cvae_keras")
class NormalizedMLP(CompositeLayer):
    """Dense layers, each followed by layer normalization, SiLU and dropout.

    Args:
        widths: units of each layer.
        kernel_initializer: of all dense layers.
        seed: of the dropout; None for no dropout.

    Call arguments:
        h: `(batch, features)`.
        c: `(batch, ...)`, a dictionary of such, or None; flattened and concatenated with h.
        mask: of h's shape, concatenated as well, or None.

    Returns:
        `(batch, widths[-1])`.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.

    Example:
        >>> import numpy as np
        >>> tuple(NormalizedMLP([512, 256])(np.zeros((5, 784))).shape)
        (5, 256)
    """

    def __init__(self, widths, kernel_initializer="orthogonal", seed=None, **kwargs):
        super().__init__(**kwargs)
        init = {"kernel_initializer": kernel_initializer}
        widths = check_units("widths", widths, least=0)
        self.dense = [keras.layers.Dense(width, **init) for width in widths]
        self.norms = [keras.layers.LayerNormalization() for _ in widths]
        self.dropouts = [] if seed is None else [Dropout(seed + i) for i in range(len(widths))]

    def call(self, h, c=None, mask=None, training=None):
        h = h if c is None and mask is None else flat(h, c, mask)
        for number, (dense, norm) in enumerate(zip(self.dense, self.norms, strict=True)):
            h = ops.silu(norm(dense(h)))
            if self.dropouts:
                h = self.dropouts[number](h, training=training)
        return h


def tile(c, samples):
    """Repeat c `(batch, ...)` for each of the S samples of z: `(S * batch, ...)`, sample first."""
    return ops.tile(c, (samples,) + (1,) * (len(c.shape) - 1))
