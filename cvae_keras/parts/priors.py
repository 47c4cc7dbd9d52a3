"""Priors p(z | c): what the latent is before x is seen, and what samples are drawn from."""

import keras
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.adapters import reads_one_tensor
from cvae_keras.parts.distributions import Categorical, Flow, Gaussian
from cvae_keras.parts.flows import AutoregressiveFlow
from cvae_keras.parts.layers import CompositeLayer, flat
from cvae_keras.parts.mixtures import AutoregressiveMixture, MixtureNetwork


class Prior(CompositeLayer):
    """Base of the priors: a layer that, called with the condition, returns a distribution.

    To write one, override:

    - `call(c=None)`: c is what the model's condition layer returns, or None; returns a
      `Distribution` over z `(samples, batch, latent_dim)`, of batch 1 if it does not depend on c;
    - `family`: "continuous" or "categorical", as that of the posteriors it can be used with.

    Example:
        ```python
        class WidePrior(Prior):
            def call(self, c=None):
                return Gaussian(keras.ops.zeros((1, 2)), keras.ops.full((1, 2), 2.0))
        ```
    """

    family = "continuous"


@keras.saving.register_keras_serializable("cvae_keras")
class StandardNormal(Prior):
    """The prior N(0, I), whatever the condition.

    Args:
        latent_dim: number of latent dimensions.

    Returns:
        Called: a `Gaussian` of batch 1.

    Raises:
        ValueError: latent_dim is not a positive integer.

    Source: Kingma and Welling, 2014, section 3.

    Example:
        >>> prior = StandardNormal(2)
        >>> tuple(prior(None).sample(5, batch=10, seed=0).shape)
        (5, 10, 2)
    """

    def __init__(self, latent_dim, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = check_count("latent_dim", latent_dim)

    def call(self, c=None):
        return Gaussian(ops.zeros((1, self.latent_dim)), ops.zeros((1, self.latent_dim)))


@keras.saving.register_keras_serializable("cvae_keras")
class ConditionalNormal(Prior):
    """A learned Gaussian prior p(z | c) = N(mean(c), diag exp(log_var(c))).

    It starts as N(0, I): the last layers are zero before training.

    Args:
        latent_dim: number of latent dimensions.
        width: units of the one hidden layer between c and the parameters.
        network: Keras layer or model called as `network(c)`, instead; returns `(mean, log_var)`
            itself, or features, from which both are then computed. A dictionary c is flattened
            and concatenated for a network of one tensor.

    Returns:
        Called: a `Gaussian`.

    Raises:
        ValueError: a count that is not positive; c is missing.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", 2015, eq. 4.

    Example:
        >>> import numpy as np
        >>> tuple(ConditionalNormal(2)(np.zeros((10, 50, 2), "float32")).mean.shape)
        (10, 2)
    """

    nested = ("network",)

    def __init__(self, latent_dim, width=128, network=None, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = check_count("latent_dim", latent_dim)
        self.width = check_count("width", width)
        self.network = network
        self.hidden = keras.layers.Dense(self.width, activation="relu") if network is None else None
        zeros = {"kernel_initializer": "zeros", "dtype": "float32"}
        self.mean = keras.layers.Dense(self.latent_dim, name="mean", **zeros)
        self.log_var = keras.layers.Dense(self.latent_dim, name="log_var", **zeros)

    def call(self, c=None):
        return self.read(c)[0]

    def read(self, c):
        """The Gaussian `(mean, log_var)` of c, and the list of what else the network returned."""
        if c is None:
            raise ValueError("c is missing: a conditional prior needs the condition as input 'c'.")
        if self.network is None:
            found = self.hidden(flat(c))
        else:
            one = isinstance(c, dict) and reads_one_tensor(self.network)
            found = self.network(flat(c) if one else c)
        if isinstance(found, (tuple, list)):
            mean, log_var, *features = found
        else:
            hidden, features = flat(found), []
            mean, log_var = self.mean(hidden), self.log_var(hidden)
        return Gaussian(mean, ops.clip(log_var, -20.0, 20.0)), features

    def get_config(self):
        network = self.network and keras.saving.serialize_keras_object(self.network)
        config = {"latent_dim": self.latent_dim, "width": self.width, "network": network}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class FlowPrior(ConditionalNormal):
    """A learned prior p(z | c) that is not restricted to a Gaussian.

    `u = (z - mean(c)) exp(-log_var(c) / 2)`, `e = flow(u; mean(c), log_var(c), features(c))`,
    `e ~ N(0, I)`

    `log p(z | c) = sum_i log N(e_i; 0, 1) + sum_t log s_(t,i) - log_var_i / 2`

    With several components the distribution of e is not N(0, I) but an `AutoregressiveMixture`: a
    flow alone keeps the one mode of its noise, with bridges of density between the modes of z.

    The steps go from z to the noise: the density of any z costs one pass, and a sample the
    inversion, one dimension after the other. The KL has no closed form then. The aggregate of all
    examples' posteriors is seldom Gaussian, and where the prior has mass and they have none, the
    decoder was never trained.

    Args:
        latent_dim: number of latent dimensions.
        width: units of the hidden layer that computes mean and log-variance.
        network: as for `ConditionalNormal`; or it returns `(mean, log_var, features)`, the last
            `(batch, n)`, which the steps read as well.
        flow_length: steps of the flow.
        flow_width: hidden units of each step.
        components: Gaussians of each dimension of e; 1 for a standard normal e.

    Returns:
        Called: a `Flow` of direction `inverse`.

    Raises:
        ValueError: a count that is not positive; c is missing.

    Source: Papamakarios, Pavlakou and Murray, "Masked autoregressive flow for density estimation",
    2017; as the prior of a VAE: Chen et al., "Variational lossy autoencoder", 2017, section 3.2.

    Example:
        >>> import numpy as np
        >>> p = FlowPrior(2)(np.zeros((10, 5), "float32"))
        >>> tuple(p.log_prob(p.sample(3, seed=0)).shape)
        (3, 10)
    """

    def __init__(
        self,
        latent_dim,
        width=128,
        network=None,
        flow_length=3,
        flow_width=64,
        components=1,
        **kwargs,
    ):
        super().__init__(latent_dim, width, network, **kwargs)
        self.flow = AutoregressiveFlow(latent_dim, flow_length, flow_width)
        self.components, self.mixture = check_count("components", components), None
        if components > 1:
            self.mixture = MixtureNetwork(latent_dim, components, self.flow.width)

    def call(self, c=None):
        base, features = self.read(c)
        context = ops.concatenate([base.mean, base.log_var, *features], axis=-1)
        noise = None if self.mixture is None else AutoregressiveMixture(self.mixture, context)
        return Flow(base, self.flow, context, inverse=True, noise=noise)

    def get_config(self):
        config = {"flow_length": len(self.flow.steps), "flow_width": self.flow.width}
        return {**super().get_config(), **config, "components": self.components}


@keras.saving.register_keras_serializable("cvae_keras")
class CategoricalPrior(Prior):
    """A prior over K categories given c: `p(k | c) = softmax(W c + b)_k`, a sample is one-hot.

    Samples of one condition are drawn systematically (see `Categorical`), or independently.

    Args:
        categories: K.
        independent: whether the samples of one condition are independent.

    Returns:
        Called: a `Categorical`, uniform before training.

    Raises:
        ValueError: categories is not a positive integer; c is missing.

    Source: the mixing network of Bishop, "Mixture density networks", 1994.

    Example:
        >>> import numpy as np
        >>> tuple(CategoricalPrior(12)(np.zeros((10, 64), "float32")).mean.shape)
        (10, 12)
    """

    family = "categorical"

    def __init__(self, categories, independent=False, **kwargs):
        super().__init__(**kwargs)
        self.categories = check_count("categories", categories)
        self.independent = bool(independent)
        self.logits = keras.layers.Dense(
            self.categories, kernel_initializer="zeros", dtype="float32"
        )

    def call(self, c=None):
        return Categorical(self.compute_logits(c), systematic=not self.independent)

    def compute_logits(self, c):
        """The logits, `(batch, K)`, in float32; a subclass may override this instead of `call`."""
        if c is None:
            raise ValueError("c is missing: a categorical prior needs the condition as input 'c'.")
        return self.logits(flat(c))
