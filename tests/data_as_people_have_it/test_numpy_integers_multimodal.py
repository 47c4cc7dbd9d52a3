"""NumPy's integers and floats, and seeds of every kind, in a multimodal model."""

import json

import numpy as np
import pytest

from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.systems.multimodal import FusedDecoder, FusedEncoder, MultimodalCVAE
from cvae_keras.systems.saved import load_model

C = np.zeros((3, 4))
PLAIN = {"latent_dim": 2, "hidden": (16,), "beta": 0.5, "drop_rate": 0.25, "seed": 3}
NUMPY = {
    "latent_dim": np.int64(2),
    "hidden": np.array([16]),
    "beta": np.float32(0.5),
    "drop_rate": np.float32(0.25),
    "seed": np.int64(3),
}


def make(dims=None, **options):
    return MultimodalCVAE("x", ["c"], dims or {"x": 3, "c": 4}, **options)


@pytest.mark.parametrize("name", NUMPY)
def test_each_argument_is_that_of_python(name, tmp_path):
    model = make(**{**PLAIN, name: NUMPY[name]}, name="same")
    assert model.get_config() == make(**PLAIN, name="same").get_config()
    assert json.loads(json.dumps(model.get_config())) == model.get_config()


def test_all_together_are_saved(tmp_path):
    dims = {"x": np.int64(3), "c": (np.int32(4),)}
    model = make(dims, **NUMPY, decoder_dist_params={"scale": np.float32(0.5)})
    json.dumps(model.get_config())
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.sample(C, np.int64(2), seed=np.int64(1)).shape == (2, 3, 3)


@pytest.mark.parametrize("shape", [np.array([2, 3]), (np.int64(2), np.int8(3)), [2, np.uint8(3)]])
def test_shapes(shape):
    model = make({"x": shape, "c": np.int64(4)}, hidden=np.array([8, 8]))
    assert model.sample(C, seed=0).shape == (1, 3, 2, 3)
    json.dumps(model.get_config())


@pytest.mark.parametrize(
    "seed", [None, np.int64(3), np.random.RandomState(0), np.random.default_rng(0), np.uint8(3)]
)
def test_seeds(seed):
    model = make(hidden=(8,), seed=seed)
    assert type(model.seed) is int
    json.dumps(model.get_config())
    again = MultimodalCVAE.from_config(model.get_config())
    assert again.seed == model.seed
    arrays = {"x": np.zeros((3, 3)), "c": C}
    assert model.sample(C, seed=seed).shape == (1, 3, 3)
    assert model.log_prob(arrays, K=np.int64(2), seed=seed).shape == (3,)
    assert importance_weighted_bound(model, arrays, np.int64(2), seed)[0].shape == (3,)
    found = model.predict_main(arrays, N=np.int64(2), seed=seed)
    assert found.reconstruction.shape == (2, 3, 3)


def test_the_default_networks():
    for network in (FusedEncoder(np.int64(2), np.array([4])), FusedDecoder(np.array([2, 3]), [4])):
        json.dumps(network.get_config())
        again = type(network).from_config(network.get_config())
        assert again.get_config() == network.get_config()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"latent_dim": np.float64(2)}, "latent_dim must be a positive integer"),
        ({"latent_dim": np.True_}, "latent_dim must be a positive integer"),
        ({"hidden": np.array([1.5])}, "hidden must be a positive integer"),
        ({"hidden": np.int64(3)}, "hidden must be a list of units"),
        ({"seed": np.float32(1)}, "seed must be an integer"),
        ({"seed": np.int64(-1)}, r"seed must lie in \[0, 2\^31\)"),
    ],
)
def test_what_is_no_count_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(**options)


def test_counts_of_calls_are_checked():
    model = make(hidden=(8,))
    for bad in (0, np.float64(1), True):
        with pytest.raises(ValueError, match="batch_size must be a positive integer"):
            model.sample(C, batch_size=bad)
    assert model.sample(C, batch_size=np.int64(2)).shape == (1, 3, 3)
