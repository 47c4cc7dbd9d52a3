"""The Variational Auto-Decoder, its imputer, and the VAE with which it is compared."""

from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.column_likelihood import ColumnLikelihood
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.inference import infer_latents
from cvae_keras.systems.auto_decoder.laplace import laplace_bound
from cvae_keras.systems.auto_decoder.latent_model import LatentModel
from cvae_keras.systems.auto_decoder.miwae import MIWAE
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.systems.auto_decoder.pooling import pool

__all__ = [
    "MIWAE",
    "ColumnLikelihood",
    "DenseDecoder",
    "LatentModel",
    "MaskedVAE",
    "VADImputer",
    "VariationalAutoDecoder",
    "factor_analysis",
    "infer_latents",
    "laplace_bound",
    "pool",
]


def __getattr__(name):
    if name == "VADImputer":  # scikit-learn is imported only for it
        from cvae_keras.systems.auto_decoder.imputer import VADImputer

        return VADImputer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
