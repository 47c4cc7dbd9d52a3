"""The flow prior: its density, its samples, and its KL."""

import keras
import numpy as np
import pytest
from keras import ops

from cvae_keras.parts.distributions import Gaussian, gaussian_kl, gaussian_log_prob, kl_divergence
from cvae_keras.parts.priors import FlowPrior

AXIS = np.linspace(-9, 9, 361, dtype="float32")
GRID = np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(-1, 1, 2)


def far(latent_dim=2, length=3, seed=0):
    """A prior whose flow is far from the identity, and its parameters for one condition."""
    keras.utils.set_random_seed(seed)
    prior, c = FlowPrior(latent_dim, width=8, flow_length=length, flow_width=16), np.ones((1, 4))
    prior(c).log_prob(np.zeros((1, 1, latent_dim), "float32"))  # builds
    rng = np.random.default_rng(seed)
    for weight in prior.weights:
        weight.assign(weight + 0.3 * rng.normal(size=weight.shape))
    return prior, prior(c)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_density_integrates_to_one(length):
    _, p = far(length=length)
    density = np.exp(p.log_prob(GRID))
    assert density.sum() * (AXIS[1] - AXIS[0]) ** 2 == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("length", [2, 3])
def test_samples_are_of_the_density(length):
    """Mean and second moments of many samples, against the integrals over the density."""
    _, p = far(length=length)
    z = np.array(p.sample(40_000, seed=keras.random.SeedGenerator(0)))[:, 0]
    w = np.exp(p.log_prob(GRID)).ravel()
    mean = w @ GRID[:, 0] / w.sum()
    centered = GRID[:, 0] - mean
    covariance = (centered * w[:, None]).T @ centered / w.sum()
    assert np.abs(covariance - np.eye(2)).max() > 0.2  # not N(0, I)
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), covariance, rtol=0.05, atol=0.05)


def test_shares_of_the_dimensions_sum_to_the_density():
    _, p = far(4)
    z = np.random.default_rng(0).normal(size=(3, 1, 4)).astype("float32")
    shares = p.log_prob_per_dim(z)
    assert shares.shape == (3, 1, 4)
    np.testing.assert_allclose(ops.sum(shares, axis=-1), p.log_prob(z), rtol=1e-6)


def test_without_steps_it_is_the_conditional_normal():
    _, p = far(2, length=0)
    q = (np.full((1, 2), 0.3, "float32"), np.full((1, 2), -1.0, "float32"))
    plain = p.base
    z = np.random.default_rng(0).normal(size=(5, 1, 2)).astype("float32")
    np.testing.assert_allclose(p.log_prob(z), plain.log_prob(z), rtol=1e-5)
    many = Gaussian(*(np.repeat(part, 50_000, axis=0) for part in q))
    z, log_q = many.points(keras.random.SeedGenerator(0))
    kl = np.array(kl_divergence(many, p, z, log_q))
    exact = gaussian_kl(*q, plain.mean, plain.log_var)[0]
    assert np.all(np.abs(kl.mean(axis=0) - exact) < 4 * kl.std(axis=0) / np.sqrt(50_000) + 1e-4)


def test_kl_is_the_one_on_a_grid():
    _, p = far()
    q = (np.full((1, 2), 0.3, "float32"), np.full((1, 2), -1.0, "float32"))
    log_q = np.array(ops.sum(gaussian_log_prob(GRID, *q), axis=-1))
    log_p = np.array(p.log_prob(GRID))
    exact = np.sum(np.exp(log_q) * (log_q - log_p)) * (AXIS[1] - AXIS[0]) ** 2
    many = Gaussian(*(np.repeat(part, 20_000, axis=0) for part in q))
    z, log_q = many.points(keras.random.SeedGenerator(0))
    kl = np.array(kl_divergence(many, p, z, log_q)).sum(axis=-1)
    assert exact > 0.1 and abs(kl.mean() - exact) < 4 * kl.std() / np.sqrt(20_000) + 0.005


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="flow_length must be a whole number"):
        FlowPrior(2, flow_length=-1)
    with pytest.raises(ValueError, match="c is missing: a conditional prior needs the condition"):
        FlowPrior(2)(None)
