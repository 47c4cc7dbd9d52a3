"""Sums are in float64, and values are centered before they become float32."""

import warnings

import numpy as np
import pandas as pd
import pytest
from imputer_case import SMALL, TABLE, fill

from cvae_keras.checks import merged
from cvae_keras.data.columns import Columns
from cvae_keras.data.missing import load_rows
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder, principal_components


@pytest.mark.parametrize("mean", [1e3, 1e4, 1e5, -1e6, 1e7])
def test_moments_of_float32_far_from_0(mean):
    x = np.random.default_rng(0).normal(mean, 1 + abs(mean) * 1e-6, (20_000, 2)).astype("float32")
    imputer = VADImputer(**{**SMALL, "latent_dim": 1}).fit(x[:2000])
    columns = Columns(x)
    np.testing.assert_allclose(columns.mean, x.mean(axis=0, dtype="float64"), rtol=1e-12)
    np.testing.assert_allclose(columns.scale, x.std(axis=0, dtype="float64"), rtol=1e-6)
    np.testing.assert_allclose(imputer.mean_, x[:2000].mean(axis=0, dtype="float64"), rtol=1e-12)
    fit = factor_analysis(x[:10_000], np.ones_like(x[:10_000]), 1, steps=2)
    np.testing.assert_allclose(fit["mean"], Columns(x[:10_000]).mean, atol=1e-3)
    scores, _ = principal_components(x, None, 2)
    np.testing.assert_allclose(scores.T @ scores / len(x), np.eye(2), atol=1e-3)


@pytest.mark.parametrize("start", [0.0, 1e6, 1.7e9, -6e9, 1e12])
def test_one_a_second_is_filled_to_the_second(start):
    """Times one a second, which a second column predicts."""
    seconds = np.arange(500.0)
    x = np.c_[start + seconds, seconds / 100.0]
    lost = np.random.default_rng(0).random(500) < 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        filled = fill(np.c_[np.where(lost, np.nan, x[:, 0]), x[:, 1]], latent_dim=1)
    assert np.abs(filled - x).max() < 20  # the noise of the model: a few hundredths of 144 seconds
    assert np.array_equal(filled[~lost], x[~lost])
    columns = Columns(x)
    z = columns.standardize(x).astype("float32")
    assert np.abs(columns.restore(z) - x).max() < 1e-4 and not merged(x, z)


def test_values_that_merge_are_warned_of(tmp_path):
    rng = np.random.default_rng(0)
    near = np.r_[np.arange(150.0), 1e12 + np.arange(150.0)]
    with pytest.warns(UserWarning, match=r"columns \[1\] hold distinct values that become equal"):
        VADImputer(**SMALL).fit(np.c_[TABLE[:, 0], near])
    far = np.c_[1.7e9 + np.arange(300), rng.normal(size=300)]
    for model in (VariationalAutoDecoder(2, 300, 1, (4,)), MaskedVAE(2, 1, (4,))):
        model.compile("sgd")
        model.run_eagerly = True
        with pytest.warns(UserWarning, match="become equal in float32"):
            model.predict({"x": far}, verbose=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model.predict({"x": far - far.mean(axis=0)}, verbose=0)
    np.savez(tmp_path / "far.npz", x=far)
    with pytest.warns(UserWarning, match="become equal in float32"):
        load_rows("artificial", tmp_path / "far.npz")


@pytest.mark.parametrize("mean", [0.0, 1.0, 10.0, 100.0, -100.0])
def test_ordinary_float64_is_not_warned_of(mean):
    x = np.random.default_rng(0).normal(mean, 1, (20_000, 3))
    assert not merged(x, x.astype("float32"))


def test_whole_numbers_that_float64_merges_are_refused():
    x = np.c_[2**60 + np.arange(300), np.arange(300)]
    for each in (x, x.tolist(), x.astype(object), pd.DataFrame(x), np.ma.masked_array(x)):
        with pytest.raises(ValueError, match=r"X holds whole numbers beyond 2\^53 in .*column"):
            VADImputer(**SMALL).fit(each)
