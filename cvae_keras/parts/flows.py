"""Autoregressive flows: invertible transformations of z with a known log-determinant."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.layers import CompositeLayer

FAR = 1e6  # beyond this distance, the density is 0 in float32
START = 2.0  # initial logit of the gate: s = 0.88 before training


def masks(latent_dim, width):
    """Masks of two dense layers after which output i depends on inputs 0 .. i-1 only.

    Hidden unit k has degree `k mod latent_dim`: it reads the first `degree` inputs, and output i
    reads the units of degree at most i. The product of both masks is strictly triangular.

    Args:
        latent_dim: number of inputs, and of outputs.
        width: number of hidden units.

    Returns:
        Two float32 arrays of 0 and 1: `(latent_dim, width)` and `(width, latent_dim)`.

    Source: Germain et al., "MADE: masked autoencoder for distribution estimation", 2015, eq. 8, 9.

    Example:
        >>> first, second = masks(3, 6)
        >>> (first @ second).T.tolist()
        [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [4.0, 2.0, 0.0]]
    """
    degrees, index = np.arange(width) % latent_dim, np.arange(latent_dim)
    first = (index[:, None] < degrees[None]).astype("float32")
    second = (degrees[:, None] <= index[None]).astype("float32")
    return first, second


@keras.saving.register_keras_serializable("cvae_keras")
class IAFStep(keras.layers.Layer):
    """One step of the flow: each dimension is scaled and shifted, given those before it.

    `z_i <- s_i z_i + (1 - s_i) m_i`, with `m_i, s_i = f_i(z_1 .. z_(i-1), context)`, 0 < s_i < 1

    The Jacobian is triangular, with s on its diagonal, so `log |det| = sum_i log s_i`. f is two
    masked dense layers.

    Args:
        latent_dim: number of dimensions of z.
        width: hidden units of f.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        context: `(batch, features)`.

    Returns:
        The new z and log s, both of z's shape.

    Source: Kingma et al., "Improving variational inference with inverse autoregressive flow",
    2016, eq. 14 and algorithm 1.

    Example:
        >>> z, log_s = IAFStep(2, 64)(np.zeros((1, 5, 2), "float32"), np.zeros((5, 10), "float32"))
        >>> tuple(z.shape), tuple(log_s.shape)
        ((1, 5, 2), (1, 5, 2))
    """

    def __init__(self, latent_dim, width, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_dim = latent_dim = check_count("latent_dim", latent_dim)
        self.width = width = check_count("width", width)
        self.read_mask, write_mask = masks(latent_dim, width)
        self.write_mask = np.tile(write_mask, 2)  # for m and for the gate

    def build(self, z_shape, context_shape):
        latent, width, features = self.latent_dim, self.width, context_shape[-1]
        small = keras.initializers.VarianceScaling(0.1)
        self.read_z = self.add_weight(shape=(latent, width), name="read_z")
        self.read_context = self.add_weight(shape=(features, width), name="read_context")
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")
        self.write = self.add_weight(shape=(width, 2 * latent), initializer=small, name="write")
        self.write_bias = self.add_weight(
            shape=(2 * latent,), initializer="zeros", name="write_bias"
        )

    def shift_and_gate(self, z, from_context):
        """m and the logit of s, given z and the first layer's output for the context."""
        h = ops.silu(ops.matmul(z, self.read_z * self.read_mask) + from_context)
        m, logit = ops.split(ops.matmul(h, self.write * self.write_mask) + self.write_bias, 2, -1)
        return m, logit + START

    def first_layer(self, context):
        return ops.matmul(context, self.read_context) + self.bias

    def call(self, z, context):
        m, logit = self.shift_and_gate(z, self.first_layer(context))
        return m + ops.sigmoid(logit) * (z - m), -ops.softplus(-logit)

    def inverse(self, z, context):
        """The inverse of `call`: the z that it maps to this one, one dimension after another."""
        if not self.built:
            self.build(z.shape, context.shape)
        from_context, index, start = self.first_layer(context), np.arange(self.latent_dim), z
        for dimension in range(self.latent_dim):
            m, logit = self.shift_and_gate(start, from_context)
            found = ops.clip(m + (z - m) / ops.sigmoid(logit), -FAR, FAR)
            start = ops.where(index == dimension, found, start)
        return start


@keras.saving.register_keras_serializable("cvae_keras")
class AutoregressiveFlow(CompositeLayer):
    """Several steps, the order of the dimensions reversed between them, and restored at the end.

    Args:
        latent_dim: number of dimensions.
        length: number of steps, 0 or more.
        width: hidden units of each step, by default 64, or twice latent_dim if that is more.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        context: `(batch, features)`.

    Returns:
        The new z, and the sum of log s, both `(samples, batch, latent_dim)`.

    Raises:
        ValueError: length is not a whole number of at least 0, or width not a positive one.

    Source: Kingma et al., 2016, section 3; reversing: section 5.

    Example:
        >>> z, context = np.ones((1, 5, 2), "float32"), np.zeros((5, 10), "float32")
        >>> flow = AutoregressiveFlow(2, 3)
        >>> new, log_s = flow(z, context)
        >>> bool(np.allclose(flow.inverse(new, context), z, atol=1e-4))
        True
    """

    def __init__(self, latent_dim, length=5, width=None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        length = check_count("flow_length", length, least=0)
        self.latent_dim = latent_dim = check_count("latent_dim", latent_dim)
        self.width = max(64, 2 * latent_dim) if width is None else check_count("flow_width", width)
        self.steps = [IAFStep(latent_dim, self.width) for _ in range(length)]

    def call(self, z, context):
        total = ops.zeros_like(z)
        for number, step in enumerate(self.steps):
            if number:
                z, total = ops.flip(z, axis=-1), ops.flip(total, axis=-1)
            z, log_s = step(z, context)
            total = total + log_s
        return self._in_order(z), self._in_order(total)

    def inverse(self, z, context):
        """The z that `call` maps to this one; each step takes latent_dim passes."""
        z = self._in_order(z)
        for number, step in reversed(list(enumerate(self.steps))):
            z = step.inverse(z, context)
            if number:
                z = ops.flip(z, axis=-1)
        return z

    def get_config(self):
        config = {"latent_dim": self.latent_dim, "length": len(self.steps), "width": self.width}
        return {**super().get_config(), **config}

    def _in_order(self, z):
        """Reverses z if the number of steps is even: the last step sees the reversed order."""
        return ops.flip(z, axis=-1) if self.steps and len(self.steps) % 2 == 0 else z
