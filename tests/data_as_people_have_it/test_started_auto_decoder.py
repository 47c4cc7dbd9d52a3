"""Latents that have been trained are never thrown back to their start."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.optimizers import two_rates

X = np.random.default_rng(0).normal(size=(32, 5)).astype("float32")
MASK = (np.random.default_rng(1).random(X.shape) > 0.3).astype("float32")


def make(**options):
    options = {"latent_dim": 2, "hidden": (4,), "latent_init": "pca", **options}
    model = VariationalAutoDecoder(5, 32, **options)
    model.compile(two_rates(1e-2, 0.1))
    model.run_eagerly = True
    return model


def fit(model, optimizer=None, data=None):
    if optimizer is not None:
        model.compile(optimizer)
        model.run_eagerly = True
    model.fit({"x": X, "mask": MASK} if data is None else data, epochs=1, verbose=0)
    return model


def table(model):
    return np.r_[model.posterior.mean.numpy(), model.posterior.log_var.numpy()]


def weights_file(model, path):
    model.save_weights(path / "a.weights.h5")
    new = make()
    if model.optimizer.built:
        new.optimizer.build(new.trainable_variables)
    new.load_weights(path / "a.weights.h5")
    return new


def keras_file(model, path):
    model.save(path / "a.keras")
    return keras.saving.load_model(path / "a.keras")


def older_file(model, path):
    """A .keras file of an earlier version, which does not hold the flag."""
    model.save(path / "a.keras")
    with zipfile.ZipFile(path / "a.keras") as archive:
        archive.extractall(path / "parts")
    with h5py.File(path / "parts" / "model.weights.h5", "a") as file:
        del file["vars"]["1"]
    with zipfile.ZipFile(path / "b.keras", "w") as archive:
        for part in ("config.json", "metadata.json", "model.weights.h5"):
            archive.write(path / "parts" / part, part)
    return keras.saving.load_model(path / "b.keras")


def set_weights(model, path):
    new = make()
    new.set_weights(model.get_weights())
    return new


def same_model(model, path):
    return model


@pytest.mark.parametrize("way", [same_model, weights_file, keras_file, older_file, set_weights])
def test_compiling_and_loading_keep_trained_latents(way, tmp_path):
    model = fit(make())
    before = table(model)
    again = way(model, tmp_path)
    assert np.array_equal(table(fit(again, keras.optimizers.SGD(0.0))), before)
    assert float(again.started) == 1


def test_the_start_is_taken_once_and_only_by_the_first_fit(tmp_path):
    model = make()
    zeros = table(model)
    assert float(model.started) == 0
    for bad in ({"x": X[:, :2]}, [X]):
        with pytest.raises(ValueError, match="x "):
            fit(model, data=bad)
    with pytest.raises(ValueError, match="targets y are not used"):
        model.fit({"x": X}, X)
    with pytest.raises(ValueError, match="class_weight"):
        model.fit({"x": X}, class_weight={0: 1.0})
    assert np.array_equal(table(model), zeros) and float(model.started) == 0
    new = weights_file(model, tmp_path)  # an untrained model is untrained when it is loaded
    fit(new, keras.optimizers.SGD(0.0))
    assert not np.array_equal(table(new), zeros)
    batches = ShuffledBatches({"x": X, "mask": MASK, "index": np.arange(32)[:, None]}, 16)
    fit(model, keras.optimizers.SGD(0.0), batches)
    assert np.array_equal(table(model), table(new))


def test_a_linear_start_is_not_replaced():
    model = make(skip=True, noise="learned")
    linear = factor_analysis(X, MASK, 2)
    model.start_linear(linear)
    fit(model, keras.optimizers.SGD(0.0))
    np.testing.assert_allclose(model.posterior.mean, linear["z"], atol=1e-6)


def test_a_copy_from_the_config_is_untrained():
    model = fit(make())
    copy = VariationalAutoDecoder.from_config(json.loads(json.dumps(model.get_config())))
    assert float(copy.started) == 0
