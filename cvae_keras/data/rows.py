"""Examples that are read by the row: arrays in memory, memory-mapped arrays, folders of files."""

from pathlib import Path

import numpy as np

from cvae_keras.data.npy_folder import NpyFolder

CHUNK = 4096  # rows that are read at once


class MappedRows:
    """A memory-mapped array, opened anew for each read, so that what was read leaves the memory.

    Args:
        array: a C-ordered `numpy.memmap` `(examples, features)`, or a slice of one that is.

    Returns:
        `rows[index]` is an array `(len(index), features)` in memory.

    Example:
        >>> rows = MappedRows(np.load("big.npy", mmap_mode="r"))
    """

    def __init__(self, array):
        whole = array
        while isinstance(whole.base, np.memmap):
            whole = whole.base
        start = whole.offset + array.ctypes.data - whole.ctypes.data  # a slice keeps the old offset
        self.source = (array.filename, array.dtype, "r", start, array.shape)
        self.shape, self.dtype = array.shape, array.dtype

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, np.ndarray) and len(index) > CHUNK:
            # a row that is touched brings 64 KB around it into memory, until the map is closed
            return np.concatenate([self[index[chunk]] for chunk in chunks(index)])
        return np.array(np.memmap(*self.source)[index])


class Subset:
    """Some rows of others, by their index, read when asked for.

    Args:
        rows: anything `read` reads; index: whole numbers; shift, scale: where given, `(features,)`
            each, the rows come as `(row - shift) / scale`.

    Example:
        >>> Subset(np.array([[1.0], [2.0], [3.0]]), [2, 0])[[0]]   # -> [[3.]]
    """

    def __init__(self, rows, index, shift=None, scale=None):
        self.rows, self.index, self.shift, self.scale = rows, np.asarray(index), shift, scale
        self.shape = (len(self.index), rows.shape[1])

    def __len__(self):
        return len(self.index)

    def __getitem__(self, index):
        values = read(self.rows, self.index[index])
        return values if self.shift is None else (values - self.shift) / self.scale


def open_rows(x, on_error="raise"):
    """Make what is too large for memory readable by the row.

    Args:
        x: a path of a folder tree of .npy files, a `numpy.memmap` `(examples, features)`, or an
            array, which stays as it is; on_error: see `NpyFolder`.

    Returns:
        An object with `len`, `shape` `(examples, features)` and `rows[index]`.

    Raises:
        ValueError: a folder that cannot be used.

    Example:
        >>> open_rows(np.zeros((10, 784))).shape
        (10, 784)
    """
    if isinstance(x, (str, Path)):
        return NpyFolder(x, on_error)
    if isinstance(x, np.memmap) and x.ndim == 2 and x.flags.c_contiguous and x.size:
        return MappedRows(x)
    return x


def read(rows, index):
    """Rows of `open_rows` as float32 `(len(index), features)`.

    Raises:
        ValueError: NaN or infinity, also where a number is too large for float32.

    Example:
        >>> read(np.array([[1, 2], [3, 4]]), slice(0, 1))   # -> [[1., 2.]]
    """
    with np.errstate(over="ignore"):
        values = np.asarray(rows[index]).astype("float32", copy=False)
    if not np.isfinite(values).all():
        raise ValueError(
            "X contains NaN or infinity: remove those examples, or fill in what is missing."
        )
    return values


def chunks(rows):
    """Slices that cover all rows, `CHUNK` at a time."""
    return [slice(start, start + CHUNK) for start in range(0, len(rows), CHUNK)]
