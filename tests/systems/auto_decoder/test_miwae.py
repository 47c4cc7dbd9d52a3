"""MIWAE: its imputation and its bound where both are known, and what its encoder is given."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import multivariate_normal

from cvae_keras.data.missing import draw_mask
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.miwae import MIWAE
from cvae_keras.truth.linear_gaussian import conditional_mean

BETA = 0.5  # a noise variance of 0.25


@pytest.fixture(scope="module")
def linear():
    """A MIWAE whose decoder is linear, and the Gaussian that it stands for."""
    keras.utils.set_random_seed(0)
    model = MIWAE(5, latent_dim=2, hidden=(), sees_mask=True, beta=BETA)
    for head in (model.posterior.mean, model.posterior.log_var):
        head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])  # q = N(0, I)
    kernel, bias = (ops.convert_to_numpy(weight) for weight in model.decoder.layers[0].weights)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2)) @ kernel + bias + np.sqrt(BETA / 2) * rng.normal(size=(30, 5))
    mask = draw_mask(x.shape, 0.4, 1)
    return model, x.astype("float32"), mask, bias, kernel.T @ kernel + BETA / 2 * np.eye(5)


def test_imputation_approaches_the_conditional_mean(linear):
    model, x, mask, mean, covariance = linear
    exact, missing = conditional_mean(x, mask > 0, mean, covariance), mask == 0
    gaps = []
    for points in (1, 100, 10_000):  # q reads nothing: only the weights know
        found = model.reconstruct(x, mask, n_samples=points)
        gaps.append(np.sqrt(np.mean((found - exact)[missing] ** 2)))
    assert gaps[0] > 10 * gaps[2] and gaps[1] > 2 * gaps[2] and gaps[2] < 0.03


def test_bound_rises_to_the_log_density_of_the_observed_entries(linear):
    model, x, mask, mean, covariance = linear
    exact = []
    for row, seen in zip(x, mask > 0, strict=True):
        block = covariance[np.ix_(seen, seen)]
        exact.append(
            multivariate_normal(mean[seen], block).logpdf(row[seen]) if seen.any() else 0.0
        )
    constant = 0.5 * mask.sum(axis=1) * np.log(np.pi * BETA)  # which the squared error leaves out
    found = []
    for points in (1, 20, 10_000):
        model.points = points
        bound = model({"x": ops.convert_to_tensor(x), "mask": ops.convert_to_tensor(mask)})["bound"]
        found.append(ops.convert_to_numpy(bound) / BETA - constant)
    assert found[0].mean() < found[1].mean() < found[2].mean()
    assert found[2] == pytest.approx(np.array(exact), abs=0.2)
    assert found[2].mean() == pytest.approx(np.mean(exact), abs=0.03)


def test_one_point_is_the_elbo_of_the_masked_vae(linear):
    model, x, mask, *_ = linear
    model.points = 1
    arrays = {name: np.repeat(each, 500, axis=0) for name, each in (("x", x), ("mask", mask))}
    bound = ops.convert_to_numpy(model(arrays)["bound"])
    vae = MaskedVAE(5, latent_dim=2, hidden=(), sees_mask=True, beta=BETA)
    for new, old in zip(vae.layers, model.layers, strict=True):
        new.set_weights(old.get_weights())
    elbo = -ops.convert_to_numpy(vae.loss_per_example(vae(arrays)))
    error = np.sqrt((bound.var() + elbo.var()) / len(bound))
    assert abs(bound.mean() - elbo.mean()) < 4 * error < 0.5


def test_missing_entries_are_not_read_and_bad_arguments_are_refused():
    model = MIWAE(6, latent_dim=2, hidden=(5,))
    rng = np.random.default_rng(0)
    x, mask = rng.random((4, 6), "float32"), draw_mask((4, 6), 0.5, 0)
    there = model.reconstruct(x, mask, n_samples=20)
    assert np.array_equal(model.reconstruct(np.where(mask > 0, x, 9.0), mask, 20), there)
    for bad in ({"beta": 0.0}, {"n_samples": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} must be"):
            MIWAE(6, **bad)


@pytest.mark.parametrize("kind", [MaskedVAE, MIWAE])
def test_encoder_reads_what_is_given_and_the_likelihood_what_is_known(kind):
    model = kind(4, latent_dim=2, hidden=(5,), sees_mask=True)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    given = draw_mask((3, 4), 0.5, 2)
    q = model.infer({"x": x, "given": given}, None)
    same = model.posterior(ops.convert_to_tensor(x), mask=ops.convert_to_tensor(given))
    assert np.allclose(q.mean, same.mean)
    other = np.where(given > 0, x, x + 9.0)  # read by the likelihood alone
    assert np.array_equal(model.infer({"x": other, "given": given}, None).mean, q.mean)
    log_p = [model({"x": each, "given": given})["log_likelihood"] for each in (x, other)]
    assert (ops.convert_to_numpy(log_p[1]) < ops.convert_to_numpy(log_p[0]) - 30).all()
    with pytest.raises(ValueError, match="given must be 0 where the mask is 0"):
        model.check_inputs({"x": x, "mask": 0 * given, "given": np.ones_like(given)})
