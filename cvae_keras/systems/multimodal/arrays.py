"""Arrays as people have them, read as numbers: frames, nullable types, masked arrays, objects."""

from numbers import Number

import numpy as np
import pandas as pd

EXACT = {"float32": 2**24, "float64": 2**53}  # up to which each holds every whole number
LARGEST = 1e300  # squares and sums of what is below it, centered and scaled, are finite


def read_numbers(name, values):
    """Values as a NumPy array of numbers, NaN where they are missing.

    Args:
        name: for the messages.
        values: `(batch, ...)`: anything that NumPy reads; a pandas frame or series, also of the
            nullable types; a masked array; an array of objects which are numbers, None or `pd.NA`.

    Returns:
        NumPy array of floats, integers or booleans.

    Raises:
        TypeError: text, categories, dates or other objects; the message names their column.
        ValueError: rows of different lengths.

    Example:
        >>> import pandas as pd
        >>> from cvae_keras.systems.multimodal.arrays import read_numbers
        >>> read_numbers("age", pd.Series([3, pd.NA], dtype="Int64")).tolist()
        [3.0, nan]
    """
    if isinstance(values, pd.DataFrame):
        columns = [
            _column(name, values.iloc[:, i], f" in column {column!r}")
            for i, column in enumerate(values.columns)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(values), 0))
    if isinstance(values, (pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        return _column(name, pd.Series(values), "")
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind in "fiub":
            return values.astype("float64").filled(np.nan)
        values = values.filled()
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different lengths: give one shape to all.") from error
    return _plain(name, values, "")


def _column(name, series, where):
    """A column of a frame."""
    kind = series.dtype
    if isinstance(kind, pd.CategoricalDtype):
        raise TypeError(
            f"{name} must hold numbers, got dtype category{where}: give the class numbers, "
            f"for instance `.cat.codes`."
        )
    if not (isinstance(kind, np.dtype) or pd.api.types.is_numeric_dtype(kind)):
        raise TypeError(f"{name} must hold numbers, got dtype {kind}{where}: convert it first.")
    if isinstance(kind, np.dtype):
        return _plain(name, series.to_numpy(), where)
    if series.isna().any():
        return series.to_numpy(dtype="float64", na_value=np.nan)
    return series.to_numpy(dtype=getattr(kind, "numpy_dtype", "float64"))


def _plain(name, values, where):
    """A NumPy array, whose objects become float64."""
    if values.dtype.kind == "O":
        flat = [_number(name, value, where) for value in values.ravel()]
        values = np.array(flat, "float64").reshape(values.shape)
    if values.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} must hold numbers, got dtype {values.dtype}{where}: convert it first."
        )
    return values


def _number(name, value, where):
    """An object as a float, NaN if it is missing."""
    if value is None or value is pd.NA:
        return np.nan
    if not isinstance(value, (Number, np.bool_)) or isinstance(value, complex):
        raise TypeError(
            f"{name} must hold numbers, got {value!r} of type {type(value).__name__}{where}: "
            f"convert it first."
        )
    try:
        return float(value)
    except OverflowError:
        return np.inf


def as_floats(name, values):
    """Numbers as float32 if it holds them exactly, else as float64.

    Args:
        name: for the message.
        values: NumPy array of floats, integers or booleans.

    Returns:
        float32 of float16, float32 and whole numbers to 2^24; float64 of all others.

    Raises:
        ValueError: whole numbers beyond 2^53, of which float64 would merge some.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.arrays import as_floats
        >>> as_floats("count", np.array([7])).dtype, as_floats("id", np.array([10**9])).dtype
        (dtype('float32'), dtype('float64'))
    """
    if values.dtype.kind == "f":
        return values.astype("float32" if values.dtype.itemsize <= 4 else "float64", copy=False)
    largest = 0
    if values.dtype.kind in "iu" and values.size:
        largest = max(abs(int(values.min())), abs(int(values.max())))
    if largest > EXACT["float64"]:
        raise ValueError(
            f"{name} holds whole numbers up to {largest}, beyond 2^53, of which float64 merges "
            f"some: subtract a constant from them first."
        )
    return values.astype("float32" if largest <= EXACT["float32"] else "float64")
