"""Autoregressive mixtures of Gaussians: densities of several modes, with exact samples."""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.distributions import Distribution, gaussian_log_prob
from cvae_keras.parts.flows import masks

LOG_SCALES = (-7.0, 3.0)
MEMORY = 2.0  # logit of the memory before training: 0.88
EDGE = 1e-6  # distance of a uniform number from 0 and 1


@keras.saving.register_keras_serializable("cvae_keras")
class MixtureNetwork(keras.layers.Layer):
    """The parameters of a mixture of K Gaussians for each dimension, given those before it.

    Two masked dense layers of `e_1 .. e_(i-1)` and a context give the logits a_ik, the means m_ik
    and the log-scales of dimension i.

    Args:
        latent_dim: number of dimensions.
        components: K.
        width: hidden units.

    Call arguments:
        e: `(samples, batch, latent_dim)`.
        context: `(batch, features)`.

    Returns:
        a, m and log s, each `(samples, batch, K, latent_dim)`.

    Source: Uria, Murray and Larochelle, "RNADE: the real-valued neural autoregressive
    density-estimator", 2013, eq. 8, with the masks of Germain et al., "MADE", 2015.

    Example:
        >>> network = MixtureNetwork(2, components=3, width=16)
        >>> a, m, log_s = network(np.zeros((1, 5, 2), "float32"), np.zeros((5, 4), "float32"))
        >>> tuple(a.shape)
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
        start = keras.initializers.Constant(MEMORY)
        self.memory = self.add_weight(shape=(latent,), initializer=start, name="memory")
        first = np.zeros((3, size, latent), "float32")
        first[1] = np.linspace(-1.5, 1.5, size)[:, None] if size > 1 else 0.0
        first[2] = -0.5 if size > 1 else 0.0
        self.write_bias.assign(first.reshape(-1))

    def call(self, e, context):
        from_context = ops.matmul(context, self.read_context) + self.bias
        h = ops.silu(ops.matmul(e, self.read_e * self.read_mask) + from_context)
        h = ops.matmul(h, self.write * self.write_mask) + self.write_bias
        samples, batch = ops.shape(h)[0], ops.shape(h)[1]
        h = ops.reshape(h, (samples, batch, 3 * self.components, self.latent_dim))
        a, m, log_s = ops.split(h, 3, axis=-2)
        return a, m, ops.clip(log_s, *LOG_SCALES)

    def get_config(self):
        config = {"latent_dim": self.latent_dim, "components": self.components}
        return {**super().get_config(), **config, "width": self.width}


class AutoregressiveMixture(Distribution):
    """The distribution that a `MixtureNetwork` gives at a context.

    `p(e) = prod_i sum_k w_ik N(e_i; m_ik, s_ik)`, with the weights

    `w_ik ~ exp( a_ik + r_i sum_(j < i) log N(e_j; m_jk, s_jk) )`

    With memory r_i = 1 and parameters that do not depend on e, the weights are those of the
    component given the dimensions so far, by Bayes' rule: a joint mixture, whose modes are those of
    all dimensions together. With r_i = 0 each dimension has a mixture of its own. r is trained.

    Args:
        network: a `MixtureNetwork`.
        context: `(batch, features)`.

    Example:
        >>> network = MixtureNetwork(2, components=3, width=16)
        >>> p = AutoregressiveMixture(network, np.zeros((5, 4), "float32"))
        >>> tuple(p.log_prob(p.sample(10, seed=0)).shape)
        (10, 5)
    """

    def __init__(self, network, context):
        self.network, self.context = network, context

    @property
    def dims(self):
        return self.network.latent_dim

    def _terms(self, e):
        """log w, m, log s, and the log-density of e under each component, of one shape."""
        a, m, log_s = self.network(e, self.context)
        each = gaussian_log_prob(ops.expand_dims(e, -2), m, 2.0 * log_s)
        before = ops.cumsum(each, axis=-1) - each
        log_w = ops.log_softmax(a + ops.sigmoid(self.network.memory) * before, axis=-2)
        return log_w, m, log_s, each

    def log_prob_per_dim(self, z):
        log_w, _, _, each = self._terms(z)
        return ops.logsumexp(log_w + each, axis=-2)

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        rows = ops.shape(self.context)[0] if batch is None else batch
        shape = (n_samples, rows, self.dims)
        z = self.from_noise(keras.random.normal(shape, seed=seed, dtype="float32"))
        return z, self.log_prob_per_dim(z)

    def from_noise(self, noise):
        """z from standard normal noise of its shape, one dimension after the other.

        `u = Phi(noise_i)` selects the component in whose share of [0, 1) it falls; where it falls
        in that share is a uniform number again, which gives z_i.
        """
        uniform = 0.5 * (1.0 + ops.erf(ops.expand_dims(noise, -2) / math.sqrt(2.0)))
        index, z = np.arange(self.dims), ops.zeros_like(noise)
        for dimension in range(self.dims):
            log_w, m, log_s, _ = self._terms(z)
            w = ops.exp(log_w)
            upper = ops.cumsum(w, axis=-2)
            first, last = ops.zeros_like(w[..., :1, :]), ops.ones_like(w[..., :1, :])
            edges = ops.concatenate([first, upper[..., :-1, :], last + 1.0], axis=-2)
            reached = ops.cast(uniform >= edges, "float32")
            chosen = reached[..., :-1, :] - reached[..., 1:, :]  # (samples, batch, K, dims)
            lower, share, mean, scale = (
                ops.sum(chosen * each, axis=-2)
                for each in (edges[..., :-1, :], w, m, ops.exp(log_s))
            )
            within = (uniform[..., 0, :] - lower) / ops.maximum(share, EDGE)
            within = ops.clip(within, EDGE, 1.0 - EDGE)
            normal = math.sqrt(2.0) * ops.erfinv(2.0 * within - 1.0)
            z = ops.where(index == dimension, mean + scale * normal, z)
        return z
