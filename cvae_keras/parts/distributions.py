"""Distributions over the latent z: what posteriors and priors return.

Shapes: z is `(samples, batch, latent_dim)`; a prior without a condition has batch 1 and broadcasts.
"""

import math

import keras
from keras import ops

LOG_2PI = math.log(2.0 * math.pi)


def gaussian_kl(mean_q, log_var_q, mean_p, log_var_p):
    """KL between diagonal Gaussians, per dimension, in nats.

    `KL = 0.5 * [ log(v_p / v_q) + (v_q + (m_q - m_p)^2) / v_p - 1 ]`

    Args:
        mean_q: array that broadcasts with the others to `(batch, latent_dim)`.
        log_var_q: log-variance of q.
        mean_p: mean of p.
        log_var_p: log-variance of p.

    Returns:
        `(batch, latent_dim)`, not negative.

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B, for any prior
    mean and variance.

    Example:
        >>> import numpy as np
        >>> np.array(gaussian_kl(np.ones(1), np.zeros(1), np.zeros(1), np.zeros(1))).tolist()
        [0.5]
    """
    ratio = ops.exp(log_var_q - log_var_p)
    shift = ops.square(mean_q - mean_p) * ops.exp(-log_var_p)
    return 0.5 * (log_var_p - log_var_q + ratio + shift - 1.0)


def gaussian_log_prob(z, mean, log_var):
    """Log-density of a diagonal Gaussian, per dimension, in nats.

    `log N(z; m, v) = -0.5 * [ (z - m)^2 / v + log v + log 2 pi ]`

    Args:
        z: array that broadcasts with the others, latent dimensions last.
        mean: mean of the Gaussian.
        log_var: log-variance of the Gaussian.

    Returns:
        Their broadcast shape.

    Example:
        >>> round(float(gaussian_log_prob(0.0, 0.0, 0.0)), 4)
        -0.9189
    """
    return -0.5 * (ops.square(z - mean) * ops.exp(-log_var) + log_var + LOG_2PI)


class Distribution:
    """Base of the distributions over a latent.

    A subclass overrides:

    - `sample_and_log_prob(n_samples, batch, seed)`: z `(n_samples, batch, latent_dim)`, and its
      log-density per dimension, of the same shape;
    - `log_prob_per_dim(z)`: the log-density of any z, of z's shape. The shares of the dimensions
      sum to the log-density; for a flow, dimension i is conditioned on those before it;
    - `mean`: `(batch, latent_dim)`, one point that stands for the distribution;
    - `kl(other)` where a closed form exists, else it returns None, and the KL is estimated at
      samples (`kl_divergence`);
    - `support` and `weights` if expectations are sums over finitely many values, as in
      `Categorical`.

    Example:
        ```python
        q = posterior(x, c)
        z = q.sample(10, seed=keras.random.SeedGenerator(0))    # (10, batch, latent_dim)
        q.log_prob(z)                                           # (10, batch), nats
        ```
    """

    @property
    def dims(self):
        """Number of latent dimensions; of categories for a categorical."""
        return self.mean.shape[-1]

    def sample(self, n_samples=1, batch=None, seed=None):
        """Draw z `(n_samples, batch, latent_dim)`.

        Args:
            n_samples: samples per example.
            batch: number of examples; None for that of the parameters.
            seed: an integer or a `keras.random.SeedGenerator`.
        """
        return self.sample_and_log_prob(n_samples, batch, seed)[0]

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        """As `sample`; returns z and its log-density per dimension, of z's shape."""
        raise NotImplementedError

    def log_prob_per_dim(self, z):
        """Log-density of z `(samples, batch, latent_dim)` per dimension, of z's shape, in nats."""
        raise NotImplementedError

    def log_prob(self, z):
        """Log-density of z `(samples, batch, latent_dim)`: `(samples, batch)`, in nats."""
        return ops.sum(self.log_prob_per_dim(z), axis=-1)

    def kl(self, other):
        """KL to another distribution, `(batch, latent_dim)` in nats, or None: no closed form."""
        return None

    def points(self, seed=None):
        """The z over which an expectation is taken, and their log-density: one sample each."""
        return self.sample_and_log_prob(seed=seed)

    def weights(self, z):
        """Weight of each of the points z in an expectation, `(samples, batch)`, summing to 1."""
        return ops.ones_like(z[..., 0]) / z.shape[0]


