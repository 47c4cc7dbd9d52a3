"""Compiling and loading change nothing: the units and the learned noise of a multimodal model."""

import keras
import numpy as np
import pytest

from cvae_keras.systems.multimodal import MultimodalCVAE
from cvae_keras.systems.saved import load_model
from cvae_keras.training import FusedAdam

RNG = np.random.default_rng(0)
C = 50 + 3 * RNG.normal(size=(128, 2))
ARRAYS = {"x": 1e3 * C + RNG.normal(size=(128, 2)), "c": C}
OTHER = {name: 7 * array - 1e3 for name, array in ARRAYS.items()}


def make():
    model = MultimodalCVAE("x", ["c"], {"x": 2, "c": 2}, latent_dim=1, hidden=(8,))
    model.compile(FusedAdam(1e-2))
    model.run_eagerly = True
    return model


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = make()
    model.fit(ARRAYS, epochs=3, verbose=0)
    return model


def compiled(model, folder):
    model.compile(keras.optimizers.SGD(0.0))
    return model


def weights_loaded(model, folder):
    model.save_weights(folder / "model.weights.h5")
    new = make()
    if model.optimizer.built:
        new.optimizer.build(new.trainable_variables)
    new.load_weights(folder / "model.weights.h5")
    return new


def saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return load_model(folder / "model.keras")


def weights_set(model, folder):
    new = make()
    new.set_weights(model.get_weights())
    return new


def restored(model, folder):
    path = folder / "best.weights.h5"
    model.save_weights(path)
    model.load_weights(path)
    return model


@pytest.mark.parametrize(
    "changed", [compiled, weights_loaded, saved_and_loaded, weights_set, restored]
)
def test_a_trained_model_stays_as_it_is(model, changed, tmp_path):
    units, noise = model.units, float(model.likelihood.log_scale)
    values = model.log_prob(ARRAYS, K=5)
    again = changed(model, tmp_path)
    assert again.adapted
    again.compile(keras.optimizers.SGD(0.0))
    again.run_eagerly = True
    again.fit(OTHER, verbose=0)
    assert float(again.likelihood.log_scale) == noise
    for name, pair in again.units.items():
        assert np.array_equal(pair, units[name])
    assert np.array_equal(again.log_prob(ARRAYS, K=5), values)


def test_a_loaded_untrained_model_measures_its_units(tmp_path):
    model = weights_loaded(make(), tmp_path)
    assert not model.adapted
    model.compile("sgd")
    model.run_eagerly = True
    model.fit(OTHER, verbose=0)
    np.testing.assert_allclose(model.units["c"][0], OTHER["c"].mean(axis=0), rtol=1e-12)
