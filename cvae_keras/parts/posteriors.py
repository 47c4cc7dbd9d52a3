"""Posteriors q(z | x, c): where the latent of an example may lie.

A posterior offers four calls, which `ELBOModel` makes in this order (S points of z an example):

- `posterior(x, c, mask)` gives its parameters q;
- `points(q, p, seed)` gives z `(S, batch, latent_dim)`, over which the expectation is taken;
- `weigh(q, p, log_p, beta)` gives the weight of each point, `(S, batch)`, summing to 1 over S;
- `kl(q, p, z, w)` gives the KL to the prior with parameters p, `(batch, kl_dims)`, in nats.

The Gaussian ones, with or without a flow (`flow_posterior.py`), offer two more: `log_prob(q, z)`,
which `cvae_keras.metrics.importance` needs, and `center(q)`, one point that stands for q.
"""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count
from cvae_keras.parts.flows import AutoregressiveFlow
from cvae_keras.parts.layers import MaskIsInput

LOG_VAR_RANGE = (-20.0, 20.0)
LOG_2PI = math.log(2.0 * math.pi)


def gaussian_kl(mean_q, log_var_q, mean_p, log_var_p):
    """KL between diagonal Gaussians, each dimension on its own, in nats.

    `KL = 0.5 * [ log(v_p / v_q) + (v_q + (m_q - m_p)^2) / v_p - 1 ]`

    Args:
        mean_q, log_var_q, mean_p, log_var_p: arrays that broadcast to `(batch, latent_dim)`.

    Returns:
        `(batch, latent_dim)`, not negative.

    Source: Kingma and Welling, 2014, appendix B, for any prior mean and variance.

    Example:
        >>> gaussian_kl(np.ones(1), np.zeros(1), np.zeros(1), np.zeros(1))   # -> [0.5]
    """
    ratio = ops.exp(log_var_q - log_var_p)
    shift = ops.square(mean_q - mean_p) * ops.exp(-log_var_p)
    return 0.5 * (log_var_p - log_var_q + ratio + shift - 1.0)


def gaussian_log_prob(z, mean, log_var):
    """Log-density of a diagonal Gaussian, each dimension on its own, in nats.

    `log N(z; m, v) = -0.5 * [ (z - m)^2 / v + log v + log 2 pi ]`

    Args:
        z, mean, log_var: arrays that broadcast, latent dimensions last.

    Returns:
        Their broadcast shape.

    Example:
        >>> gaussian_log_prob(np.zeros(1), np.zeros(1), np.zeros(1))   # -> [-0.9189]
    """
    return -0.5 * (ops.square(z - mean) * ops.exp(-log_var) + log_var + LOG_2PI)


def sampled_kl(log_q, p, z, w):
    """The KL at sampled points, where it has no closed form, in nats.

    `KL_i = sum_s w_s [ log q(z_s)_i - log p(z_s)_i ]`, right on average, and of any sign

    Args:
        log_q: `(S, batch, latent_dim)`, log-density of the points, the share of each dimension.
        p: of the prior: (mean, log_var), or a dictionary with "log_p" of the points already.
        z: the points, `(S, batch, latent_dim)`; w: their weights, `(S, batch)`.

    Returns:
        `(batch, latent_dim)`.

    Source: Kingma et al., 2016, eq. 2.

    Example:
        >>> log_q = gaussian_log_prob(z, mean, log_var)
        >>> sampled_kl(log_q, {"log_p": log_q}, z, np.ones((1, 10)))              # zeros
    """
    log_p = p["log_p"] if isinstance(p, dict) else gaussian_log_prob(z, *p)
    return ops.sum(ops.expand_dims(w, -1) * (log_q - log_p), axis=0)


