"""Priors: their samples have the moments that their parameters say."""

import keras
import numpy as np
import pytest

from cvae_keras.parts.distributions import Categorical
from cvae_keras.parts.priors import CategoricalPrior, ConditionalNormal, StandardNormal


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
