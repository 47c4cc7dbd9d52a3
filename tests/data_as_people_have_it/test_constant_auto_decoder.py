"""A column is constant if its values are all equal, and only then."""

import numpy as np
import pytest
from imputer_case import SMALL

from cvae_keras.data.missing import load_rows
from cvae_keras.systems.auto_decoder.imputer import VADImputer

STEPS = np.random.default_rng(0).integers(10, size=300).astype("float64")
LOST = np.random.default_rng(1).random(300) < 0.2
VARYING = {
    "1e10 + 0..9": 1e10 + STEPS,
    "-1e15 + 0..9": -1e15 + STEPS,
    "1 + multiples of the rounding error": 1.0 + STEPS * np.finfo("float64").eps,
    "scale 1e-200": 1e-200 * STEPS,
    "subnormal": 1e-310 * STEPS,
    "1e200 + 1e190 times 0..9": 1e200 + 1e190 * STEPS,
}


@pytest.mark.parametrize("name", VARYING)
def test_a_varying_column_is_predicted(name):
    column = VARYING[name]
    x = np.c_[np.where(LOST, np.nan, column), STEPS]
    imputer = VADImputer(**{**SMALL, "latent_dim": 1}).fit(x)
    assert not imputer.constant_.any()
    unit = np.ptp(column)
    off = (imputer.transform(x)[:, 0] - column)[LOST] / unit
    assert np.sqrt(np.mean(off**2)) < 0.05  # the mean would be 0.3


@pytest.mark.parametrize("value", [7.3, 0.1 + 0.2, 1e10, 1e-200, 5e-324, 1.7e308, -1e200, 0.0])
def test_a_constant_is_filled_with_itself(value):
    x = np.c_[np.where(LOST, np.nan, value), STEPS]
    imputer = VADImputer(**{**SMALL, "latent_dim": 1}).fit(x)
    assert imputer.constant_.tolist() == [True, False]
    assert np.all(imputer.transform(x)[:, 0] == value)


def test_a_tiny_column_of_a_file_is_scaled(tmp_path):
    for name, column in VARYING.items():
        table = np.c_[column, STEPS]
        np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="a,b", comments="", fmt="%.17g")
        parts = np.concatenate(load_rows(str(tmp_path / "t.csv")))
        assert parts.min() == 0 and parts.max() == 1, name
        np.testing.assert_allclose(parts[:, 0], parts[:, 1], atol=1e-6, err_msg=name)
