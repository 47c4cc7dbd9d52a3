"""The data sets that the systems are trained and scored on."""

from cvae_keras.data.conditions import Conditioned, as_inputs, known_patterns
from cvae_keras.data.gaussian import (
    CorrelatedGaussian,
    GaussianData,
    IndependentGaussian,
    ProjectedGaussian,
)
from cvae_keras.data.sinusoid import SinusoidTask

__all__ = [
    "Conditioned",
    "CorrelatedGaussian",
    "GaussianData",
    "IndependentGaussian",
    "ProjectedGaussian",
    "SinusoidTask",
    "as_inputs",
    "known_patterns",
]
