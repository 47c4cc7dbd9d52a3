"""Conditional Gaussians; reverse water-filling against brute force and a linear VAE."""

import numpy as np
import pytest

from cvae_keras.data.gaussian import CorrelatedGaussian, ProjectedGaussian
from cvae_keras.truth.gaussian import (
    conditional_covariance,
    conditional_log_density,
    optimum,
    schur_complement,
    water_filling,
)


def linear_vae(eigenvalues, beta, gain):
    """Rate and distortion of z = gain x + noise of variance 1 - gain^2 lambda, best decoded.

    Rate: KL of N(gain x, s) to N(0, 1), averaged over x ~ N(0, lambda); its aggregate is N(0, 1).
    """
    s = 1 - gain**2 * eigenvalues
    rate = 0.5 * (s + gain**2 * eigenvalues - 1 - np.log(s))
    return rate.sum(), (eigenvalues * s).sum()


def test_a_linear_vae_attains_it_and_none_does_better():
    eigenvalues = np.array([3.0, 1.0, 0.2, 0.0])
    for beta in (0.25, 1.0, 4.0):
        best = water_filling(eigenvalues, beta)
        kept = np.sqrt(np.maximum(0, 1 - beta / 2 / np.maximum(eigenvalues, 1e-9)))
        rate, distortion = linear_vae(eigenvalues, beta, kept / np.sqrt(eigenvalues + 1e-30))
        assert rate == pytest.approx(best["rate"])
        assert distortion == pytest.approx(best["distortion"])
        assert best["objective"] == pytest.approx(distortion + beta * rate)
        rng = np.random.default_rng(0)
        for _ in range(200):
            share = rng.uniform(0, 1, 4)
            rate, distortion = linear_vae(eigenvalues, beta, share / np.sqrt(eigenvalues + 1e-30))
            assert distortion + beta * rate >= best["objective"] - 1e-9


def test_threshold_counts_active_dimensions():
    assert water_filling([0.49, 0.51], beta=1.0)["active"] == 1
    assert water_filling([0.49, 0.51], beta=1.0)["margin"] == pytest.approx(0.02)
    assert water_filling([], beta=1.0) == {
        "rate": 0.0, "distortion": 0.0, "objective": 0.0, "active": 0, "margin": np.inf,
    }  # fmt: skip


def test_conditional_covariance_is_that_of_the_residuals():
    data = CorrelatedGaussian(4, seed=3)
    x = data.sample(200_000, seed=0).astype(float)
    known = np.array([True, False, True, False])
    weights, *_ = np.linalg.lstsq(x[:, known], x[:, ~known], rcond=None)
    measured = np.cov((x[:, ~known] - x[:, known] @ weights).T)
    np.testing.assert_allclose(measured, conditional_covariance(data.covariance, known), atol=0.01)


def test_an_entry_that_is_missing_is_left_out():
    sigma = CorrelatedGaussian(4, seed=3).covariance
    known, observed = [True, False, False, False], [True, True, False, True]
    kept = np.ix_([0, 1, 3], [0, 1, 3])
    expected = conditional_covariance(sigma[kept], [True, False, False])
    np.testing.assert_allclose(conditional_covariance(sigma, known, observed), expected)


def test_the_schur_complement_of_a_singular_covariance_is_the_regression():
    """x = P f: with G as informative as f, x_T is determined; with less, by least squares."""
    data = ProjectedGaussian(x_dim=3, projection_dim=6, seed=0)
    target, given = np.arange(6) == 0, np.arange(6) > 0
    slope, rest = schur_complement(data.covariance, target, given)
    x = data.sample(50, seed=0).astype(float)
    np.testing.assert_allclose(x[:, given] @ slope.T, x[:, target], atol=1e-5)
    np.testing.assert_allclose(rest, 0, atol=1e-9)
    slope, rest = schur_complement(data.covariance, target, ~target & ~given)
    assert slope.shape == (1, 0) and np.array_equal(rest, data.covariance[:1, :1])


def test_the_units_of_the_entries_do_not_matter():
    sigma, units = CorrelatedGaussian(4, seed=3).covariance, np.array([1e7, 1e-7, 1.0, 1e5])
    scaled = sigma * np.outer(units, units)
    target, given = np.arange(4) < 2, np.arange(4) >= 2
    slope, rest = schur_complement(sigma, target, given)
    other, left = schur_complement(scaled, target, given)
    np.testing.assert_allclose(other * units[given] / units[target][:, None], slope, rtol=1e-9)
    np.testing.assert_allclose(left / np.outer(units[target], units[target]), rest, rtol=1e-9)
    x = np.random.default_rng(0).normal(size=(5, 4))
    density = conditional_log_density(x * units, target, given, scaled)
    expected = conditional_log_density(x, target, given, sigma) - np.log(units[target]).sum()
    np.testing.assert_allclose(density, expected, rtol=1e-9)


def test_it_does_not_depend_on_the_order_of_the_dimensions():
    sigma, known = CorrelatedGaussian(5, seed=1).covariance, np.arange(5) < 2
    order = np.random.default_rng(0).permutation(5)
    turned = optimum(sigma[np.ix_(order, order)], known[order], 0.25)
    assert turned == pytest.approx(optimum(sigma, known, 0.25))


def test_dependent_dimensions_give_each_other_away():
    full, deficient = (ProjectedGaussian(2, 8, rank=rank, seed=0).covariance for rank in (2, 1))
    one, two, none = np.arange(8) < 1, np.arange(8) < 2, np.zeros(8, bool)
    assert [optimum(full, k, 0.25)["active"] for k in (none, one, two)] == [2, 1, 0]
    assert [optimum(deficient, k, 0.25)["active"] for k in (none, one)] == [1, 0]
    assert optimum(full, two, 0.25)["objective"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: optimum(np.ones((2, 3)), [0, 1], 1.0), "square"),
        (lambda: optimum([[1, 2], [2, 1]], [0, 1], 1.0), "eigenvalue -1 < 0"),
        (lambda: optimum([[1, 0.5], [0.4, 1]], [0, 1], 1.0), "not symmetric"),
        (lambda: optimum([[1, np.nan], [np.nan, 1]], [0, 1], 1.0), "NaN"),
        (lambda: optimum(np.eye(2), [0, 1, 1], 1.0), "must have shape"),
        (lambda: optimum(np.eye(2), [0, 1], 1.0, observed=[1, 0]), "missing"),
        (lambda: optimum(np.eye(2), [0, 1], 0.0), "beta must be"),
        (lambda: water_filling([1.0], float("nan")), "beta must be"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
