"""Trained models: reading one from disk, and the two that the project ships."""

import zipfile
from pathlib import Path

import keras

import cvae_keras.systems.auto_decoder.baseline  # noqa: F401  (registers its classes, as below)
import cvae_keras.systems.auto_decoder.model  # noqa: F401
import cvae_keras.systems.dense.model  # noqa: F401
import cvae_keras.systems.multimodal.model  # noqa: F401
import cvae_keras.systems.sinusoid.model  # noqa: F401
import cvae_keras.systems.sinusoid.solver  # noqa: F401
from cvae_keras.checks import check_choice
from cvae_keras.elbo import ELBOModel
from cvae_keras.files import MODELS

SHIPPED = ("sinusoid_1", "sinusoid_2")


def load_model(path):
    """Load a model of this project from a `.keras` file, random state included.

    Args:
        path: the file.

    Returns:
        An `ELBOModel`, bit-equal to the one saved.

    Raises:
        ValueError: no such file, or one that is truncated, damaged or not a model of this project.

    Example:
        >>> model = load_model("results/models/sinusoid_1.keras")
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{path} is not a file: name a .keras file that was saved by this project."
        )
    try:
        model = keras.saving.load_model(path)
    except (zipfile.BadZipFile, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} cannot be read as a Keras model: it is damaged or of another kind; save it "
            f"anew."
        ) from error
    if not isinstance(model, ELBOModel):
        raise ValueError(
            f"{path} holds a {type(model).__name__}, not a model of this project: name another "
            f"file."
        )
    return model


def load_pretrained(name, folder=None):
    """Load a model that ships with the project.

    Args:
        name: "sinusoid_1" or "sinusoid_2", the solved models of `TASKS["data_1"]` and `["data_2"]`.
        folder: where `<name>.keras` lies; by default the repository's `results/models`, or where the package
            is installed without it, the package itself.

    Returns:
        An `ELBOModel`; `model.sample(y, n_samples=100, seed=0)` draws x `(100, batch, 50, 2)`.

    Raises:
        ValueError: an unknown name, or no such file.

    Example:
        >>> model = load_pretrained("sinusoid_1")
        >>> x, y = model.task.sample(1000, seed=0)
        >>> model.sample(y, n_samples=100, seed=0).shape
        (100, 1000, 50, 2)
    """
    check_choice("name", name, SHIPPED)
    return load_model(Path(folder or MODELS) / f"{name}.keras")
