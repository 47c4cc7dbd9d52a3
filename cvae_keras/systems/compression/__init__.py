"""CompressionVAE: dimensionality reduction with a flow VAE that keeps neighbors together."""

from cvae_keras.systems.compression.model import Components, CompressionModel, RowDecoder

__all__ = ["Components", "CompressionModel", "CompressionVAE", "RowDecoder"]


def __getattr__(name):
    """Import the estimator when it is first used: it needs scikit-learn and matplotlib."""
    if name != "CompressionVAE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cvae_keras.systems.compression.estimator import CompressionVAE

    return CompressionVAE
