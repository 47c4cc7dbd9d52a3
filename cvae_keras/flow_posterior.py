"""A posterior with bends: a Gaussian carried through an inverse autoregressive flow."""

import keras
from keras import ops

from cvae_keras.flows import AutoregressiveFlow
from cvae_keras.posteriors import (
    LOG_VAR_RANGE,
    GaussianPosterior,
    gaussian_log_prob,
    sampled_kl,
)


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
