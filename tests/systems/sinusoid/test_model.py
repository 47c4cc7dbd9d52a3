"""SinusoidCVAE: SidWorks01's network, its reduction, and the correct one."""

import numpy as np
import pytest
import tensorflow as tf
from model_cases import CASES, SHORT, cases_of, deep
from model_cases import sinusoid as make
from model_checks import CHECKS

from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.systems.sinusoid.model import (
    INITIALIZERS,
    LOSSES,
    POSTERIORS,
    PRIORS,
    SinusoidCVAE,
    forward,
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("case", cases_of("sinusoid"))
def test_model(case, check, tmp_path):
    check(CASES[case], tmp_path)


def test_layers_are_those_of_the_original():
    model = SinusoidCVAE(TASKS["data_1"], latent_dim=7)
    x, y = TASKS["data_1"].sample(3, seed=0)
    encoder, decoder = model.posterior.network, model.decoder
    first = encoder.convolutions[0](np.concatenate([x, y], axis=-1))
    assert first.shape == (3, 35, 32) and encoder.convolutions[1](first).shape == (3, 28, 64)
    assert np.min(first) == 0  # ReLU
    assert [c.kernel.shape for c in encoder.convolutions] == [(16, 4, 32), (8, 32, 64)]
    assert model.posterior.mean.kernel.shape == model.posterior.log_var.kernel.shape == (28 * 64, 7)
    assert decoder.dense.kernel.shape == (7 + 50 * 2, 28 * 64)
    assert [c.kernel.shape for c in decoder.convolutions] == [(8, 32, 64), (16, 2, 32)]
    x_hat = np.array(decoder(np.random.default_rng(0).normal(size=(4, 3, 7)), y))
    assert x_hat.shape == (4, 3, 50, 2) and x_hat.min() == 0 and x_hat.max() > 0
    assert len(model.trainable_variables) == 14


@pytest.mark.parametrize("network", ["original", "deep"])
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_flows_are_options_of_both_networks(network, posterior, eager):
    options = {"posterior": posterior, "prior": "flow"}
    model = deep(**options) if network == "deep" else make(**options)
    terms = model(SHORT.examples(4))
    assert np.all(np.isfinite(model.loss_per_example(terms)))
    assert model.sample(SHORT.examples(4)["c"], n_samples=3, seed=0).shape == (3, 4, 23, 2)


def test_deep_network_generates_straight_ramps(eager):
    drawn = deep().sample(SHORT.examples(4)["c"], n_samples=3, seed=0)
    np.testing.assert_allclose(np.diff(drawn, n=2, axis=2), 0, atol=1e-6)


def test_the_least_scale_of_the_noise_bounds_the_density(eager):
    model, inputs = deep(), SHORT.examples(4)
    for scale in (0.5, 0.1):
        model.set_term_weight("min_scale", scale)
        found = model.likelihood.mean_and_log_scale({"mean": 0.0, "log_scale": -20.0})[1]
        assert float(found) == pytest.approx(np.log(scale * np.sqrt(23 / 2)), abs=1e-5)
    loaded = SinusoidCVAE.from_config(model.get_config())
    assert float(loaded.term_weights["min_scale"]) == pytest.approx(0.1)
    assert np.all(np.isfinite(loaded(inputs)["log_likelihood"]))


@pytest.mark.parametrize(
    "options",
    [{"loss": "mse"}, {"network": "original"}, {"reduction": "original"}, {"encoder_reads": "x"}],
)
def test_combinations_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match="network|loss"):
        deep(**options)


def test_the_network_can_be_that_of_the_original():
    options = {"encoder_reads": "x", "inner_activation": "linear"}
    model = SinusoidCVAE(TASKS["data_1"], latent_dim=7, **options)
    x, y = TASKS["data_1"].sample(3, seed=0)
    encoder, decoder = model.posterior.network, model.decoder
    assert [c.kernel.shape for c in encoder.convolutions] == [(16, 2, 32), (8, 32, 64)]
    for name in ("mean", "log_var"):
        one, other = (getattr(model.posterior(x, c), name) for c in (y, 0 * y))
        np.testing.assert_array_equal(one, other)
    read = np.random.default_rng(0).normal(size=(3, 107)).astype("float32")
    h = np.reshape(decoder.dense(read), (3, 28, 64))
    inner = np.array(decoder.convolutions[0](h))
    assert h.min() == 0 and inner.min() < 0 < inner.max()
    assert np.min(decoder.convolutions[1](inner)) == 0
    again = SinusoidCVAE.from_config(model.get_config())
    assert again.posterior.network.convolutions[0].kernel.shape == (16, 2, 32)
    plain = SinusoidCVAE(TASKS["data_1"], latent_dim=7)
    assert np.any(plain.posterior(x, y).mean != plain.posterior(x, 0 * y).mean)
    assert np.min(plain.decoder.convolutions[0](h)) == 0


def test_samples_of_z_are_decoded_with_their_own_condition():
    model = make()
    _, y = SHORT.sample(3, seed=0)
    z = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    x_hat = model.decoder(z, y)
    np.testing.assert_allclose(x_hat[2, 1], model.decoder(z[2:3, 1:2], y[1:2])[0, 0], atol=1e-6)