@keras.saving.register_keras_serializable("cvae_keras")
class GaussianPosterior(MaskIsInput):
    """Amortised diagonal Gaussian: a network reads (x, c) and gives a mean and a log-variance.

    `q(z | x, c) = N(z; mean(x, c), diag exp(log_var(x, c)))`, `z = mean + exp(log_var / 2) * eps`

    Args:
        network: layer called as `network(x, c, mask=mask)`; returns features `(batch, width)`.
        latent_dim: number of latent dimensions.
        kernel_initializer: of the two dense layers that end in mean and log-variance.
        heads: False if the network itself returns `(mean, log_var)`, each `(batch, latent_dim)`.

    Returns:
        Called: `(mean, log_var)`, each `(batch, latent_dim)`, in float32.

    Source: Kingma and Welling, 2014, section 3; reparametrisation, section 2.4.

    Example:
        >>> posterior = GaussianPosterior(ConvEncoder(), latent_dim=4)
    """

    family = "gaussian"

    def __init__(
        self, network, latent_dim, kernel_initializer="glorot_uniform", heads=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.network = network
        self.latent_dim = self.kl_dims = check_count("latent_dim", latent_dim)
        dense = {"kernel_initializer": kernel_initializer, "dtype": "float32"}
        self.heads = heads
        if heads:
            self.mean = keras.layers.Dense(latent_dim, name="mean", **dense)
            self.log_var = keras.layers.Dense(latent_dim, name="log_var", **dense)

    def build(self, *shapes, **more):
        """Nothing to do: the layers build themselves when they are first called."""

    def call(self, x, c=None, mask=None):
        features = self.network(x, c, mask=mask)
        mean, log_var = (self.mean(features), self.log_var(features)) if self.heads else features
        return mean, ops.clip(log_var, *LOG_VAR_RANGE)

    def points(self, q, p, seed):
        mean, log_var = q
        noise = keras.random.normal(ops.shape(mean), seed=seed, dtype=mean.dtype)
        return ops.expand_dims(mean + ops.exp(0.5 * log_var) * noise, 0)

    def weigh(self, q, p, log_p, beta):
        return ops.ones_like(log_p)

    def kl(self, q, p, z, w):
        if isinstance(p, dict):  # no Gaussian: see `cvae_keras.parts.priors`
            return sampled_kl(gaussian_log_prob(z, *q), p, z, w)
        return gaussian_kl(*q, *p)

    def log_prob(self, q, z):
        """log q(z | x, c) of points z `(samples, batch, latent_dim)`: `(samples, batch)`."""
        return ops.sum(gaussian_log_prob(z, *q), axis=-1)

    def center(self, q):
        """The mean, `(batch, latent_dim)`."""
        return q[0]


@keras.saving.register_keras_serializable("cvae_keras")
class CategoricalPosterior(keras.layers.Layer):
    """The best possible posterior over a one-hot latent, summed exactly: no sampling, no gap.

    With K categories the ELBO is a sum of K terms, and the q that maximises it is known:

    `q(k | x, c) = p(k | c) p(x | k, c)^(1/beta) / sum_j p(j | c) p(x | j, c)^(1/beta)`

    At beta = 1 this is Bayes' rule, KL(q || p(k | x, c)) = 0, and the ELBO equals log p(x | c). No
    encoder is needed: the decoder, asked about all K categories, is the encoder.

    Args:
        categories: K, the size of the latent.

    Returns:
        Called: None, because q follows from the prior and the likelihood in `weigh`.

    Source: Neal and Hinton, "A view of the EM algorithm", 1998 (the optimal q is the E-step);
    Bishop, "Mixture density networks", 1994.

    Example:
        >>> posterior = CategoricalPosterior(12)
    """

    family = "categorical"
    kl_dims = 1

    def __init__(self, categories, **kwargs):
        super().__init__(**kwargs)
        self.categories = check_count("categories", categories)

    def call(self, x, c=None, mask=None):
        return None

    def points(self, q, p, seed):
        return ops.expand_dims(ops.eye(self.categories, dtype="float32"), 1)

    def weigh(self, q, p, log_p, beta):
        log_prior = ops.transpose(ops.log_softmax(p, axis=-1))  # (K, batch)
        w = ops.softmax(log_prior + log_p / ops.maximum(beta, 1e-6), axis=0)
        return ops.stop_gradient(w)  # at the optimum the ELBO does not change with q

    def kl(self, q, p, z, w):
        log_prior = ops.transpose(ops.log_softmax(p, axis=-1))
        log_w = ops.log(ops.maximum(w, 1e-37))
        return ops.expand_dims(ops.sum(w * (log_w - log_prior), axis=0), -1)


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
        self.flow = AutoregressiveFlow(latent_dim, flow_length, flow_width)

    def build(self, x_shape, c_shape=None, mask_shape=None):
        """Nothing to do: network, dense layers and flow build themselves when first called."""

    def call(self, x, c=None, mask=None):
        context = ops.cast(self.network(x, c, mask=mask), "float32")
        log_var = ops.clip(self.log_var(context), *LOG_VAR_RANGE)
        return {"gaussian": (self.mean(context), log_var), "context": context}

    def points(self, q, p, seed):
        start = super().points(q["gaussian"], p, seed)
        z, log_s = self.flow.bend(start, q["context"])
        q["log_q"] = gaussian_log_prob(start, *q["gaussian"]) - log_s
        return z

    def kl(self, q, p, z, w):
        if not self.flow.steps:
            return super().kl(q["gaussian"], p, z, w)
        return sampled_kl(q["log_q"], p, z, w)

    def log_prob(self, q, z):
        """log q(z | x, c) of any points z, by inverting the flow: `(samples, batch)`."""
        start = self.flow.unbend(z, q["context"])
        log_q = gaussian_log_prob(start, *q["gaussian"])
        return ops.sum(log_q - self.flow.bend(start, q["context"])[1], axis=-1)

    def center(self, q):
        """The mean of the Gaussian, carried through the flow: `(batch, latent_dim)`."""
        mean = ops.expand_dims(q["gaussian"][0], 0)
        return self.flow.bend(mean, q["context"])[0][0]


VARIANTS = ("ae", "vae", "vae_free")


@keras.saving.register_keras_serializable("cvae_keras")
class FreeTablePosterior(keras.layers.Layer):
    """One free Gaussian an example, looked up by its index.

    `q(z | i) = N(z; mean[i], diag exp(log_var[i]))`, `z = mean[i] + exp(log_var[i] / 2) * eps`

    Args:
        examples: rows of the table, one for each training example.
        latent_dim: number of latent dimensions.
        variant: "vae_free" learns the variances; "vae" keeps them at `log_var`; "ae" has no noise,
            and its KL is the part that depends on the mean, `mean^2 / 2`.
        log_var: of every row, at the start ("vae_free") or for ever ("vae"). The original's
            commands use -14 and -3; 0 is the prior's own.
        scale: standard deviation of the normal from which the means start; 0 starts all at 0.
        seed: of that start.

    Call arguments:
        index: `(batch,)` or `(batch, 1)`, whole numbers below `examples`.

    Returns:
        Called: `(mean, log_var)`, each `(batch, latent_dim)`, in float32.

    Raises:
        ValueError: an unknown variant, no positive count, a log_var outside [-20, 20].

    Source: Zadeh, Lim, Liang and Morency, "Variational Auto-Decoder", 2019, section 3.

    Example:
        >>> posterior = FreeTablePosterior(1000, latent_dim=4)
        >>> mean, log_var = posterior(np.array([3, 17]))                    # (2, 4) each
    """

    family = "gaussian"

    def __init__(
        self, examples, latent_dim, variant="vae_free", log_var=-3.0, scale=0.001, seed=0, **kwargs
    ):
        super().__init__(**kwargs)
        self.examples = check_count("examples", examples)
        self.latent_dim = self.kl_dims = check_count("latent_dim", latent_dim)
        self.variant = check_choice("variant", variant, VARIANTS)
        low, high = LOG_VAR_RANGE
        if not low <= log_var <= high:
            raise ValueError(f"log_var must lie in [{low}, {high}], got {log_var!r}: choose less.")
        self.start_log_var = float(log_var)
        start = np.random.default_rng(seed).normal(scale=scale, size=(examples, latent_dim))
        self.mean = self.add_weight(shape=(examples, latent_dim), name="mean")
        self.mean.assign(start.astype("float32"))
        self.log_var = None
        if variant == "vae_free":
            start = keras.initializers.Constant(log_var)
            self.log_var = self.add_weight((examples, latent_dim), start, name="log_var")

    def call(self, index):
        index = ops.reshape(ops.cast(index, "int32"), (-1,))
        mean = ops.take(self.mean, index, axis=0)
        if self.variant == "vae_free":
            log_var = ops.clip(ops.take(self.log_var, index, axis=0), *LOG_VAR_RANGE)
        else:
            log_var = ops.full_like(mean, self.start_log_var)
        return mean, log_var

    def points(self, q, p, seed):
        mean, log_var = q
        if self.variant != "ae":
            noise = keras.random.normal(ops.shape(mean), seed=seed, dtype=mean.dtype)
            mean = mean + ops.exp(0.5 * log_var) * noise
        return ops.expand_dims(mean, 0)

    def weigh(self, q, p, log_p, beta):
        return ops.ones_like(log_p)

    def kl(self, q, p, z, w):
        if self.variant == "ae":
            return 0.5 * ops.square(q[0] - p[0]) * ops.exp(-p[1])
        return gaussian_kl(*q, *p)
