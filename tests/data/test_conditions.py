"""Conditions: which values are known, which are missing, and that nothing leaks."""

import numpy as np
import pytest

from cvae_keras.data.conditions import Conditioned, as_inputs, draw_patterns, known_patterns
from cvae_keras.data.gaussian import IndependentGaussian


def test_every_pattern_occurs_equally_often():
    patterns = draw_patterns(64, 4, np.random.default_rng(0))
    _, counts = np.unique(patterns, axis=0, return_counts=True)
    assert counts.tolist() == [4] * 16
    assert len(np.unique(known_patterns(4), axis=0)) == 16
    assert np.all(np.diff(known_patterns(4).sum(axis=1)) >= 0)


def test_of_many_patterns_each_number_of_known_values_occurs_equally_often():
    patterns = draw_patterns(9 * 500, 8, np.random.default_rng(0))
    assert np.bincount(patterns.sum(axis=1)).tolist() == [500] * 9
    np.testing.assert_allclose(patterns.mean(axis=0), 0.5, atol=0.03)  # no dimension is preferred
    assert len(np.unique(patterns, axis=0)) > 200


def test_condition_holds_known_values_and_which_they_are():
    arrays = as_inputs([[1.0, 2.0, 3.0]], [[True, False, True]])
    assert arrays["c"].tolist() == [[1.0, 0.0, 3.0, 1.0, 0.0, 1.0]] and "mask" not in arrays


def test_what_is_missing_is_neither_seen_nor_known():
    x, known, observed = [[1.0, np.nan]], [[True, True]], [[True, False]]
    arrays = as_inputs(x, known, observed)
    assert arrays["x"].tolist() == [[1.0, 0.0]]
    assert arrays["c"].tolist() == [[1.0, 0.0, 1.0, 0.0]]
    assert arrays["mask"].tolist() == [[1.0, 0.0]]


def test_share_of_missing_values_and_seeds():
    source = Conditioned(IndependentGaussian(5), mask_percentage=20)
    first, again = (source.examples(20_000, seed=[3, 1]) for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in ("x", "c", "mask"))
    assert first["mask"].mean() == pytest.approx(0.8, abs=0.01)
    assert np.all(first["x"][first["mask"] == 0] == 0)
    known = first["c"][:, 5:]
    assert np.all(first["mask"][known == 1] == 1)
    assert np.array_equal(first["c"][:, :5], first["x"] * known)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: Conditioned(IndependentGaussian(2), 100), "mask_percentage must lie in"),
        (lambda: Conditioned(IndependentGaussian(2), -1), "mask_percentage must lie in"),
        (lambda: as_inputs(np.zeros((2, 3)), np.zeros((2, 2))), "all be"),
        (lambda: as_inputs(np.zeros(3), np.zeros(3)), "all be"),
        (lambda: as_inputs([[np.nan]], [[True]]), "NaN"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
