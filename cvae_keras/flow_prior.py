"""A prior with bends: a Gaussian given the condition, carried through an autoregressive flow."""

import keras
from keras import ops

from cvae_keras.flows import AutoregressiveFlow
from cvae_keras.posteriors import gaussian_log_prob
from cvae_keras.priors import ConditionalNormal


@keras.saving.register_keras_serializable("cvae_keras")
class FlowPrior(ConditionalNormal):
    """A learned prior p(z | c) of any shape, not of a Gaussian's alone.

    `u = (z - mean(c)) exp(-log_var(c) / 2)`, `e = bend(u; mean(c), log_var(c))`, `e ~ N(0, I)`

    `log p(z | c) = sum_i log N(e_i; 0, 1) + sum_t log s_(t,i) - log_var_i / 2`

    The steps are those of `cvae_keras.flows`, from z to the noise: the density of a z is one pass,
    and a sample goes the other way, one dimension after the other. The KL has no closed form then:
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
