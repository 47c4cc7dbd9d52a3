"""Posteriors and the KL between Gaussians."""

import keras
import numpy as np
import pytest

from cvae_keras.parts.distributions import Categorical, gaussian_kl
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.networks import ConvEncoder
from cvae_keras.parts.posteriors import CategoricalPosterior, GaussianPosterior


class Last(CompositeLayer):
    def call(self, x, c=None, mask=None):
        return x[:, -1] if mask is None else x[:, -1] * mask[:, -1]


def log_density(z, mean, log_var):
    return -0.5 * ((z - mean) ** 2 / np.exp(log_var) + log_var + np.log(2 * np.pi))


def test_gaussian_kl_by_hand():
    # N(1, 1) against N(0, 1), and N(1, 0.5^2) against N(-2, 2^2)
    mean_q, log_var_q = np.array([1.0, 1.0]), np.log([1.0, 0.25])
    mean_p, log_var_p = np.array([0.0, -2.0]), np.log([1.0, 4.0])
    expected = [0.5, np.log(4) + (0.25 + 9) / 8 - 0.5]
    found = gaussian_kl(mean_q, log_var_q, mean_p, log_var_p)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gaussian_kl_is_zero_for_equals_and_positive_otherwise():
    rng = np.random.default_rng(0)
    q, p = rng.normal(size=(2, 2, 500, 3)).astype("float32")
    np.testing.assert_allclose(gaussian_kl(*q, *q), 0.0, atol=1e-6)
    assert np.all(np.array(gaussian_kl(*q, *p)) > 0)


def test_gaussian_kl_against_monte_carlo():
    rng = np.random.default_rng(0)
    for _ in range(5):
        mean_q, log_var_q, mean_p, log_var_p = rng.normal(size=4) * 0.7
        z = mean_q + np.exp(log_var_q / 2) * rng.normal(size=200_000)
        values = log_density(z, mean_q, log_var_q) - log_density(z, mean_p, log_var_p)
        error = 5 * values.std() / np.sqrt(len(z))
        found = float(gaussian_kl(mean_q, log_var_q, mean_p, log_var_p))
        assert found == pytest.approx(values.mean(), abs=error)


def test_gaussian_points_have_the_moments_of_q():
    posterior = GaussianPosterior(Last(), latent_dim=2)
    posterior(np.zeros((1, 4, 3)))
    posterior.mean.set_weights([np.zeros((3, 2)), np.array([3.0, -1.0])])
    posterior.log_var.set_weights([np.zeros((3, 2)), np.log([4.0, 0.25])])
    q = posterior(np.zeros((20_000, 4, 3)))
    z = np.array(q.points(keras.random.SeedGenerator(0))[0])
    assert z.shape == (1, 20_000, 2)
    np.testing.assert_allclose(z[0].mean(axis=0), [3.0, -1.0], atol=0.08)
    np.testing.assert_allclose(z[0].std(axis=0), [2.0, 0.5], rtol=0.03)
    np.testing.assert_array_equal(q.weights(z), np.ones((1, 20_000)))
    assert posterior.update(q, None, None, 1.0) is q
    np.testing.assert_allclose(q.mean, np.tile([3.0, -1.0], (20_000, 1)))


def test_gaussian_log_variance_stays_finite():
    posterior = GaussianPosterior(Last(), latent_dim=2)
    for value in (1e6, -1e6):
        q = posterior(np.full((3, 4, 3), value))
        mean, log_var = q.mean, q.log_var
        kl = gaussian_kl(mean * 0, log_var, 0.0, 0.0)
        assert np.abs(log_var).max() <= 20 and np.all(np.isfinite(kl))


def test_networks_are_given_x_c_and_mask():
    x, c = np.random.default_rng(0).normal(size=(2, 3, 40, 2)).astype("float32")
    features = ConvEncoder((4, 5), (6, 7))(x, c, np.ones_like(x))
    assert features.shape == (3, (40 - 13 + 2) * 5)
    posterior = GaussianPosterior(Last(), latent_dim=2)
    masked = posterior(x, c, mask=np.zeros_like(x))
    np.testing.assert_array_equal(masked.mean, np.zeros((3, 2)))


def test_categorical_weights_follow_bayes_rule():
    posterior = CategoricalPosterior(3)
    prior, likelihood = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.4, 0.8])
    p = Categorical((np.log(prior)[None] + 7.0).astype("float32"))
    log_p = np.log(likelihood)[:, None].astype("float32")
    q = posterior.update(posterior(None), p, log_p, 1.0)
    z, _ = q.points()
    w = np.array(q.weights(z))[:, 0]
    bayes = prior * likelihood / np.sum(prior * likelihood)
    np.testing.assert_allclose(w, bayes, rtol=1e-5)
    np.testing.assert_allclose(q.mean, bayes[None], rtol=1e-5)
    found = Categorical(np.log(bayes)[None].astype("float32")).kl(p)
    np.testing.assert_allclose(found, [[np.sum(bayes * np.log(bayes / prior))]], rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_one_category_is_certain():
    one = Categorical(np.full((3, 1), -7.0, "float32"))
    assert np.array(one.mean).tolist() == [[1.0]] * 3
    assert np.array(one.sample(2, seed=0)).tolist() == [[[1.0]] * 3] * 2


def test_categorical_points_are_every_category_once():
    z = np.array(CategoricalPosterior(4)(None).points()[0])
    np.testing.assert_array_equal(z[:, 0], np.eye(4))


def test_categorical_survives_impossible_categories_and_beta_zero():
    posterior = CategoricalPosterior(3)
    p = Categorical(np.array([[0.0, -1e4, 0.0]], "float32"))
    log_p = np.array([[-1e5], [0.0], [-2e5]], "float32")
    for beta in (0.0, 1.0):
        q = posterior.update(posterior(None), p, log_p, beta)
        w, kl = q.mean, q.kl(p)
        assert np.all(np.isfinite(w)) and np.all(np.isfinite(kl))
        np.testing.assert_allclose(np.sum(w), 1.0, atol=1e-6)


@pytest.mark.parametrize("count", [0, -1, 1.5, True, None])
def test_counts_are_checked(count):
    with pytest.raises(ValueError, match="latent_dim must be a positive integer"):
        GaussianPosterior(Last(), latent_dim=count)
    with pytest.raises(ValueError, match="categories must be a positive integer"):
        CategoricalPosterior(count)
