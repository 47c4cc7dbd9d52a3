"""Mixed frames as numbers and entries, and back: types, categories and index stay."""

import datetime

import numpy as np
import pandas as pd
import pytest

from cvae_keras.data.columns import Columns
from cvae_keras.systems.auto_decoder.columns import FrameColumns, holds_labels
from cvae_keras.systems.auto_decoder.entries import Entries

GRADES = ["low", "mid", "high", "never"]
FRAME = pd.DataFrame(
    {
        "real": [1.5, np.nan, 2.5, 4.0],
        "single": np.array([1, 2, np.nan, 3], "float32"),
        "whole": pd.array([1, None, 3, 2**60], "Int64"),
        "small": pd.array([1, None, 3, 250], "UInt8"),
        "flag": pd.array([True, None, False, True], "boolean"),
        "sure": [True, False, True, True],
        "text": ["b", None, "a", "b"],
        "string": pd.array(["x", pd.NA, "y", "y"], "string"),
        "objects": pd.Series(["u", None, "v", "u"], dtype=object, index=[7, 5, 3, 1]).to_numpy(),
        "grade": pd.Categorical(["mid", None, "low", "high"], GRADES, ordered=True),
        "code": pd.Categorical([10, None, 20, 10]),
        "sparse": pd.arrays.SparseArray([0.0, np.nan, 1.0, 2.0], fill_value=np.nan),
    },
    index=[7, 5, 3, 1],
)


def test_numbers_and_labels():
    columns = FrameColumns(FRAME)
    assert columns.kinds == ["normal"] * 4 + ["categorical"] * 7 + ["normal"]
    assert columns.labels[4:7] == [[False, True], [False, True], ["a", "b"]]
    assert columns.labels[9:11] == [["low", "mid", "high"], [10, 20]]
    read = columns.read(FRAME)
    assert np.array_equal(read.isna(), FRAME.isna()) and list(read.index) == [7, 5, 3, 1]
    assert read["grade"].tolist()[::2] == [1, 0] and read["text"].tolist()[::2] == [1, 0]
    unseen = FRAME.assign(grade=FRAME["grade"].fillna("never"))
    assert columns.read(unseen)["grade"].tolist() == [1, -1, 0, 2]


@pytest.mark.parametrize("rounds", [False, True])
def test_types_categories_index_and_observed_cells_stay(rounds):
    columns, before = FrameColumns(FRAME), FRAME.copy(deep=True)
    missing = FRAME.isna().to_numpy()
    filled = columns.read(FRAME).fillna(1.0).to_numpy(copy=True)
    filled[:, 2:4] = np.where(missing[:, 2:4], [1.7, 300.0], filled[:, 2:4])
    found = columns.restore(FRAME, missing, filled, round_integers=rounds)
    pd.testing.assert_frame_equal(FRAME, before)
    same = list(FRAME.columns) if rounds else [n for n in FRAME if n not in ("whole", "small")]
    assert found[same].dtypes.equals(FRAME[same].dtypes) and not found.isna().any(axis=None)
    assert found.index.equals(FRAME.index) and list(found) == list(FRAME)
    for name in same:
        known = FRAME[name].notna()
        pd.testing.assert_series_equal(found[name][known], FRAME[name][known])
    row = found.loc[5]
    labels = ["flag", "text", "string", "objects", "grade", "code"]
    assert row[labels].tolist() == [True, "b", "y", "v", "mid", 20]
    if rounds:
        assert row[["whole", "small"]].tolist() == [2, 255] and found.loc[1, "whole"] == 2**60
    else:
        assert row["whole"] == 1.7 and str(found["whole"].dtype) == "Float64"


def test_a_column_that_is_left_out_is_returned_as_it_is():
    odd = FRAME.assign(day=[datetime.date(2020, 1, 1), None, "x", 3])
    columns = FrameColumns(odd, {"day": None, "text": None})
    read = columns.read(odd)
    assert read["day"].tolist() == [0.0] * 4 and read["text"].tolist() == [0.0] * 4
    found = columns.restore(odd, read.isna().to_numpy(), read.fillna(0.0).to_numpy())
    pd.testing.assert_series_equal(found["day"], odd["day"])


def test_which_frames_hold_labels():
    for name in FRAME:
        expected = name not in ("real", "single", "whole", "small", "sparse")
        assert holds_labels(FRAME[[name]]) == expected
    assert not holds_labels(pd.DataFrame({"a": pd.Series([1, None, 2.5], dtype=object)}))


def test_entries_come_back():
    columns = FrameColumns(FRAME.drop(columns="whole"), {"small": "poisson", "sure": None})
    X = columns.read(FRAME.drop(columns="whole")).to_numpy(copy=True)
    entries = Entries(X, Columns(X), columns.kinds, columns.sizes)
    x, mask = entries.encode(X)
    assert x.shape == mask.shape == (4, len(entries)) and np.isfinite(x).all()
    assert entries.dimensions == 11
    known = ~np.isnan(X)
    np.testing.assert_allclose(
        entries.restore(x.astype(float))[known], X[known], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(entries.center[entries.slices[0]], [1 / 3, 2 / 3], rtol=1e-6)
    X[0, 3] = -1  # a label that was not seen
    x, mask = entries.encode(X)
    assert not mask[0, entries.slices[0]].any() and not x[0, entries.slices[0]].any()


BAD = [
    ({"a": ["x", 1, None]}, None, TypeError, "one kind of them"),
    ({"a": [("x",), "y", None]}, None, TypeError, "one kind of them"),
    ({"a": [str(i) for i in range(101)]}, None, ValueError, "101 different labels"),
    ({"a": pd.Categorical([None, None], ["x"])}, None, ValueError, "0 different labels"),
    ({"a": pd.date_range("2020", periods=3)}, None, TypeError, "encode it"),
    ({"a": ["x", "y"]}, {"a": "normal"}, ValueError, "for a column of labels"),
    ({"a": [1.0, 2.5]}, {"a": "poisson"}, ValueError, "holds 2.5: choose 'normal'"),
    ({"a": [1.0, -2]}, {"a": "poisson"}, ValueError, "holds -2"),
    ({"a": [1.0, 2.0]}, {"a": "gamma"}, ValueError, "is 'gamma': choose"),
    ({"a": [1.0, 2.0]}, {"b": "normal"}, ValueError, "must be a dictionary of columns"),
    ({"a": [1.0, 2.0]}, "poisson", ValueError, "must be a dictionary of columns"),
    ({"a": [1.0, 2.0]}, {"a": None}, ValueError, "leave out every column"),
]


@pytest.mark.parametrize(("columns", "likelihoods", "kind", "sentence"), BAD)
def test_bad_columns_are_refused_by_name(columns, likelihoods, kind, sentence):
    frame = pd.DataFrame(columns)
    with pytest.raises(kind, match=sentence):
        FrameColumns(frame, likelihoods).read(frame)


def test_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"several columns \['a'\]"):
        FrameColumns(pd.DataFrame([["x", 1.0]], columns=["a", "a"]))
