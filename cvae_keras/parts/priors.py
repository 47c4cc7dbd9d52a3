"""Priors p(z | c): what the latent is before x is seen, and what samples are drawn from.

A prior offers three calls: `prior(c)` gives its parameters p, `sample(p, batch, n_samples, seed)`
draws z `(n_samples, batch, latent_dim)`, and `at_points(p, z)` gives what the KL needs to know at
points z: p itself, where it has a closed form.
"""

import keras
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.flows import AutoregressiveFlow
from cvae_keras.parts.posteriors import gaussian_log_prob


@keras.saving.register_keras_serializable("cvae_keras")
class StandardNormal(keras.layers.Layer):
    """The prior N(0, I), whatever the condition.

    Args:
        latent_dim: number of latent dimensions.

    Returns:
        Called: `(mean, log_var)`, zeros of shape `(1, latent_dim)`.

    Source: Kingma and Welling, 2014, section 3.

    Example:
        >>> prior = StandardNormal(2); z = prior.sample(prior(None), 10, 5, seed=0)   # (5, 10, 2)
    """

    family = "gaussian"

    def __init__(self, latent_dim, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = check_count("latent_dim", latent_dim)

    def call(self, c=None):
        return ops.zeros((1, self.latent_dim)), ops.zeros((1, self.latent_dim))

    def sample(self, p, batch, n_samples, seed):
        mean, log_var = p
        noise = keras.random.normal((n_samples, batch, self.latent_dim), seed=seed)
        return mean + ops.exp(0.5 * log_var) * noise

    def at_points(self, p, z):
        return p

    def log_prob(self, p, z):
        """log p(z | c) of points z `(samples, batch, latent_dim)`: `(samples, batch)`."""
        return ops.sum(gaussian_log_prob(z, *p), axis=-1)


@keras.saving.register_keras_serializable("cvae_keras")
class ConditionalNormal(StandardNormal):
    """A learned Gaussian prior p(z | c) = N(mean(c), diag exp(log_var(c))).

    It starts as N(0, I): the last layers are zero before training.

    Args:
        latent_dim: number of latent dimensions.
        width: units of the one hidden layer between c and the parameters.
        network: layer called as `network(c)` that returns `(mean, log_var)` itself, instead.

    Returns:
        Called: `(mean, log_var)`, each `(batch, latent_dim)`.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", 2015, eq. 4.

    Example:
        >>> prior = ConditionalNormal(2); mean, log_var = prior(np.zeros((10, 50, 2)))
    """

    def __init__(self, latent_dim, width=128, network=None, **kwargs):
        super().__init__(latent_dim, **kwargs)
        self.network = network
        if network is not None:
            return
        self.hidden = keras.layers.Dense(check_count("width", width), activation="relu")
        self.flatten = keras.layers.Flatten()
        zeros = {"kernel_initializer": "zeros", "dtype": "float32"}
        self.mean = keras.layers.Dense(latent_dim, name="mean", **zeros)
        self.log_var = keras.layers.Dense(latent_dim, name="log_var", **zeros)

    def call(self, c=None):
        if c is None:
            raise ValueError("c is missing: a conditional prior needs the condition as input 'c'.")
        if self.network is not None:
            mean, log_var = self.network(c)
        else:
            features = self.hidden(self.flatten(c))
            mean, log_var = self.mean(features), self.log_var(features)
        return mean, ops.clip(log_var, -20.0, 20.0)


@keras.saving.register_keras_serializable("cvae_keras")
class CategoricalPrior(keras.layers.Layer):
    """A learned prior over K categories: p(k | c) = softmax(W c + b), z the one-hot of k.

    Samples of one condition are drawn systematically: with a random shift U in [0, 1), sample i
    takes the category in whose share of [0, 1) the number (i + U) / n_samples falls, and the
    samples are then shuffled. Each sample alone is an exact draw from p(k | c); together they
    represent it better than independent ones, for of n samples a category of probability p gets
    n p, rounded up or down. `independent=True` gives independent draws.

    Args:
        categories: K; independent: whether the samples of one condition are independent.

    Returns:
        Called: logits `(batch, K)`, in float32. Uniform before training.

    Source: the mixing network of Bishop, "Mixture density networks", 1994; systematic sampling:
    Kitagawa, "Monte Carlo filter and smoother", 1996.

    Example:
        >>> prior = CategoricalPrior(12); logits = prior(np.zeros((10, 64)))
    """

    family = "categorical"

    def __init__(self, categories, independent=False, **kwargs):
        super().__init__(**kwargs)
        self.categories = check_count("categories", categories)
        self.independent = bool(independent)
        self.flatten = keras.layers.Flatten()
        self.logits = keras.layers.Dense(categories, kernel_initializer="zeros", dtype="float32")

    def call(self, c=None):
        if c is None:
            raise ValueError("c is missing: a categorical prior needs the condition as input 'c'.")
        return self.logits(self.flatten(c))

    def at_points(self, p, z):
        return p

    def sample(self, p, batch, n_samples, seed):
        if self.independent:
            k = keras.random.categorical(p, n_samples, seed=seed)  # (batch, n_samples)
            return ops.one_hot(ops.transpose(k), self.categories, dtype="float32")
        generator = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        order = ops.argsort(keras.random.uniform((n_samples, batch), seed=generator), axis=0)
        shift = keras.random.uniform((1, batch), seed=generator)
        at = ops.expand_dims((ops.cast(order, "float32") + shift) / n_samples, -1)
        upper = ops.cumsum(ops.softmax(ops.cast(p, "float32"), axis=-1), axis=-1)
        first, last = ops.zeros_like(upper[:, :1]), ops.ones_like(upper[:, :1])
        above = ops.concatenate([first, upper[:, :-1], last + 1.0], axis=-1)  # (batch, K + 1)
        reached = ops.cast(at >= above, "float32")  # (n_samples, batch, K + 1)
        return reached[..., :-1] - reached[..., 1:]


@keras.saving.register_keras_serializable("cvae_keras")
class FlowPrior(ConditionalNormal):
    """A learned prior p(z | c) of any shape, not of a Gaussian's alone.

    `u = (z - mean(c)) exp(-log_var(c) / 2)`, `e = bend(u; mean(c), log_var(c))`, `e ~ N(0, I)`

    `log p(z | c) = sum_i log N(e_i; 0, 1) + sum_t log s_(t,i) - log_var_i / 2`

    The steps are those of `flows.py`, from z to the noise: the density of a z is one pass, and a
    sample goes the other way, one dimension after the other. The KL has no closed form then:
    it is `log q(z) - log p(z)` at the sampled points. Posteriors of all examples together are no
    Gaussian, and where the prior has mass and they have none, the decoder was never trained.

    Args:
        latent_dim: number of latent dimensions.
        network: layer called as `network(c)` that returns `(mean, log_var)`; width: units of the
            hidden layer that does so by default.
        flow_length, flow_width: steps of the flow, and hidden units of each.

    Returns:
        Called: dictionary of tensors, "mean" and "log_var", `(batch, latent_dim)` each.

    Source: Papamakarios, Pavlakou and Murray, "Masked autoregressive flow for density estimation",
    2017; as the prior of a VAE: Chen et al., "Variational lossy autoencoder", 2017, section 3.2.

    Example:
        >>> prior = FlowPrior(2); p = prior(np.zeros((10, 5)))
        >>> prior.log_prob(p, prior.sample(p, 10, 3, seed=0)).shape               # (3, 10)
    """

    def __init__(self, latent_dim, width=128, network=None, flow_length=3, flow_width=64, **kwargs):
        super().__init__(latent_dim, width, network, **kwargs)
        self.flow = AutoregressiveFlow(latent_dim, flow_length, flow_width)

    def build(self, c_shape=None):
        """Nothing to do: network and flow build themselves when they are first called."""

    def call(self, c=None):
        mean, log_var = super().call(c)
        return {"mean": mean, "log_var": log_var}

    def sample(self, p, batch, n_samples, seed):
        noise = keras.random.normal((n_samples, batch, self.latent_dim), seed=seed)
        u = self.flow.unbend(noise, _context(p))
        return p["mean"] + ops.exp(0.5 * p["log_var"]) * u

    def at_points(self, p, z):
        """log p(z | c) of points z, the share of each dimension: z's shape, as "log_p"."""
        u = (z - p["mean"]) * ops.exp(-0.5 * p["log_var"])
        noise, log_s = self.flow.bend(u, _context(p))
        return {"log_p": gaussian_log_prob(noise, 0.0, 0.0) + log_s - 0.5 * p["log_var"]}

    def log_prob(self, p, z):
        return ops.sum(self.at_points(p, z)["log_p"], axis=-1)


def _context(p):
    return ops.concatenate([p["mean"], p["log_var"]], axis=-1)
