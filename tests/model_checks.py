"""What every model must do; the test of each model calls all of `CHECKS`.

A check is called with a `Case`, which says how a small model is made and fed, and an empty folder.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.systems.saved import load_model
from cvae_keras.training.batches import FreshBatches, ShuffledBatches


@dataclass(frozen=True)
class Case:
    """A system under test.

    make(**options): a compiled model. source.examples(n, seed): its arrays, by name.
    bad_inputs(arrays): pairs of arrays that it must refuse to train on, and a part of the sentence.
    bad_conditions(c): the same for conditions that it must refuse to sample for.
    """

    make: Callable
    source: object
    bad_inputs: Callable
    bad_conditions: Callable


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


def with_value(array, value):
    """A copy of an array with one entry replaced."""
    array = array.copy()
    array.reshape(len(array), -1)[3, 1] = value
    return array


def train(model, batches, epochs, initial_epoch=0, callbacks=()):
    fit = {"epochs": epochs, "initial_epoch": initial_epoch, "verbose": 0, "callbacks": callbacks}
    return model.fit(batches, **fit).history


def state(model):
    """All numbers of a model: weights, optimizer, random state."""
    variables = [*model.weights, *model.optimizer.variables, model.seed_generator.state]
    return [variable.numpy() for variable in variables]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


def check_fit_lowers_the_loss(case, folder):
    for source in ("arrays", "tf.data", "PyDataset"):
        keras.utils.set_random_seed(0)
        model = case.make()
        model.run_eagerly = source != "arrays"  # a graph takes seconds to trace
        arrays = case.source.examples(64, seed=0)
        if source == "arrays":
            history = model.fit(arrays, batch_size=16, epochs=5, verbose=0).history
        elif source == "tf.data":
            data = tf.data.Dataset.from_tensor_slices(arrays).batch(16)
            history = model.fit(data, epochs=5, verbose=0).history
        else:
            history = train(model, ShuffledBatches(arrays, 16), 5)
        assert history["loss"][-1] < history["loss"][0], source
        for name in ("elbo", "kl", "reconstruction", "active_units"):
            assert np.all(np.isfinite(history[name])) and len(history[name]) == 5, name
        kl_per_dim = model.means.kl_per_dim()  # of the last epoch
        assert kl_per_dim.shape == (model.posterior.kl_dims,)
        np.testing.assert_allclose(kl_per_dim.sum(), history["kl"][-1], rtol=1e-5)
        expected = -np.add(history["reconstruction"], history["kl"])
        np.testing.assert_allclose(history["elbo"], expected, rtol=1e-4, atol=1e-4)
        assert np.sum(kl_per_dim > 0.01) == history["active_units"][-1]


def check_config_round_trips(case, folder):
    model = case.make(beta=0.25, seed=3)
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert float(again.term_weights["beta"]) == 0.25 and again.seed == 3
    shapes = [weight.shape for weight in model.weights]
    assert [weight.shape for weight in again.weights] == shapes


def check_saved_model_is_bit_equal(case, folder):
    model = case.make()
    model.run_eagerly = True  # a graph takes seconds to trace
    arrays = case.source.examples(64, seed=0)
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


def check_killed_training_resumes(case, folder):
    def run(name, init, kill=None):
        keras.utils.set_random_seed(init)
        model = case.make()
        model.run_eagerly = True  # a graph takes seconds to trace
        fresh = FreshBatches(case.source, batch_size=16, steps=3)
        callbacks = [KillAt(kill), keras.callbacks.BackupAndRestore(folder / name)]
        return model, train(model, fresh, 3, callbacks=callbacks)

    model, history = run("whole", init=1)
    with pytest.raises(Killed):
        run("killed", init=1, kill=2)
    resumed, rest = run("killed", init=77)  # other initial weights, all to be replaced
    assert rest["loss"] == history["loss"][2:]
    assert same(state(resumed), state(model))


def check_bad_input_is_refused(case, folder):
    model = case.make()
    arrays = case.source.examples(8, seed=0)
    before = state(model)
    for bad, sentence in [
        ({**arrays, "x": with_value(arrays["x"], np.nan)}, "x holds NaN or infinity"),
        ({**arrays, "c": with_value(arrays["c"], np.inf)}, "c holds NaN or infinity"),
        ({**arrays, "x": arrays["x"][:, :-1]}, "x has shape"),
        ({**arrays, "x": arrays["x"][:5]}, "same length"),
        ({name: array[:0] for name, array in arrays.items()}, "not be empty"),
        ({"x": arrays["x"]}, "'c'"),
        *case.bad_inputs(arrays),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.fit(bad, verbose=0)
    c = arrays["c"]
    for bad, sentence in [
        (with_value(c, np.nan), "holds NaN or infinity"),
        (c[:, :-1], "shape"),
        (c[0], "shape"),
        (c[:0], "not be empty"),
        *case.bad_conditions(c),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.sample(bad)
    for n_samples in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="n_samples must be a positive integer"):
            model.sample(c, n_samples=n_samples)
    for beta in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="beta must be a finite number >= 0"):
            case.make(beta=beta)
        with pytest.raises(ValueError, match="beta must be a finite number >= 0"):
            model.set_term_weight("beta", beta)
    with pytest.raises(ValueError, match="weight 'gamma' is unknown: choose among"):
        model.set_term_weight("gamma", 1)
    assert same(state(model), before)


def check_samples(case, folder):
    model, arrays = case.make(), case.source.examples(5, seed=0)
    c = arrays["c"]
    samples = model.sample(c, n_samples=7, seed=1)
    assert samples.shape == (7, *arrays["x"].shape) and samples.dtype == np.float32
    assert np.array_equal(model.sample(c, n_samples=7, seed=1), samples)
    assert not np.array_equal(model.sample(c, n_samples=7, seed=2), samples)
    assert model.sample(c, n_samples=7, seed=1, batch_size=2).shape == samples.shape


CHECKS = [
    check_fit_lowers_the_loss,
    check_config_round_trips,
    check_saved_model_is_bit_equal,
    check_killed_training_resumes,
    check_bad_input_is_refused,
    check_samples,
]
