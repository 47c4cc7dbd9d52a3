"""Likelihoods against their closed forms, their integrals, and masks."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from cvae_keras.parts.likelihoods import (
    AbsoluteError,
    Bernoulli,
    Categorical,
    Laplace,
    Normal,
    Poisson,
    Product,
    SquaredError,
)

CONTINUOUS = [SquaredError, AbsoluteError, lambda: Normal(0.7), lambda: Laplace(0.7), Bernoulli]


def draw(samples=2, batch=3, dims=4):
    rng = np.random.default_rng(0)
    x, x_hat = rng.random((batch, dims)), rng.normal(size=(samples, batch, dims))
    return x.astype("float32"), x_hat.astype("float32")


def test_closed_forms():
    x, m = draw()
    p = 1 / (1 + np.exp(-m))
    normal = -0.5 * ((x - m) / 0.7) ** 2 - math.log(0.7 * math.sqrt(2 * math.pi))
    for likelihood, entries in [
        (SquaredError(), -((x - m) ** 2)),
        (AbsoluteError(), -np.abs(x - m)),
        (Normal(0.7), normal),
        (Laplace(0.7), -np.abs(x - m) / 0.7 - math.log(1.4)),
        (Bernoulli(), x * np.log(p) + (1 - x) * np.log(1 - p)),
    ]:
        found = likelihood.log_prob(x, m)
        assert found.shape == (2, 3)
        np.testing.assert_allclose(found, entries.sum(axis=-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [0.2, 1.5])
@pytest.mark.parametrize("kind", [Normal, Laplace])
def test_densities_integrate_to_one(kind, scale):
    grid = np.linspace(-20, 20, 40_001)
    log_p = np.array(kind(scale).log_prob(grid[:, None], np.full((1, 1, 1), 0.3)))
    assert np.exp(log_p).sum() * (grid[1] - grid[0]) == pytest.approx(1.0, abs=1e-3)


def test_discrete_probabilities_sum_to_one():
    logits = np.random.default_rng(0).normal(size=(1, 1, 5)) * 3
    one_hot = np.array(Categorical().log_prob(np.eye(5), np.repeat(logits, 5, axis=1)))
    assert np.exp(one_hot).sum() == pytest.approx(1.0, rel=1e-5)
    expected = logits[0, 0] - np.log(np.exp(logits).sum())
    np.testing.assert_allclose(one_hot[0], expected, rtol=1e-5)
    values = np.array([[0.0], [1.0]])
    binary = np.array(Bernoulli().log_prob(values, np.full((1, 2, 1), 1.3)))
    assert np.exp(binary).sum() == pytest.approx(1.0, rel=1e-5)


def test_counts_have_the_density_of_poisson():
    x = np.array([0, 1, 2, 5, 7, 8, 9, 30, 1000, 100_000], "float32")[:, None]
    log_rate = np.log(x + 0.5)
    expected = stats.poisson.logpmf(x[:, 0].astype("float64"), np.exp(log_rate[:, 0]))
    np.testing.assert_allclose(Poisson().log_prob(x, log_rate[None])[0], expected, rtol=1e-4)


def test_a_product_is_the_sum_of_its_parts():
    x, m = draw()
    both = Product({"a": Normal(0.7), "b": Bernoulli()})
    found = both.log_prob({"a": x, "b": x}, {"a": m, "b": m}, {"a": np.zeros_like(x)})
    np.testing.assert_array_equal(found, Bernoulli().log_prob(x, m))


DRAWN = 100_000
#: likelihood, what the decoder gives, and the mean and variance of what is then drawn
MOMENTS = [
    (SquaredError(), 2.0, 2.0, 0.5),
    (AbsoluteError(), 2.0, 2.0, 2.0),
    (Normal(0.7), 2.0, 2.0, 0.49),
    (Laplace(0.7), 2.0, 2.0, 0.98),
    (Bernoulli(), math.log(0.25 / 0.75), 0.25, 0.1875),
    (Poisson(), math.log(3.0), 3.0, 3.0),
]


@pytest.mark.parametrize(("likelihood", "given", "mean", "variance"), MOMENTS)
def test_draws_have_the_moments_of_the_distribution(likelihood, given, mean, variance):
    x_hat = np.full((2, DRAWN, 1), given, "float32")
    drawn = np.array(likelihood.sample(x_hat, seed=0))
    assert drawn.shape == x_hat.shape
    sigmas = math.sqrt(variance / drawn.size)
    assert abs(drawn.mean() - mean) < 5 * sigmas
    assert drawn.var() == pytest.approx(variance, rel=0.05)
    assert np.abs(drawn[0] - drawn[1]).max() > 0
    np.testing.assert_array_equal(drawn, likelihood.sample(x_hat, seed=0))


def test_drawn_classes_are_one_hot_and_have_their_probabilities():
    p = np.array([0.2, 0.3, 0.5])
    logits = np.broadcast_to(np.log(p).astype("float32"), (1, DRAWN, 3))
    drawn = np.array(Product({"k": Categorical()}).sample({"k": logits}, seed=0)["k"])
    np.testing.assert_array_equal(drawn.sum(axis=-1), 1.0)
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), p, atol=5 / math.sqrt(DRAWN))


def test_scale_of_the_decoder_is_used_where_there_is_one():
    x, m = draw()
    log_scale = np.random.default_rng(1).normal(size=(2, 3, 1)).astype("float32")
    found = Normal("decoder").log_prob(x, {"mean": m, "log_scale": log_scale})
    s = np.exp(log_scale)
    expected = -0.5 * ((x - m) / s) ** 2 - log_scale - 0.5 * math.log(2 * math.pi)
    np.testing.assert_allclose(found, expected.sum(axis=-1), rtol=1e-4)
    floored = Normal("decoder", min_log_scale=-2.0)
    low, floor = ({"mean": m, "log_scale": np.full((2, 3, 1), v)} for v in (-50.0, -2.0))
    np.testing.assert_array_equal(floored.log_prob(x, low), floored.log_prob(x, floor))


@pytest.mark.parametrize("make", CONTINUOUS)
def test_masked_entries_change_neither_value_nor_gradient(make):
    likelihood, (x, m) = make(), draw()
    mask = np.array([[1, 0, 1, 0]] * 3, "float32")
    other = np.where(mask == 1, x, 1e4).astype("float32")
    x_hat = tf.Variable(m)
    with tf.GradientTape() as tape:
        value = likelihood.log_prob(x, x_hat, mask)
    gradient = tape.gradient(value, x_hat).numpy()
    np.testing.assert_array_equal(likelihood.log_prob(other, x_hat, mask), value)
    kept = likelihood.log_prob(x[:, ::2], m[..., ::2])
    np.testing.assert_allclose(value, kept, rtol=1e-5)
    assert np.all(gradient[..., 1::2] == 0) and np.all(gradient[..., ::2] != 0)
    np.testing.assert_array_equal(likelihood.log_prob(x, m, np.zeros_like(mask)), np.zeros((2, 3)))


@pytest.mark.parametrize("kind", [Normal, Laplace])
def test_learned_scale_finds_the_scale_of_the_residuals(kind):
    rng = np.random.default_rng(0)
    x = (0.3 * rng.normal(size=(500, 4))).astype("float32")
    likelihood, x_hat = kind("learned"), np.zeros((1, 500, 4), "float32")
    assert len(likelihood.trainable_variables) == 1
    for _ in range(150):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(likelihood.log_prob(x, x_hat)) / 4
        (gradient,) = tape.gradient(loss, likelihood.trainable_variables)
        likelihood.log_scale.assign_sub(0.1 * gradient)
    expected = np.sqrt(np.mean(x**2)) if kind is Normal else np.mean(np.abs(x))
    assert math.exp(float(likelihood.log_scale)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("scale", [0, -1.0, float("inf"), True, "other", None])
def test_bad_scales_are_refused(scale):
    with pytest.raises(ValueError, match="scale must be a positive number"):
        Normal(scale)


def test_config_round_trips():
    likelihood = Laplace.from_config(Laplace(0.3, min_log_scale=-4.0).get_config())
    assert (likelihood.scale, likelihood.min_log_scale) == (0.3, -4.0)


def test_means():
    np.testing.assert_allclose(Bernoulli().mean(np.zeros((1, 1))), [[0.5]])
    np.testing.assert_allclose(Categorical().mean(np.zeros((1, 4))), np.full((1, 4), 0.25))
    assert Normal("decoder").mean({"mean": 3.0, "log_scale": 0.0}) == 3.0