class Gaussian(Distribution):
    """Diagonal Gaussian `N(mean, diag exp(log_var))`.

    Args:
        mean: `(batch, latent_dim)`.
        log_var: `(batch, latent_dim)`.

    Example:
        >>> import numpy as np
        >>> standard = Gaussian(np.zeros((1, 2), "float32"), np.zeros((1, 2), "float32"))
        >>> tuple(standard.sample(5, batch=10, seed=0).shape)
        (5, 10, 2)
    """

    def __init__(self, mean, log_var):
        self.mean, self.log_var = mean, log_var

    def sample(self, n_samples=1, batch=None, seed=None):
        rows = ops.shape(self.mean)[0] if batch is None else batch
        shape = (n_samples, rows, self.mean.shape[-1])
        return self.from_noise(keras.random.normal(shape, seed=seed, dtype="float32"))

    def from_noise(self, noise):
        """z from standard normal noise of its shape: `mean + exp(log_var / 2) noise`."""
        return self.mean + ops.exp(0.5 * self.log_var) * noise

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        z = self.sample(n_samples, batch, seed)
        return z, self.log_prob_per_dim(z)

    def log_prob_per_dim(self, z):
        return gaussian_log_prob(z, self.mean, self.log_var)

    def kl(self, other):
        if not isinstance(other, Gaussian):
            return None
        return gaussian_kl(self.mean, self.log_var, other.mean, other.log_var)


class Delta(Distribution):
    """One point, without noise: the posterior of a plain autoencoder.

    Its KL to a Gaussian is infinite; `kl` is the part that depends on the point,
    `(mean - mean_p)^2 / (2 v_p)`, per dimension.

    Args:
        mean: `(batch, latent_dim)`.

    Raises:
        ValueError: a density is asked for, or the KL to another prior than a Gaussian.

    Example:
        >>> import numpy as np
        >>> prior = Gaussian(np.zeros((1, 1)), np.zeros((1, 1)))
        >>> np.array(Delta(np.full((1, 1), 2.0)).kl(prior)).tolist()
        [[2.0]]
    """

    def __init__(self, mean):
        self.mean = mean

    def sample(self, n_samples=1, batch=None, seed=None):
        return ops.repeat(ops.expand_dims(self.mean, 0), n_samples, axis=0)

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        z = self.sample(n_samples)
        return z, ops.zeros_like(z)

    def log_prob_per_dim(self, z):
        raise ValueError("a Delta has no density: use a posterior with noise.")

    def kl(self, other):
        if not isinstance(other, Gaussian):
            raise ValueError(
                f"a Delta has no KL to a {type(other).__name__}, whose density at a point may grow "
                f"without bound: use a posterior with noise, or a Gaussian prior."
            )
        return 0.5 * ops.square(self.mean - other.mean) * ops.exp(-other.log_var)


class Flow(Distribution):
    """A Gaussian transformed by an autoregressive flow.

    As a posterior, `z = flow(z_0, context)` with z_0 from `base`: a sample and its density cost
    one pass, the density of any other z the inversion of the flow. As a prior (`inverse=True`),
    `noise = flow(u, context)` with u the z standardized by `base`: the density of any z costs one
    pass, and a sample the inversion.

    Args:
        base: a `Gaussian`.
        flow: an `AutoregressiveFlow`.
        context: `(batch, features)`, what the steps are conditioned on.
        inverse: whether the flow goes from z to the noise.
        noise: None for standard normal noise; or the `Distribution` of the noise of a prior.

    Source: Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016,
    eq. 10 to 14; the other direction: Papamakarios, Pavlakou and Murray, "Masked autoregressive
    flow for density estimation", 2017.

    Example:
        ```python
        q = IAFPosterior(network, latent_dim=2)(x)
        z, log_q = q.sample_and_log_prob(seed=0)                # (1, batch, 2) each
        ```
    """

    def __init__(self, base, flow, context, inverse=False, noise=None):
        self.base, self.flow, self.context = base, flow, context
        self.inverse, self.noise = inverse, noise

    @property
    def dims(self):
        return self.base.dims

    @property
    def mean(self):
        """The mean of the base, transformed by the flow: a central point, not the expectation."""
        if self.inverse:
            noise = ops.expand_dims(ops.zeros_like(self.base.mean), 0)
            return self.from_noise(noise)[0]
        return self.flow(ops.expand_dims(self.base.mean, 0), self.context)[0][0]

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        if self.inverse:
            z = self.sample(n_samples, batch, seed)
            return z, self.log_prob_per_dim(z)
        start, log_prob = self.base.sample_and_log_prob(n_samples, batch, seed)
        z, log_s = self.flow(start, self.context)
        return z, log_prob - log_s

    def sample(self, n_samples=1, batch=None, seed=None):
        if not self.inverse:
            return self.sample_and_log_prob(n_samples, batch, seed)[0]
        rows = ops.shape(self.base.mean)[0] if batch is None else batch
        noise = keras.random.normal((n_samples, rows, self.base.mean.shape[-1]), seed=seed)
        return self.from_noise(noise)

    def log_prob_per_dim(self, z):
        if not self.inverse:
            start = self.flow.inverse(z, self.context)
            return self.base.log_prob_per_dim(start) - self.flow(start, self.context)[1]
        u = (z - self.base.mean) * ops.exp(-0.5 * self.base.log_var)
        noise, log_s = self.flow(u, self.context)
        if self.noise is None:
            log_prob = gaussian_log_prob(noise, 0.0, 0.0)
        else:
            log_prob = self.noise.log_prob_per_dim(noise)
        return log_prob + log_s - 0.5 * self.base.log_var

    def from_noise(self, noise):
        """z from standard normal noise of its shape: of a prior, the inversion of the flow."""
        if self.noise is not None:
            noise = self.noise.from_noise(noise)
        u = self.flow.inverse(noise, self.context)
        return self.base.mean + ops.exp(0.5 * self.base.log_var) * u


