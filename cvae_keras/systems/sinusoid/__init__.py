"""The sinusoid tasks: the Conv1D CVAE, the solved model, and the refinement of samples."""

from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.systems.sinusoid.ramp_normal import RampNormal
from cvae_keras.systems.sinusoid.refine import refine
from cvae_keras.systems.sinusoid.solver import (
    ProposalDecoder,
    ProposalPrior,
    Proposals,
    SinusoidSolver,
)
from cvae_keras.systems.sinusoid.wave_features import WaveFeatures

__all__ = [
    "ProposalDecoder",
    "ProposalPrior",
    "Proposals",
    "RampNormal",
    "SinusoidCVAE",
    "SinusoidSolver",
    "WaveFeatures",
    "refine",
]
