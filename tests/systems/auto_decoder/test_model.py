"""The auto-decoder: table, exact linear case, test-time inference, saving, bad input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from model_cases import CASES
from model_checks import CHECKS, same, state

from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts.distributions import Gaussian
from cvae_keras.parts.posteriors import VARIANTS, FreeTablePosterior
from cvae_keras.systems.auto_decoder.baseline import MaskedEncoder, MaskedVAE
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder, principal_components
from cvae_keras.training.batches import Batches, ShuffledBatches
from cvae_keras.training.optimizers import LazyAdam, two_rates
from cvae_keras.truth.linear_gaussian import ridge_latent


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["auto_decoder", "masked_vae", "masked_vae, miwae"])
def test_model(name, check, tmp_path):
    check(CASES[name], tmp_path)


def data(rows=48, features=6, seed=0):
    rng = np.random.default_rng(seed)
    x = np.tanh(rng.normal(size=(rows, 2)) @ rng.normal(size=(2, features)))
    return x.astype("float32"), (rng.random(x.shape) > 0.3).astype("float32")


def make(rows=48, **options):
    options = {"latent_dim": 2, "hidden": (8,), "seed": 0, **options}
    model = VariationalAutoDecoder(6, rows, **options)
    model.compile(two_rates(1e-2, 0.05))
    model.run_eagerly = True  # a graph takes seconds to trace
    return model


def batches(rows=48):
    x, mask = data(rows)
    index = np.arange(rows, dtype="int32")[:, None]
    return ShuffledBatches({"x": x, "mask": mask, "index": index}, 16)


def train(model, epochs, initial_epoch=0, callbacks=()):
    source = batches()
    fit = {"epochs": epochs, "initial_epoch": initial_epoch, "verbose": 0, "callbacks": callbacks}
    return model.fit(source, **fit).history


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_fits_the_observed_entries(variant):
    keras.utils.set_random_seed(0)
    model = make(variant=variant, log_var=-4.0)
    history = train(model, 8)
    assert history["mse"][-1] < 0.7 * history["mse"][0]
    assert model.means.kl_per_dim().shape == (2,) and np.all(np.isfinite(history["elbo"]))


@pytest.mark.parametrize("method", ["newton", "gradient"])
@pytest.mark.parametrize("reduction", ["elbo", "original"])
def test_linear_decoder_gives_the_ridge_solution(method, reduction):
    x, mask = data()
    mask[0], mask[1] = 0, 1
    model = make(hidden=(), beta=0.3, reduction=reduction)
    keras.utils.set_random_seed(1)
    layer = model.decoder.layers[0]
    layer.bias.assign(np.random.default_rng(1).normal(size=6))
    seen = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    precision = 2.0 if reduction == "elbo" else 2.0 / seen
    exact = ridge_latent(x, mask, layer.kernel.numpy(), layer.bias.numpy(), 0.3, precision)
    steps = {"newton": 5, "gradient": 200}[method]
    found = model.find_latents(x, mask, method=method, steps=steps)
    assert np.abs(found - exact).max() < 1e-4
    other = np.where(mask > 0, x, 1e3)  # missing entries are not read
    again = model.find_latents(other, mask, method=method, steps=steps)
    np.testing.assert_allclose(again, found, atol=1e-6)


def test_the_objective_of_training_has_its_minimum_at_the_test_time_latent():
    x, mask = data()
    model = make(variant="ae", beta=0.3, activation="tanh")  # no kinks
    z = model.find_latents(x, mask, method="newton", steps=100)
    model.posterior.mean.assign(z)
    inputs = {"x": x, "mask": mask, "index": np.arange(48)[:, None]}
    with tf.GradientTape() as tape:
        loss = model.objective(model(inputs))
    gradient = tf.convert_to_tensor(tape.gradient(loss, model.posterior.mean.value))
    assert np.median(np.abs(gradient)) < 1e-7 and np.abs(gradient).max() < 1e-3


def test_both_methods_find_the_same_minimum_and_freeze_the_decoder():
    keras.utils.set_random_seed(2)  # a decoder for which each row has one minimum, not two
    x, mask = data()
    model = make(beta=0.1, activation="tanh")
    train(model, 3)
    before = state(model)
    z = model.find_latents(x, mask, method="newton", steps=50)
    other = model.find_latents(x, mask, method="gradient", steps=300)

    def cost(z):
        return (mask * (x - model.decode(z)) ** 2).sum(axis=1) + 0.05 * (z**2).sum(axis=1)

    np.testing.assert_allclose(cost(other), cost(z), rtol=1e-3, atol=1e-4)
    assert same(state(model), before)
    parts = [model.find_latents(x[i : i + 7], mask[i : i + 7], steps=50) for i in range(0, 48, 7)]
    np.testing.assert_allclose(np.concatenate(parts), z, atol=1e-4)  # rows are independent
    for init in ("zeros", "normal", "train"):
        assert np.isfinite(model.find_latents(x, mask, init=init, seed=1)).all()


def test_posterior_draws_are_those_of_a_linear_gaussian_model():
    x, mask = data(rows=3)
    mask[0], mask[1] = 0, 1
    model = make(rows=3, hidden=(), noise="learned", beta=1.0)
    rng = np.random.default_rng(0)
    model.decoder.log_scale.assign(rng.normal(size=6) * 0.3 - 1)
    kernel, variance = model.decoder.layers[0].kernel.numpy(), np.exp(2 * model.decoder.log_scale)
    draws = model.sample_posterior(x, mask, n_samples=40_000, seed=0)
    for row, known in enumerate(mask > 0):
        assert np.all(draws[:, row, known] == x[row, known])
        prior = kernel.T @ kernel + np.diag(variance)
        slope = prior[np.ix_(~known, known)] @ np.linalg.inv(prior[np.ix_(known, known)])
        left = prior[np.ix_(~known, ~known)] - slope @ prior[np.ix_(known, ~known)]
        found = draws[:, row][:, ~known]
        np.testing.assert_allclose(found.mean(axis=0), slope @ x[row, known], atol=0.03)
        if left.size:
            np.testing.assert_allclose(np.cov(found.T), left, atol=0.05 * left.max())
    mean = model.posterior_mean(x, mask)
    np.testing.assert_allclose(mean, model.reconstruct(x, mask), atol=1e-4)


def test_sigma_points_average_a_nonlinear_decoder():
    x, mask = data(rows=2)
    model = make(rows=2, noise="learned", beta=1.0, activation="silu", hidden=(8,))
    draws = model.sample_posterior(x, 0 * mask, n_samples=20_000, seed=0).mean(axis=0)
    mean, mode = model.posterior_mean(x, 0 * mask), model.reconstruct(x, 0 * mask)
    assert np.abs(mean - draws).max() < 0.5 * np.abs(mode - draws).max()


def test_sample_draws_from_the_prior():
    model = make(hidden=())
    x = model.sample(n_samples=20_000, seed=0)
    kernel = model.decoder.layers[0].kernel.numpy()
    assert x.shape == (20_000, 6) and x.dtype == np.float32
    np.testing.assert_allclose(np.cov(x.T), kernel.T @ kernel, atol=0.05)
    assert np.array_equal(model.sample(None, 3, seed=1), model.sample(None, 3, seed=1))
    assert np.array_equal(model.generate(3, seed=1), model.sample(n_samples=3, seed=1))
    assert model.sample().shape == (1, 6)
    with pytest.raises(ValueError, match="c must be None, got ndarray"):
        model.sample(x)


def test_predict_takes_the_table_for_training_rows_and_infers_others():
    x, mask = data()
    model = make()
    train(model, 2)
    rows = np.arange(5, 25)
    inputs = {"x": x[rows], "mask": mask[rows]}
    from_table = model.predict({**inputs, "index": rows}, verbose=0)
    expected = model.decode(model.posterior.mean.numpy()[rows])
    np.testing.assert_allclose(from_table, expected, atol=1e-6)
    assert np.array_equal(model.predict(inputs, verbose=0), model.reconstruct(x[rows], mask[rows]))
    with pytest.raises(ValueError, match="must hold 'x'"):
        model.predict({"mask": mask})


def test_the_importance_bound_points_to_the_laplace_bound():
    x, mask = data()
    with pytest.raises(ValueError, match="use laplace_bound"):
        importance_weighted_bound(make(), {"x": x, "mask": mask})


def test_only_the_rows_of_a_batch_move():
    model = make()
    x, mask = data()
    before = model.posterior.mean.numpy().copy()
    rows = np.array([3, 7, 40])
    inputs = {"x": x[rows], "mask": mask[rows], "index": rows}
    for _ in range(2):
        model.fit(inputs, epochs=1, verbose=0)
    moved = np.any(model.posterior.mean.numpy() != before, axis=1)
    assert np.array_equal(np.flatnonzero(moved), rows)
    table = next(o for o in model.optimizer.optimizers if o.name == "latents")
    steps = [v.numpy() for v in table.row_steps]
    assert all(np.array_equal(np.flatnonzero(step), rows) and step.max() == 2 for step in steps)


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_reduce_on_plateau_reduces_both_rates(kind):
    model = make()
    model.compile(two_rates(1e-9, 1e-9, kind))
    model.run_eagerly = True
    plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.5, 1, mode="min", min_delta=10)
    train(model, 3, callbacks=[plateau])
    rates = [float(optimizer.learning_rate) for optimizer in model.optimizer.optimizers]
    assert rates == pytest.approx([2.5e-10] * 2)


def test_two_rates_pick_the_latents_by_identity():
    model = make()
    latents = next(o for o in model.optimizer.optimizers if o.name == "latents")
    model.optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        is_latent = variable is model.posterior.mean or variable is model.posterior.log_var
        assert (model.optimizer.optimizer_of(variable) is latents) == is_latent
        variable.assign(np.zeros(variable.shape))
    model.optimizer.apply(
        [keras.ops.ones(v.shape) for v in model.trainable_variables], model.trainable_variables
    )
    for variable in model.trainable_variables:  # the first step of Adam is the learning rate
        rate = 0.05 if model.optimizer.optimizer_of(variable) is latents else 1e-2
        np.testing.assert_allclose(variable, np.full(variable.shape, -rate), rtol=1e-4)


def test_two_rates_without_latents_are_refused():
    x, mask = data()
    other = MaskedVAE(6, latent_dim=2, hidden=(4,))
    other.compile(two_rates(1e-2, 0.05))
    other.run_eagerly = True
    with pytest.raises(ValueError, match="two_rates found no latents among"):
        other.fit({"x": x, "mask": mask}, verbose=0)
    model = make()
    model.posterior.trainable = False
    with pytest.raises(ValueError, match="two_rates found no latents among"):
        train(model, 1)
    with pytest.raises(ValueError, match="kind 'rmsprop' is unknown"):
        two_rates(kind="rmsprop")
    other.optimizer.select_latents(other.posterior.weights)
    other.fit({"x": x, "mask": mask}, verbose=0)


def test_configs_round_trip():
    for layer in (
        DenseDecoder(3, 5, (4,), "silu", True, 0.1, skip=True, noise=True, seed=2),
        MaskedEncoder((4, 3), sees_mask=True),
        MaskedVAE(6, 2, (5, 4), sees_mask=True, beta=0.5, seed=3),
        make(variant="vae", log_var=-2.0, noise="learned", skip=True, reduction="original"),
        LazyAdam(0.5),
        two_rates(0.5, 0.25, "sgd"),
    ):
        config = keras.saving.serialize_keras_object(layer)
        again = keras.saving.deserialize_keras_object(config)
        assert type(again) is type(layer) and again.get_config() == layer.get_config()


def test_pca_start_is_whitened_and_reconstructs():
    x, mask = data()
    scores, log_var = principal_components(x, np.ones_like(mask), 2)
    assert log_var is None
    np.testing.assert_allclose(scores.T @ scores / 48, np.eye(2), atol=1e-4)
    design = np.c_[scores, np.ones(48)]
    left = x - design @ np.linalg.lstsq(design, x, rcond=None)[0]
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    assert np.sum(left**2) / 48 == pytest.approx(values[:-2].sum(), rel=1e-3)
    model = make(latent_init="pca")
    model.compile(two_rates(0.0, 0.0))
    model.fit({"x": x, "mask": mask}, epochs=1, verbose=0)
    mean, log_var = principal_components(x, mask, 2)  # missing entries: factor analysis
    np.testing.assert_allclose(model.posterior.mean, mean, atol=1e-6)
    np.testing.assert_allclose(model.posterior.log_var, log_var, atol=1e-6)
    assert not principal_components(x, None, 9)[0][:, 6:].any()


def test_original_reduction_averages_over_the_observed_entries():
    x, mask = data(rows=4)
    model = make(rows=4, variant="ae", beta=0.5, reduction="original")
    terms = model({"x": x, "mask": mask, "index": np.arange(4)[:, None]})
    x_hat = model.decode(model.posterior.mean.numpy())
    errors = (mask * (x - x_hat) ** 2).sum(axis=1) / mask.sum(axis=1)
    kl = 0.5 * np.square(model.posterior.mean).sum(axis=1)
    expected = np.mean(errors + 0.5 * kl)
    assert float(model.objective(terms)) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(terms["mse"], errors, rtol=1e-4)


def test_bad_input_is_refused():
    model = make()
    x, mask = data()
    before = state(model)
    for inputs, sentence in [
        ({"x": np.where(mask > 0, x, np.nan)}, "x holds NaN"),
        ({"x": x[:, :3]}, "x has shape"),
        ({"x": x, "mask": mask[:, :3]}, "mask must have the shape"),
        ({"x": x, "mask": 0.5 * mask}, "mask must hold 1 where x is"),
        ({"x": x, "index": np.zeros(48, int)}, "index must hold"),
        ({"x": x, "index": np.arange(1, 49)}, "the table has 48"),
        ({"mask": mask}, "must hold 'x'"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.fit(inputs, verbose=0)
    with pytest.raises(ValueError, match="x has shape"):
        model.find_latents(x[:, :2])
    with pytest.raises(ValueError, match="method 'best' is unknown"):
        model.find_latents(x, mask, method="best")
    with pytest.raises(ValueError, match="init 'pca' is unknown"):
        model.find_latents(x, mask, init="pca")
    with pytest.raises(ValueError, match="steps must be a positive integer"):
        model.find_latents(x, mask, steps=0)
    with pytest.raises(ValueError, match="start_linear needs"):
        model.start_linear({})
    assert same(state(model), before)
    for options, sentence in [
        ({"variant": "gan"}, "variant 'gan' is unknown"),
        ({"latent_init": "ones"}, "latent_init 'ones' is unknown"),
        ({"noise": "some"}, "noise 'some' is unknown"),
        ({"reduction": "mean"}, "reduction 'mean' is unknown"),
        ({"activation": "gelu"}, "activation 'gelu' is unknown"),
        ({"dropout": 1.0}, "dropout must lie"),
        ({"log_var": 21}, "log_var must lie"),
        ({"beta": -1}, "beta must be"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            make(**options)


class Listed(keras.utils.PyDataset):
    """The rows of a dictionary in one batch."""

    def __init__(self, arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return 1

    def __getitem__(self, number):
        return (self.arrays,)


class Drawn(Batches):
    """The same, as batches of our own."""

    def __init__(self, arrays):
        super().__init__(1, 4, 0)
        self.arrays = arrays

    def __getitem__(self, number):
        return (self.arrays,)


FEEDS = {
    "tf.data": lambda arrays: tf.data.Dataset.from_tensors(arrays),
    "PyDataset": Listed,
    "generator": lambda arrays: iter([(arrays,)] * 2),
    "Batches": Drawn,
    "ShuffledBatches": lambda arrays: ShuffledBatches(arrays, 4),
}
BAD_INDEX = {
    "below": ([-1, 0, 1, 2], "index runs from -1 to 2 in a batch"),
    "above": ([0, 1, 2, 48], "index runs from 0 to 48 in a batch"),
    "infinite": (
        [0, 1, 2, np.inf],
        "index runs from 0.0 to inf in a batch",
    ),
    "fraction": ([0, 1, 2, 2.5], "index does not hold whole numbers in a batch"),
    "text": (["0", "1", "2", "3"], "index does not hold whole numbers in a batch"),
    "wide": (np.arange(8).reshape(4, 2), r"index has shape \(4, 2\) for 4 rows of x in a batch"),
    "absent": (None, "index is missing in a batch"),
}


GOOD = {"x": data()[0][:4], "index": np.arange(4)[:, None]}


def arrays_with(index):
    return {**GOOD, "index": np.asarray(index)} if index is not None else {"x": GOOD["x"]}


@pytest.mark.parametrize("bad", BAD_INDEX)
def test_a_bad_index_is_one_sentence(bad):
    index, sentence = BAD_INDEX[bad]
    with pytest.raises(ValueError, match=f"^{sentence}: give one row of the table for .*\\.$"):
        make().check_batch(arrays_with(index))


@pytest.mark.parametrize("feed", FEEDS)
def test_a_bad_index_in_batches_is_refused(feed):
    model, fit = make(), {"shuffle": False, "verbose": 0}
    index, sentence = BAD_INDEX["above"]
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=f"^{sentence}.*\\.$"):
            options = fit if call == model.fit else {"verbose": 0}
            call(FEEDS[feed](arrays_with(index)), **options)
    index, sentence = BAD_INDEX["absent"]
    with pytest.raises(ValueError, match=f"^{sentence}.*\\.$"):
        model.fit(Listed(GOOD), validation_data=FEEDS[feed](arrays_with(index)), **fit)
    model.fit(FEEDS[feed](GOOD), steps_per_epoch=1, **fit)


def test_table_returns_the_rows_of_an_index():
    table = FreeTablePosterior(10, 3, "vae", log_var=-14)
    q = table(np.array([7, 2]))
    assert np.array_equal(q.mean, table.mean.numpy()[[7, 2]]) and np.all(q.log_var == -14)
    exact = 0.5 * (np.exp(-14) + np.square(q.mean) - 1 + 14)
    zero = np.zeros((1, 3), "float32")
    np.testing.assert_allclose(q.kl(Gaussian(zero, zero)), exact, rtol=1e-5)
