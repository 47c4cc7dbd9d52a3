"""Tables as people have them, read as numbers: frames, nullable types, masked arrays, objects."""

import warnings
from numbers import Real

import numpy as np

EXACT = 2**53  # up to which float64 holds every whole number


def read_numbers(name, values):
    """Values as a NumPy array of numbers, NaN where they are missing.

    Args:
        name: of the argument, for the messages.
        values: anything that NumPy reads; a pandas DataFrame or Series, also of nullable types; a
            masked array; an array of objects which are numbers, None or `pd.NA`.

    Returns:
        NumPy array of floats, integers or booleans.

    Raises:
        TypeError: text, categories, dates or other objects; the message names the column.

    Example:
        >>> import pandas as pd
        >>> read_numbers("x", pd.DataFrame({"age": pd.array([3, None], "Int64")})).tolist()
        [[3.0], [nan]]
    """
    if is_frame(values):
        return numeric_frame(name, values).to_numpy()
    if hasattr(values, "iloc"):
        return _column(name, values, f"its column {values.name!r}")
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind in "fiub":
            kind = "float32" if values.dtype == np.float32 else "float64"
            return values.astype(kind).filled(np.nan)
        values = values.filled(None) if values.dtype.kind == "O" else values.filled()
    values = np.asarray(values)
    if values.dtype.kind == "O":
        return _objects(name, values, "it")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {values.dtype}: convert it first.")
    if values.dtype.kind in "iu":
        _warn_of_large(name, values, "it")
    return values


def is_frame(values):
    """Whether these are a pandas DataFrame; pandas need not be imported."""
    return hasattr(values, "iloc") and hasattr(values, "columns")


def numeric_frame(name, frame):
    """A DataFrame with the same index and columns, all floats, NaN where a value is missing.

    Args:
        name: of the argument, for the messages.
        frame: DataFrame of numbers and booleans, also of nullable types or as objects.

    Returns:
        DataFrame of float32 if all columns are of that type, else of float64.

    Raises:
        TypeError: a column of text, categories, dates or other objects; the message names it.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"a": [1, pd.NA], "b": [True, False]})
        >>> numeric_frame("x", frame).to_numpy().tolist()
        [[1.0, 1.0], [nan, 0.0]]
    """
    import pandas as pd

    columns = [
        _column(name, frame.iloc[:, number], f"its column {label!r}")
        for number, label in enumerate(frame.columns)
    ]
    float32 = bool(columns) and all(column.dtype == np.float32 for column in columns)
    table = np.empty(frame.shape, "float32" if float32 else "float64")
    for number, column in enumerate(columns):
        table[:, number] = column
    return pd.DataFrame(table, index=frame.index, columns=frame.columns)


def _column(name, series, where):
    """A Series as a NumPy array of floats, integers or booleans."""
    import pandas as pd

    kind = series.dtype
    if isinstance(kind, np.dtype) and kind.kind == "O":
        return _objects(name, series.to_numpy(), where)
    numeric = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
    if not numeric:
        raise TypeError(
            f"{name} must hold numbers, got dtype {kind} in {where}: encode or drop that column."
        )
    if pd.api.types.is_integer_dtype(kind):
        _warn_of_large(name, series.dropna().to_numpy(), where)
    if isinstance(kind, np.dtype):
        return series.to_numpy()
    float32 = str(kind).lower() in ("float32", "sparse[float32, nan]")
    return series.to_numpy(dtype="float32" if float32 else "float64", na_value=np.nan)


def _objects(name, values, where):
    """An array of objects as float64."""
    found = np.empty(values.shape, "float64")
    flat = found.reshape(-1)
    for number, value in enumerate(values.reshape(-1)):
        flat[number] = _number(name, value, where)
    return found


def _number(name, value, where):
    """An object as a float, NaN if it is missing."""
    if value is None or type(value).__name__ == "NAType":
        return np.nan
    if not isinstance(value, (Real, np.bool_)) and type(value).__name__ != "Decimal":
        raise TypeError(
            f"{name} must hold numbers, got {value!r} of type {type(value).__name__} in {where}: "
            f"encode or drop it."
        )
    try:
        return float(value)
    except OverflowError:
        return np.inf


def _warn_of_large(name, values, where):
    if values.size and max(-int(values.min()), int(values.max())) > EXACT:
        warnings.warn(
            f"{name} holds whole numbers beyond 2^53 in {where}, of which float64 merges some: "
            f"subtract a constant first.",
            stacklevel=4,
        )