@pytest.mark.parametrize("reduction", ["original", "elbo"])
@pytest.mark.parametrize("loss", ["mse", "l1_mean", "l1_sum"])
def test_loss_is_the_formula(loss, reduction):
    weights = {"beta": 0.8, "wx": 0.6, "wy": 0.7}
    model = SinusoidCVAE(SHORT, latent_dim=3, loss=loss, reduction=reduction, **weights)
    rng = np.random.default_rng(0)
    x, y = SHORT.sample(5, seed=0)
    x_hat, kl = rng.random(x.shape).astype("float32"), rng.random((5, 3)).astype("float32")
    terms = model.extra_terms(x, y, None, x_hat[None], np.ones((1, 5), "float32"))
    found = float(model.objective({**terms, "kl": kl, "log_likelihood": -terms["x_loss"]}))
    distance = np.square if loss == "mse" else np.abs
    dx, dy = distance(x - x_hat), distance(y - SHORT.forward(x_hat))
    if reduction == "elbo":
        x_loss, y_loss, rate = dx.sum() / 5, dy.sum() / 5, kl.sum() / 5
    elif loss == "l1_sum":
        x_loss, y_loss, rate = dx.sum(), dy.sum(), kl.sum()
    else:
        x_loss, y_loss, rate = dx.mean(), dy.mean(), kl.sum()
    assert found == pytest.approx(0.6 * x_loss + 0.7 * y_loss + 0.8 * rate, rel=1e-5)


@pytest.mark.parametrize("y_gradient", [True, False])
def test_y_term_trains_the_decoder_only_if_asked_to(y_gradient):
    model = make(loss="mse", y_gradient=y_gradient)
    inputs = SHORT.examples(8)
    with tf.GradientTape() as tape:
        y_loss = tf.reduce_sum(model(inputs)["y_loss"])
    gradients = tape.gradient(y_loss, model.decoder.trainable_variables)
    if y_gradient:
        assert all(np.abs(gradient).max() > 0 for gradient in gradients)
    else:
        assert all(gradient is None for gradient in gradients)
    assert float(y_loss) > 0


@pytest.mark.parametrize(
    "task", [*TASKS.values(), SinusoidTask([("sin", -2.5, 1), ("sin", 0, 9)], points=30)]
)
def test_forward_is_that_of_the_task(task):
    x, y = task.sample(20, seed=0)
    np.testing.assert_allclose(forward(task, x), y, atol=5e-5)
    assert forward(task, x[None, None]).shape == (1, 1, 20, task.points, 2)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_choice_gives_a_finite_loss(loss, prior):
    for initializer in INITIALIZERS:
        model = make(loss=loss, prior=prior, initializer=initializer)
        loss_value = float(model.objective(model(SHORT.examples(4))))
        assert np.isfinite(loss_value), initializer
        kernel = model.decoder.dense.kernel.numpy()
        assert np.all(kernel == 0) == (initializer == "zeros")
        if initializer == "orthogonal":
            assert np.allclose(kernel @ kernel.T, np.eye(len(kernel)), atol=1e-4)


NAMES = [
    "loss",
    "prior",
    "posterior",
    "network",
    "initializer",
    "reduction",
    "encoder_reads",
    "inner_activation",
]


@pytest.mark.parametrize("option", NAMES)
def test_unknown_names_are_refused(option):
    with pytest.raises(ValueError, match=f"^{option} 'other' is unknown: choose among"):
        make(**{option: "other"})


@pytest.mark.parametrize("weight", ["wx", "wy", "beta"])
def test_negative_weights_are_refused(weight):
    with pytest.raises(ValueError, match=f"{weight} must be a finite number >= 0, got -0.5"):
        make(**{weight: -0.5})


def test_other_bad_arguments_are_refused():
    with pytest.raises(TypeError, match="task must be a SinusoidTask, got str"):
        SinusoidCVAE("data_1")
    with pytest.raises(ValueError, match="latent_dim must be a positive integer"):
        make(latent_dim=0)
    with pytest.raises(ValueError, match="points must be at least 23"):
        SinusoidCVAE(SinusoidTask([("sin", 5, 3), ("cos", 4, 8)], points=20))


def test_mixed_bfloat16_keeps_outputs_and_loss_in_float32(bfloat16, eager):
    model = make(prior="conditional")
    inputs = SHORT.examples(64)
    assert model.decoder.dense.compute_dtype == "bfloat16"
    with tf.GradientTape() as tape:
        terms = model(inputs)
        loss = model.objective(terms)
    assert {tensor.dtype for tensor in (*terms.values(), loss)} == {tf.float32}
    assert all(gradient is not None for gradient in tape.gradient(loss, model.trainable_variables))
    assert model.decoder(np.zeros((1, 64, 2)), inputs["c"]).dtype == tf.float32
    assert all(weight.dtype == "float32" for weight in model.weights)
    history = model.fit(inputs, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"][0])
    assert model.sample(inputs["c"]).dtype == np.float32
