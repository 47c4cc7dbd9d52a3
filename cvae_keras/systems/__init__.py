"""The systems: each a short file that fills the slots of the one ELBO."""

from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.cvae.model import CVAE
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.systems.saved import load_model, load_pretrained
from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.systems.sinusoid.refine import refine
from cvae_keras.systems.sinusoid.solver import SinusoidSolver

__all__ = [
    "CVAE",
    "CompressionModel",
    "CompressionVAE",
    "DenseCVAE",
    "MaskedVAE",
    "MultimodalCVAE",
    "SinusoidCVAE",
    "SinusoidSolver",
    "VADImputer",
    "VariationalAutoDecoder",
    "load_model",
    "load_pretrained",
    "refine",
]


def __getattr__(name):
    """The scikit-learn estimators, imported when first used."""
    if name == "CompressionVAE":
        from cvae_keras.systems.compression.estimator import CompressionVAE

        return CompressionVAE
    if name == "VADImputer":
        from cvae_keras.systems.auto_decoder.imputer import VADImputer

        return VADImputer
    raise AttributeError(f"module 'cvae_keras.systems' has no attribute {name!r}")
