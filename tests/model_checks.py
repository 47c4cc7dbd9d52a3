"""What every model class must do; the test file of each system calls all of `CHECKS`.

A check is called with a `Case`, which says how a small model is made and fed, and an empty folder.
The cases are in `model_cases.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.training.batches import FreshBatches, ShuffledBatches


def none(arrays):
    """No bad arrays beside those that every model refuses."""
    return []


@dataclass(frozen=True, eq=False)
class Case:
    """A model class under test.

    Args:
        make: `make(**options)` gives a compiled model.
        source: `source.examples(n, seed)` gives its arrays by name, the data in `x`, and in `c` the
            condition, where the model has one.
        bad_inputs: of good arrays: pairs of arrays that the model must refuse to train on, and a
            part of the sentence.
        bad_conditions: the same for the condition, of which it must refuse to draw samples.
        needs_condition: whether the model refuses arrays without `c`.
        graph: whether it is also trained as a graph, which takes seconds to trace.
    """

    make: Callable
    source: object
    bad_inputs: Callable = none
    bad_conditions: Callable = none
    needs_condition: bool = True
    graph: bool = True


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


def eager(model):
    """The model, run operation by operation: a graph takes seconds to trace."""
    model.run_eagerly = True
    return model


def train(model, batches, epochs, initial_epoch=0, callbacks=()):
    fit = {"epochs": epochs, "initial_epoch": initial_epoch, "verbose": 0, "callbacks": callbacks}
    return model.fit(batches, **fit).history


def state(model):
    """All numbers of a model: weights, optimizer, random state."""
    variables = [*model.weights, *model.optimizer.variables, model.seed_generator.state]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


@cache
def trained(case):
    """A model of the case, trained once for all checks that do not change its weights."""
    keras.utils.set_random_seed(0)
    model = eager(case.make())
    model.fit(case.source.examples(64, seed=0), batch_size=32, epochs=1, verbose=0)
    return model


def drawn(case, model, n_samples, seed=None, rows=3):
    """Samples of a model: for some conditions of the case, or of an unconditional model."""
    c = case.source.examples(64, seed=0).get("c")
    return model.sample(None if c is None else c[:rows], n_samples=n_samples, seed=seed)


def check_fit_lowers_the_loss(case, folder):
    for source in ("arrays", "tf.data", "PyDataset"):
        keras.utils.set_random_seed(0)
        model = case.make()
        model.run_eagerly = source != "arrays" or not case.graph
        arrays = case.source.examples(64, seed=0)
        epochs = 2 if model.run_eagerly else 5
        if source == "arrays":
            history = model.fit(arrays, batch_size=16, epochs=epochs, verbose=0).history
        elif source == "tf.data":
            data = tf.data.Dataset.from_tensor_slices(arrays).batch(16)
            history = model.fit(data, epochs=epochs, shuffle=False, verbose=0).history
        else:
            history = train(model, ShuffledBatches(arrays, 16), epochs)
        assert history["loss"][-1] < history["loss"][0], source
        for name in ("elbo", "kl", "reconstruction", "active_units"):
            assert np.all(np.isfinite(history[name])) and len(history[name]) == epochs, name
        assert all(np.ndim(values) == 1 for values in history.values())
        expected = -np.add(history["reconstruction"], history["kl"])
        np.testing.assert_allclose(history["elbo"], expected, rtol=1e-4, atol=1e-4)
        check_kl_per_dim(model, history["kl"][-1], history["active_units"][-1])


def check_kl_per_dim(model, kl, active_units):
    """The KL of each latent dimension over the last epoch agrees with its sum in the logs."""
    kl_per_dim = np.asarray(model.means.kl_per_dim())
    assert kl_per_dim.shape == (model.posterior.kl_dims,)
    np.testing.assert_allclose(kl_per_dim.sum(), kl, rtol=1e-5)
    assert np.sum(kl_per_dim > 0.01) == active_units


def check_config_round_trips(case, folder):
    model = case.make(beta=0.25, seed=3)
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert float(again.term_weights["beta"]) == 0.25 and again.seed == 3
    shapes = [weight.shape for weight in model.weights]
    assert [weight.shape for weight in again.weights] == shapes


def check_saved_model_is_bit_equal(case, folder):
    model = eager(case.make())
    batches = ShuffledBatches(case.source.examples(64, seed=0), 32)
    train(model, batches, 1)
    model.save(folder / "model.keras")
    keras.utils.set_random_seed(99)
    loaded = eager(keras.saving.load_model(folder / "model.keras"))
    assert type(loaded) is type(model) and loaded.get_config() == model.get_config()
    assert same(state(loaded), state(model))
    samples = drawn(case, model, n_samples=4)
    assert np.array_equal(drawn(case, loaded, n_samples=4), samples)
    assert not np.array_equal(drawn(case, loaded, n_samples=4), samples)  # the state moves on
    drawn(case, model, n_samples=4)
    before = state(model)
    histories = [train(each, batches, 2, initial_epoch=1) for each in (model, loaded)]
    assert histories[0]["loss"] == histories[1]["loss"]
    assert same(state(loaded), state(model)) and not same(state(model), before)


def check_killed_training_resumes(case, folder):
    def run(name, init, kill=None):
        keras.utils.set_random_seed(init)
        model = eager(case.make())
        fresh = FreshBatches(case.source, batch_size=16, steps=2)
        callbacks = [KillAt(kill), keras.callbacks.BackupAndRestore(folder / name)]
        return model, train(model, fresh, 2, callbacks=callbacks)

    model, history = run("whole", init=1)
    with pytest.raises(Killed):
        run("killed", init=1, kill=1)
    resumed, rest = run("killed", init=77)  # other initial weights, all to be replaced
    assert rest["loss"] == history["loss"][1:]
    assert same(state(resumed), state(model))


def check_bad_input_is_refused(case, folder):
    model = case.make()
    arrays = case.source.examples(8, seed=0)
    c = arrays.get("c")
    before = state(model)
    bad_inputs = [
        ({**arrays, "x": with_value(arrays["x"], np.nan)}, "x holds NaN or infinity"),
        ({**arrays, "x": arrays["x"][:, :-1]}, "x has shape"),
        ({name: array[:0] for name, array in arrays.items()}, "not be empty"),
        *case.bad_inputs(arrays),
    ]
    if len(arrays) > 1:
        bad_inputs.append(({**arrays, "x": arrays["x"][:5]}, "same length"))
    if c is not None:
        bad_inputs.append(({**arrays, "c": with_value(c, np.inf)}, "c holds NaN or infinity"))
    if c is not None and case.needs_condition:
        bad_inputs.append(({"x": arrays["x"]}, "'c'"))
    quiet = {"verbose": 0}
    calls = [(model.fit, quiet), (model.evaluate, quiet), (model.predict, quiet)]
    calls += [(getattr(model, f"{name}_on_batch"), {}) for name in ("train", "test", "predict")]
    for call, options in calls:
        for bad, sentence in bad_inputs:
            with pytest.raises(ValueError, match=sentence):
                call(bad, **options)
    if c is not None:
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
    with pytest.raises(ValueError, match="weight 'no such weight' is unknown: choose among"):
        model.set_term_weight("no such weight", 1)
    assert same(state(model), before)


def check_samples(case, folder):
    model, arrays = trained(case), case.source.examples(5, seed=0)
    c = arrays.get("c")
    samples = model.sample(c, n_samples=7, seed=1)
    rows = () if c is None else (5,)
    assert samples.shape == (7, *rows, *arrays["x"].shape[1:]) and samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert np.array_equal(model.sample(c, n_samples=7, seed=1), samples)
    assert not np.array_equal(model.sample(c, n_samples=7, seed=2), samples)
    assert model.sample(c, n_samples=7, seed=1, batch_size=2).shape == samples.shape


def check_predict_gives_the_reconstruction(case, folder):
    model, arrays = trained(case), case.source.examples(6, seed=0)
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    x_hat = model.predict(arrays, verbose=0)
    assert x_hat.shape == arrays["x"].shape and x_hat.dtype == np.float32
    assert np.isfinite(x_hat).all()
    np.testing.assert_allclose(model.predict(arrays, verbose=0), x_hat, rtol=1e-6)  # no noise
    parts = model.predict(arrays, batch_size=4, verbose=0)
    np.testing.assert_allclose(parts, x_hat, rtol=1e-4, atol=1e-5)
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(4)
    np.testing.assert_allclose(model.predict(data, verbose=0), parts, rtol=1e-4, atol=1e-5)
    turned = {name: array[::-1] for name, array in arrays.items()}  # each row of its own
    np.testing.assert_allclose(model.predict(turned, verbose=0)[::-1], x_hat, rtol=1e-4, atol=1e-5)
    after = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    assert same(after, weights)


def check_on_batch(case, folder):
    """A step is that of `fit` and `evaluate` on the same examples."""
    batch = case.source.examples(16, seed=0)
    losses, states = [], []
    for fit in (True, False):
        keras.utils.set_random_seed(0)
        model = eager(case.make())
        if fit:
            model.fit(batch, batch_size=16, shuffle=False, verbose=0)
            losses.append(model.evaluate(batch, batch_size=16, verbose=0, return_dict=True))
        else:
            model.train_on_batch(batch)
            losses.append(model.test_on_batch(batch, return_dict=True))
        states.append(state(model))
    assert same(*states)
    assert losses[0]["loss"] == losses[1]["loss"]
    np.testing.assert_array_equal(model.predict_on_batch(batch), model.predict(batch, verbose=0))


def check_evaluate(case, folder):
    model, arrays = trained(case), case.source.examples(64, seed=0)
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(32)
    for source in (arrays, data, ShuffledBatches(arrays, 32)):
        found = model.evaluate(source, verbose=0, return_dict=True)
        assert all(np.ndim(value) == 0 and np.isfinite(value) for value in found.values())
        assert found["elbo"] == pytest.approx(-found["reconstruction"] - found["kl"], rel=1e-4)
        check_kl_per_dim(model, found["kl"], found["active_units"])
    after = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    assert same(after, weights)


def check_tensorboard_is_written(case, folder):
    model, arrays = eager(case.make()), case.source.examples(32, seed=0)
    callbacks = [keras.callbacks.TensorBoard(folder)]
    model.fit(arrays, batch_size=16, validation_data=(arrays,), verbose=0, callbacks=callbacks)
    for part in ("train", "validation"):
        (events,) = (folder / part).glob("events.out.tfevents*")
        tags = {
            value.tag
            for event in tf.compat.v1.train.summary_iterator(str(events))
            for value in event.summary.value
        }
        assert {"epoch_loss", "epoch_elbo", "epoch_kl", "epoch_active_units"} <= tags, part


def check_early_stopping_knows_that_elbo_is_to_rise(case, folder):
    model, arrays = eager(case.make()), case.source.examples(32, seed=0)
    stop = keras.callbacks.EarlyStopping("val_elbo", patience=9)  # mode "auto"
    fit = {"epochs": 2, "batch_size": 16, "verbose": 0, "callbacks": [stop]}
    history = model.fit(arrays, validation_data=(arrays,), **fit).history
    assert stop.best == max(history["val_elbo"]) > min(history["val_elbo"])


CHECKS = [
    check_fit_lowers_the_loss,
    check_config_round_trips,
    check_saved_model_is_bit_equal,
    check_killed_training_resumes,
    check_bad_input_is_refused,
    check_samples,
    check_predict_gives_the_reconstruction,
    check_on_batch,
    check_evaluate,
    check_tensorboard_is_written,
    check_early_stopping_knows_that_elbo_is_to_rise,
]
