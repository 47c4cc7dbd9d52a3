"""The shipped data sets of the sinusoid tasks: drawn from fixed seeds, written and read."""

import io
from pathlib import Path

import numpy as np

from cvae_keras.data.sinusoid import TASKS

#: The folder that holds the repository's own data_1 and data_2.
ROOT = Path(__file__).resolve().parents[2]

#: Number of examples of each split.
SPLITS = {"train": 100_000, "validation": 3_000, "score": 50}

#: The seed of each split of each data set, for numpy.random.default_rng.
SEEDS = {
    "data_1": {"train": 1001, "validation": 1002, "score": 1003},
    "data_2": {"train": 2001, "validation": 2002, "score": 2003},
}

README = """# {name}

Two curves y, 50 points each, and the two ramps x that made them, for t = 0..49:

    y0 = {y0}
    y1 = {y1}

x0 falls linearly from hi0 to lo0, x1 rises linearly from lo1 to hi1.
For both, lo ~ U(0.1, 1) and hi ~ U(lo, 1).

The files hold the four ramp ends, float32, shape (n, 4), columns lo0, hi0, lo1, hi1. They give x
and y:

    x0 = hi0 + (lo0 - hi0) t / 49
    x1 = lo1 + (hi1 - lo1) t / 49

| file | examples | seed (numpy.random.default_rng) |
|---|---|---|
{rows}

Read them as curves, float32 (n, 50, 2) each:

    from cvae_keras.data.sinusoid_files import load
    x, y = load("{name}", "train")

Regenerate them, bit for bit, with `cvae-keras data`.
"""


def generate(name):
    """Draw the ramp ends of a data set from its fixed seeds.

    Args:
        name: "data_1" or "data_2".

    Returns:
        dictionary of split name to float32 (n, 4), columns lo0, hi0, lo1, hi1.

    Example:
        >>> generate("data_1")["score"].shape
        (50, 4)
    """
    _check_name(name)
    return {split: _draw(name, split) for split in SPLITS}


def write(name, folder, force=False):
    """Write a data set into ``folder/name``: one ``<split>.npy`` a split, and README.md.

    Args:
        name: "data_1" or "data_2".
        folder: the folder that holds the data sets; made if absent.
        force: replace files whose content differs; without it nothing is overwritten.

    Returns:
        list of pathlib.Path, the files.

    Raises:
        ValueError: a file is there with other content, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in write("data_1", folder)]
        ['train.npy', 'validation.npy', 'score.npy', 'README.md']
    """
    contents = {f"{split}.npy": _npy(ends) for split, ends in generate(name).items()}
    contents["README.md"] = _readme(name).encode()
    folder = Path(folder) / name
    try:
        for file, content in contents.items():
            path = folder / file
            if path.exists() and path.read_bytes() != content and not force:
                raise ValueError(f"{path} is there with other content; give force=True to replace.")
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
    except OSError as error:
        raise ValueError(f"folder {folder} cannot be written ({error.strerror}).") from error
    return [folder / file for file in contents]


def load(name, split, folder=None):
    """Read a split of a data set, as curves.

    Args:
        name: "data_1" or "data_2".
        split: "train", "validation" or "score".
        folder: the folder that holds the data sets; by default the repository's own, and where
            that is absent the examples are drawn again from their seeds.

    Returns:
        x, y: float32 (n, 50, 2) each; y is computed in float64.

    Raises:
        ValueError: the file is absent, truncated, or holds something else.

    Example:
        >>> x, y = load("data_1", "score")
        >>> x.shape, y.shape
        ((50, 50, 2), (50, 50, 2))
    """
    _check_name(name)
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; give one of {', '.join(SPLITS)}.")
    if folder is None:
        path = ROOT / name / f"{split}.npy"
        ends = _read(path, name) if path.exists() else _draw(name, split)
    else:
        ends = _read(Path(folder) / name / f"{split}.npy", name)
    x = TASKS[name].ramps(ends)
    return x.astype(np.float32), TASKS[name].forward(x).astype(np.float32)


def _check_name(name):
    if name not in tuple(TASKS):
        raise ValueError(f"name is {name!r}; give one of {', '.join(TASKS)}.")


def _draw(name, split):
    rng = np.random.default_rng(SEEDS[name][split])
    return TASKS[name].draw_ends(SPLITS[split], rng).astype(np.float32)


def _npy(ends):
    buffer = io.BytesIO()
    np.save(buffer, ends, allow_pickle=False)
    return buffer.getvalue()


def _read(path, name):
    try:
        ends = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is absent, truncated or no .npy file; regenerate it.") from error
    if not isinstance(ends, np.ndarray) or ends.ndim != 2 or ends.shape[1] != 4:
        raise ValueError(f"{path} has shape {np.shape(ends)}, not (n, 4); regenerate it.")
    if ends.dtype != np.float32:
        raise ValueError(f"{path} holds {ends.dtype}, not float32; regenerate it.")
    low, high = TASKS[name].box
    inside = np.all((ends >= low - 1e-6) & (ends <= high + 1e-6))  # False for NaN
    if not inside or np.any(ends[:, [0, 2]] > ends[:, [1, 3]]):
        raise ValueError(
            f"{path} holds ends that are not {low} <= lo <= hi <= {high}; regenerate it."
        )
    return ends


def _readme(name):
    y0, y1 = (f"{g}({p:g} x0 + {q:g} x1)" for g, p, q in TASKS[name].functions)
    rows = "\n".join(
        f"| {split}.npy | {count:,} | {SEEDS[name][split]} |" for split, count in SPLITS.items()
    )
    return README.format(name=name, y0=y0, y1=y1, rows=rows)
