"""NumPy's integers and every kind of seed, in DenseCVAE, its configuration and its data sets."""

import json

import keras
import numpy as np
import pytest

from cvae_keras.data import (
    Conditioned,
    CorrelatedGaussian,
    IndependentGaussian,
    Manifold,
    ProjectedGaussian,
    SideBySide,
)
from cvae_keras.systems.dense.config import check_config, read_config
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.training.batches import FreshBatches, ShuffledBatches

SEEDS = [
    lambda: np.int64(3),
    lambda: np.random.default_rng(0).integers(99),
    lambda: np.random.RandomState(3),
    lambda: np.random.default_rng(3),
    lambda: np.uint8(3),
]


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.int16, np.uint64])
def test_sizes(kind):
    model = DenseCVAE(
        x_dim=kind(2), latent_dim=kind(3), enc_layers=np.array([8], kind), dec_layers=[kind(8)],
        batch_norm=np.bool_(True), gated=np.bool_(False), beta=np.float32(0.5), seed=kind(1),
        masked=np.bool_(True),
    )  # fmt: skip
    config = json.loads(json.dumps(model.get_config()))
    assert DenseCVAE.from_config(config).get_config() == config
    json.dumps(keras.saving.serialize_keras_object(model))
    c = Conditioned(IndependentGaussian(kind(2))).examples(kind(5), kind(1))["c"]
    assert model.sample(c, n_samples=kind(4), seed=kind(2)).shape == (4, 5, 2)


@pytest.mark.parametrize("make", SEEDS)
def test_seeds(make):
    sources = [
        Conditioned(CorrelatedGaussian(3, seed=make()), 20),
        Conditioned(ProjectedGaussian(np.int64(2), np.int64(4), seed=make())),
        Conditioned(SideBySide([Manifold("circles"), IndependentGaussian(2)])),
    ]
    for source in sources:
        a, b = (source.examples(np.int64(6), make()) for _ in range(2))
        assert all(np.array_equal(a[name], b[name]) for name in a)
        assert source.examples(6, None)["x"].shape == a["x"].shape
        batches = FreshBatches(source, np.int64(4), np.int64(2), make())
        assert isinstance(batches.seed, int) and batches[0][0]["x"].shape[0] == 4
    assert isinstance(ShuffledBatches(a, np.int64(2), make()).seed, int)
    model = DenseCVAE(3, 2, [4], [4], seed=make())
    assert json.loads(json.dumps(model.get_config()))["seed"] == model.seed


def test_plain_seeds_give_what_they_gave():
    a = Conditioned(IndependentGaussian(2)).examples(4, 5)["x"]
    wanted = np.random.default_rng(5).standard_normal((4, 2)).astype("float32")
    assert np.array_equal(abs(a), abs(wanted))


def test_configurations():
    config = read_config("baseline")
    numbers = {
        "seed": np.int64(3), "epochs": np.int64(2), "steps": np.int32(2), "batch_size": np.int64(9),
        "learning_rate": np.float32(0.5), "betas": np.array([0.5, 1.0]), "warm_up": np.float64(0.0),
        "enc_layers": np.array([8]),
    }  # fmt: skip
    checked = check_config({**config, **numbers})
    assert checked["betas"] == [0.5, 1.0] and type(checked["seed"]) is int
    assert json.loads(json.dumps(checked)) == checked
    assert check_config(config) == config
