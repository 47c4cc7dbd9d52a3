"""The classifier two-sample test on distributions whose best accuracy is known."""

import numpy as np
import pytest
from scipy.stats import norm

from cvae_keras.metrics import c2st


def pair(shift, rows=300, dims=1, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, rows, dims))
    return a, b + shift


@pytest.mark.parametrize(("shift", "within"), [(0, 0.06), (1.5, 0.04), (8, 0.01)])
def test_shifted_gaussians_have_a_closed_form(shift, within):
    """The best accuracy is Phi(d / 2), d the distance in standard deviations."""
    result = c2st(*pair(shift, rows=150 if shift == 8 else 300))
    assert result.accuracy == pytest.approx(norm.cdf(shift / 2), abs=within)
    assert result.calibrated == (shift == 0)
    assert ("cannot tell" in result.sentence) == (shift == 0)
    assert result.accuracy == pytest.approx(result.folds.mean()) and len(result.folds) == 5


def test_the_unit_does_not_matter_and_seeds_repeat():
    a, b = pair(1, rows=60)
    first, second = c2st(a, b, seed=4), c2st(1e3 * a + 5, 1e3 * b + 5, seed=4)
    assert first.folds == pytest.approx(second.folds, abs=0.05)
    assert (c2st(a, b, seed=4).folds == first.folds).all()


def test_bad_input_is_refused_in_one_sentence():
    a, b = pair(1, rows=60, dims=2)
    constant = np.where(np.arange(2) == 1, 0.5, a)
    for arrays, options, message in (
        ((a, b[:-1]), {}, "a and b must both have shape"),
        ((a[:, 0], b[:, 0]), {}, "a and b must both have shape"),
        ((a[:49], b[:49]), {}, "a and b must hold at least 50 rows"),
        ((a, b * np.nan), {}, "b holds NaN"),
        ((constant, b), {}, "a is 0.5 in all rows of column 1"),
        ((a.astype(str), b), {}, "a must hold numbers"),
        ((a, b), {"n_folds": 1}, "n_folds must be"),
        ((a, b), {"confidence": 0}, "confidence must"),
        ((a, b), {"seed": 0.5}, "seed must"),
    ):
        with pytest.raises((ValueError, TypeError), match=f"^{message}"):
            c2st(*arrays, **options)
