"""DenseCVAE: the shared checks, what it keeps, what it leaves out, and the optimum it reaches."""

import keras
import numpy as np
import pytest
from model_cases import CASES, cases_of
from model_cases import GAUSSIAN as DATA
from model_cases import dense as make
from model_checks import CHECKS

from cvae_keras.data.conditions import Conditioned, as_inputs
from cvae_keras.parts.networks import DenseStack


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", cases_of("dense"))
def test_model(name, check, tmp_path):
    check(CASES[name], tmp_path)


def test_layers_are_those_asked_for():
    model = make(gated=False)
    kernels = [w.shape for w in model.trainable_variables if len(w.shape) == 2]
    assert kernels == [(9, 16), (16, 8), (8, 4), (8, 4), (10, 16), (16, 3)]
    normalized = make(gated=False, batch_norm=True)
    assert len(normalized.trainable_variables) == len(model.trainable_variables) + 3


def test_gates_are_set_by_the_pattern_alone_and_start_at_1():
    stack, plain = DenseStack([4], gated=True), DenseStack([4])
    h = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    pattern = np.eye(6, 3, dtype="float32")
    before = np.asarray(stack(h, pattern))
    plain(h)
    plain.dense[0].set_weights(stack.dense[0].get_weights())
    np.testing.assert_allclose(before, plain(h), rtol=1e-5)
    gate = np.random.default_rng(1).normal(size=(4, 4)).astype("float32")
    stack.gates[0].kernel.assign(gate)
    read = np.maximum(pattern @ stack.read.kernel.numpy(), 0)
    np.testing.assert_allclose(stack(h, pattern), before * (1 + read @ gate), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_layers_know_whether_they_train_in_a_stateless_call(training):
    """As jax trains: Keras then calls the model's `call` alone, which tells nobody."""
    model, arrays = make(gated=False, batch_norm=True), Conditioned(DATA).examples(50, seed=0)
    start = [variable.numpy() for variable in model.non_trainable_variables]
    trained = [variable.numpy() for variable in model.trainable_variables]
    _, end = model.stateless_call(trained, start, arrays, training=training)
    moved = {
        variable.path.split("/")[-1]: not np.array_equal(before, after)
        for variable, before, after in zip(model.non_trainable_variables, start, end, strict=True)
    }
    assert moved["moving_mean"] == training and moved["moving_variance"] == training


def test_what_is_known_is_kept():
    model, arrays = make(scale=[1.0, 2.0, 3.0]), Conditioned(DATA).examples(50, seed=0)
    known = arrays["c"][:, 3:] > 0
    samples = model.sample(arrays["c"], n_samples=2, seed=0)
    assert np.array_equal(samples[1][known], arrays["x"][known])
    assert not np.any(samples[1][~known] == arrays["x"][~known])
    all_known = as_inputs(arrays["x"], np.ones_like(known))
    assert np.all(np.asarray(model(all_known)["log_likelihood"]) == 0)


def test_distortion_is_the_squared_error_of_what_is_observed():
    model = make(masked=True, beta=0.5)
    arrays = Conditioned(DATA, mask_percentage=40).examples(6, seed=0)
    terms = model(arrays)
    changed = {**arrays, "x": arrays["x"].copy()}
    hidden = arrays["mask"] == 0
    assert hidden.any()
    x_hat = np.zeros_like(arrays["x"])
    expected = -np.sum(arrays["mask"] * (arrays["x"] - x_hat) ** 2, axis=1)
    found = model.likelihood.log_prob(arrays["x"], x_hat[None], arrays["mask"])
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    changed["x"][hidden] = 99.0  # only the mask decides what counts
    found = model.likelihood.log_prob(changed["x"], x_hat[None], arrays["mask"])
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    loss = -np.mean(terms["log_likelihood"]) + 0.5 * np.sum(terms["kl"]) / 6
    assert float(model.objective(terms)) == pytest.approx(loss, rel=1e-5)


def test_scale_is_a_change_of_units():
    """Data in other units, with their scale: the same function of the data in units of its own."""
    factor = np.array([1.0, 10.0, 0.1], "float32")
    models = []
    for scale in (np.ones(3), factor):
        keras.utils.set_random_seed(0)
        models.append(make(scale=scale))
    arrays = Conditioned(DATA).examples(5, seed=0)
    c = arrays["c"] * np.concatenate([factor, np.ones(3)])
    plain, scaled = (
        model.sample(condition, n_samples=3, seed=0)
        for model, condition in zip(models, (arrays["c"], c), strict=True)
    )
    np.testing.assert_allclose(scaled, plain * factor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"x_dim": 0}, "x_dim must be a positive integer"),
        ({"latent_dim": -1}, "latent_dim must be a positive integer"),
        ({"enc_layers": []}, "units must be a list"),
        ({"dec_layers": 64}, "units must be a list"),
        ({"dec_layers": [0]}, "units must be a positive integer"),
        ({"scale": [1.0, 1.0]}, "scale must hold 3 positive numbers"),
        ({"scale": [1.0, 0.0, 1.0]}, "scale must hold 3 positive numbers"),
    ],
)
def test_bad_arguments_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(**options)


def test_mask_is_asked_for_and_checked(eager):
    model = make(masked=True)
    arrays = Conditioned(DATA, mask_percentage=40).examples(6, seed=0)
    with pytest.raises(ValueError, match="mask"):
        model.fit({name: arrays[name] for name in ("x", "c")}, verbose=0)
    with pytest.raises(ValueError, match="mask must hold 1"):
        model.fit({**arrays, "mask": arrays["mask"] * 0.5}, verbose=0)
    model.fit(arrays, verbose=0)
