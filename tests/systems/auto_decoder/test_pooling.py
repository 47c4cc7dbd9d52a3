"""Rubin's rules against closed forms, limits and the coverage of their intervals."""

import numpy as np
import pytest

from cvae_keras.systems.auto_decoder import pool


def test_closed_form():
    found = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert (found.estimate, found.within, found.between) == (2.0, 1.0, 1.0)
    assert found.total == pytest.approx(1 + 4 / 3)
    assert found.df == pytest.approx(2 * (7 / 4) ** 2)
    adjusted = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], complete_df=10)
    observed = 11 / 13 * 10 * (1 - 4 / 7)
    assert adjusted.df == pytest.approx(1 / (1 / 6.125 + 1 / observed))


def test_equal_estimates_leave_the_normal_distribution():
    found = pool(np.ones((5, 2)), np.full((5, 2), 4.0))
    assert np.all(np.isinf(found.df)) and np.all(found.total == 4.0)
    low, high = found.interval(0.95)
    np.testing.assert_allclose([low, high], [[1 - 3.92] * 2, [1 + 3.92] * 2], atol=1e-3)
    assert np.all(pool(np.ones((5, 2)), np.full((5, 2), 4.0), complete_df=10).df == 110 / 13)


def test_intervals_of_proper_imputations_cover():
    """The mean of n values of which half are missing, imputed from its exact posterior."""
    rng = np.random.default_rng(0)
    n, seen, m, tables = 100, 50, 20, 2000
    mean = rng.normal(size=tables) / np.sqrt(seen)  # of the observed half, variance 1 known
    mu = mean + rng.normal(size=(m, tables)) / np.sqrt(seen)
    missing = mu + rng.normal(size=(m, tables)) / np.sqrt(n - seen)
    estimates = (seen * mean + (n - seen) * missing) / n
    low, high = pool(estimates, np.full_like(estimates, 1 / n)).interval(0.9)
    assert np.mean((low < 0) & (0 < high)) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    ("estimates", "variances", "sentence"),
    [
        ([1.0], [1.0], "m of at least 2"),
        ([1.0, 2.0], [1.0], "one shape"),
        ([1.0, 2.0], [1.0, -1.0], "at least 0"),
        ([1.0, np.nan], [1.0, 1.0], "estimates holds NaN"),
    ],
)
def test_bad_input_is_refused(estimates, variances, sentence):
    with pytest.raises(ValueError, match=sentence):
        pool(estimates, variances)
