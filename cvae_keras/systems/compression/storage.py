"""A `CompressionVAE` on disk: `model.keras`, and a readable copy of what it is in a JSON file.

The parameters and the history lie in `model.keras` itself, as the further member
`compression.json` of the archive, which Keras ignores: the file is written at once, so that a
killed process leaves the old model or the new one. Folders of older versions have the JSON file
only.
"""

import json
import math
import os
import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path

from cvae_keras import files
from cvae_keras.systems.saved import load_model

CONTENT = "CompressionVAE"
MODEL, ABOUT = "model.keras", "compression.json"
#: File -> its copy while a training that starts afresh has not written its model yet.
BACKUP = {MODEL: "model.previous.keras", ABOUT: "compression.previous.json"}
LOGS = f"tensorboard/{CONTENT}"  # below, all is ours
FORMAT = "cvae_keras.CompressionVAE 1"


def is_ours(folder):
    """Whether a folder was written by `save`, now or in an older version.

    Args:
        folder: any path.

    Raises:
        ValueError: a file of a name that `save` uses is there, but was not written by it.

    Example:
        >>> is_ours("a folder that is absent")
        False
    """
    folder = files.expand(folder)
    if files.marked(folder) is not None:
        return files.marked(folder) == CONTENT
    if (folder / MODEL).is_file() and _member(folder / MODEL) is not None:
        return True
    if not (folder / ABOUT).exists():
        return False
    _check(files.read_json(folder / ABOUT), folder / ABOUT)
    return True


def holds_model(folder):
    """Whether a folder holds a `CompressionVAE`, which `load` reads.

    Args:
        folder: any path.

    Raises:
        ValueError: see `is_ours`.

    Example:
        >>> holds_model("a folder that is absent")
        False
    """
    return is_ours(folder) and (files.expand(folder) / MODEL).exists()


def claim(folder):
    """Make a folder ready for `save`, and touch nothing where it is not ours.

    Args:
        folder: absent, empty, or of a `CompressionVAE`.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it cannot be written, or holds files of others.

    Example:
        ```python
        folder = claim("runs/embedding")
        ```
    """
    folder, ours = files.expand(folder), is_ours(folder)
    if not ours and files.marked(folder) is None and (folder / MODEL).exists():
        raise ValueError(
            f"logdir {str(folder)!r} holds a {MODEL} that was not written by CompressionVAE: name "
            f"another folder."
        )
    return files.claim(folder, CONTENT, older=ours)


def save(folder, model, parameters, training):
    """Write a model, so that a reader never sees half of it.

    Args:
        folder: see `claim`.
        model: a `CompressionModel`.
        parameters: dictionary of the estimator's parameters that belong to the model.
        training: dictionary with the history.

    Raises:
        ValueError: see `claim`.

    Example:
        ```python
        save("runs/embedding", model, {"dim_latent": 2}, {"history": []})
        ```
    """
    folder = claim(folder)
    about = {"format": FORMAT, "parameters": parameters, "training": training}
    with files.replacing(folder / MODEL) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(ABOUT, json.dumps(about))
    files.write_json(folder / ABOUT, about)


def load(folder):
    """Read what `save` wrote.

    Args:
        folder: which `holds_model`.

    Returns:
        `(model, parameters, training)`, the arguments of `save`.

    Raises:
        ValueError: there is none, or its file is damaged.

    Example:
        ```python
        model, parameters, training = load("runs/embedding")
        ```
    """
    folder = files.expand(folder)
    if not holds_model(folder):
        raise ValueError(f"logdir {str(folder)!r} holds no CompressionVAE: train one, or name it.")
    model = load_model(folder / MODEL)
    text, path = _member(folder / MODEL), folder / MODEL
    if text is None:
        path = folder / ABOUT
        about = files.read_json(path)
    else:
        about = files.parse_json(text, path)
    _check(about, path)
    parameters = about["parameters"]
    of_model = {"dim_latent": model.latent_dim, "iaf_flow_length": model.flow_length}
    for name, value in of_model.items():
        if parameters.get(name, value) != value:
            raise ValueError(
                f"{path} says {name} {parameters[name]!r}, but its model has {value}: restore it."
            )
    return model, parameters, about["training"]


