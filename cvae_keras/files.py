"""Results on disk: each table is written from a run, with its manifest beside it."""

import json
import os
import platform
from pathlib import Path

import keras
import numpy as np

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = (_PACKAGE / "shipped").is_dir()  # from a wheel, which brings the models along

#: The repository, or the working directory where the package is installed without one.
ROOT = Path() if _INSTALLED else _PACKAGE.parent
#: Where commands write.
RESULTS = ROOT / "results"
#: The models that are shipped.
MODELS = _PACKAGE / "shipped" if _INSTALLED else RESULTS / "models"


def open_folder(path):
    """Create the folder `path` if it is missing, and make sure that it can be written.

    Args:
        path: a folder.

    Returns:
        It as a `pathlib.Path`.

    Raises:
        ValueError: it is a file, or cannot be written.

    Example:
        >>> folder = open_folder("results")
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

    Args:
        config: dictionary of plain values, the seed among them; seconds: wall time of the run.

    Returns:
        Dictionary that `json` can write.

    Example:
        >>> manifest({"seed": 0}, 1.5)["config"]
        {'seed': 0}
    """
    packages = {"keras": keras, "numpy": np}
    if keras.backend.backend() == "tensorflow":
        import tensorflow  # its version is the same in each of its distributions

        packages["tensorflow"] = tensorflow
    versions = {name: package.__version__ for name, package in packages.items()}
    return {
        "config": config,
        "seconds": round(seconds, 1),
        "backend": keras.backend.backend(),
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
    }


def write_json(path, content):
    """Write `content`, NumPy values too, to `path` in one step: no reader sees half a file."""
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, default=_plain) + "\n")
    partial.replace(path)


def saved_result(path, config):
    """What `write_json` wrote of this configuration, so that it need not be run again.

    Args:
        path: of the file; config: what its manifest must say.

    Returns:
        The dictionary, or None where there is no file or it is of another configuration.

    Example:
        >>> saved_result("runs/row.json", {"seed": 0})
    """
    path = Path(path)
    saved = json.loads(path.read_text()) if path.exists() else None
    return saved if saved and saved["manifest"]["config"] == config else None


def _plain(value):
    """A NumPy value as `json` can write it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: give plain values.")


def write_table(frame, path, title, notes):
    """Write a table as CSV and as Markdown.

    Args:
        frame: a pandas DataFrame; path: file name without its ending; title, notes: text above and
            below the Markdown table.

    Returns:
        The Markdown text.

    Example:
        >>> text = write_table(pandas.DataFrame({"kl": [0.0]}), "results/example", "Example", "")
    """
    path = Path(path)
    frame.to_csv(path.with_suffix(".csv"), index=False, float_format="%.6g")
    shown = frame.map(lambda v: f"{v:.4g}" if isinstance(v, float) else v).astype(str)
    shown = shown.replace("nan", "")
    lines = ["| " + " | ".join(shown.columns) + " |", "|" + "---|" * len(shown.columns)]
    lines += ["| " + " | ".join(row) + " |" for row in shown.itertuples(index=False)]
    text = f"# {title}\n\n" + "\n".join(lines) + f"\n\n{notes.strip()}\n"
    path.with_suffix(".md").write_text(text)
    return text
