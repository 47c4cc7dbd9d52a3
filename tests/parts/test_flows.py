"""The inverse autoregressive flow against automatic differentiation and a known density."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from cvae_keras.parts.distributions import gaussian_log_prob, kl_divergence
from cvae_keras.parts.flows import masks
from cvae_keras.parts.posteriors import GaussianPosterior, IAFPosterior
from cvae_keras.parts.priors import StandardNormal


@keras.saving.register_keras_serializable("tests")
class Features(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(16, activation="tanh")

    def call(self, x, c=None, mask=None):
        return self.dense(x)


def transformed(latent_dim, length, seed=0):
    """A posterior whose flow is far from the identity, and its parameters for 6 examples."""
    keras.utils.set_random_seed(seed)
    posterior = IAFPosterior(Features(), latent_dim, length)
    x = np.random.default_rng(seed).normal(size=(6, 5)).astype("float32")
    q = posterior(x)
    z = q.sample(seed=keras.random.SeedGenerator(0))
    rng = np.random.default_rng(seed)
    for step in posterior.flow.steps:
        for weight in step.weights:
            weight.assign(weight + 0.4 * rng.normal(size=weight.shape))
    return posterior, posterior(x), z


def test_masks_make_a_strictly_triangular_product():
    for latent, width in [(1, 4), (2, 5), (5, 16)]:
        first, second = masks(latent, width)
        reach = (first @ second).T  # output, input
        assert np.all(np.triu(reach) == 0)
        assert np.all(reach[np.tril_indices(latent, -1)] > 0)  # and reads all that it may


@pytest.mark.parametrize("latent", [1, 2, 7])
def test_jacobian_of_a_step_is_triangular_and_its_determinant_is_known(latent):
    posterior, q, z = transformed(latent, 1)
    step, context = posterior.flow.steps[0], q.context
    with tf.GradientTape() as tape:
        tape.watch(z)
        out, log_s = step(z, context)
        rows = ops.sum(out, axis=(0, 1))
    jacobian = tape.jacobian(rows, z).numpy()[:, 0].transpose(1, 0, 2)  # (batch, out, in)
    assert np.abs(np.triu(jacobian, 1)).max() == 0
    diagonal = np.diagonal(jacobian, axis1=1, axis2=2)
    np.testing.assert_allclose(np.log(diagonal), log_s[0], atol=1e-5)
    if latent > 1:
        assert np.abs(np.tril(jacobian, -1)).max() > 0.01  # the step is not diagonal


@pytest.mark.parametrize(("latent", "length"), [(1, 3), (2, 5), (3, 2), (6, 4)])
def test_log_determinant_is_that_of_automatic_differentiation(latent, length):
    posterior, q, z = transformed(latent, length)
    with tf.GradientTape() as tape:
        tape.watch(z)
        out, log_s = posterior.flow(z, q.context)
        rows = ops.sum(out, axis=(0, 1))
    jacobian = tape.jacobian(rows, z).numpy()[:, 0].transpose(1, 0, 2)
    sign, log_det = np.linalg.slogdet(jacobian.astype("float64"))
    np.testing.assert_allclose(ops.sum(log_s, axis=-1)[0], log_det, atol=1e-4)


@pytest.mark.parametrize(("latent", "length"), [(1, 2), (2, 5), (8, 5), (64, 5)])
def test_inverse_undoes_forward(latent, length):
    posterior, q, z = transformed(latent, length)
    for step in posterior.flow.steps:  # at a size that training reaches
        for weight in step.weights:
            weight.assign(weight / np.sqrt(latent))
    out, _ = posterior.flow(z, q.context)
    assert np.abs(out - z).max() > 0.1
    np.testing.assert_allclose(posterior.flow.inverse(out, q.context), z, atol=1e-5)


def test_density_of_drawn_points_is_that_of_any_points():
    posterior, _, _ = transformed(3, 4)
    q = posterior(np.ones((50, 5), "float32"))
    z, log_q = q.sample_and_log_prob(seed=keras.random.SeedGenerator(1))
    drawn = ops.sum(log_q, axis=-1)
    np.testing.assert_allclose(q.log_prob(z), drawn, atol=1e-3)


def test_density_integrates_to_one():
    posterior, _, _ = transformed(2, 3)
    axis = np.linspace(-7, 7, 281, dtype="float32")
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)
    q = posterior(np.full((1, 5), 0.3, "float32"))
    density = np.exp(q.log_prob(grid))
    assert density.sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=0.01)


def test_kl_is_the_one_on_a_grid():
    """KL as the model estimates it, over many points, against the integral of q log(q / p)."""
    posterior, _, _ = transformed(2, 3)
    x = np.full((1, 5), 0.3, "float32")
    axis = np.linspace(-7, 7, 281, dtype="float32")
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)
    log_q = posterior(x).log_prob(grid).numpy()
    log_p = ops.sum(gaussian_log_prob(grid, 0.0, 0.0), axis=-1).numpy()
    exact = np.sum(np.exp(log_q) * (log_q - log_p)) * (axis[1] - axis[0]) ** 2
    q, p = posterior(np.repeat(x, 20_000, axis=0)), StandardNormal(2)(None)
    z, log_q = q.points(keras.random.SeedGenerator(1))
    kl = kl_divergence(q, p, z, log_q).numpy().sum(axis=-1)
    assert exact > 0.1 and abs(kl.mean() - exact) < 4 * kl.std() / np.sqrt(len(kl)) + 0.005


def test_without_steps_it_is_the_gaussian_posterior():
    keras.utils.set_random_seed(0)
    flow = IAFPosterior(Features(), 3, flow_length=0)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    q, p = flow(x), StandardNormal(3)(None)
    plain = GaussianPosterior(flow.network, 3)
    plain.mean, plain.log_var = flow.mean, flow.log_var
    z, log_q = q.points(keras.random.SeedGenerator(5))
    expected, _ = plain(x).points(keras.random.SeedGenerator(5))
    assert np.array_equal(z, expected)
    assert np.array_equal(kl_divergence(q, p, z, log_q), plain(x).kl(p))
    assert np.array_equal(q.mean, plain(x).mean)
    np.testing.assert_allclose(q.log_prob(z), plain(x).log_prob(z), atol=1e-6)


@pytest.mark.parametrize("length", [-1, 1.5, True])
def test_bad_length_is_refused(length):
    with pytest.raises(ValueError, match="flow_length must be a whole number"):
        IAFPosterior(Features(), 2, length)
