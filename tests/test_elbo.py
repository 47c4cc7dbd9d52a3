"""The objective on models whose evidence is known in closed form."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from linear_gaussian import Identity, ReadX, linear_gaussian

from cvae_keras.elbo import ELBOModel, elbo
from cvae_keras.parts.likelihoods import Normal
from cvae_keras.parts.posteriors import CategoricalPosterior, GaussianPosterior
from cvae_keras.parts.priors import CategoricalPrior, StandardNormal

LOG_2PI = math.log(2 * math.pi)


class Table(keras.layers.Layer):
    """x_hat = a row of a trainable table for each category."""

    def __init__(self, categories, dims):
        super().__init__()
        self.table = self.add_weight(shape=(categories, dims), initializer="random_normal")

    def call(self, z, c=None):
        return ops.matmul(z, self.table) + 0.1 * ops.sum(c, axis=-1)[None, :, None]


def mixture(categories=5, dims=2, beta=1.0):
    keras.utils.set_random_seed(4)
    model = ELBOModel(
        CategoricalPosterior(categories),
        CategoricalPrior(categories),
        Table(categories, dims),
        Normal(scale="learned"),
        beta=beta,
    )
    rng = np.random.default_rng(0)
    inputs = {
        "x": rng.normal(size=(6, dims)).astype("float32"),
        "c": rng.normal(size=(6, 3)).astype("float32"),
    }
    model(inputs)
    model.prior.logits.set_weights([rng.normal(size=(3, categories)), rng.normal(size=categories)])
    model.decoder.table.assign(rng.normal(size=(categories, dims)))
    model.likelihood.log_scale.assign(-0.4)
    return model, inputs


def joint(model, inputs):
    """log p(k | c) + log p(x | k, c), `(K, batch)`, written out."""
    s = model.likelihood.log_scale
    x_hat = model.decoder.table[:, None] + 0.1 * ops.sum(inputs["c"], axis=-1)[None, :, None]
    squares = ops.square((inputs["x"][None] - x_hat) / ops.exp(s))
    log_x = ops.sum(-0.5 * squares - s - 0.5 * LOG_2PI, axis=-1)
    logits = ops.matmul(inputs["c"], model.prior.logits.kernel) + model.prior.logits.bias
    log_k = ops.transpose(logits - ops.logsumexp(logits, axis=-1, keepdims=True))
    return log_k, log_x


def test_elbo_formula():
    log_likelihood, kl = np.array([-1.0, -4.0]), np.array([[0.25, 0.5], [0.0, 2.0]])
    np.testing.assert_allclose(elbo(log_likelihood, kl), [-1.75, -6.0])
    np.testing.assert_allclose(elbo(log_likelihood, kl, beta=0.0), log_likelihood)
    np.testing.assert_allclose(elbo(log_likelihood, kl, beta=4.0), [-4.0, -12.0])


def test_exact_posterior_makes_the_elbo_the_evidence():
    x = np.random.default_rng(0).normal(size=(20_000, 3)).astype("float32") * np.sqrt(1.25)
    evidence = np.sum(-0.5 * x**2 / 1.25 - 0.5 * np.log(2 * np.pi * 1.25), axis=1).mean()
    found = linear_gaussian().evaluate({"x": x}, batch_size=20_000, verbose=0, return_dict=True)
    assert found["elbo"] == pytest.approx(evidence, abs=0.03)
    assert found["loss"] == pytest.approx(-found["elbo"], abs=1e-5)
    # a posterior moved by 0.3 loses its KL to the true one: 3 * 0.5 * 0.3^2 / 0.2 nats
    moved = linear_gaussian(shift=0.3).evaluate(
        {"x": x}, batch_size=20_000, verbose=0, return_dict=True
    )
    assert moved["elbo"] == pytest.approx(evidence - 0.675, abs=0.03)


def test_sum_over_dimensions_and_mean_over_the_batch():
    model = linear_gaussian(beta=0.5)
    model.posterior.mean.set_weights([np.zeros((3, 3)), np.array([1.0, 2.0, 0.0])])
    model.posterior.log_var.set_weights([np.zeros((3, 3)), np.zeros(3)])
    for batch in (4, 8):
        found = model.evaluate({"x": np.zeros((batch, 3))}, verbose=0, return_dict=True)
        np.testing.assert_allclose(model.means.kl_per_dim(), [0.5, 2.0, 0.0], atol=1e-6)
        assert found["kl"] == pytest.approx(2.5) and found["active_units"] == 2
        assert found["loss"] == pytest.approx(found["reconstruction"] + 0.5 * 2.5, rel=1e-5)


def test_doubling_the_batch_does_not_change_the_loss():
    model, inputs = mixture()
    twice = {name: np.concatenate([array, array]) for name, array in inputs.items()}
    losses = [float(model.objective(model(each))) for each in (inputs, twice)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_categorical_elbo_is_the_log_evidence_and_so_is_its_gradient():
    model, inputs = mixture()
    with tf.GradientTape() as tape:
        terms = model(inputs)
        loss = model.objective(terms)
    gradients = tape.gradient(loss, model.trainable_variables)
    with tf.GradientTape() as tape:
        evidence = ops.logsumexp(sum(joint(model, inputs)), axis=0)
        expected = -ops.mean(evidence)
    exact = tape.gradient(expected, model.trainable_variables)
    values = elbo(terms["log_likelihood"], terms["kl"])
    np.testing.assert_allclose(values, evidence, atol=1e-4)
    assert len(exact) == 4
    for found, wanted in zip(gradients, exact, strict=True):
        assert np.abs(wanted).max() > 1e-3
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.5])
def test_categorical_posterior_is_the_best_one(beta):
    model, inputs = mixture(beta=beta)
    log_k, log_x = (np.array(each, "float64") for each in joint(model, inputs))
    p = model.prior(inputs["c"])
    q = model.posterior.update(None, p, log_x.astype("float32"), beta)
    w = np.array(q.mean, "float64").T
    np.testing.assert_allclose(w.sum(axis=0), 1.0, atol=1e-6)

    def value(q):
        return np.sum(q * log_x - beta * q * (np.log(q) - log_k), axis=0)

    best = beta * np.log(np.sum(np.exp(log_k + log_x / beta), axis=0))
    np.testing.assert_allclose(value(w), best, rtol=1e-4)
    rng = np.random.default_rng(1)
    for size in (0.01, 0.1, 1.0):
        q = w * np.exp(size * rng.normal(size=w.shape))
        assert np.all(value(q / q.sum(axis=0)) < value(w))
    terms = model(inputs)
    found = elbo(terms["log_likelihood"], terms["kl"], beta)
    np.testing.assert_allclose(found, best, rtol=1e-4)


@pytest.mark.parametrize("parts", ["continuous, categorical", "categorical, continuous"])
def test_posterior_and_prior_of_different_families_are_refused(parts):
    gaussian = GaussianPosterior(ReadX(), 3), CategoricalPrior(3)
    categorical = CategoricalPosterior(3), StandardNormal(3)
    posterior, prior = gaussian if parts.startswith("continuous") else categorical
    sentence = "posterior is {} but prior is {}".format(*parts.split(", "))
    with pytest.raises(ValueError, match=sentence):
        ELBOModel(posterior, prior, Identity(), Normal())
