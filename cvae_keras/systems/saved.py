"""Trained models: how to load one from disk, and those that are shipped.

Importing `cvae_keras` registers the classes of every system with Keras, so that no system has to be
imported here.
"""

import keras

from cvae_keras.checks import check_choice
from cvae_keras.elbo import ELBOModel
from cvae_keras.files import MODELS, check_archive, expand

SHIPPED = ("sinusoid_1", "sinusoid_2", "sinusoid_conv_1", "sinusoid_conv_2")


def load_model(path):
    """Load a model of any system from its `.keras` file, random state included.

    No code of the file is run: a model with a Lambda layer or with a class of others is refused.

    Args:
        path: of the file; the file of a `CompressionVAE` is `model.keras` in its `logdir`.

    Returns:
        An `ELBOModel`, bit-equal to the one saved.

    Raises:
        ValueError: there is no such file, or it is truncated, damaged, or holds another model.

    Example:
        ```python
        model = load_model("results/models/sinusoid_1.keras")
        ```
    """
    path = expand(path)
    check_archive(path, "a Keras model")
    if path.suffix != ".keras":
        raise ValueError(f"{path} does not end in .keras: rename it.")
    try:
        model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras has no common one for damaged and foreign files
        raise ValueError(
            f"{path} cannot be read as a Keras model: it is damaged, or of a class that is neither "
            f"Keras's nor of this project; save it again, or import its class first."
        ) from error
    if not isinstance(model, ELBOModel):
        raise ValueError(
            f"{path} holds a {type(model).__name__}, not a model of this project: name another "
            f"file."
        )
    return model


def load_pretrained(name, folder=None):
    """Load a model that comes with the project.

    Args:
        name: "sinusoid_1" or "sinusoid_2", the mixture density networks of `TASKS["data_1"]` and
            `["data_2"]`; "sinusoid_conv_1" or "sinusoid_conv_2", their Conv1D CVAEs.
        folder: where `<name>.keras` lies; by default `results/models` of the repository, or the
            installed package, which brings the files along.

    Returns:
        An `ELBOModel`; `model.sample(y, n_samples=100, seed=0)` draws x `(100, batch, 50, 2)`.

    Raises:
        ValueError: an unknown name, or no such file.

    Example:
        ```python
        model = load_pretrained("sinusoid_1")
        x, y = model.task.sample(1000, seed=0)
        model.sample(y, n_samples=100, seed=0).shape            # (100, 1000, 50, 2)
        ```
    """
    check_choice("name", name, SHIPPED)
    path = expand(folder or MODELS) / f"{name}.keras"
    if not path.is_file():
        raise ValueError(
            f"{path} is not a file: train it with `cvae-keras solve sinusoid`, or name another "
            f"folder."
        )
    return load_model(path)
