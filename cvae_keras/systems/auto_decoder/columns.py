"""Frames with columns of several kinds, as people have them, read as numbers and restored."""

from numbers import Real

import numpy as np
import pandas as pd

from cvae_keras.checks import shown
from cvae_keras.data.frames import numeric_frame
from cvae_keras.systems.auto_decoder.column_likelihood import KINDS

MOST_LABELS = 100  # of a column: more are names, not classes


def holds_labels(frame):
    """Whether a DataFrame has a column of text, of categories or of Booleans.

    Example:
        >>> holds_labels(pd.DataFrame({"age": [3, None]})), holds_labels(pd.DataFrame({"a": ["x"]}))
        (False, True)
    """
    return any(_are_labels(frame.iloc[:, j]) for j in range(frame.shape[1]))


def _are_labels(series):
    kind = series.dtype
    if pd.api.types.is_object_dtype(kind):
        return any(isinstance(value, (str, bool, np.bool_)) for value in series.dropna())
    types = pd.api.types
    category = isinstance(kind, pd.CategoricalDtype)
    return category or types.is_bool_dtype(kind) or types.is_string_dtype(kind)


class FrameColumns:
    """How the columns of a DataFrame are read as numbers, and what they are filled with.

    Text, categories and Booleans are categorical: their labels are numbered from 0. Other columns
    are normal. Labels are those of the training rows, in the order of the categories, else sorted.

    Args:
        frame: DataFrame of numbers, Booleans, categories and text, also of nullable types.
        likelihoods: dictionary of column -> "normal", "categorical" (also for numbers), "poisson"
            (for counts), or None, which leaves a column out: it is returned as it is.

    Attributes:
        names: of the columns.
        kinds: "normal", "categorical", "poisson" or None, one per column.
        labels: list of the labels of each categorical column, None for others.

    Raises:
        TypeError: dates and other objects; a column of text and numbers.
        ValueError: columns of the same name, a likelihood that a column cannot have, more than 100
            labels, or none.

    Example:
        >>> frame = pd.DataFrame({"age": [31, None], "pet": ["dog", "cat"]})
        >>> columns = FrameColumns(frame)
        >>> columns.read(frame).to_numpy().tolist(), columns.labels
        ([[31.0, 1.0], [nan, 0.0]], [None, ['cat', 'dog']])
    """

    def __init__(self, frame, likelihoods=None):
        self.names = list(frame.columns)
        if len(set(self.names)) < len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1}, key=str)
            raise ValueError(f"X has several columns {shown(twice)}: give each a name of its own.")
        given = {} if likelihoods is None else likelihoods
        if not isinstance(given, dict) or not set(given) <= set(self.names):
            raise ValueError(
                f"likelihoods must be a dictionary of columns of X, got {shown(likelihoods)}: "
                f"choose among {shown(self.names)}."
            )
        self.kinds, self.labels = [], []
        for name in self.names:
            series = frame[name]
            kind = given.get(name, "categorical" if _are_labels(series) else "normal")
            if kind is not None and kind not in KINDS:
                raise ValueError(
                    f"likelihoods[{name!r}] is {shown(kind)}: choose 'normal', 'categorical', "
                    f"'poisson', or None to leave the column out."
                )
            if kind in ("normal", "poisson") and _are_labels(series):
                raise ValueError(
                    f"likelihoods[{name!r}] is {kind!r} for a column of labels ({series.dtype}): "
                    f"choose 'categorical', or convert the column to numbers."
                )
            self.kinds.append(kind)
            self.labels.append(_labels(name, series) if kind == "categorical" else None)
        if not any(self.kinds):
            raise ValueError("likelihoods leave out every column: name one that is to be filled.")

    @property
    def sizes(self):
        """The number of labels of each column, 0 of others."""
        return [len(labels or ()) for labels in self.labels]

    def read(self, frame):
        """The frame as floats, NaN where missing: labels by number, -1 for a label that the
        training rows lack, 0 in a column that is left out."""
        columns = {}
        for number, (name, kind) in enumerate(zip(self.names, self.kinds, strict=True)):
            if name not in frame.columns:
                continue  # which `validate_data` refuses
            series = frame[name]
            if kind is None:
                columns[name] = np.zeros(len(frame))
            elif kind == "categorical":
                objects = series.astype(object).to_numpy()
                codes = pd.Index(self.labels[number], dtype=object).get_indexer(objects)
                columns[name] = np.where(series.isna(), np.nan, codes)
            else:
                columns[name] = numeric_frame("X", series.to_frame()).to_numpy()[:, 0]
            if kind == "poisson":
                _check_counts(name, columns[name])
        others = {name: np.zeros(len(frame)) for name in frame.columns if name not in self.names}
        read = pd.DataFrame({**columns, **others}, index=frame.index, dtype="float64")
        return read[list(frame.columns)]

    def restore(self, frame, missing, filled, round_integers=False):
        """The frame with its missing cells filled; index, types and categories stay.

        Args:
            frame: as for `read`.
            missing: which cells are filled, boolean `(rows, columns)`.
            filled: float `(rows, columns)`, labels by number.
            round_integers: whether columns of whole numbers stay such; else those with filled cells
                become Float64.
        """
        columns = {}
        for j, name in enumerate(self.names):
            series, rows = frame[name], missing[:, j]
            if not rows.any():
                columns[name] = series
            elif self.labels[j] is not None:
                labels = np.array(self.labels[j], dtype=object)
                columns[name] = _put(series, rows, labels[filled[rows, j].astype(int)].tolist())
            else:
                columns[name] = _put_numbers(series, rows, filled[rows, j], round_integers)
        return pd.DataFrame(columns, index=frame.index)


