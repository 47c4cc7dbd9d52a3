"""Fills do not depend on the unit or the shift of a column; no output overflows."""

import numpy as np
import pytest
from imputer_case import SEEN, SMALL, TABLE, fill, hidden, plain_fill

from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder, principal_components


@pytest.fixture(scope="module")
def plain():
    return plain_fill()


@pytest.mark.parametrize("unit", [1e-200, 1e-30, 1e-8, 1e-5, 1e8, 1e37, 1e200, 1e307])
def test_the_unit_has_no_effect(unit, plain):
    filled = fill(hidden(TABLE * unit))
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled / unit, plain, atol=1e-4)


def test_columns_may_have_units_far_apart(plain):
    units = np.array([1e-200, 1e200, 1.0, 1e-8, 1e307])
    np.testing.assert_allclose(fill(hidden(TABLE * units)) / units, plain, atol=1e-4)


@pytest.mark.parametrize("shift", [1e5, -1e7, 1.7e9, 1e9, 1e11])
def test_the_shift_has_no_effect(shift, plain):
    table = TABLE + shift
    filled = fill(hidden(table))
    assert filled.dtype == np.float64 and np.array_equal(filled[SEEN], table[SEEN])
    np.testing.assert_allclose(filled - shift, plain, atol=1e-3)


@pytest.mark.parametrize("unit", [1e-37, 1e-30, 1e8, 1e37, 3e37])
def test_float32_of_any_size(unit, plain):
    table = (TABLE * unit).astype("float32")
    filled = fill(hidden(table))
    assert filled.dtype == np.float32 and np.array_equal(filled[SEEN], table[SEEN])
    np.testing.assert_allclose(filled / np.float64(unit), plain, atol=1e-3)


def test_draws_and_fills_stay_finite_at_the_ends_of_the_range():
    for most in (np.finfo("float32").max, np.finfo("float64").max):
        table = hidden(np.sign(TABLE) * most).astype(most.dtype)
        imputer = VADImputer(**SMALL).fit(table)
        for filled in (imputer.transform(table), *imputer.sample(table, 3)):
            assert np.isfinite(filled).all() and filled.dtype == most.dtype


def test_models_that_keep_the_unit_refuse_what_overflows():
    for model in (VariationalAutoDecoder(5, 300, 2, (4,)), MaskedVAE(5, 2, (4,))):
        model.compile("sgd")
        for unit in (1e16, 5e37, 1e200, 1e307, -1e20):
            with pytest.raises(ValueError, match="too large for float32|beyond the range of float"):
                model.fit({"x": TABLE * unit}, verbose=0)
        with pytest.raises(ValueError, match="too large for float32"):
            model.reconstruct(TABLE * 1e20, SEEN)
        model.reconstruct(np.where(SEEN, TABLE, 1e300), SEEN)


@pytest.mark.parametrize("unit", [1e-150, 1e-8, 1e-5, 1e8, 1e150])
def test_principal_components_of_any_unit(unit):
    plain, _ = principal_components(TABLE, None, 2)
    np.testing.assert_allclose(principal_components(TABLE * unit, None, 2)[0], plain, atol=1e-5)
