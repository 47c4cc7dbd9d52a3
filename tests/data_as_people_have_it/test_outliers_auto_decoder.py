"""A gross outlier is returned as it is, and has no effect on other entries."""

import numpy as np
import pandas as pd
import pytest
from imputer_case import SEEN, SMALL, TABLE, error, fill, hidden, plain_fill

from cvae_keras.data.columns import Columns
from cvae_keras.data.missing import load_rows
from cvae_keras.systems.auto_decoder.imputer import VADImputer

CELLS = np.argwhere(SEEN)


@pytest.fixture(scope="module")
def plain():
    return error(plain_fill(), TABLE)


@pytest.mark.parametrize("value", [1e12, -1e12, 1e5, 1e30, -1e200, 1e308])
def test_one_cell(value, plain):
    table = hidden(TABLE).copy()
    row, column = CELLS[17]
    table[row, column] = value
    filled = fill(table)
    assert filled[row, column] == value and np.isfinite(filled).all()
    assert error(filled, TABLE) < plain + 0.01


@pytest.mark.parametrize("unit", [1e-200, 1e-8, 1.0, 1e8, 1e200])
def test_several_cells_in_any_unit(unit, plain):
    table = hidden(TABLE).copy() * unit
    for number, value in [(3, 1e12), (40, -1e9), (90, 1e20), (200, 1e15)]:
        table[tuple(CELLS[number])] = value * unit
    filled = fill(table) / unit
    assert error(filled, TABLE) < plain + 0.02


def test_cells_of_new_rows():
    imputer = VADImputer(**SMALL).fit(hidden(TABLE))
    rows = hidden(TABLE)[:50].copy()
    column = np.flatnonzero(~np.isnan(rows[0]))[0]
    without = rows.copy()
    without[:, column] = np.nan
    for value in (1e12, -1e300, 1e6, 1e4, -1.7e308):
        rows[:, column] = value
        filled = imputer.transform(rows)
        assert np.all(filled[:, column] == value)
        others = np.arange(5) != column
        np.testing.assert_array_equal(filled[:, others], imputer.transform(without)[:, others])


def test_ordinary_columns_have_none():
    rng = np.random.default_rng(0)
    columns = {
        "normal": rng.normal(size=1000),
        "uniform": rng.random(1000),
        "exponential": rng.exponential(size=1000),
        "lognormal": np.exp(2 * rng.normal(size=1000)),
        "rare": (np.arange(1000) % 100 == 0).astype(float),
        "counts": rng.poisson(0.02, 1000).astype(float) * rng.integers(1, 50, 1000),
        "two values": np.r_[np.zeros(500), np.full(500, 1e12)],
        "five values": np.array([0.0, 0.0, 0.0, 1.0, 1e9]),
    }
    for name, column in columns.items():
        found = Columns(column[:, None])
        assert not found.outliers(column[:, None]).any(), name
        np.testing.assert_allclose(found.mean, column.mean(), rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(found.scale, column.std(), rtol=1e-9, err_msg=name)


def test_outliers_of_a_file_are_left_out_and_named(tmp_path):
    frame = pd.DataFrame(TABLE, columns=list("abcde"))
    frame.loc[3, "b"] = 1e12
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(UserWarning, match="gross outliers, {'b': 1}"):
        parts = np.concatenate(load_rows(str(tmp_path / "t.csv")))
    assert np.isnan(parts).sum() == 1 and np.nanstd(parts[:, 1]) > 0.1
