"""A `CVAE` of a pandas DataFrame: the columns that are generated or given, and their labels."""

import numpy as np

from cvae_keras.checks import shown

MOST_LABELS = 1000  # of a column that is given
DIFFERENT = 20  # rows up to which a column may have another label in each


def columns_of(frame, names, what):
    """The columns of these names.

    Raises:
        ValueError: a column that is not there, or there twice.
    """
    there = frame if isinstance(frame, dict) else frame.columns
    absent = [name for name in names if name not in there]
    if absent:
        raise ValueError(
            f"the frame lacks {shown(absent)}, which {what} names: add them, or correct {what}."
        )
    found = {name: frame[name] for name in names}
    twice = [name for name, column in found.items() if getattr(column, "ndim", 1) > 1]
    if twice:
        raise ValueError(
            f"the frame has several columns of the name {shown(twice[0])}: rename or drop them."
        )
    return found


def holds_labels(series):
    """Whether a column is of text, categories or booleans, which become classes."""
    import pandas as pd

    kind = series.dtype
    return (
        isinstance(kind, pd.CategoricalDtype)
        or pd.api.types.is_bool_dtype(kind)
        or pd.api.types.is_string_dtype(kind)
        or (kind.kind == "O" and any(isinstance(value, (str, bool)) for value in series))
    )


def labels_of(name, series, missing=False):
    """The labels of a column: its categories in their order, or its distinct values, sorted.

    Args:
        name: of the column.
        series: its values.
        missing: whether labels may be missing.

    Raises:
        ValueError: missing values, one label alone, or more than 1,000 of them.
    """
    import pandas as pd

    if missing:
        series = series.dropna()
    if series.isna().any():
        raise ValueError(
            f"{name} has {int(series.isna().sum())} missing labels: drop these rows, or fill them "
            f"with a label of their own."
        )
    if isinstance(series.dtype, pd.CategoricalDtype):
        labels = series.cat.categories.tolist()
    else:
        labels = set(series.tolist())
        kinds = sorted({type(label).__name__ for label in labels})
        if len(kinds) > 1 and "str" in kinds:
            raise ValueError(f"{name} holds values of types {kinds}: convert them to one type.")
        labels = sorted(labels)
    if not 2 <= len(labels) <= MOST_LABELS:
        raise ValueError(
            f"{name} holds {len(labels)} different labels, and a column of classes 2 to "
            f"{MOST_LABELS}: leave it out, or group them."
        )
    return labels


def given_labels(name, series):
    """As `labels_of`, of a column of the condition, which says nothing if no label occurs twice."""
    labels = labels_of(name, series)
    if len(series) > DIFFERENT and len(labels) == len(series):
        raise ValueError(
            f"{name} holds another label in each of {len(series)} rows, and nothing can be learned "
            f"of it: leave it out, or group the labels."
        )
    return labels


def to_column(variable, values, categorical):
    """Generated values `(rows, *shape)` as a column: labels, whole numbers, or floats.

    Args:
        variable: `Variable` of the column.
        values: NumPy array.
        categorical: whether the labels are categories, as those of the column that went in.
    """
    import pandas as pd

    if variable.kind == "classes":
        labels, numbers = variable.classes.labels, values.argmax(axis=-1)
        if categorical:
            return pd.Series(pd.Categorical.from_codes(numbers, labels))
        return pd.Series([labels[number] for number in numbers])
    column = pd.Series(values.reshape(len(values)))
    if variable.kind in ("count", "bit") and (values == np.round(values)).all():
        return column.astype("int64")
    return column.astype("float64")
