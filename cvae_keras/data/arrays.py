"""Arrays read from `.npy` and `.npz` files that may be damaged, foreign, or hold anything."""

import math
import warnings
import zipfile

import numpy as np

from cvae_keras.files import check_archive, regular_file

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_array(path):
    """Read the array of a `.npy` file.

    Its header is compared with the size of the file before memory is allocated, and nothing is
    unpickled.

    Args:
        path: of the file.

    Returns:
        NumPy array of floats, integers or booleans.

    Raises:
        ValueError: no regular file, not a complete `.npy` file, or it holds something else than
            numbers.

    Example:
        ```python
        x = read_array("spectra/0001.npy")
        ```
    """
    path = regular_file(path, "a .npy file")
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size, str(path))
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name another file.") from error


def read_arrays(path, names=None, kinds="fiub"):
    """Read arrays of an `.npz` file, see `read_array`.

    Args:
        path: of the file.
        names: of the arrays; None for all that the file holds.
        kinds: of the dtypes that are read, as NumPy abbreviates them; "U" is text.

    Returns:
        Dictionary of name -> NumPy array.

    Raises:
        ValueError: no regular file, a damaged or encrypted one, one that would take too much
            memory, one that lacks a name, or that holds something else than numbers.

    Example:
        ```python
        x = read_arrays("table.npz", ["x"])["x"]
        ```
    """
    held = {name.removesuffix(".npy"): name for name in check_archive(path, "an .npz file")}
    for name in held if names is None else names:
        if name not in held:
            raise ValueError(f"{path} lacks the array {name!r}, it holds {list(held)}: add it.")
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in held if names is None else names:
            member = archive.getinfo(held[name])
            with archive.open(member) as file:
                arrays[name] = _read(file, member.file_size, f"{name!r} in {path}", kinds)
    return arrays


def _read(file, size, name, kinds="fiub"):
    """The array of an open .npy file of `size` bytes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged numbers in the header
            shape, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
        plain = all(type(length) is int and length >= 0 for length in shape)
    except Exception as error:  # NumPy parses the header as Python: of some twenty types
        raise ValueError(f"{name} is no .npy file, or a damaged one: restore it.") from error
    if dtype.kind not in kinds:
        raise ValueError(f"{name} holds {dtype}, not numbers: save it as numbers.")
    left = size - file.tell()
    if not plain or math.prod(shape) * dtype.itemsize != left:
        raise ValueError(
            f"{name} is damaged: it holds {left} bytes after a header of shape {shape} and dtype "
            f"{dtype}; restore it."
        )
    file.seek(0)
    try:
        return np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:  # more dimensions than NumPy has
        raise ValueError(f"{name} is damaged ({error}): restore it.") from error
