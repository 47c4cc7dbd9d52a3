"""SinusoidSolver: proposals, the one that is picked, the density of ramps, and the evidence."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_cases import CASES, EASY
from model_cases import solver as make
from model_checks import CHECKS

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.elbo import elbo
from cvae_keras.systems.sinusoid.solver import (
    ProposalDecoder,
    Proposals,
    RampNormal,
    SinusoidSolver,
)
from cvae_keras.training.batches import FreshBatches


def random_proposals(batch=5, categories=3):
    rng = np.random.default_rng(0)
    return {
        "ends": rng.random((batch, categories, 4)).astype("float32"),
        "log_scale": rng.normal(size=(batch, categories, 1)).astype("float32"),
    }


@pytest.mark.parametrize("check", CHECKS)
def test_model(check, tmp_path):
    check(CASES["solver"], tmp_path)


def test_shapes_of_proposals():
    _, y = EASY.sample(5, seed=0)
    h = Proposals(3, EASY.box, width=8, depth=2, order=2)(y)
    assert h["features"].shape == (5, 8) and h["ends"].shape == (5, 3, 4)
    assert h["log_scale"].shape == (5, 3, 1)
    np.testing.assert_array_equal(h["y"], y)


def test_proposals_start_spread_over_the_box():
    layer = Proposals(50, EASY.box, width=8, depth=1, order=2)
    layer(np.zeros((1, 20, 2)))
    bias = layer.ends.bias.numpy()
    assert bias.min() >= 0.1 and bias.max() <= 1 and bias.std() > 0.2


def test_picking_is_indexing():
    h, decoder = random_proposals(), ProposalDecoder()
    k = np.random.default_rng(1).integers(3, size=(7, 5))
    picked = decoder(np.eye(3, dtype="float32")[k], h)
    for name, part in (("mean", "ends"), ("log_scale", "log_scale")):
        expected = h[part][np.arange(5), k]
        np.testing.assert_array_equal(picked[name], expected)


def test_both_ways_to_pick_agree():
    h, decoder = random_proposals(), ProposalDecoder()
    shared = np.eye(3, dtype="float32")[:, None]
    repeated = np.repeat(shared, 5, axis=1)
    for name in ("mean", "log_scale"):
        np.testing.assert_array_equal(decoder(shared, h)[name], decoder(repeated, h)[name])


def test_ramp_mean_is_that_of_the_task():
    ends = np.random.default_rng(0).random((4, 3, 4)).astype("float32")
    found = RampNormal(EASY.points).mean({"mean": ends})
    np.testing.assert_allclose(found, EASY.ramps(ends), atol=1e-6)


def test_ramp_density_is_that_of_four_orthonormal_coordinates():
    rng = np.random.default_rng(0)
    x, _ = EASY.sample(6, seed=0)
    ends = rng.random((3, 6, 4)).astype("float32")
    log_scale = rng.normal(size=(3, 6, 1)).astype("float32")
    found = RampNormal(EASY.points).log_prob(x, {"mean": ends, "log_scale": log_scale})
    # an orthonormal basis of straight lines of our own: the constant, and the slope
    constant = np.full(20, 20**-0.5)
    slope = np.arange(20) - 9.5
    basis = np.stack([constant, slope / np.linalg.norm(slope)])
    coordinates = (basis @ x.astype("float64")).reshape(6, 4)
    mean = (basis @ EASY.ramps(ends)).reshape(3, 6, 4)
    entries = -0.5 * ((coordinates - mean) / np.exp(log_scale)) ** 2 - log_scale
    expected = entries.sum(axis=-1) - 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    # between ramps, the distance in these coordinates is that of the whole curves
    whole = np.sum((x - EASY.ramps(ends)) ** 2, axis=(2, 3))
    np.testing.assert_allclose(np.sum((coordinates - mean) ** 2, axis=-1), whole, rtol=1e-5)
    scale = np.exp(log_scale[..., 0])
    from_whole = -0.5 * whole / scale**2 - 4 * log_scale[..., 0] - 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(found, from_whole, rtol=1e-4, atol=1e-3)


def test_ramp_density_refuses_a_mask():
    x, _ = EASY.sample(2, seed=0)
    x_hat = {"mean": np.zeros((1, 2, 4)), "log_scale": np.zeros((1, 2, 1))}
    with pytest.raises(ValueError, match="mask is not supported by RampNormal"):
        RampNormal(20).log_prob(x, x_hat, np.ones_like(x))


def test_prior_looks_at_the_proposals_without_training_them():
    model = make()
    h = {name: tf.constant(value) for name, value in random_proposals(5, 4).items()}
    h |= {"features": tf.random.normal((5, 16)), "y": tf.constant(EASY.examples(5)["c"])}
    with tf.GradientTape() as tape:
        tape.watch([h["ends"], h["log_scale"], h["features"]])
        value = tf.reduce_sum(model.prior(h).logits[:, 0])
    ends, log_scale, features = tape.gradient(value, [h["ends"], h["log_scale"], h["features"]])
    assert ends is None and log_scale is None
    assert np.abs(features).max() > 0
    moved = {**h, "ends": h["ends"] + 0.2}
    assert np.abs(model.prior(moved).logits - model.prior(h).logits).max() > 1e-3


def test_misfit_is_zero_for_a_solution_only():
    model = make()
    x, y = EASY.sample(5, seed=0)
    ends = EASY.ends(x)[:, None].astype("float32")
    exact = np.array(model.prior._misfit(ends, y))
    assert exact.shape == (5, 1, 2) and exact.max() < 2e-3
    curves = EASY.forward(EASY.ramps(ends[:, 0] + np.float32([0.1, 0.1, 0, 0])))
    at = model.prior.at
    expected = np.sqrt(np.mean((curves - y)[:, at] ** 2, axis=1))
    moved = model.prior._misfit(ends + np.float32([0.1, 0.1, 0, 0]), y)
    np.testing.assert_allclose(np.array(moved)[:, 0], expected, atol=2e-3)
    assert list(at) == [0, 5, 10, 14, 19]


def test_elbo_is_the_log_density_of_the_mixture():
    model = make()
    inputs = EASY.examples(6)
    h = model.condition(inputs["c"])
    logits = np.array(model.prior(h).logits, "float64")
    log_k = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    s = np.array(h["log_scale"], "float64")[..., 0]
    whole = np.sum((inputs["x"][:, None] - EASY.ramps(h["ends"])) ** 2, axis=(2, 3))
    log_x = -0.5 * whole / np.exp(2 * s) - 4 * s - 2 * np.log(2 * np.pi)
    terms = model(inputs)
    found = elbo(terms["log_likelihood"], terms["kl"])
    expected = np.logaddexp.reduce(log_k + log_x, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.long
def test_brief_training_solves_an_easy_task():
    keras.utils.set_random_seed(0)
    model = make()
    x, y = EASY.sample(500, seed=9)
    scores = []
    for _ in range(2):
        found = model.evaluate({"x": x, "c": y}, batch_size=500, verbose=0, return_dict=True)
        residual = np.abs(EASY.forward(model.sample(y, seed=0)[0]) - y).mean()
        scores.append((found["elbo"], residual))
        model.fit(FreshBatches(EASY, batch_size=128, steps=250), verbose=0)
    (before, far), (after, near) = scores
    assert after > before + 5 and near < 0.3 * far


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match="task must be a SinusoidTask, got str"):
        SinusoidSolver("data_1")
    with pytest.raises(ValueError, match="categories must be a positive integer"):
        SinusoidSolver(TASKS["data_1"], categories=0)
