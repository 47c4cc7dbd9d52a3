"""The band of chance: its exact probabilities against closed forms and simulation."""

import numpy as np
import pytest
from scipy import stats

from cvae_keras.metrics.chance import (
    LEVELS,
    chance_band,
    counts_below,
    tail_probability,
    tail_statistic,
)


@pytest.mark.parametrize("n", [20, 300])
def test_tail_probability_is_that_of_simulated_counts(n):
    rng = np.random.default_rng(0)
    counts = np.cumsum(rng.multinomial(n, np.full(100, 0.01), size=4000), axis=1)[:, :-1]
    below, above = stats.binom.cdf(counts, n, LEVELS), stats.binom.sf(counts - 1, n, LEVELS)
    statistic = np.minimum(below, above).min(axis=1)
    for value in np.quantile(statistic, [0.01, 0.1, 0.5]):
        simulated = np.mean(statistic <= value)
        assert tail_probability(value, n) == pytest.approx(simulated, abs=0.025)


def test_one_value_has_a_closed_form():
    """A single u leaves the band of statistic t if u <= t or u >= 1 - t, on the grid of levels."""
    assert tail_probability(0.0301, 1) == pytest.approx(0.06)
    assert tail_probability(0.005, 1) == pytest.approx(0, abs=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("statistic", [0.0, 1e-310, 1e-300, 1e-15])
def test_what_is_all_but_impossible_by_chance_has_no_probability_and_no_warning(statistic):
    assert 0 <= tail_probability(statistic, 500) < 1e-10


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_band_decides_as_the_p_value_does(confidence):
    rng = np.random.default_rng(1)
    low, high = chance_band(200, confidence)
    verdicts = []
    for _ in range(100):
        counts = counts_below(rng.beta(1, 1.15, size=200))
        outside = np.any((counts / 200 < low) | (counts / 200 > high))
        p_value = tail_probability(tail_statistic(counts, 200), 200)
        assert outside == (p_value <= 1 - confidence)
        verdicts.append(outside)
    assert 0 < np.mean(verdicts) < 1


def test_more_tests_make_a_wider_band():
    one, ten = chance_band(500), chance_band(500, tests=10)
    assert (ten[0] <= one[0]).all() and (ten[1] >= one[1]).all()
    assert np.allclose(one[0] + one[1][::-1], 1)  # symmetric
