"""Results on disk: folders, JSON, manifests, Markdown templates and tables."""

import importlib
import json
import os
import platform
from importlib import resources
from pathlib import Path

import numpy as np
from tabulate import DataRow, TableFormat

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = (_PACKAGE / "shipped").is_dir()  # from a wheel, which brings the models along

#: The repository, or the working directory where the package is installed without one.
ROOT = Path() if _INSTALLED else _PACKAGE.parent
#: Where commands write.
RESULTS = ROOT / "results"
#: The models that are shipped.
MODELS = _PACKAGE / "shipped" if _INSTALLED else RESULTS / "models"
#: Markdown without padding: where one number changes, one line of the file changes.
UNPADDED = TableFormat(
    lineabove=None,
    linebelowheader=lambda widths, alignments: "|" + "---|" * len(widths),
    linebetweenrows=None,
    linebelow=None,
    headerrow=DataRow("|", "|", "|"),
    datarow=DataRow("|", "|", "|"),
    padding=1,
    with_header_hide=None,
)


def open_folder(path):
    """Create the folder `path` if it is missing, and make sure that it can be written.

    Args:
        path: a folder.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it is a file, or cannot be written.

    Example:
        ```python
        folder = open_folder("results")
        ```
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"folder {path} cannot be made ({error.strerror}): name another."
        ) from error
    if not os.access(path, os.W_OK):
        raise ValueError(
            f"folder {path} cannot be written: change its permissions or name another."
        )
    return path


def manifest(config, seconds):
    """What a result came from: configuration, versions, seconds of wall time.

    Keras and its backend are imported when it is called, not with this module.

    Args:
        config: dictionary of plain values, the seed among them.
        seconds: wall time of the run.

    Returns:
        Dictionary that `json` can write.

    Example:
        >>> manifest({"seed": 0}, 1.5)["config"]
        {'seed': 0}
    """
    import keras

    backend = keras.backend.backend()
    versions = {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
    if backend != "numpy":
        versions[backend] = importlib.import_module(backend).__version__
    return {
        "config": config,
        "seconds": round(seconds, 1),
        "backend": backend,
        "versions": versions,
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
    }


def write_json(path, content):
    """Write a JSON file in one step: no reader sees half of it.

    Args:
        path: of the file.
        content: dictionary or list of plain or NumPy values.

    Raises:
        TypeError: a value that is neither plain nor of NumPy.

    Example:
        ```python
        write_json("runs/row.json", {"error": np.float32(0.5)})
        ```
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    partial.replace(path)


def _plain(value):
    """A NumPy value as `json` can write it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: give plain values.")


def saved_result(path, config, upgrade=None):
    """What `write_json` wrote for this configuration, so that it need not be run again.

    Args:
        path: of the file.
        config: what its manifest must say.
        upgrade: None, or a function of the configuration in the file that returns it as the
            present version of the code writes it.

    Returns:
        The dictionary, or None where there is no file or it is of another configuration.

    Example:
        ```python
        saved = saved_result("runs/row.json", {"seed": 0})
        ```
    """
    path = Path(path)
    if not path.exists():
        return None
    saved = json.loads(path.read_text())
    found = saved["manifest"]["config"]
    return saved if (upgrade(found) if upgrade else found) == config else None


def fill_template(package, name, /, **values):
    """A Markdown template that comes with the package, with its placeholders filled in.

    Args:
        package: name of a package, which has the template in its folder `notes`.
        name: of the template, without its ending.
        values: of the placeholders, as for `str.format`.

    Returns:
        The text.

    Raises:
        KeyError: a placeholder without a value.

    Example:
        ```python
        notes = fill_template("cvae_keras.experiments", "solved", curves=1000)
        ```
    """
    return (resources.files(package) / "notes" / f"{name}.md").read_text().format(**values)


def markdown(frame):
    """A table in Markdown, four significant digits a number, nothing where a number is missing.

    Args:
        frame: a pandas DataFrame.

    Returns:
        The text.

    Example:
        >>> import pandas as pd
        >>> print(markdown(pd.DataFrame({"data": ["mnist"], "kl": [1 / 3]})))
        | data | kl |
        |---|---|
        | mnist | 0.3333 |
    """
    shown = frame.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value)
    shown = shown.astype(str).replace("nan", "")
    return shown.to_markdown(index=False, tablefmt=UNPADDED, stralign=None, disable_numparse=True)


def write_table(frame, path, title, notes):
    """Write a table as CSV and as Markdown.

    Args:
        frame: a pandas DataFrame.
        path: file name without its ending.
        title: heading of the Markdown file.
        notes: text below its table.

    Returns:
        The Markdown text.

    Example:
        ```python
        text = write_table(frame, "results/example", "Example", "kl: in nats.")
        ```
    """
    path = Path(path)
    frame.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
    text = f"# {title}\n\n{markdown(frame)}\n\n{notes.strip()}\n"
    path.with_suffix(".md").write_text(text)
    return text
