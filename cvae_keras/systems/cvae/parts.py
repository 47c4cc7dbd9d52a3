"""The parts of a `CVAE`, by name or as objects."""

import keras

from cvae_keras.checks import check_choice, shown
from cvae_keras.parts import likelihoods
from cvae_keras.parts.networks import PriorHead
from cvae_keras.parts.posteriors import (
    CategoricalPosterior,
    GaussianPosterior,
    IAFPosterior,
    Posterior,
)
from cvae_keras.parts.priors import (
    CategoricalPrior,
    ConditionalNormal,
    FlowPrior,
    Prior,
    StandardNormal,
)
from cvae_keras.systems.multimodal import units

POSTERIORS = ("gaussian", "flow", "categorical")
PRIORS = ("standard", "conditional", "flow", "categorical")
LIKELIHOODS = {
    "normal": lambda: likelihoods.Normal("decoder"),
    "laplace": lambda: likelihoods.Laplace("decoder"),
    "bernoulli": likelihoods.Bernoulli,
    "categorical": likelihoods.Categorical,
    "poisson": likelihoods.Poisson,
}
KINDS = {
    likelihoods.Normal: "real",
    likelihoods.Laplace: "real",
    likelihoods.Bernoulli: "bit",
    likelihoods.Categorical: "classes",
    likelihoods.Poisson: "count",
}
POSTERIOR_STEPS, PRIOR_STEPS = 2, 5  # of the flows
FLOW_WIDTH, COMPONENTS = 64, 8  # of the prior's flow


def make_posterior(posterior, network, latent_dim, heads):
    """The posterior of this name over this network, or the object itself.

    Args:
        posterior: a name, or a `Posterior`.
        network: returns features; for "gaussian" without `heads` mean and log-variance.
        latent_dim: number of latent dimensions.
        heads: whether a "gaussian" posterior has heads of its own.
    """
    if isinstance(posterior, Posterior):
        return posterior
    check_choice("posterior", posterior, POSTERIORS)
    if posterior == "categorical":
        return CategoricalPosterior(latent_dim)
    if posterior == "gaussian":
        return GaussianPosterior(network, latent_dim, heads=heads)
    return IAFPosterior(network, latent_dim, POSTERIOR_STEPS, FLOW_WIDTH)


def make_prior(prior, latent_dim, posterior, has_condition, width):
    """The prior of this name, or the object itself; None is the most flexible one that fits."""
    if isinstance(prior, Prior):
        return prior
    if prior is None and posterior.family == "categorical":
        prior = "categorical"
    prior = prior or ("flow" if has_condition else "standard")
    check_choice("prior", prior, PRIORS)
    if prior == "standard":
        return StandardNormal(latent_dim)
    if not has_condition:
        raise ValueError(
            f"prior {prior!r} reads a condition, and the model has none: give c_shape, or use "
            f"prior 'standard' with a continuous posterior."
        )
    if prior == "categorical":
        return CategoricalPrior(latent_dim, independent=True)
    if prior == "conditional":
        return ConditionalNormal(latent_dim, width)
    head = PriorHead(latent_dim, width)
    return FlowPrior(
        latent_dim,
        network=head,
        flow_length=PRIOR_STEPS,
        flow_width=FLOW_WIDTH,
        components=COMPONENTS,
    )


def make_likelihood(name, likelihood):
    """The likelihood of an array by its name, or the object itself."""
    if isinstance(likelihood, likelihoods.Likelihood):
        return likelihood
    check_choice(f"likelihood of {name!r}", likelihood, LIKELIHOODS)
    return LIKELIHOODS[likelihood]()


def kind_and_scale(likelihood):
    """What an array of this likelihood holds, and what the decoder gives beside its mean.

    Returns:
        `(kind, scale)`: the kind of `Variable`, "other" for a likelihood of the user's own; and
        "decoder", "learned" or None, as `ArrayDecoder` takes it.
    """
    kind = next((k for of, k in KINDS.items() if type(likelihood) is of), "other")
    scale = getattr(likelihood, "scale", None) if kind == "real" else None
    return kind, scale if isinstance(scale, str) else None


def in_unit(likelihood, variable, unit):
    """The likelihood of an array that has lost its unit: log p is that in the array's own unit.

    Raises:
        ValueError: bounds of a likelihood that does not respect them, or classes without an axis.
    """
    if unit is None and variable.bounds is not None:
        raise ValueError(
            f"bounds of {variable.name!r} need the likelihood 'normal', got "
            f"{type(likelihood).__name__}, whose draws would leave them: leave the bounds out."
        )
    if variable.kind == "classes" and variable.shape[-1] < 2:
        raise ValueError(
            f"{variable.name} has shape {variable.shape}, and the last axis of the likelihood "
            f"'categorical' has one entry for each class: make it at least 2."
        )
    if unit is None:
        return likelihood
    normal = isinstance(likelihood, likelihoods.Normal)
    scale = "decoder" if isinstance(likelihood.scale, str) else likelihood.scale
    more = {"min_log_scale": likelihood.min_log_scale}
    if variable.bounds is None:
        return (units.Normal if normal else units.Laplace)(unit, scale, **more)
    if not normal or scale != "decoder":
        raise ValueError(
            f"bounds of {variable.name!r} need the likelihood 'normal' with a scale that is "
            f"'learned' or 'decoder', got {type(likelihood).__name__} with {shown(scale)}: change "
            f"it, or leave the bounds out."
        )
    return BoundedNormal(unit, variable.bounds, scale, **more)


class BoundedNormal(units.Normal):
    """A Normal of u, what is within bounds taken off them: `log p(v) = log N(u; mean, s) - J`.

    J is `log |dv / du|`, see `Bounds`. With two bounds v is logit-normal or, by the link "probit",
    the image of a normal u under Phi; with one bound it is log-normal.

    Args:
        unit: `Unit` of u.
        bounds: `Bounds` of v.

    Source: Aitchison and Shen, "Logistic-normal distributions", 1980, with one dimension.
    """

    def __init__(self, unit, bounds, scale="decoder", **kwargs):
        super().__init__(unit, scale, **kwargs)
        self.bounds = bounds

    def elementwise(self, x, x_hat):
        u = self.unit.write(x)
        return super().elementwise(x, x_hat) - self.bounds.log_jacobian(u)


def check_layer(name, layer):
    """Refuse a network that is not a Keras layer."""
    if layer is not None and not isinstance(layer, keras.layers.Layer):
        raise TypeError(
            f"{name} must be a Keras layer or model, got {type(layer).__name__}: give for instance "
            f"keras.Sequential([...])."
        )
    return layer
