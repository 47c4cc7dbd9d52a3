"""What fills the slots of the ELBO: posteriors, priors, likelihoods, networks.

`distributions` holds what posteriors and priors return: `Gaussian`, `Flow`, `Categorical`, `Delta`.
"""

from cvae_keras.parts import distributions
from cvae_keras.parts.adapters import PlainDecoder, PlainEncoder
from cvae_keras.parts.flows import AutoregressiveFlow, IAFStep
from cvae_keras.parts.layers import CompositeLayer, Dropout, SavesRandomState
from cvae_keras.parts.likelihoods import (
    AbsoluteError,
    Bernoulli,
    Categorical,
    Laplace,
    Likelihood,
    Normal,
    SquaredError,
)
from cvae_keras.parts.networks import (
    ConvDecoder,
    ConvEncoder,
    DenseStack,
    GatedMLP,
    NormalizedMLP,
    ResidualMLP,
    tile,
)
from cvae_keras.parts.posteriors import (
    CategoricalPosterior,
    FreeTablePosterior,
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

__all__ = [
    "AbsoluteError",
    "AutoregressiveFlow",
    "Bernoulli",
    "Categorical",
    "CategoricalPosterior",
    "CategoricalPrior",
    "CompositeLayer",
    "ConditionalNormal",
    "ConvDecoder",
    "ConvEncoder",
    "DenseStack",
    "Dropout",
    "FlowPrior",
    "FreeTablePosterior",
    "GaussianPosterior",
    "IAFPosterior",
    "IAFStep",
    "Laplace",
    "Likelihood",
    "Normal",
    "NormalizedMLP",
    "PlainDecoder",
    "PlainEncoder",
    "Posterior",
    "Prior",
    "GatedMLP",
    "ResidualMLP",
    "SavesRandomState",
    "SquaredError",
    "StandardNormal",
    "distributions",
    "tile",
]
