"""Priors: their samples have the moments that their parameters say, flows their density."""

import keras
import numpy as np
import pytest
from keras import ops

from cvae_keras.parts.distributions import (
    Categorical,
    Gaussian,
    gaussian_kl,
    gaussian_log_prob,
    kl_divergence,
)
from cvae_keras.parts.priors import CategoricalPrior, ConditionalNormal, FlowPrior, StandardNormal

AXIS = np.linspace(-9, 9, 361, dtype="float32")
GRID = np.stack(np.meshgrid(AXIS, AXIS), axis=-1).reshape(-1, 1, 2)


def test_standard_normal_samples():
    prior = StandardNormal(3)
    z = np.array(prior(None).sample(1000, batch=50, seed=keras.random.SeedGenerator(0)))
    assert z.shape == (1000, 50, 3)
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0.0, atol=0.025)
    np.testing.assert_allclose(np.cov(z.reshape(-1, 3).T), np.eye(3), atol=0.035)


def test_conditional_normal_starts_as_the_standard_one():
    p = ConditionalNormal(2)(np.random.default_rng(0).normal(size=(5, 10, 2)))
    np.testing.assert_array_equal(p.mean, np.zeros((5, 2)))
    np.testing.assert_array_equal(p.log_var, np.zeros((5, 2)))


def test_conditional_normal_samples_follow_the_condition():
    prior = ConditionalNormal(1, width=4)
    c = np.array([[1.0], [2.0]])
    prior(c)
    prior.hidden.set_weights([np.array([[1.0, 0, 0, 0]]), np.zeros(4)])
    prior.mean.set_weights([np.array([[3.0], [0], [0], [0]]), np.zeros(1)])
    prior.log_var.set_weights([np.array([[1.0], [0], [0], [0]]), np.zeros(1)])
    z = np.array(prior(c).sample(20_000, seed=keras.random.SeedGenerator(0)))[..., 0]
    np.testing.assert_allclose(z.mean(axis=0), [3.0, 6.0], atol=0.1)
    np.testing.assert_allclose(z.var(axis=0), np.exp([1.0, 2.0]), rtol=0.06)


def test_categorical_samples_have_the_frequencies_of_the_softmax():
    prior = CategoricalPrior(3)
    assert np.all(np.array(prior(np.ones((4, 7))).logits) == 0.0)  # uniform before training
    wanted = np.array([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]])
    p = Categorical(np.log(wanted) + 2.0, systematic=True)
    z = np.array(p.sample(20_000, seed=keras.random.SeedGenerator(0)))
    assert z.shape == (20_000, 2, 3) and np.all(np.sort(z, axis=-1) == [0, 0, 1])
    np.testing.assert_allclose(z.mean(axis=0), wanted, atol=0.02)


@pytest.mark.parametrize("prior", [ConditionalNormal(2), CategoricalPrior(2)])
def test_a_missing_condition_is_said_in_one_sentence(prior):
    with pytest.raises(ValueError, match="c is missing: a .* prior needs the condition"):
        prior(None)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_systematic_samples_hit_each_category_np_times_rounded_up_or_down(n):
    wanted = np.array([[0.7, 0.2, 0.1], [0.013, 0.027, 0.96]])
    p = Categorical(np.log(wanted), systematic=True)
    z = p.sample(n, seed=keras.random.SeedGenerator(n))
    counts = np.array(z).sum(axis=0)
    assert np.all(counts > n * wanted - 1 - 1e-4) and np.all(counts < n * wanted + 1 + 1e-4)
    assert np.all(counts.sum(axis=1) == n)


@pytest.mark.parametrize("independent", [False, True])
def test_each_sample_alone_is_an_exact_draw(independent):
    wanted = np.array([0.7, 0.2, 0.07, 0.03])
    logits = np.log(np.tile(wanted, (20_000, 1)))
    p = Categorical(logits, systematic=not independent)
    z = np.array(p.sample(3, seed=keras.random.SeedGenerator(0)))
    for sample in z:  # the first, second and third sample of 20,000 conditions
        np.testing.assert_allclose(sample.mean(axis=0), wanted, atol=0.015)


# -- the prior with a flow -------------------------------------------------------------------------
def far(latent_dim=2, length=3, seed=0, components=1):
    """A prior whose flow is far from the identity, and its parameters for one condition."""
    keras.utils.set_random_seed(seed)
    sizes = {"flow_length": length, "flow_width": 16, "components": components}
    prior, c = FlowPrior(latent_dim, width=8, **sizes), np.ones((1, 4))
    prior(c).log_prob(np.zeros((1, 1, latent_dim), "float32"))  # builds
    rng = np.random.default_rng(seed)
    size = 0.3 if components == 1 else 0.15  # the mass stays on the grid
    for weight in prior.weights:
        weight.assign(weight + size * rng.normal(size=weight.shape))
    return prior, prior(c)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_flow_density_integrates_to_one(length, components):
    _, p = far(length=length, components=components)
    density = np.exp(p.log_prob(GRID))
    assert density.sum() * (AXIS[1] - AXIS[0]) ** 2 == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("length", "components"), [(2, 1), (3, 1), (0, 3), (3, 3)])
def test_flow_samples_follow_the_density(length, components):
    """Mean and second moments of many samples, against the integrals over the density."""
    _, p = far(length=length, components=components)
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


def test_bad_arguments_of_the_flow_prior_are_refused():
    with pytest.raises(ValueError, match="flow_length must be a whole number"):
        FlowPrior(2, flow_length=-1)
    with pytest.raises(ValueError, match="c is missing: a conditional prior needs the condition"):
        FlowPrior(2)(None)
