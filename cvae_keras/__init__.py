"""Conditional variational autoencoders in Keras, each compared with an exact answer.

Importing the package registers its classes with Keras, so that `keras.saving.load_model` reads the
models that it saved.
"""

import os as _os
import sys as _sys
from importlib.machinery import PathFinder as _PathFinder
from importlib.util import LazyLoader as _LazyLoader
from importlib.util import find_spec as _find_spec

__version__ = "0.2.0"


def _choose_backend():
    """Without TensorFlow, Keras's default, take another backend that is installed."""
    if "keras" in _sys.modules or _os.environ.get("KERAS_BACKEND") or _find_spec("tensorflow"):
        return
    for name in ("jax", "torch"):
        if _find_spec(name):
            _os.environ["KERAS_BACKEND"] = name
            return
    raise ModuleNotFoundError(
        "Keras needs a backend, and none is installed: pip install 'cvae-keras[tensorflow]', "
        "'cvae-keras[jax]' or 'cvae-keras[torch]'."
    )


class _Later:
    """Finds modules that Keras imports and few programs use, so that they load when first used.

    Keras takes two thirds of the time without them: `keras.wrappers` needs scikit-learn.
    """

    names = ("keras.wrappers", "matplotlib.pyplot")

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = _PathFinder.find_spec(name, path, target) if name in cls.names else None
        if spec is not None:
            spec.loader = _LazyLoader(spec.loader)
        return spec


def _import_keras_quietly():
    """Import Keras without TensorFlow's start-up notes, which bypass Python's standard error."""
    if "keras" in _sys.modules:
        return
    _os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        saved, nowhere = _os.dup(2), _os.open(_os.devnull, _os.O_WRONLY)
    except OSError:  # there is no standard error to redirect
        return
    _os.dup2(nowhere, 2)
    _sys.meta_path.insert(0, _Later)
    try:
        import keras  # noqa: F401
    finally:
        _sys.meta_path.remove(_Later)
        _os.dup2(saved, 2)
        _os.close(saved)
        _os.close(nowhere)


_choose_backend()
_import_keras_quietly()

from cvae_keras.data.sinusoid import TASKS, SinusoidTask  # noqa: E402
from cvae_keras.elbo import ELBOModel, elbo  # noqa: E402
from cvae_keras.systems import (  # noqa: E402
    CVAE,
    DenseCVAE,
    MultimodalCVAE,
    SinusoidCVAE,
    SinusoidSolver,
    VariationalAutoDecoder,
    load_model,
    load_pretrained,
    refine,
)

__all__ = [
    "CVAE",
    "TASKS",
    "CompressionVAE",
    "DenseCVAE",
    "ELBOModel",
    "MultimodalCVAE",
    "SinusoidCVAE",
    "SinusoidSolver",
    "SinusoidTask",
    "VADImputer",
    "VariationalAutoDecoder",
    "elbo",
    "load_model",
    "load_pretrained",
    "refine",
]


def __getattr__(name):
    if name in ("CompressionVAE", "VADImputer"):  # scikit-learn is imported only for these
        from cvae_keras import systems

        return getattr(systems, name)
    raise AttributeError(f"module 'cvae_keras' has no attribute {name!r}")