@contextmanager
def keeping(folder):
    """Context in which a model is replaced: a copy of it is kept until the context is left.

    Where the context raises, the copy becomes the model again. Where the process is killed, the
    copy remains, and a later context does not replace it: its model is the last that was complete.

    Args:
        folder: which `holds_model`.

    Raises:
        ValueError: see `claim`.

    Example:
        ```python
        with keeping("runs/embedding"):
            save("runs/embedding", model, {"dim_latent": 2}, {"history": []})
        ```
    """
    folder = claim(folder)
    copies = {name: folder / copy for name, copy in reversed(BACKUP.items())}
    if not copies[MODEL].exists():
        for name, copy in copies.items():  # the model's last: where it exists, the copy is whole
            if (folder / name).is_file():
                with files.replacing(copy) as partial:
                    shutil.copyfile(folder / name, partial)
    try:
        yield
    except BaseException:
        for name, copy in copies.items():
            if copy.is_file():
                copy.replace(folder / name)
        raise
    for copy in copies.values():
        files.delete(copy, folder)


def remove(folder):
    """Delete the model and the logs that `save` and TensorBoard wrote; what else is there, stays.

    Args:
        folder: any path; nothing happens where it is not ours.

    Raises:
        ValueError: see `is_ours`.

    Example:
        ```python
        remove("temp")
        ```
    """
    folder = files.expand(folder)
    if not is_ours(folder):
        return
    for name in (
        *BACKUP.values(),
        MODEL,
        ABOUT,
    ):  # in this order a folder of an older version remains known
        files.delete(folder / name, folder)
    logs = folder / LOGS
    if any(path.is_symlink() for path in (logs, logs.parent)):
        return  # a link of others: TensorBoard's files there are theirs
    for inside, _, names in os.walk(logs, topdown=False, followlinks=False):
        for name in names:
            if name.startswith("events.out.tfevents."):
                files.delete(Path(inside) / name, folder)
        if not any(Path(inside).iterdir()):
            Path(inside).rmdir()
    if logs.parent.is_dir() and not any(logs.parent.iterdir()):
        logs.parent.rmdir()


def _member(path):
    """The text of the further member of a model's file; None where there is none to read."""
    try:
        if ABOUT not in files.check_archive(path):
            return None
    except ValueError:  # `load_model` says so in one sentence
        return None
    with zipfile.ZipFile(path) as archive:
        small = archive.getinfo(ABOUT).file_size <= files.LARGEST
        return archive.read(ABOUT) if small else None


# -- what the JSON holds ---------------------------------------------------------------------------
def _is_count(value, least=1):
    return type(value) is int and value >= least


def _is_number(value):
    return type(value) in (int, float) and -math.inf < value < math.inf


def _is_weight(value):
    return _is_number(value) and value >= 0


#: Name of a parameter -> whether a value can be its.
PARAMETERS = {
    "dim_latent": _is_count,
    "iaf_flow_length": lambda value: _is_weight(value) and value == int(value),
    "cells_encoder": lambda value: (
        value is None or (isinstance(value, list) and all(map(_is_count, value)))
    ),
    "initializer": lambda value: isinstance(value, (str, dict)),
    "feature_normalization": lambda value: isinstance(value, bool) or value == "images",
    "components": lambda value: _is_number(value) and 0 < value <= 1,
    "beta": _is_weight,
    "neighbors": lambda value: _is_count(value, 0),
    "neighbor_weight": lambda value: value is None or _is_weight(value),
}
OPTIONAL = {"components"}  # not in the first version of the format


def _check(about, path):
    """Refuse what `save` cannot have written."""
    wrong = _wrong(about)
    if wrong == "format":
        raise ValueError(f"logdir holds {path}, which is not of a CompressionVAE: name another.")
    if wrong:
        raise ValueError(f"{path} is damaged ({wrong}): restore it, or name another logdir.")


def _wrong(about):
    """What is wrong with it, or None."""
    if about.get("format") != FORMAT:
        return "format"
    if set(about) != {"format", "parameters", "training"}:
        return f"its entries are {sorted(about)}"
    parameters, training = about["parameters"], about["training"]
    if not isinstance(parameters, dict):
        return "parameters are no dictionary"
    for name in [*parameters, *PARAMETERS]:
        if name not in PARAMETERS:
            return f"{name!r} is no parameter"
        if name not in parameters and name not in OPTIONAL:
            return f"the parameter {name!r} is missing"
        if name in parameters and not PARAMETERS[name](parameters[name]):
            return f"{name} is {parameters[name]!r}"
    history = training.get("history") if isinstance(training, dict) else None
    if not isinstance(history, list):
        return "the history is no list"
    for number, row in enumerate(history):
        if not isinstance(row, dict) or not all(map(_is_number, row.values())):
            return f"epoch {number + 1} of the history is no dictionary of numbers"
    return None
