"""Autoregressive flows: bend a Gaussian, and keep its density known."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count

FAR = 1e6  # where a point would have come from further away, its density is 0 in float32
START = 2.0  # of the gate's logit: a fresh step keeps s = 0.88 of z


def masks(latent_dim, width):
    """Masks of two dense layers after which output i depends on inputs 0 .. i-1 only.

    Hidden unit k has degree `k mod latent_dim`: it reads the first `degree` inputs, and output i
    reads the units of degree at most i. The product of both masks is strictly triangular.

    Args:
        latent_dim: number of inputs, and of outputs; width: number of hidden units.

    Returns:
        Two float32 arrays of 0 and 1: `(latent_dim, width)` and `(width, latent_dim)`.

    Source: Germain et al., "MADE: masked autoencoder for distribution estimation", 2015, eq. 8, 9.

    Example:
        >>> first, second = masks(3, 6)
        >>> (first @ second).T     # -> [[0, 0, 0], [2, 0, 0], [4, 2, 0]]
    """
    degrees, index = np.arange(width) % latent_dim, np.arange(latent_dim)
    first = (index[:, None] < degrees[None]).astype("float32")
    second = (degrees[:, None] <= index[None]).astype("float32")
    return first, second


@keras.saving.register_keras_serializable("cvae_keras")
class IAFStep(keras.layers.Layer):
    """One step of the flow: every dimension at once, each from those before it and the context.

    `z_i <- s_i z_i + (1 - s_i) m_i`, with `m_i, s_i = f_i(z_1 .. z_(i-1), context)`, 0 < s_i < 1

    The Jacobian is triangular, with s on its diagonal, so `log |det| = sum_i log s_i`. f is two
    masked dense layers.

    Args:
        latent_dim: number of dimensions of z; width: hidden units of f.

    Call arguments:
        z: `(samples, batch, latent_dim)`; context: `(batch, features)`.

    Returns:
        The new z and log s, both of z's shape.

    Source: Kingma et al., "Improving variational inference with inverse autoregressive flow",
    2016, eq. 14 and algorithm 1.

    Example:
        >>> z, log_s = IAFStep(2, 64)(np.zeros((1, 5, 2)), np.zeros((5, 10)))
    """

    def __init__(self, latent_dim, width, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.latent_dim, self.width = latent_dim, width
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
        """m and the logit of s, from z and from what the first layer makes of the context."""
        h = ops.silu(ops.matmul(z, self.read_z * self.read_mask) + from_context)
        m, logit = ops.split(ops.matmul(h, self.write * self.write_mask) + self.write_bias, 2, -1)
        return m, logit + START

    def first_layer(self, context):
        return ops.matmul(context, self.read_context) + self.bias

    def call(self, z, context):
        m, logit = self.shift_and_gate(z, self.first_layer(context))
        return m + ops.sigmoid(logit) * (z - m), -ops.softplus(-logit)

    def unbend(self, z, context):
        """The z from which `call` came, one dimension after the other."""
        from_context, index, start = self.first_layer(context), np.arange(self.latent_dim), z
        for dimension in range(self.latent_dim):
            m, logit = self.shift_and_gate(start, from_context)
            found = ops.clip(m + (z - m) / ops.sigmoid(logit), -FAR, FAR)
            start = ops.where(index == dimension, found, start)
        return start


@keras.saving.register_keras_serializable("cvae_keras")
class AutoregressiveFlow(keras.layers.Layer):
    """Several steps, the order of the dimensions reversed between them, and put back at the end.

    Args:
        latent_dim: number of dimensions; length: number of steps, 0 or more; width: hidden units of
            each step, by default 64, or twice latent_dim if that is more.

    Raises:
        ValueError: length is not a whole number of at least 0.

    Source: Kingma et al., 2016, section 3; reversing: section 5.

    Example:
        >>> flow = AutoregressiveFlow(2, 3)
        >>> z, log_s = flow.bend(np.zeros((1, 5, 2)), np.zeros((5, 10)))
        >>> flow.unbend(z, np.zeros((5, 10)))                                    # zeros again
    """

    def __init__(self, latent_dim, length=5, width=None, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        if isinstance(length, bool) or int(length) != length or length < 0:
            raise ValueError(
                f"flow_length must be a whole number, got {length!r}: choose 0 or more."
            )
        width = max(64, 2 * latent_dim) if width is None else check_count("flow_width", width)
        self.steps = [IAFStep(latent_dim, width) for _ in range(int(length))]

    def build(self, *shapes):
        """Nothing to do: the steps build themselves when they are first called."""

    def bend(self, z, context):  # on PyTorch, `forward` is a layer's call
        """The new z, and the sum of log s, both `(samples, batch, latent_dim)`.

        Args:
            z: `(samples, batch, latent_dim)`; context: `(batch, features)`.
        """
        total = ops.zeros_like(z)
        for number, step in enumerate(self.steps):
            if number:
                z, total = ops.flip(z, axis=-1), ops.flip(total, axis=-1)
            z, log_s = step(z, context)
            total = total + log_s
        return self._in_order(z), self._in_order(total)

    def unbend(self, z, context):
        """The z that `bend` bent; latent_dim passes through each step."""
        z = self._in_order(z)
        for number, step in reversed(list(enumerate(self.steps))):
            z = step.unbend(z, context)
            if number:
                z = ops.flip(z, axis=-1)
        return z

    def _in_order(self, z):
        """Of an even number of steps the last one sees the dimensions reversed."""
        return ops.flip(z, axis=-1) if self.steps and len(self.steps) % 2 == 0 else z
