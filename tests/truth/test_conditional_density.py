"""The conditional log-density of a Gaussian against the chain rule and its integral."""

import numpy as np
import pytest

from cvae_keras.truth.gaussian import conditional_log_density

RNG = np.random.default_rng(0)


ROOT_OF_S = RNG.normal(size=(5, 5))


S, MEAN = ROOT_OF_S @ ROOT_OF_S.T + 0.1 * np.eye(5), RNG.normal(size=5)


NONE = np.zeros(5, bool)


def pattern(*entries):
    return np.isin(np.arange(5), entries)


def test_density_obeys_the_chain_rule():
    x = RNG.normal(size=(7, 5))
    joint = conditional_log_density(x, ~NONE, NONE, S, MEAN)
    first = conditional_log_density(x, pattern(1, 4), NONE, S, MEAN)
    rest = conditional_log_density(x, pattern(0, 2, 3), pattern(1, 4), S, MEAN)
    np.testing.assert_allclose(first + rest, joint, rtol=1e-9)
    steps = [conditional_log_density(x, pattern(i), pattern(*range(i)), S, MEAN) for i in range(5)]
    np.testing.assert_allclose(np.sum(steps, axis=0), joint, rtol=1e-9)


def test_density_integrates_to_one_and_ignores_what_is_left_out():
    grid = np.linspace(-40, 40, 20_001)
    x = np.tile([0.3, np.nan, np.nan, 0.0, -0.5], (len(grid), 1))
    x[:, 3] = grid
    values = conditional_log_density(x, pattern(3), pattern(0, 4), S, MEAN)
    assert np.trapezoid(np.exp(values), grid) == pytest.approx(1.0, abs=1e-6)


def test_density_refuses_what_has_none():
    for change, sentence in [
        ({"target": NONE}, "target must hold an entry"),
        ({"given": pattern(0, 1)}, "none that given holds"),
        ({"target": np.ones(4)}, "have shapes"),
        ({"covariance": np.ones((5, 5))}, "determined by given"),
        ({"covariance": -np.eye(5)}, "is not a covariance"),
    ]:
        options = {"target": pattern(0), "given": pattern(1, 2), "covariance": S, **change}
        with pytest.raises(ValueError, match=sentence):
            conditional_log_density(np.zeros((1, 5)), **options)
