"""Posterior predictive checks on a simulator whose exact posterior is known."""

import numpy as np
import pytest

from cvae_keras.metrics import predictive_check

MEAN = {"mean": lambda y: y.mean(axis=1)}


def simulate(batch=100, n_samples=200, points=8, seed=0, noise=1.0, shift=0.0):
    """y ~ N(x, 1) of 8 points with x ~ N(0, 1): the posterior is N(8 ybar / 9, 1 / 9)."""
    rng = np.random.default_rng(seed)
    observed = rng.normal(size=(batch, 1)) + rng.normal(size=(batch, points))
    mean = observed.mean(axis=1, keepdims=True) * points / (points + 1)
    x = mean + rng.normal(size=(n_samples, batch, 1)) / np.sqrt(points + 1)
    replicas = x + noise * rng.normal(size=(n_samples, batch, points)) + shift
    return replicas, observed


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_posterior_passes(seed):
    result = predictive_check(*simulate(seed=seed))
    assert result.calibrated and result.sentence.startswith("calibrated within what chance")
    assert result.names == ("mean", "standard deviation", "minimum", "maximum")


def test_tail_probabilities_have_a_closed_form():
    replicas = np.arange(99.0).reshape(99, 1, 1) + np.zeros((99, 20, 1))
    observed = np.linspace(-1, 98, 20)[:, None] + 0.25
    tail = predictive_check(replicas, observed, {"value": lambda y: y[:, 0]}).tail[:, 0]
    below = np.floor(observed[:, 0]) + 1
    assert tail == pytest.approx(np.minimum(1, 2 * (1 + np.minimum(below, 99 - below)) / 100))


def test_a_simulator_with_other_noise_fails_in_words():
    result = predictive_check(*simulate(noise=0.5))
    assert not result.calibrated
    assert result.sentence.startswith("the observed standard deviation is outside 95 % of its")
    assert predictive_check(*simulate(noise=0.5), MEAN).calibrated
    assert not predictive_check(*simulate(shift=2.0), MEAN).calibrated


def test_one_observation():
    replicas, observed = simulate(batch=1, n_samples=800)
    assert predictive_check(replicas, observed).calibrated
    sentence = predictive_check(replicas, observed + 5).sentence
    assert sentence.startswith("the observed ") and "95 % of its replicas are" in sentence
    with pytest.raises(ValueError, match="^replicas must hold at least 799 draws for a verdict"):
        predictive_check(replicas[:100], observed)


def test_bad_input_is_refused_in_one_sentence():
    replicas, observed = simulate(batch=20, n_samples=20)
    for arrays, options, message in (
        ((replicas, observed[:-1]), {}, "replicas and observed must have shapes"),
        ((replicas[:19], observed), {}, "replicas must hold at least 20 draws"),
        ((replicas * np.nan, observed), {}, "replicas holds NaN"),
        ((replicas, observed), {"statistics": [np.mean]}, "statistics must be a dictionary"),
        ((replicas, observed), {"statistics": {}}, "statistics must be a dictionary"),
        ((replicas, observed), {"statistics": {"all": np.mean}}, "the statistic 'all' must return"),
        ((0 * replicas, observed), {"statistics": MEAN}, "the statistic 'mean' is the same"),
        ((replicas, observed), {"confidence": 2}, "confidence must"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            predictive_check(*arrays, **options)