class Categorical(Distribution):
    """A one-hot z of K categories; expectations are sums over all of them, without sampling.

    Args:
        logits: `(batch, K)`, not necessarily normalized.
        systematic: draw the samples of one example systematically. With a random shift U in [0, 1),
            sample i takes the category in whose share of [0, 1) the number (i + U) / n_samples
            falls, and the samples are then shuffled. Each sample alone is an exact draw; together
            they represent p better than independent ones: of n samples, a category of probability
            p gets n p, rounded up or down.

    Source: systematic sampling: Kitagawa, "Monte Carlo filter and smoother", 1996.

    Example:
        >>> import numpy as np
        >>> coin = Categorical(np.zeros((1, 2), "float32"))
        >>> tuple(coin.sample(4, seed=0).shape), np.array(coin.mean).tolist()
        ((4, 1, 2), [[0.5, 0.5]])
    """

    def __init__(self, logits, systematic=False):
        self.logits, self.systematic = logits, systematic

    @property
    def dims(self):
        return self.logits.shape[-1]

    @property
    def mean(self):
        """The probabilities, `(batch, K)`."""
        if self.logits.shape[-1] == 1:  # Keras warns of a softmax over one logit
            return ops.ones_like(self.logits, dtype="float32")
        return ops.softmax(ops.cast(self.logits, "float32"), axis=-1)

    @property
    def log_probs(self):
        """The log-probabilities, `(batch, K)`."""
        return ops.log_softmax(self.logits, axis=-1)

    def sample(self, n_samples=1, batch=None, seed=None):
        categories = self.logits.shape[-1]
        if not self.systematic:
            k = keras.random.categorical(self.logits, n_samples, seed=seed)  # (batch, n_samples)
            return ops.one_hot(ops.transpose(k), categories, dtype="float32")
        rows = ops.shape(self.logits)[0] if batch is None else batch
        generator = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        order = ops.argsort(keras.random.uniform((n_samples, rows), seed=generator), axis=0)
        shift = keras.random.uniform((1, rows), seed=generator)
        at = ops.expand_dims((ops.cast(order, "float32") + shift) / n_samples, -1)
        upper = ops.cumsum(self.mean, axis=-1)
        first, last = ops.zeros_like(upper[:, :1]), ops.ones_like(upper[:, :1])
        above = ops.concatenate([first, upper[:, :-1], last + 1.0], axis=-1)  # (batch, K + 1)
        reached = ops.cast(at >= above, "float32")  # (n_samples, batch, K + 1)
        return reached[..., :-1] - reached[..., 1:]

    def sample_and_log_prob(self, n_samples=1, batch=None, seed=None):
        z = self.sample(n_samples, batch, seed)
        return z, self.log_prob_per_dim(z)

    def log_prob_per_dim(self, z):
        return z * self.log_probs

    def kl(self, other):
        """KL to another `Categorical`, `(batch, 1)`, in nats."""
        if not isinstance(other, Categorical):
            return None
        log_q = ops.maximum(self.log_probs, math.log(1e-37))
        return ops.sum(self.mean * (log_q - other.log_probs), axis=-1, keepdims=True)

    def points(self, seed=None):
        """All K categories, `(K, 1, K)`, and their log-probabilities."""
        z = ops.expand_dims(ops.eye(self.logits.shape[-1], dtype="float32"), 1)
        return z, self.log_prob_per_dim(z)

    def weights(self, z):
        """The probability of each of all K categories, `(K, batch)`."""
        return ops.transpose(self.mean)


def kl_divergence(q, p, z, log_q):
    """KL(q || p) per dimension, in nats: the closed form where there is one, else at points z.

    `KL_i = sum_s w_s [ log q(z_s)_i - log p(z_s)_i ]`, unbiased, and of any sign

    Args:
        q: the posterior's distribution.
        p: the prior's.
        z: points from `q.points`, `(samples, batch, latent_dim)`.
        log_q: their log-density per dimension, of z's shape.

    Returns:
        `(batch, latent_dim)`; `(batch, 1)` for a `Categorical`.

    Source: Kingma et al., 2016, eq. 2.

    Example:
        >>> import numpy as np
        >>> q = Gaussian(np.ones((1, 1), "float32"), np.zeros((1, 1), "float32"))
        >>> p = Gaussian(np.zeros((1, 1), "float32"), np.zeros((1, 1), "float32"))
        >>> np.array(kl_divergence(q, p, *q.points(seed=0))).tolist()
        [[0.5]]
    """
    exact = q.kl(p)
    if exact is not None:
        return exact
    weights = ops.expand_dims(q.weights(z), -1)
    return ops.sum(weights * (log_q - p.log_prob_per_dim(z)), axis=0)
