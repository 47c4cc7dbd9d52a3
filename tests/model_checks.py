"""What every model must do; the test of each model calls all of `CHECKS`.

A check is called with `make(**options)`, which builds a compiled model of a `SinusoidTask` with few
points, and with an empty folder.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.data.batches import FollowEpoch, FreshBatches, ShuffledBatches
from cvae_keras.pretrained import load_model


class Killed(Exception):
    """Stands for the end of a process."""


class KillAt(keras.callbacks.Callback):
    """Ends a training at the start of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Killed


def examples(model, n=64):
    x, y = model.task.sample(n, seed=0)
    return {"x": x, "c": y}


def train(model, batches, epochs, initial_epoch=0, callbacks=()):
    callbacks = [FollowEpoch(batches), *callbacks]
    fit = {"epochs": epochs, "initial_epoch": initial_epoch, "verbose": 0, "callbacks": callbacks}
    return model.fit(batches, **fit).history


def state(model):
    """All numbers of a model: weights, optimizer, random state."""
    variables = [*model.weights, *model.optimizer.variables, model.seed_generator.state]
    return [variable.numpy() for variable in variables]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


def check_fit_lowers_the_loss(make, folder):
    for source in ("arrays", "tf.data", "PyDataset"):
        keras.utils.set_random_seed(0)
        model = make()
        model.run_eagerly = source != "arrays"  # a graph takes seconds to trace
        arrays = examples(model)
        if source == "arrays":
            history = model.fit(arrays, batch_size=16, epochs=5, verbose=0).history
        elif source == "tf.data":
            data = tf.data.Dataset.from_tensor_slices(arrays).batch(16)
            history = model.fit(data, epochs=5, verbose=0).history
        else:
            history = train(model, ShuffledBatches(arrays, 16), 5)
        assert history["loss"][-1] < history["loss"][0], source
        for name in ("elbo", "kl", "kl_per_dim", "reconstruction", "active_units"):
            assert np.all(np.isfinite(history[name])) and len(history[name]) == 5, name
        assert np.shape(history["kl_per_dim"]) == (5, model.posterior.kl_dims)
        total = np.sum(history["kl_per_dim"], axis=1)
        np.testing.assert_allclose(total, history["kl"], rtol=1e-5)
        expected = -np.add(history["reconstruction"], history["kl"])
        np.testing.assert_allclose(history["elbo"], expected, rtol=1e-4, atol=1e-4)
        active = np.sum(np.array(history["kl_per_dim"]) > 0.01, axis=1)
        assert np.array_equal(active, history["active_units"])


def check_config_round_trips(make, folder):
    model = make(beta=0.25, seed=3)
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert float(again.term_weights["beta"]) == 0.25 and again.seed == 3
    shapes = [weight.shape for weight in model.weights]
    assert [weight.shape for weight in again.weights] == shapes


def check_saved_model_is_bit_equal(make, folder):
    model = make()
    model.run_eagerly = True  # a graph takes seconds to trace
    arrays = examples(model)
    batches = ShuffledBatches(arrays, 16)
    train(model, batches, 1)
    model.save(folder / "model.keras")
    keras.utils.set_random_seed(99)
    loaded = load_model(folder / "model.keras")
    loaded.run_eagerly = True
    assert same(state(loaded), state(model))
    samples = model.sample(arrays["c"][:3], n_samples=4)
    assert np.array_equal(loaded.sample(arrays["c"][:3], n_samples=4), samples)
    assert not np.array_equal(
        loaded.sample(arrays["c"][:3], n_samples=4), samples
    )  # state moves on
    model.sample(arrays["c"][:3], n_samples=4)
    before = state(model)
    histories = [train(each, batches, 2, initial_epoch=1) for each in (model, loaded)]
    assert histories[0]["loss"] == histories[1]["loss"]
    assert same(state(loaded), state(model)) and not same(state(model), before)


def check_killed_training_resumes(make, folder):
    def run(name, init, kill=None):
        keras.utils.set_random_seed(init)
        model = make()
        model.run_eagerly = True  # a graph takes seconds to trace
        fresh = FreshBatches(model.task, batch_size=16, steps=3)
        callbacks = [KillAt(kill), keras.callbacks.BackupAndRestore(folder / name)]
        return model, train(model, fresh, 3, callbacks=callbacks)

    model, history = run("whole", init=1)
    with pytest.raises(Killed):
        run("killed", init=1, kill=2)
    resumed, rest = run("killed", init=77)  # other initial weights, all to be replaced
    assert rest["loss"] == history["loss"][2:]
    assert same(state(resumed), state(model))


def check_bad_input_is_refused(make, folder):
    model = make()
    x, y = model.task.sample(8, seed=0)
    before = state(model)

    def broken(array, value):
        array = array.copy()
        array[3, 1, 0] = value
        return array

    for arrays, sentence in [
        ({"x": broken(x, np.nan), "c": y}, "x holds NaN or infinity"),
        ({"x": x, "c": broken(y, np.inf)}, "c holds NaN or infinity"),
        ({"x": x[:, :-1], "c": y}, "x has shape"),
        ({"x": x, "c": y[..., :1]}, "shape"),
        ({"x": x[:5], "c": y}, "same length"),
        ({"x": x[:0], "c": y[:0]}, "not be empty"),
        ({"x": x, "c": 2 * y}, "y reaches"),
        ({"x": x}, "'c'"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.fit(arrays, verbose=0)
    for c, sentence in [
        (broken(y, 1.5), "y reaches 1.5"),
        (broken(y, np.nan), "y holds NaN or infinity"),
        (y[:, :-1], "y has shape"),
        (y[0], "shape"),
        (y[:0], "not be empty"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.sample(c)
    for n_samples in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="n_samples must be a positive integer"):
            model.sample(y, n_samples=n_samples)
    for beta in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="beta must be a finite number >= 0"):
            make(beta=beta)
        with pytest.raises(ValueError, match="beta must be a finite number >= 0"):
            model.set_term_weight("beta", beta)
    with pytest.raises(ValueError, match="weight 'gamma' is unknown: choose among"):
        model.set_term_weight("gamma", 1)
    assert same(state(model), before)


def check_samples(make, folder):
    model = make()
    _, y = model.task.sample(5, seed=0)
    samples = model.sample(y, n_samples=7, seed=1)
    assert samples.shape == (7, 5, model.task.points, 2) and samples.dtype == np.float32
    assert np.array_equal(model.sample(y, n_samples=7, seed=1), samples)
    assert not np.array_equal(model.sample(y, n_samples=7, seed=2), samples)
    assert model.sample(y, n_samples=7, seed=1, batch_size=2).shape == samples.shape


CHECKS = [
    check_fit_lowers_the_loss,
    check_config_round_trips,
    check_saved_model_is_bit_equal,
    check_killed_training_resumes,
    check_bad_input_is_refused,
    check_samples,
]
