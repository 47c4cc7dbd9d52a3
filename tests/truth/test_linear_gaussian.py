"""The exact solutions against brute force: minimization and sampling."""

import numpy as np
import pytest

from cvae_keras.truth.linear_gaussian import conditional_error, conditional_mean, ridge_latent


def problem(seed=0, batch=6, features=5, latent=3):
    rng = np.random.default_rng(seed)
    x, mask = rng.normal(size=(batch, features)), rng.random((batch, features)) < 0.6
    root = rng.normal(size=(features, features))
    return rng, x, mask, rng.normal(size=(latent, features)), root @ root.T + 0.1 * np.eye(features)


@pytest.mark.parametrize("precision", [2.0, np.array([1.0, 9.0, 0.5, 2.0, 4.0])])
def test_ridge_has_zero_gradient_and_no_better_neighbor(precision):
    rng, x, mask, kernel, _ = problem()
    bias, ratio = rng.normal(size=5), 0.3

    def objective(z):
        squares = mask * precision * (x - z @ kernel - bias) ** 2
        return 0.5 * squares.sum(axis=1) + 0.5 * ratio * (z**2).sum(axis=1)

    z = ridge_latent(x, mask, kernel, bias, ratio, precision)
    gradient = -(mask * precision * (x - z @ kernel - bias)) @ kernel.T + ratio * z
    np.testing.assert_allclose(gradient, 0, atol=1e-12)
    for _ in range(20):
        assert np.all(objective(z + 0.01 * rng.normal(size=z.shape)) > objective(z))


def test_ridge_does_not_read_missing_entries():
    _, x, mask, kernel, _ = problem()
    incomplete = np.where(mask, x, np.nan)
    assert np.array_equal(ridge_latent(incomplete, mask, kernel), ridge_latent(x, mask, kernel))
    nothing = ridge_latent(x, np.zeros_like(mask), kernel)
    assert np.array_equal(nothing, np.zeros_like(nothing))


def test_conditional_mean_is_the_regression_on_many_samples():
    rng, _, _, _, covariance = problem()
    mean = rng.normal(size=5)
    samples = rng.multivariate_normal(mean, covariance, size=200_000)
    known = np.array([True, False, True, True, False])
    design = np.c_[samples[:, known], np.ones(len(samples))]
    fit, *_ = np.linalg.lstsq(design, samples[:, ~known], rcond=None)
    some = samples[:20_000]
    mask = np.tile(known, (len(some), 1))
    filled = conditional_mean(some, mask, mean, covariance)
    assert np.array_equal(filled[:, known], some[:, known])
    np.testing.assert_allclose(filled[:, ~known], design[: len(some)] @ fit, atol=0.1)
    error = np.mean((filled - some)[:, ~known] ** 2)
    assert error == pytest.approx(conditional_error(mask[:1], covariance), rel=0.02)


def test_extremes_of_a_row():
    _, x, mask, _, covariance = problem()
    mean = np.arange(5.0)
    none = conditional_mean(x, np.zeros_like(mask), mean, covariance)
    assert np.array_equal(none, np.tile(mean, (len(x), 1)))
    assert np.array_equal(conditional_mean(x, np.ones_like(mask), mean, covariance), x)
    assert conditional_error(np.zeros((2, 5)), covariance) == pytest.approx(
        np.trace(covariance) / 5
    )
    assert np.isnan(conditional_error(np.ones((2, 5)), covariance))


def test_bad_shapes_are_refused():
    _, x, mask, kernel, covariance = problem()
    with pytest.raises(ValueError, match="x and mask have shapes"):
        ridge_latent(x, mask[:2], kernel)
    with pytest.raises(ValueError, match="kernel has shape"):
        ridge_latent(x, mask, kernel[:, :2])
    with pytest.raises(ValueError, match="ratio must be above 0"):
        ridge_latent(x, mask, kernel, ratio=0)
    with pytest.raises(ValueError, match="covariance has shape"):
        conditional_mean(x, mask, np.zeros(5), covariance[:, :3])
