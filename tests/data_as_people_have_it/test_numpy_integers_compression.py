"""NumPy's integers, arrays of them and every kind of seed, in CompressionVAE."""

import json

import keras
import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.systems.compression.model import CompressionModel

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 4, "verbose": False}
X = np.random.default_rng(0).normal(size=(60, 4))


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def wanted():
    return CompressionVAE(**TINY).fit_transform(X)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.int16])
def test_numbers_of_numpy_are_numbers(kind, wanted):
    options = {
        "dim_latent": kind(2),
        "iaf_flow_length": kind(1),
        "cells_encoder": np.array([16], kind),
        "neighbors": kind(7),
        "num_steps": kind(4),
        "random_state": kind(0),
        "batch_size": kind(120),
        "batch_size_test": kind(120),
        "beta": np.float32(1.0),
        "feature_normalization": np.bool_(True),
        "verbose": False,
        "logdir": "kept",
    }
    embedder = CompressionVAE(**options).fit(X)
    assert np.array_equal(embedder.transform(X), wanted)
    again = CompressionVAE(**options)  # warns of no difference
    assert np.array_equal(again.embed(X), wanted)
    about = json.loads(open("kept/compression.json").read())["parameters"]
    assert about["cells_encoder"] == [16] and about["dim_latent"] == 2
    assert embedder.sample(kind(3), seed=kind(1)).shape == (3, 4)
    embedder = CompressionVAE(X, **options)
    embedder.train(
        num_steps=kind(4), test_every=kind(2), lr_scheduling_steps=kind(2), checkpoint_every=kind(2)
    )
    again = CompressionModel.from_config(json.loads(json.dumps(embedder.model_.get_config())))
    assert again.get_config() == embedder.model_.get_config()


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.RandomState(3),
        lambda: np.random.default_rng(3),
        lambda: np.random.default_rng(3).integers(99),
        lambda: np.int64(3),
    ],
)
def test_seeds_of_every_kind(make):
    a, b = (CompressionVAE(**TINY, random_state=make()).fit(X) for _ in range(2))
    assert np.array_equal(a.transform(X), b.transform(X))
    assert np.array_equal(a.sample(3), a.sample(3))
    assert np.array_equal(a.sample(3, seed=make()), b.sample(3, seed=make()))


def test_no_seed_and_bad_seeds():
    a, b = (CompressionVAE(X, **TINY, random_state=None) for _ in range(2))
    a.train(), b.train()
    assert not np.array_equal(a.embed(X), b.embed(X))
    seed = a.model_.seed
    assert a.random_state is None and np.array_equal(a.sample(3), a.sample(3))
    a.train()  # continues with the same split
    assert a.model_.seed == seed and len(a.history_) == 8
    for bad in (-1, 1.5, "0", True, 2**40):
        with pytest.raises(ValueError, match="random_state must"):
            CompressionVAE(**TINY, random_state=bad).fit(X)


def test_the_model_takes_them_too():
    model = CompressionModel(
        np.int64(50), np.int64(40), np.int64(1), np.array([8]), components=np.int64(45),
        seed=np.int64(3),
    )  # fmt: skip
    config = json.loads(json.dumps(model.get_config()))
    assert CompressionModel.from_config(config).get_config() == config
    keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    for bad in ({"latent_dim": 0}, {"latent_dim": 2.0}, {"widths": [0]}, {"components": -1}):
        with pytest.raises(ValueError, match="must be a positive integer"):
            CompressionModel(4, **bad)
    with pytest.raises(ValueError, match="components must be at least latent_dim"):
        CompressionModel(4, latent_dim=4, components=3)
