"""Conditional variational autoencoders in Keras, each held against an exact answer.

>>> from cvae_keras import SinusoidTask, load_pretrained, refine
"""

from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.systems.sinusoid.refine import refine

__all__ = [
    "TASKS",
    "CompressionVAE",
    "MultimodalCVAE",
    "SinusoidCVAE",
    "SinusoidSolver",
    "SinusoidTask",
    "VADImputer",
    "VariationalAutoDecoder",
    "load_pretrained",
    "refine",
]

_WITH_KERAS = {
    "CompressionVAE": "cvae_keras.systems.compression.estimator",
    "MultimodalCVAE": "cvae_keras.systems.multimodal.model",
    "SinusoidCVAE": "cvae_keras.systems.sinusoid.model",
    "SinusoidSolver": "cvae_keras.systems.sinusoid.solver",
    "VADImputer": "cvae_keras.systems.auto_decoder.imputer",
    "VariationalAutoDecoder": "cvae_keras.systems.auto_decoder.model",
    "load_pretrained": "cvae_keras.systems.saved",
}


def __getattr__(name):
    """Import what needs Keras when it is first asked for: the exact truth needs NumPy only."""
    if name not in _WITH_KERAS:
        raise AttributeError(f"module 'cvae_keras' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WITH_KERAS[name]), name)
