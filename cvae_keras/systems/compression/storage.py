"""A `CompressionVAE` on disk: a folder with `model.keras` and `compression.json`."""

import json
from pathlib import Path

from cvae_keras.files import open_folder, write_json
from cvae_keras.systems.saved import load_model

MODEL, ABOUT, LOGS = "model.keras", "compression.json", "tensorboard"
FORMAT = "cvae_keras.CompressionVAE 1"


def is_ours(folder):
    """Whether `folder` holds a `CompressionVAE`.

    Raises:
        ValueError: a file of that name is there, but was not written by `save`.
    """
    path = Path(folder) / ABOUT
    if not path.is_file():
        return False
    try:
        written = json.loads(path.read_text()).get("format")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        written = None
    if written != FORMAT:
        raise ValueError(f"logdir holds {path}, which is not of a CompressionVAE: name another.")
    return True


def claim(folder):
    """Make a folder ready for `save`: made if absent, and no file of another in the way.

    Raises:
        ValueError: it cannot be written, or holds a `model.keras` of someone else.
    """
    folder = open_folder(folder)
    if not is_ours(folder) and (folder / MODEL).exists():
        raise ValueError(
            f"logdir {str(folder)!r} holds a {MODEL} that was not written by CompressionVAE: name "
            f"another folder."
        )
    return folder


def save(folder, model, parameters, training):
    """Write a model, so that a reader never sees half of it.

    Args:
        folder: see `claim`.
        model: a `CompressionModel`.
        parameters: dictionary of the estimator's parameters that belong to the model.
        training: dictionary with the history.

    Raises:
        ValueError: see `claim`.
    """
    folder = claim(folder)
    partial = folder / f"partial_{MODEL}"
    model.save(partial)
    partial.replace(folder / MODEL)
    write_json(folder / ABOUT, {"format": FORMAT, "parameters": parameters, "training": training})


def load(folder):
    """Read what `save` wrote.

    Returns:
        `(model, parameters, training)`, the arguments of `save`.

    Raises:
        ValueError: there is none, or its file is damaged.
    """
    if not is_ours(folder):
        raise ValueError(f"logdir {str(folder)!r} holds no CompressionVAE: train one, or name it.")
    about = json.loads((Path(folder) / ABOUT).read_text())
    return load_model(Path(folder) / MODEL), about["parameters"], about["training"]


def remove(folder):
    """Delete what `save` and TensorBoard wrote into a folder, and the folder if then empty."""
    folder = Path(folder)
    if not folder.is_dir() or not is_ours(folder):
        return
    events = list((folder / LOGS).rglob("events.out.tfevents.*"))
    for path in [folder / MODEL, folder / ABOUT, *events]:
        path.unlink(missing_ok=True)
    inner = [path for path in (folder / LOGS).rglob("*") if path.is_dir()]
    for path in [*sorted(inner, reverse=True), folder / LOGS, folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
