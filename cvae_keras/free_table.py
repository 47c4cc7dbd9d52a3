"""The posterior of an auto-decoder: a table with one row for each training example, no encoder."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count
from cvae_keras.posteriors import LOG_VAR_RANGE, gaussian_kl

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