def _labels(name, series):
    """The labels of a column, in order."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        labels = series.cat.remove_unused_categories().cat.categories.tolist()
    else:
        labels = list(dict.fromkeys(series.dropna().astype(object)))
        kinds = {_sort_of(label) for label in labels}
        if None in kinds or len(kinds) > 1:
            raise TypeError(
                f"X must hold text, numbers or Booleans in its column {name!r}, and one kind of "
                f"them, got {shown(labels)}: convert the column, or leave it out by "
                f"likelihoods={{{name!r}: None}}."
            )
        labels = sorted(labels)
    if not 1 <= len(labels) <= MOST_LABELS:
        raise ValueError(
            f"X has {len(labels)} different labels in its column {name!r}, and 1 to {MOST_LABELS} "
            f"are read: leave the column out by likelihoods={{{name!r}: None}}, or merge labels."
        )
    return labels


def _sort_of(label):
    if isinstance(label, (bool, np.bool_)):
        return "Boolean"
    if isinstance(label, Real):
        return "number"
    return "text" if isinstance(label, str) else None


def _check_counts(name, values):
    known = values[~np.isnan(values)]
    wrong = known[(known < 0) | (known != np.floor(known)) | (known > 1e6)]
    if len(wrong):
        raise ValueError(
            f"likelihoods[{name!r}] is 'poisson', for counts from 0 to a million, and the column "
            f"holds {wrong[0]:g}: choose 'normal'."
        )


def _put(series, rows, values):
    """The column with values in these rows, of its own type."""
    array = series.array.copy()
    array[rows] = values
    return pd.Series(array, index=series.index, dtype=series.dtype)


def _put_numbers(series, rows, values, round_integers):
    kind = series.dtype
    if pd.api.types.is_integer_dtype(kind) and round_integers:
        info = np.iinfo(str(kind).lower())
        values = np.clip(np.rint(values), float(info.min), float(info.max))
        return _put(series, rows, [min(int(value), info.max) for value in values])
    if pd.api.types.is_integer_dtype(kind):
        series = series.astype("Float64")
    elif isinstance(kind, pd.SparseDtype):
        dense = series.to_numpy(dtype="float64")
        dense[rows] = values
        return pd.Series(dense, index=series.index).astype(kind)
    return _put(series, rows, values.tolist())
