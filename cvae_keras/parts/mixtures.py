"""Autoregressive mixtures: a density of several modes, from which samples are exact."""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.distributions import Distribution, gaussian_log_prob
from cvae_keras.parts.flows import masks

LOG_SCALES = (-7.0, 3.0)
EDGE = 1e-7  # of a uniform number from 0 and 1


@keras.saving.register_keras_serializable("cvae_keras")
class AutoregressiveMixture(keras.layers.Layer):
    """A mixture of Gaussians for each dimension, given those before it and a context.

    `p(e | context) = prod_i sum_k w_ik N(e_i; m_ik, s_ik)`, and w, m, s are two masked dense layers
    of `e_1 .. e_(i-1)` and the context

    Args:
        latent_dim: number of dimensions.
        components: K, Gaussians of each dimension.
        width: hidden units.

    Call arguments:
        e: `(samples, batch, latent_dim)`.
        context: `(batch, features)`.

    Returns:
        log w, m and log s, each `(samples, batch, K, latent_dim)`.

    Source: Uria, Murray and Larochelle, "RNADE: the real-valued neural autoregressive
    density-estimator", 2013, eq. 8, with the masks of Germain et al., "MADE", 2015.

    Example:
        >>> layer = AutoregressiveMixture(2, components=3, width=16)
        >>> log_w, m, log_s = layer(np.zeros((1, 5, 2), "float32"), np.zeros((5, 4), "float32"))
        >>> tuple(log_w.shape)
        (1, 5, 3, 2)
    """

    def __init__(self, latent_dim, components=8, width=64, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_dim = latent_dim = check_count("latent_dim", latent_dim)
        self.components = check_count("components", components)
        self.width = width = check_count("width", width)
        self.read_mask, write_mask = masks(latent_dim, width)
        self.write_mask = np.tile(write_mask, 3 * self.components)

    def build(self, e_shape, context_shape):
        latent, width, size = self.latent_dim, self.width, self.components
        outputs = 3 * size * latent
        small = keras.initializers.VarianceScaling(0.1)
        self.read_e = self.add_weight(shape=(latent, width), name="read_e")
        self.read_context = self.add_weight(shape=(context_shape[-1], width), name="read_context")
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")
        self.write = self.add_weight(shape=(width, outputs), initializer=small, name="write")
        self.write_bias = self.add_weight(shape=(outputs,), initializer="zeros", name="write_bias")
        start = np.zeros((3, size, latent), "float32")
        start[1] = np.linspace(-1.5, 1.5, size)[:, None] if size > 1 else 0.0
        start[2] = -0.5 if size > 1 else 0.0
        self.write_bias.assign(start.reshape(-1))

    def call(self, e, context):
        from_context = ops.matmul(context, self.read_context) + self.bias
        h = ops.silu(ops.matmul(e, self.read_e * self.read_mask) + from_context)
        h = ops.matmul(h, self.write * self.write_mask) + self.write_bias
        samples, batch = ops.shape(h)[0], ops.shape(h)[1]
        h = ops.reshape(h, (samples, batch, 3 * self.components, self.latent_dim))
        logits, m, log_s = ops.split(h, 3, axis=-2)
        return ops.log_softmax(logits, axis=-2), m, ops.clip(log_s, *LOG_SCALES)

    def get_config(self):
        config = {"latent_dim": self.latent_dim, "components": self.components}
        return {**super().get_config(), **config, "width": self.width}


class Mixture(Distribution):
    """The distribution of an `AutoregressiveMixture` at a context.

    A sample is a function of standard normal noise: `u = Phi(noise)` selects the component in whose
    share of [0, 1) it falls, and where it falls in that share is a uniform number again.

    Args:
        layer: an `AutoregressiveMixture`.
        context: `(batch, features)`.

    Example:
        >>> layer = AutoregressiveMixture(2, components=3, width=16)
        >>> p = Mixture(layer, np.zeros((5, 4), "float32"))
        >>> tuple(p.log_prob(p.sample(10, seed=0)).shape)
        (10, 5)
    """

    def __init__(self, layer, context):
        self.layer, self.context = layer, context

    def log_prob_per_dim(self, z):
        log_w, m, log_s = self.layer(z, self.context)
        each = gaussian_log_prob(ops.expand_dims(z, -2), m, 2.0 * log_s)
        return ops.logsumexp(log_w + each, axis=-2)

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        rows = ops.shape(self.context)[0] if batch is None else batch
        shape = (n_samples, rows, self.layer.latent_dim)
        z = self.from_noise(keras.random.normal(shape, seed=seed, dtype="float32"))
        return z, self.log_prob_per_dim(z)

    def from_noise(self, noise):
        """z from standard normal noise of its shape, one dimension after the other."""
        uniform = 0.5 * (1.0 + ops.erf(noise / math.sqrt(2.0)))
        uniform = ops.expand_dims(ops.clip(uniform, EDGE, 1.0 - EDGE), -2)
        index, z = np.arange(self.layer.latent_dim), ops.zeros_like(noise)
        for dimension in range(self.layer.latent_dim):
            log_w, m, log_s = self.layer(z, self.context)
            w = ops.exp(log_w)
            upper = ops.cumsum(w, axis=-2)
            lower = upper - w
            last = ops.concatenate([upper[..., :-1, :], ops.ones_like(upper[..., -1:, :])], -2)
            chosen = ops.cast((uniform >= lower) & (uniform < last), "float32")
            share = ops.sum(chosen * (uniform - lower) / ops.maximum(w, EDGE), axis=-2)
            share = ops.clip(share, EDGE, 1.0 - EDGE)
            normal = math.sqrt(2.0) * ops.erfinv(2.0 * share - 1.0)
            count = ops.maximum(ops.sum(chosen, axis=-2), 1.0)  # rounding may leave two
            mean, scale = (ops.sum(chosen * each, axis=-2) / count for each in (m, ops.exp(log_s)))
            z = ops.where(index == dimension, mean + scale * normal, z)
        return z
