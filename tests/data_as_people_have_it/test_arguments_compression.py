"""Arguments are used or refused; a trained model is trained, whatever its optimizer counted."""

import keras
import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.training import FusedAdam

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
X = np.random.default_rng(0).normal(size=(60, 4)) + 5
INPUTS = {"x": (X - 5).astype("float32")}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def compiled(gamma=0.0):
    model = CompressionModel(4, widths=[8], gamma=gamma)
    model.compile(FusedAdam(1e-2), run_eagerly=True)
    return model


def test_labels_are_ignored_and_weights_are_refused():
    y = np.arange(60)
    z = CompressionVAE(**TINY).fit(X, y).transform(X)
    assert np.array_equal(z, CompressionVAE(**TINY).fit(X).transform(X))
    assert np.array_equal(z, CompressionVAE(**TINY).fit_transform(X, y))
    for name in ("sample_weight", "class_weight"):
        with pytest.raises(TypeError, match=name):
            CompressionVAE(**TINY).fit(X, **{name: np.zeros(60)})


@pytest.mark.parametrize("neighbor", [False, True])
def test_weights_of_zero_change_nothing_in_the_model(neighbor):
    inputs = INPUTS | ({"neighbor": INPUTS["x"][::-1]} if neighbor else {})
    model = compiled(gamma=float(neighbor))
    before = [weight.numpy() for weight in model.trainable_variables]
    with pytest.raises(ValueError, match="sample_weight is 0 for all rows"):
        model.fit(inputs, sample_weight=np.zeros(60), verbose=0, batch_size=20)
    assert same(before, [weight.numpy() for weight in model.trainable_variables])
    whole = model.evaluate(inputs, verbose=0, return_dict=True, batch_size=60)
    none = model.evaluate(inputs, sample_weight=np.zeros(60), verbose=0, return_dict=True)
    assert none["loss"] == 0 and whole["loss"] != 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"y": np.zeros(60)}, "targets y are not used"),
        ({"class_weight": {0: 1.0}}, "class_weight needs targets"),
        ({"sample_weight": np.zeros(5)}, "sample_weight has shape"),
        ({"sample_weight": np.full(60, -1.0)}, "sample_weight holds"),
        ({"x": [X]}, "x must be a dictionary"),
        ({"x": X}, "x must be a dictionary"),
    ],
)
def test_what_the_model_cannot_use_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        compiled().fit(**({"x": INPUTS, "verbose": 0} | options))


def units(embedder):
    model = embedder.model_
    kept = [model.shift, model.scale, model.fine, model.start]
    kept += [] if model.components is None else [model.components.axes]
    return [keras.ops.convert_to_numpy(each) for each in kept]


def same(a, b):
    return all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


def test_units_and_start_are_set_once():
    first = CompressionVAE(X, logdir="kept", **TINY)
    first.train()
    before = units(first)
    first.model_.compile(keras.optimizers.SGD(0.0))
    first.train()
    assert same(units(first), before)
    loaded = CompressionVAE(logdir="kept", **TINY)
    loaded.fit(3 * X + 100)
    assert same(units(loaded), before) and len(loaded.history_) > len(first.history_)
    loaded.model_.compile(keras.optimizers.SGD(0.0))
    z = loaded.embed(X)
    loaded.X = X
    loaded.train()
    assert same(units(loaded), before) and loaded.embed(X).shape == z.shape


def test_weights_loaded_into_a_new_model_stay():
    embedder = CompressionVAE(**TINY).fit(X)
    embedder.model_.save_weights("w.weights.h5")
    fresh = CompressionVAE(**TINY).fit(X * 7 - 300)
    fresh.model_.load_weights("w.weights.h5")
    assert same(units(fresh), units(embedder))
    assert np.array_equal(fresh.transform(X), embedder.transform(X))
    fresh.X, rows = X, fresh._open(X)
    fresh._fit(rows, write=False)
    assert same(units(fresh), units(embedder))
