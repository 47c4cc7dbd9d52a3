"""A folder tree of .npy files, one example per file, read in batches."""

import os
import warnings
from pathlib import Path

import numpy as np

from cvae_keras.checks import check_choice
from cvae_keras.data.arrays import read_array
from cvae_keras.files import expand


class NpyFolder:
    """The examples of a folder tree as rows: `folder[rows]` is `(len(rows), features)`.

    Rows are float32, or where that does not hold the numbers of all files, as for float64 and
    integers of more than 16 bits, of the type that does.

    Files of any shape are flattened. Every file is opened once at the start, and must be a complete
    array of finite numbers of the shape that most files have, so that training does not stop at a
    bad file later.

    Args:
        path: the folder; files are found at any depth and sorted by name.
        on_error: "raise" refuses the folder and names its bad files; "skip" leaves them out, warns
            how many there are, and lists them in `skipped`.
        ids: paths below the folder to read, in this order; by default all .npy files.

    Attributes:
        ids: list of the paths of the rows below the folder, with "/".
        shape: `(examples, features)`.
        dtype: of the rows.
        skipped: dictionary of path -> reason.

    Raises:
        ValueError: the folder does not exist, holds no file, or (with "raise") a bad file.

    Example:
        ```python
        folder = NpyFolder("spectra", on_error="skip")
        folder[[0, 5]].shape, folder.ids[5]
        ```
    """

    def __init__(self, path, on_error="raise", ids=None):
        check_choice("on_error", on_error, ("raise", "skip"))
        self.path = expand(path)
        if not self.path.is_dir():
            raise ValueError(
                f"X is {str(self.path)!r}, which is not a folder: name a tree of .npy files."
            )
        found = list(ids) if ids is not None else self._find()
        if not found:
            raise ValueError(
                f"X is the folder {str(self.path)!r}, which holds no .npy file: name another."
            )
        shapes, types, self.skipped = {}, {}, {}
        for name in found:
            try:
                shapes[name], types[name] = _shape_and_type(self.path / name)
            except ValueError as error:
                self.skipped[name] = str(error).removesuffix(".")
        counts = {}
        for shape in shapes.values():
            counts[shape] = counts.get(shape, 0) + 1
        self.example_shape = max(counts, key=counts.get) if counts else None
        for name, shape in shapes.items():
            if shape != self.example_shape:
                self.skipped[name] = f"has shape {shape}, not {self.example_shape} as most files"
        self.ids = [name for name in found if name not in self.skipped]
        if self.skipped and (on_error == "raise" or not self.ids):
            first = "; ".join(
                f"{name}: {reason}" for name, reason in list(self.skipped.items())[:3]
            )
            raise ValueError(
                f"X holds {len(self.skipped)} files that cannot be read, {first}: repair or remove "
                f"them, or choose on_error='skip'."
            )
        if self.skipped:
            warnings.warn(
                f"{len(self.skipped)} of {len(found)} files were left out, the first is "
                f"{next(iter(self.skipped))}; the attribute `skipped` lists them.",
                stacklevel=2,
            )
        self.shape = (len(self.ids), int(np.prod(self.example_shape)))
        kinds = {types[name] for name in self.ids}
        single = all(np.can_cast(kind, "float32") for kind in kinds)
        self.dtype = np.dtype("float32") if single else np.result_type(*kinds)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, rows):
        rows = np.arange(len(self.ids))[rows]
        out = np.empty((len(rows), self.shape[1]), self.dtype)
        for to, row in enumerate(rows):
            path = self.path / self.ids[row]
            try:
                example = read_array(path)
            except ValueError as error:
                raise ValueError(
                    f"{path} cannot be read any more ({str(error).rstrip('.')}): restore it."
                ) from error
            if example.shape != self.example_shape:
                raise ValueError(f"{path} has changed its shape to {example.shape}: restore it.")
            if example.dtype != self.dtype and not np.can_cast(example.dtype, self.dtype):
                raise ValueError(f"{path} has changed its type to {example.dtype}: restore it.")
            out[to] = example.ravel()
            if not np.isfinite(out[to]).all():
                raise ValueError(f"{path} holds NaN or infinity: repair or remove it.")
        return out

    def _find(self):
        found = []
        for folder, _, names in os.walk(self.path):
            here = Path(folder).relative_to(self.path)
            found += [(here / name).as_posix() for name in names if name.endswith(".npy")]
        return sorted(found)


def _shape_and_type(path):
    """Of the array in a .npy file; ValueError if it is not complete, finite numbers."""
    array = read_array(path)
    if array.size == 0:
        raise ValueError("is empty")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("holds NaN or infinity")
    return array.shape, array.dtype
