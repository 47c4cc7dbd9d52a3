"""Examples that are read row by row: arrays, memory-mapped arrays, folders of files."""

from pathlib import Path

import numpy as np

from cvae_keras.data.npy_folder import NpyFolder

CHUNK = 4096  # rows read at once


class MappedRows:
    """A memory-mapped array, reopened for each read, which frees the memory of earlier reads.

    `rows[index]` is an array `(len(index), features)` in memory.

    Args:
        array: a C-ordered `numpy.memmap` `(examples, features)`, or a C-ordered slice of one.

    Example:
        ```python
        rows = MappedRows(np.load("big.npy", mmap_mode="r"))
        rows[[0, 5]].shape
        ```
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
            # reading a row keeps 64 KB around it in memory until the map is closed
            return np.concatenate([self[index[chunk]] for chunk in chunks(index)])
        return np.array(np.memmap(*self.source)[index])


class Subset:
    """Some rows of other rows, by their index, read on access.

    Args:
        rows: what `open_rows` returns.
        index: `(n,)`, integers.
        shift: `(features,)`, subtracted from each row; None for rows as they are.
        scale: `(features,)`, by which each row is then divided, see `standardize`; used with shift
            only.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data import Subset
        >>> Subset(np.array([[1.0], [2.0], [3.0]]), [2, 0])[[0]].tolist()
        [[3.0]]
    """

    def __init__(self, rows, index, shift=None, scale=None):
        self.rows, self.index, self.shift, self.scale = rows, np.asarray(index), shift, scale
        self.shape = (len(self.index), rows.shape[1])

    def __len__(self):
        return len(self.index)

    def __getitem__(self, index):
        if self.shift is None:
            return read(self.rows, self.index[index], dtype=None)
        return standardize(read(self.rows, self.index[index], dtype=None), self.shift, self.scale)


def open_rows(x, on_error="raise"):
    """Open data that may be too large for memory, to be read row by row.

    Args:
        x: the path of a folder tree of .npy files, a `numpy.memmap` `(examples, features)`, or an
            array, which is returned unchanged.
        on_error: "raise" or "skip", see `NpyFolder`.

    Returns:
        An object with `len`, `shape` `(examples, features)` and `rows[index]`.

    Raises:
        ValueError: a folder that cannot be used.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data import open_rows
        >>> open_rows(np.zeros((10, 784))).shape
        (10, 784)
    """
    if isinstance(x, (str, Path)):
        return NpyFolder(x, on_error)
    if isinstance(x, np.memmap) and x.ndim == 2 and x.flags.c_contiguous and x.size:
        return MappedRows(x)
    return x


def read(rows, index, dtype="float32"):
    """Read rows as an array.

    Args:
        rows: what `open_rows` returns.
        index: integers or a slice.
        dtype: of the result; None for that of the rows.

    Returns:
        `(len(index), features)`.

    Raises:
        ValueError: a row holds NaN or infinity, or a number too large for the dtype.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data.rows import read
        >>> read(np.array([[1, 2], [3, 4]]), slice(0, 1)).tolist()
        [[1.0, 2.0]]
    """
    values = np.asarray(rows[index])
    if not np.isfinite(values).all():
        raise ValueError(
            "X contains NaN or infinity: remove those examples, or fill in the missing entries, "
            "for instance with VADImputer."
        )
    with np.errstate(over="ignore"):
        found = values.astype(dtype or values.dtype, copy=False)
    if not np.isfinite(found).all():
        raise ValueError(f"X contains numbers that are too large for {dtype}: rescale it.")
    return found


ORDINARY = 1e30  # scales from its inverse to it need no other exponent in float32
FARTHEST = 1e15  # standardized values beyond it make squares and sums in float32 overflow


def exponents(scale):
    """The power of 2 that brings each scale to order one, where float32 may not hold it.

    Args:
        scale: `(features,)`, positive.

    Returns:
        int `(features,)`; 0 for scales from 1e-30 to 1e30.

    Example:
        >>> import numpy as np
        >>> exponents(np.array([1.0, 2.0**200])).tolist()
        [0, 201]
    """
    scale = np.asarray(scale, "float64")
    ordinary = (scale >= 1 / ORDINARY) & (scale <= ORDINARY)
    return np.where(ordinary, 0, np.frexp(scale)[1])


def standardize(values, shift, scale):
    """`(values - shift) / scale`, with the difference in the precision of values and shift.

    It is rounded to float32 afterwards, so that large shifts cost no digits.

    Args:
        values: `(n, features)`, of any numeric type.
        shift: `(features,)`.
        scale: `(features,)`, positive.

    Returns:
        float32 `(n, features)`.

    Raises:
        ValueError: a result beyond 1e15 in absolute value, for which networks overflow.

    Example:
        >>> import numpy as np
        >>> standardize(1e10 + np.array([[0.0], [4.0]]), np.array([1e10 + 2]), 2.0).tolist()
        [[-1.0], [1.0]]
    """
    shift, scale, power = np.asarray(shift), np.asarray(scale), exponents(scale)
    with np.errstate(over="ignore", invalid="ignore"):
        if power.any():
            values, shift, scale = (
                np.ldexp(np.asarray(part, "float64"), -power) for part in (values, shift, scale)
            )
        single = shift.astype("float32")
        shift = single if np.array_equal(single, shift) else shift.astype("float64")
        found = (values - shift).astype("float32", copy=False) / scale.astype("float32")
        most = np.abs(found).max(initial=0.0)
    if not most <= FARTHEST:
        raise ValueError(
            f"X holds numbers that are {most:.3g} after centering and scaling, too far from the "
            f"training data for float32: remove them, or rescale X where it is not normalized."
        )
    return found


def chunks(rows, size=CHUNK):
    """Slices of at most `size` rows that cover all rows."""
    return [slice(start, start + size) for start in range(0, len(rows), size)]
