"""Posteriors q(z | x, c): where the latent of an example may lie."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count, check_finite, check_seed, check_weight
from cvae_keras.parts.adapters import PlainEncoder, reads_one
from cvae_keras.parts.distributions import Categorical, Delta, Flow, Gaussian
from cvae_keras.parts.flows import AutoregressiveFlow
from cvae_keras.parts.layers import CompositeLayer

LOG_VAR_RANGE = (-20.0, 20.0)
VARIANTS = ("ae", "vae", "vae_free")


class Posterior(CompositeLayer):
    """Base of the posteriors: a layer that, called with an example, returns a distribution.

    To write one, override:

    - `call(x, c=None, mask=None)`: x `(batch, ...)`, c what the model's condition layer returns,
      mask of x's shape or None; returns a `Distribution` over z `(samples, batch, latent_dim)`;
    - `kl_dims`: columns of the KL, `latent_dim`, or 1 for a categorical;
    - `family`: "continuous" or "categorical", compared with the prior's;
    - `reads`: the name of the array that `call` gets as x, "x" unless it is a free table;
    - `check_inputs(inputs)`, only if it needs more than x: raises a ValueError if it is not there;
    - `update(q, p, log_p, beta)`, only if the posterior depends on the likelihood itself (see
      `CategoricalPosterior`).

    Example:
        ```python
        class UnitPosterior(Posterior):
            def __init__(self, latent_dim, **kwargs):
                super().__init__(**kwargs)
                self.kl_dims = latent_dim
                self.mean = keras.layers.Dense(latent_dim)

            def call(self, x, c=None, mask=None):
                mean = self.mean(x)
                return Gaussian(mean, keras.ops.zeros_like(mean))
        ```
    """

    family = "continuous"
    kl_dims = None
    reads = "x"

    def check_inputs(self, inputs):
        """Refuse arrays by name, `(batch, ...)` each, that this posterior cannot read."""

    def update(self, q, p, log_p, beta):
        """The distribution once the likelihood is known; q itself unless overridden.

        Args:
            q: what `call` returned.
            p: the prior's distribution.
            log_p: `(samples, batch)`, log p(x | z, c) at the points of q.
            beta: weight of the KL, a scalar.
        """
        return q


@keras.saving.register_keras_serializable("cvae_keras")
class GaussianPosterior(Posterior):
    """Amortized diagonal Gaussian: a network reads (x, c) and gives a mean and a log-variance.

    `q(z | x, c) = N(z; mean(x, c), diag exp(log_var(x, c)))`, `z = mean + exp(log_var / 2) * eps`

    Args:
        network: layer called as `network(x, c, mask=mask)`; returns features `(batch, width)`. A
            Keras layer or model of one tensor becomes a `PlainEncoder`.
        latent_dim: number of latent dimensions.
        kernel_initializer: of the two dense layers that end in mean and log-variance.
        heads: False if the network itself returns `(mean, log_var)`, each `(batch, latent_dim)`.

    Returns:
        Called: a `Gaussian`, in float32.

    Raises:
        ValueError: latent_dim is not a positive integer.

    Source: Kingma and Welling, 2014, section 3; reparameterization, section 2.4.

    Example:
        ```python
        posterior = GaussianPosterior(ConvEncoder(), latent_dim=4)
        q = posterior(x, c)
        q.mean.shape                                            # (batch, 4)
        ```
    """

    nested = ("network",)

    def __init__(
        self, network, latent_dim, kernel_initializer="glorot_uniform", heads=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.network = PlainEncoder(network) if reads_one(network) else network
        self.latent_dim = self.kl_dims = check_count("latent_dim", latent_dim)
        dense = {"kernel_initializer": kernel_initializer, "dtype": "float32"}
        self.heads = heads
        if heads:
            self.mean = keras.layers.Dense(self.latent_dim, name="mean", **dense)
            self.log_var = keras.layers.Dense(self.latent_dim, name="log_var", **dense)

    def call(self, x, c=None, mask=None):
        features = self.network(x, c, mask=mask)
        mean, log_var = (self.mean(features), self.log_var(features)) if self.heads else features
        return Gaussian(mean, ops.clip(log_var, *LOG_VAR_RANGE))

    def get_config(self):
        config = {"network": keras.saving.serialize_keras_object(self.network)}
        config |= {"latent_dim": self.latent_dim, "heads": self.heads}
        if self.heads:
            init = keras.initializers.serialize(self.mean.kernel_initializer)
            config["kernel_initializer"] = init
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class IAFPosterior(GaussianPosterior):
    """Amortized Gaussian, transformed by steps of inverse autoregressive flow.

    `z_0 ~ N(mean, diag exp(log_var))`, `z_t = step_t(z_(t-1), context)`, `z = z_T`, and
    `log q(z | x, c) = log N(z_0; mean, diag exp(log_var)) - sum_t sum_i log s_(t,i)`

    The order of the dimensions is reversed between steps. The context is what the network returns.
    Without steps it is the `GaussianPosterior`, whose KL has a closed form; with steps the KL is
    estimated at the sampled points.

    Args:
        network: as for `GaussianPosterior`.
        latent_dim: number of latent dimensions.
        flow_length: number of steps, 0 or more.
        flow_width: hidden units of each step; by default 64, or twice latent_dim if that is more.
        kernel_initializer: as for `GaussianPosterior`.

    Returns:
        Called: a `Flow`, or a `Gaussian` if there are no steps.

    Raises:
        ValueError: flow_length is not a whole number of at least 0.

    Source: Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016,
    eq. 10 to 14.

    Example:
        ```python
        posterior = IAFPosterior(network, latent_dim=2, flow_length=5)
        z, log_q = posterior(x).sample_and_log_prob(seed=0)     # (1, batch, 2) each
        ```
    """

    def __init__(self, network, latent_dim, flow_length=5, flow_width=None, **kwargs):
        super().__init__(network, latent_dim, **kwargs)
        self.flow = AutoregressiveFlow(latent_dim, flow_length, flow_width)

    def call(self, x, c=None, mask=None):
        context = ops.cast(self.network(x, c, mask=mask), "float32")
        log_var = ops.clip(self.log_var(context), *LOG_VAR_RANGE)
        base = Gaussian(self.mean(context), log_var)
        return Flow(base, self.flow, context) if self.flow.steps else base

    def get_config(self):
        config = super().get_config()
        del config["heads"]
        return {**config, "flow_length": len(self.flow.steps), "flow_width": self.flow.width}


@keras.saving.register_keras_serializable("cvae_keras")
class CategoricalPosterior(Posterior):
    """The optimal posterior over a one-hot latent, summed exactly: no sampling, no gap.

    With K categories the ELBO is a sum of K terms, and the q that maximizes it is known:

    `q(k | x, c) = p(k | c) p(x | k, c)^(1/beta) / sum_j p(j | c) p(x | j, c)^(1/beta)`

    At beta = 1 this is Bayes' rule, KL(q || p(k | x, c)) = 0, and the ELBO equals log p(x | c). No
    encoder is needed: the decoder, evaluated for all K categories, takes its place.

    Args:
        categories: K, the size of the latent.

    Returns:
        Called: a uniform `Categorical`, which `update` replaces by q.

    Raises:
        ValueError: categories is not a positive integer.

    Source: Neal and Hinton, "A view of the EM algorithm", 1998 (the optimal q is the E-step);
    Bishop, "Mixture density networks", 1994.

    Example:
        >>> posterior = CategoricalPosterior(12)
        >>> tuple(posterior(None).mean.shape)
        (1, 12)
    """

    family = "categorical"
    kl_dims = 1

    def __init__(self, categories, **kwargs):
        super().__init__(**kwargs)
        self.categories = check_count("categories", categories)

    def call(self, x, c=None, mask=None):
        return Categorical(ops.zeros((1, self.categories)))

    def update(self, q, p, log_p, beta):
        logits = p.log_probs + ops.transpose(log_p) / ops.maximum(beta, 1e-6)
        return Categorical(ops.stop_gradient(logits))  # at the optimum, d ELBO / d q = 0


@keras.saving.register_keras_serializable("cvae_keras")
class FreeTablePosterior(Posterior):
    """One free Gaussian per example, looked up by its index.

    `q(z | i) = N(z; mean[i], diag exp(log_var[i]))`, `z = mean[i] + exp(log_var[i] / 2) * eps`

    Args:
        examples: rows of the table, one per training example.
        latent_dim: number of latent dimensions.
        variant: "vae_free" learns the variances; "vae" keeps them at `log_var`; "ae" has no noise,
            and its KL is the part that depends on the mean, `mean^2 / 2`.
        log_var: of every row, initially ("vae_free") or always ("vae"). The commands of Zadeh et
            al. use -14 and -3; 0 is the prior's own.
        scale: standard deviation of the normal from which the means start; 0 starts all at 0.
        seed: of that start.

    Call arguments:
        index: `(batch,)` or `(batch, 1)`, whole numbers below `examples`.

    Returns:
        Called: a `Gaussian`, in float32; a `Delta` for "ae".

    Raises:
        ValueError: an unknown variant, no positive count, a log_var outside [-20, 20]; in training,
            an index that is missing, not whole, or outside the table.

    Source: Zadeh, Lim, Liang and Morency, "Variational Auto-Decoder", 2019, section 3.

    Example:
        >>> posterior = FreeTablePosterior(1000, latent_dim=4)
        >>> tuple(posterior(np.array([3, 17])).mean.shape)
        (2, 4)
    """

    reads = "index"

    def __init__(
        self, examples, latent_dim, variant="vae_free", log_var=-3.0, scale=0.001, seed=0, **kwargs
    ):
        super().__init__(**kwargs)
        self.examples = check_count("examples", examples)
        self.latent_dim = self.kl_dims = check_count("latent_dim", latent_dim)
        self.variant = check_choice("variant", variant, VARIANTS)
        low, high = LOG_VAR_RANGE
        if not low <= check_finite("log_var", log_var) <= high:
            raise ValueError(f"log_var must lie in [{low}, {high}], got {log_var!r}: choose less.")
        self.start_log_var = float(log_var)
        self.scale, self.seed = check_weight("scale", scale), check_seed("seed", seed)
        rng = np.random.default_rng(self.seed)
        start = rng.normal(scale=self.scale, size=(examples, latent_dim))
        self.mean = self.add_weight(shape=(examples, latent_dim), name="mean")
        self.mean.assign(start.astype("float32"))
        self.log_var = None
        if variant == "vae_free":
            start = keras.initializers.Constant(log_var)
            self.log_var = self.add_weight((examples, latent_dim), start, name="log_var")

    def check_inputs(self, inputs):
        give = f"give the row of the table of each example, 0 to {self.examples - 1}."
        if "index" not in inputs:
            raise ValueError(f"index is missing, and the posterior is a free table: {give}")
        index = np.asarray(inputs["index"])
        if index.size != len(index) or not (np.floor(index) == index).all():
            raise ValueError(f"index does not hold one whole number an example: {give}")
        if not 0 <= index.min() <= index.max() < self.examples:
            raise ValueError(f"index runs from {index.min():g} to {index.max():g}: {give}")

    def get_config(self):
        config = {"examples": self.examples, "latent_dim": self.latent_dim}
        config |= {"variant": self.variant, "log_var": self.start_log_var}
        return {**super().get_config(), **config, "scale": self.scale, "seed": self.seed}

    def call(self, index, c=None, mask=None):
        index = ops.reshape(ops.cast(index, "int32"), (-1,))
        mean = ops.take(self.mean, index, axis=0)
        if self.variant == "ae":
            return Delta(mean)
        if self.variant == "vae":
            return Gaussian(mean, ops.full_like(mean, self.start_log_var))
        return Gaussian(mean, ops.clip(ops.take(self.log_var, index, axis=0), *LOG_VAR_RANGE))
