"""Values are centered in float64 before they become float32: CompressionVAE and its model."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.rows import standardize
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.compression.preprocessing import shift_and_scale

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
ROWS = np.arange(120.0)
NEAR = np.stack([np.sin(ROWS), ROWS - 60.0], axis=1)
INPUTS = {
    "seconds since 1970": NEAR + [0, 1.7e9],
    "mean 1e10": np.round(NEAR, 3) + 1e10,
    "mean -1e13, steps of 1": np.round(NEAR * 100) - 1e13,
    "spread 1e-6 at 1": NEAR * 1e-9 + 1.0,
    "one column far, one not": NEAR * [1e-3, 1.0] + [1e6, 0.0],
    "mean 1e10 in float32's grid": NEAR + 2.0**33,
}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", INPUTS)
def test_distinct_values_stay_distinct_and_are_decoded(name):
    X = INPUTS[name]
    shift, scale = shift_and_scale(X)
    h = standardize(X, shift, scale)
    exact = (X - X.mean(axis=0)) / X.std(axis=0)
    spacing = np.spacing(np.abs(X).max(axis=0)) / X.std(axis=0)  # of X itself
    assert (np.abs(h - exact) <= 2e-6 + 4 * spacing).all()
    for j in range(2):
        assert len(np.unique(h[:, j])) >= len(np.unique(X[:, j])) - 2
    model = CompressionModel(2, widths=[8])
    model.standardize_with(shift, scale)
    found = model.shift_and_scale()
    assert np.array_equal(found[0], shift)
    np.testing.assert_allclose(found[1], scale, rtol=1e-7)
    z = np.random.default_rng(0).normal(size=(500, 2)).astype("float32")
    x_hat = model.decode(z)
    model.standardize_with(np.zeros(2), np.ones(2))
    wanted = model.decode(z).astype("float64")  # centered and scaled
    assert x_hat.dtype == np.float64 and wanted.std() > 0
    error = np.abs((x_hat - shift) / scale - wanted)
    assert (error <= 1e-6 + 4 * spacing).all()


def test_ordinary_data_are_decoded_as_float32():
    model = CompressionModel(2, widths=[8])
    assert model.decode(np.zeros((3, 2), "float32")).dtype == np.float32
    model.standardize_with(*shift_and_scale(NEAR))
    assert model.decode(np.zeros((3, 2), "float32")).dtype == np.float32


def test_embedding_does_not_depend_on_the_zero_of_a_column():
    X = np.random.default_rng(0).normal(size=(120, 2)) @ [[30.0, 0.0], [9.0, 5.0]]
    X = np.round(X * 2**10) / 2**10  # so that adding the zero rounds nothing
    z = CompressionVAE(**TINY).fit_transform(X)
    for far in (1.7e9, -1e6, 1e10):
        embedder = CompressionVAE(**TINY).fit(X + far)
        np.testing.assert_allclose(embedder.transform(X + far), z, atol=2e-3)
        x_hat = embedder.inverse_transform(z)
        assert x_hat.dtype == np.float64 and np.abs(x_hat - far).max() < 1000
        assert len(np.unique(x_hat[:, 1])) > 100


def test_arrays_frames_memmaps_and_folders_agree(tmp_path):
    X = INPUTS["seconds since 1970"]
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "tree").mkdir()
    for number, row in enumerate(X):
        np.save(tmp_path / "tree" / f"{number:03d}.npy", row)
    assert NpyFolder(tmp_path / "tree").dtype == np.float64
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    z, scores = {}, set()
    sources = {"array": X, "frame": pd.DataFrame(X), "memmap": mapped, "folder": "tree"}
    sources["integers and floats"] = pd.DataFrame({"0": X[:, 0], "1": X[:, 1].astype("int64")})
    for name, source in sources.items():
        embedder = CompressionVAE(**TINY).fit(source)
        z[name] = embedder.transform(source)
        scores.add(round(embedder.score(source), 6))
        assert len(np.unique(z[name][:, 0])) > 110, name
        assert np.array_equal(z[name], z["array"]), name
    assert len(scores) == 1


def test_validation_data_neighbors_and_restored_models(tmp_path):
    X = INPUTS["seconds since 1970"]
    near = CompressionVAE(**TINY, X_valid=X[:30] - [0, 1.7e9]).fit(X - [0, 1.7e9])
    far = CompressionVAE(**TINY, X_valid=X[:30], logdir="kept").fit(X)
    for a, b in zip(near.history_, far.history_, strict=True):
        assert a["val_loss"] == pytest.approx(b["val_loss"], rel=1e-3)
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)
    again = CompressionVAE(logdir="kept", **TINY)
    z = far.embed(X)
    assert np.array_equal(again.embed(X), z)
    assert np.array_equal(again.decode(z), far.decode(z)) and far.decode(z).dtype == np.float64
    other = CompressionModel.from_config(far.model_.get_config())
    other.set_weights(far.model_.get_weights())
    assert np.array_equal(other.encode(X), z)
    far.model_.save_weights(tmp_path / "w.weights.h5")
    other = CompressionModel.from_config(far.model_.get_config())
    other.load_weights(tmp_path / "w.weights.h5")
    assert np.array_equal(other.decode(z), far.decode(z))


def test_files_without_the_precise_weights_load_as_before(tmp_path):
    class Earlier(CompressionModel):
        """Writes what earlier versions wrote."""

        def save_own_variables(self, store):
            kept = {}
            super().save_own_variables(kept)
            variables = [*self._trainable_variables, *self._non_trainable_variables]
            left = [f"{i}" for i, each in enumerate(variables) if each is not self.fine]
            for number, name in enumerate(left):
                store[f"{number}"] = kept[name]
            store["seed_state"] = kept["seed_state"]

    for gamma in (0.0, 1.0):
        model = Earlier(2, widths=[8], gamma=gamma)
        model.standardize_with([3.0, 1.0], [2.0, 0.5])
        model.save_weights(tmp_path / "old.weights.h5")
        again = CompressionModel(2, widths=[8], gamma=gamma, seed=5)
        again.standardize_with([1e10, 1.0], [1.0, 1.0])
        again.load_weights(tmp_path / "old.weights.h5")
        assert np.array_equal(again.encode(NEAR), model.encode(NEAR))
        z = np.ones((3, 2), "float32")
        assert np.array_equal(again.decode(z), model.decode(z))
        assert again.decode(z).dtype == np.float32
        assert float(again.log_reach) == -2.0


MERGING = {
    "not normalized": (NEAR + [0, 1.7e9], {"feature_normalization": False}),
    "beside an outlier": (np.concatenate([NEAR, [[1e12, 0.0]]]), {}),
    "over many decades": (np.stack([np.exp(-ROWS), ROWS], axis=1), {}),
    "as float32 beside an outlier": (
        np.concatenate([NEAR, [[0.0, 1e12]]]).astype("float32"),
        {},
    ),
    "not normalized, 1e6": (NEAR + 1e6, {"feature_normalization": False}),
}


@pytest.mark.parametrize("name", MERGING)
def test_values_that_merge_are_warned_of(name):
    X, options = MERGING[name]
    with pytest.warns(UserWarning, match="become equal in float32"):
        CompressionVAE(**TINY, **options, train_valid_split=1.0).fit(X)


@pytest.mark.parametrize(
    "X", [NEAR, NEAR * 1e-7, NEAR + 1e6, np.floor(NEAR), (NEAR * 0.1 + 0.3) / 0.7 * 0.7]
)
def test_ordinary_data_are_not_warned_of(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        CompressionVAE(**TINY).fit(X)


def test_integers_that_float64_merges_are_refused():
    X = np.stack([np.arange(100), 2**60 + np.arange(100)], axis=1)
    with pytest.raises(ValueError, match="whole numbers beyond 2\\^53 in column 1"):
        CompressionVAE(**TINY).fit(X)
    seconds = np.stack([np.arange(100), (1_700_000_000 + np.arange(100)) * 10**9], axis=1)
    z = CompressionVAE(**TINY).fit_transform(seconds)  # nanoseconds, one a second
    assert len(np.unique(z[:, 0])) > 90


def test_bad_shift_and_scale_are_refused():
    model = CompressionModel(2, widths=[8])
    for shift, scale in [(0, 0), (0, -1), (np.nan, 1), (0, np.inf), (1e200, 1)]:
        with pytest.raises(ValueError, match="shift and scale must be finite"):
            model.standardize_with([0, shift], [1, scale])
    with pytest.raises(ValueError, match="have shapes"):
        model.standardize_with(np.zeros(3), np.ones(3))
    assert keras.ops.convert_to_numpy(model.scale).tolist() == [1, 1]
