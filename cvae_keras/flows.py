"""Inverse autoregressive flow: bends a Gaussian posterior, and keeps its density known."""

import keras
import numpy as np
from keras import ops

from cvae_keras.posteriors import (
    LOG_VAR_RANGE,
    GaussianPosterior,
    gaussian_kl,
    gaussian_log_prob,
)

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
class IAFPosterior(GaussianPosterior):
    """Amortised Gaussian, bent by steps of inverse autoregressive flow.

    `z_0 ~ N(mean, diag exp(log_var))`, `z_t = step_t(z_(t-1), context)`, `z = z_T`, and
    `log q(z | x, c) = log N(z_0; mean, diag exp(log_var)) - sum_t sum_i log s_(t,i)`

    The order of the dimensions is reversed between steps. The context is what the network returns.
    With no step it is the `GaussianPosterior`, whose KL has a closed form; with steps the KL is
    `log q(z) - log p(z)` at the sampled points.

    Args:
        network, latent_dim, kernel_initializer: as for `GaussianPosterior`.
        flow_length: number of steps, 0 or more.
        flow_width: hidden units of each step; by default 64, or twice latent_dim if that is more.

    Returns:
        Called: a dictionary, "gaussian": (mean, log_var), `(batch, latent_dim)` each, and
        "context". `points` adds "log_q" of the points it drew, `(samples, batch, latent_dim)`,
        because `kl` could know it only by inverting the flow.

    Raises:
        ValueError: flow_length is not a whole number of at least 0.

    Source: Kingma et al., 2016, eq. 10 to 14.

    Example:
        >>> posterior = IAFPosterior(network, latent_dim=2, flow_length=5)
    """

    def __init__(self, network, latent_dim, flow_length=5, flow_width=None, **kwargs):
        super().__init__(network, latent_dim, **kwargs)
        if isinstance(flow_length, bool) or int(flow_length) != flow_length or flow_length < 0:
            raise ValueError(
                f"flow_length must be a whole number, got {flow_length!r}: choose 0 or more."
            )
        width = flow_width or max(64, 2 * latent_dim)
        self.steps = [IAFStep(latent_dim, width) for _ in range(int(flow_length))]

    def build(self, x_shape, c_shape=None, mask_shape=None):
        """Nothing to do: network, dense layers and steps build themselves when first called."""

    def call(self, x, c=None, mask=None):
        context = ops.cast(self.network(x, c, mask=mask), "float32")
        log_var = ops.clip(self.log_var(context), *LOG_VAR_RANGE)
        return {"gaussian": (self.mean(context), log_var), "context": context}

    def bend(self, z, context, log_q=0.0):  # on PyTorch, `forward` is a layer's call
        """Bend z `(samples, batch, latent_dim)`: the new z, and its log q from that of the old."""
        log_q = log_q + ops.zeros_like(z)
        for number, step in enumerate(self.steps):
            if number:
                z, log_q = ops.flip(z, axis=-1), ops.flip(log_q, axis=-1)
            z, log_s = step(z, context)
            log_q = log_q - log_s
        return z, log_q

    def unbend(self, z, context):
        """The z that `bend` bent; latent_dim passes through each step."""
        for number, step in reversed(list(enumerate(self.steps))):
            z = step.unbend(z, context)
            if number:
                z = ops.flip(z, axis=-1)
        return z

    def points(self, q, p, seed):
        start = super().points(q["gaussian"], p, seed)
        log_q = gaussian_log_prob(start, *q["gaussian"])
        z, q["log_q"] = self.bend(start, q["context"], log_q)
        return z

    def kl(self, q, p, z, w):
        if not self.steps:
            return gaussian_kl(*q["gaussian"], *p)
        log_ratio = q["log_q"] - gaussian_log_prob(z, *p)
        return ops.sum(ops.expand_dims(w, -1) * log_ratio, axis=0)

    def log_prob(self, q, z):
        """log q(z | x, c) of any points z, by inverting the flow: `(samples, batch)`."""
        start = self.unbend(z, q["context"])
        log_q = gaussian_log_prob(start, *q["gaussian"])
        return ops.sum(self.bend(start, q["context"], log_q)[1], axis=-1)

    def center(self, q):
        """The mean of the Gaussian, carried through the flow: `(batch, latent_dim)`."""
        mean = ops.expand_dims(q["gaussian"][0], 0)
        return self.bend(mean, q["context"])[0][0]
