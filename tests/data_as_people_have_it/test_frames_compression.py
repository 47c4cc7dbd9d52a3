"""Frames: nullable numbers work; missing entries, text and dates are refused by column."""

import numpy as np
import pandas as pd
import pytest

from cvae_keras import CompressionVAE

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
rng = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"a": rng.normal(size=50), "b": rng.integers(9, size=50), "c": rng.integers(2, size=50) > 0}
)


def converted(**dtypes):
    return FRAME.astype({"a": "float64", "b": "int64", "c": "bool"} | dtypes)


@pytest.mark.parametrize(
    "frame",
    [
        converted(b="Int64"),
        converted(a="Float64", b="Int16", c="boolean"),
        FRAME.convert_dtypes(),
        FRAME.astype(object),
        converted(c="int8"),
        converted(a=object, c="UInt8"),
    ],
)
def test_numbers_of_every_type_work(frame):
    plain = FRAME.astype("float64")
    wanted = CompressionVAE(**TINY).fit(plain)
    found = CompressionVAE(**TINY, X_valid=frame[:20]).fit(frame)
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    z = CompressionVAE(**TINY).fit(frame).transform(frame)
    assert np.array_equal(z, wanted.transform(plain))
    assert np.array_equal(wanted.transform(frame), z)
    assert wanted.score(frame) == wanted.score(plain)


def with_missing(value, dtype):
    frame = (
        FRAME.astype({"b": dtype})
        if dtype != "boolean"
        else FRAME.assign(b=pd.array([True, False] * 25, "boolean"))
    )
    frame.loc[3, "b"] = value
    return frame


@pytest.mark.parametrize(
    "frame",
    [
        with_missing(pd.NA, "Int64"),
        with_missing(pd.NA, object),
        with_missing(None, object),
        with_missing(np.nan, "float64"),
        with_missing(pd.NA, "Float64"),
        with_missing(pd.NA, "boolean"),
    ],
)
def test_missing_entries_are_refused_by_name(frame):
    sentence = r"missing values \(NaN\) in column 'b': fill them in first.* VADImputer"
    embedder = CompressionVAE(**TINY).fit(FRAME)
    for call in (CompressionVAE(**TINY).fit, embedder.transform, embedder.score):
        with pytest.raises(ValueError, match=sentence):
            call(frame)
    with pytest.raises(ValueError, match="X_valid holds " + sentence):
        CompressionVAE(**TINY, X_valid=frame).fit(FRAME)
    with pytest.raises(ValueError, match=sentence):
        CompressionVAE(frame, **TINY).train()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["x"] * 50),
        pd.Series(["1.5"] * 50, dtype=object),
        pd.Series(["x", "y"] * 25, dtype="category"),
        pd.Series([1, 2] * 25, dtype="category"),
        pd.Series(["x"] * 50, dtype="string"),
        pd.Series(pd.date_range("2020", periods=50)),
        pd.Series(pd.to_timedelta(np.arange(50), unit="s")),
        pd.Series([1j] * 50),
    ],
)
def test_text_categories_and_dates_are_refused_by_name(column):
    frame = FRAME.assign(when=column)
    with pytest.raises(TypeError, match="its column 'when'"):
        CompressionVAE(**TINY).fit(frame)
    with pytest.raises(TypeError, match="its column 'when'"):
        CompressionVAE(**TINY, X_valid=frame).fit(FRAME)


def test_arrays_of_objects_masked_arrays_and_dates():
    values = FRAME.to_numpy(dtype=object)
    z = CompressionVAE(**TINY).fit_transform(values)
    assert np.array_equal(z, CompressionVAE(**TINY).fit_transform(FRAME.to_numpy("float64")))
    for missing in (pd.NA, None):
        bad = values.copy()
        bad[2, 1] = missing
        for each in (bad, bad.tolist()):
            with pytest.raises(ValueError, match="missing values .* in column 1.*VADImputer"):
                CompressionVAE(**TINY).fit(each)
    masked = np.ma.masked_array(FRAME.to_numpy("float64"), FRAME.to_numpy("float64") > 7)
    with pytest.raises(ValueError, match="missing values .* in column 1"):
        CompressionVAE(**TINY).fit(masked)
    bad = values.copy()
    bad[2, 0] = "1.5"
    with pytest.raises(TypeError, match="must hold numbers, got '1.5'"):
        CompressionVAE(**TINY).fit(bad)
    with pytest.raises(TypeError, match="datetime64"):
        CompressionVAE(**TINY).fit(np.full((9, 2), "2020-01-01", "datetime64[s]"))


def test_columns_of_validation_data_in_another_order_are_refused():
    with pytest.raises(ValueError, match="feature names"):
        CompressionVAE(**TINY, X_valid=FRAME[["b", "a", "c"]]).fit(FRAME)
