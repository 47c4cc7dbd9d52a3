"""Tables as people have them, read as numbers: frames, nullable types, masked arrays, objects."""

from numbers import Real

import numpy as np

EXACT = 2**53  # up to which float64 holds every whole number


def read_numbers(name, values):
    """Values as a NumPy array of numbers, NaN where they are missing.

    Args:
        name: of the argument, for the messages.
        values: anything that NumPy reads; a pandas DataFrame, Series or array, also of nullable
            types; a masked array; an array of objects which are numbers, None or `pd.NA`.

    Returns:
        NumPy array of floats, integers or booleans.

    Raises:
        TypeError: text, categories, dates or other objects; the message names the column.
        ValueError: rows of different lengths, or whole numbers of which float64 merges some.

    Example:
        >>> import pandas as pd
        >>> read_numbers("x", pd.DataFrame({"age": pd.array([3, None], "Int64")})).tolist()
        [[3.0], [nan]]
    """
    if is_frame(values):
        return numeric_frame(name, values).to_numpy()
    if hasattr(values, "isna"):
        return _column(name, values, "")
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind in "fiub":
            kind = "float32" if values.dtype == np.float32 else "float64"
            found = values.astype(kind).filled(np.nan)
            check_whole_numbers(name, values.data, found)
            return found
        values = values.filled(None) if values.dtype.kind == "O" else values.filled()
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different lengths: give one shape to all.") from error
    if values.dtype.kind == "O":
        return _objects(name, values, "")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {values.dtype}: convert it first.")
    check_whole_numbers(name, values)
    return values


def check_whole_numbers(name, values, found=None, where=""):
    """Refuse whole numbers beyond 2^53 that are distinct, but not in float64.

    Args:
        name: of the argument, for the message.
        values: array of numbers, also as objects.
        found: the same as floats, NaN where they are missing; None to convert them here.
        where: the column, for the message; where it is empty, columns are those of the last axis.

    Raises:
        ValueError: float64 merges some in a column; the message names it.

    Example:
        >>> check_whole_numbers("id", np.array([10**18, 10**18 + 256]))
    """
    if values.dtype.kind not in "iuO" or values.dtype.itemsize < 8 or not values.size:
        return
    if found is None:
        found = values.astype("float64")
    large = np.isfinite(found) & (np.abs(found) >= EXACT)
    if not large.any():
        return
    width = values.shape[-1] if values.ndim > 1 else 1
    values, found, large = (each.reshape(-1, width).T for each in (values, found, large))
    for number in np.flatnonzero(large.any(axis=1)):
        old, new = values[number][large[number]], found[number][large[number]]
        if len(set(old.tolist())) > len(set(new.tolist())):
            where = where or (f" in column {number}" if width > 1 else "")
            raise ValueError(
                f"{name} holds whole numbers beyond 2^53{where}, up to "
                f"{max(old.tolist(), key=abs)}, of which float64 merges some: subtract a constant "
                f"first."
            )


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
        ValueError: a column of whole numbers of which float64 merges some.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"a": [1, pd.NA], "b": [True, False]})
        >>> numeric_frame("x", frame).to_numpy().tolist()
        [[1.0, 1.0], [nan, 0.0]]
    """
    import pandas as pd

    columns = [
        _column(name, frame.iloc[:, number], f" in its column {label!r}")
        for number, label in enumerate(frame.columns)
    ]
    float32 = bool(columns) and all(column.dtype == np.float32 for column in columns)
    table = np.empty(frame.shape, "float32" if float32 else "float64")
    for number, column in enumerate(columns):
        table[:, number] = column
    return pd.DataFrame(table, index=frame.index, columns=frame.columns)


def _column(name, series, where):
    """A Series, or another array of pandas, as a NumPy array of floats, integers or booleans."""
    import pandas as pd

    series = pd.Series(series)
    kind = series.dtype
    if isinstance(kind, np.dtype) and kind.kind == "O":
        return _objects(name, series.to_numpy(), where)
    numeric = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
    if not numeric:
        how = "with `.cat.codes` " if isinstance(kind, pd.CategoricalDtype) else ""
        raise TypeError(
            f"{name} must hold numbers, got dtype {kind}{where}: encode it {how}or drop it."
        )
    if isinstance(kind, np.dtype):
        check_whole_numbers(name, series.to_numpy(), where=where)
        return series.to_numpy()
    if pd.api.types.is_integer_dtype(kind):
        check_whole_numbers(name, series.dropna().to_numpy(), where=where)
    float32 = str(kind).lower() in ("float32", "sparse[float32, nan]")
    return series.to_numpy(dtype="float32" if float32 else "float64", na_value=np.nan)


def _objects(name, values, where):
    """An array of objects as float64."""
    found = np.empty(values.shape, "float64")
    flat = found.reshape(-1)
    for number, value in enumerate(values.reshape(-1)):
        flat[number] = _number(name, value, where)
    check_whole_numbers(name, values, found, where)
    return found


def _number(name, value, where):
    """An object as a float, NaN if it is missing."""
    if value is None or type(value).__name__ == "NAType":
        return np.nan
    if not isinstance(value, (Real, np.bool_)) and type(value).__name__ != "Decimal":
        raise TypeError(
            f"{name} must hold numbers, got {value!r} of type {type(value).__name__}{where}: "
            f"encode or drop it."
        )
    try:
        return float(value)
    except OverflowError:
        return np.inf
