"""Large and small numbers are scaled right or refused; no output is ever non-finite."""

import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.systems.compression.model import CompressionModel

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
X = np.random.default_rng(0).normal(size=(60, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.2], [0, 0, 1]])


@pytest.fixture(scope="module")
def embedder():
    return CompressionVAE(**TINY).fit(X)


@pytest.mark.parametrize(
    "far",
    [
        (X / np.abs(X).max() * 5e37).astype("float32"),
        (X / np.abs(X).max() * 3.4e38).astype("float32"),
        X * 1e200,
        X / np.abs(X).max() * 1e307,
        X / np.abs(X).max() * 1.7e308,
        X * [1e-200, 1.0, 1e200],
        (X * 1e-30).astype("float32"),
    ],
)
def test_large_and_small_numbers_are_scaled(far, embedder):
    found = CompressionVAE(**TINY).fit(far)
    z = found.transform(far)
    np.testing.assert_allclose(z, embedder.transform(X), atol=2e-3)
    x_hat = found.inverse_transform(z)
    unit = np.abs(far).max(axis=0).astype("float64") / np.abs(X).max(axis=0)
    np.testing.assert_allclose(x_hat / unit, embedder.inverse_transform(z), atol=2e-3)
    assert np.isfinite(found.score(far)) and np.isfinite(found.sample(5)).all()
    for row in found.history_:
        assert np.isfinite(list(row.values())).all()


@pytest.mark.parametrize("size", [5e37, 1e200, 1e307, 1e20])
def test_without_normalization_they_are_refused(size):
    with pytest.raises(ValueError, match="after centering and scaling|diverged"):
        CompressionVAE(**TINY, feature_normalization=False).fit(X * size)


@pytest.mark.parametrize("size", [1e17, 5e37, 1e200, 1e307, -1e300])
def test_new_rows_that_are_too_far_are_refused(size, embedder):
    new = X.copy()
    new[3, 1] = size
    for method in (embedder.transform, embedder.embed, embedder.score, embedder.model_.encode):
        with pytest.raises(ValueError, match="after centering and scaling|too far"):
            method(new)
    with pytest.raises(ValueError, match="after centering and scaling"):
        CompressionVAE(**TINY, X_valid=new).fit(X)


@pytest.mark.parametrize("size", [1e3, 1e6, 1e10, 1e14])
def test_other_outliers_have_finite_embeddings(size, embedder):
    new = X.copy()
    new[3, 1] = size
    assert np.isfinite(embedder.transform(new)).all() and np.isfinite(embedder.score(new))


def test_decoding_far_points_is_finite_or_refused(embedder):
    for size in (1e3, 1e10, 1e20, 1e37, 3e38):
        try:
            assert np.isfinite(embedder.decode(np.full((2, 2), size))).all()
        except ValueError as error:
            assert "too far" in str(error)
    model = CompressionModel(3, widths=[8])
    model.standardize_with(np.zeros(3), np.full(3, 1.7e308))
    assert np.isfinite(model.decode(np.full((2, 2), 5.0, "float32"))).all()


def test_a_training_that_diverges_keeps_the_earlier_model(tmp_path):
    kept = CompressionVAE(X, **TINY, logdir=str(tmp_path / "kept"))
    kept.train()
    z, rows = kept.embed(X), len(kept.history_)
    with pytest.raises(ValueError, match="diverged"):
        kept.train(learning_rate=1e30, num_steps=30, checkpoint_every=1, lr_scheduling=False)
    assert np.array_equal(kept.embed(X), z) and len(kept.history_) == rows
    again = CompressionVAE(logdir=str(tmp_path / "kept"), **TINY)
    assert np.isfinite(again.embed(X)).all()
    kept.train()
    assert np.isfinite(kept.embed(X)).all()
    fresh = CompressionVAE(X, **TINY, logdir=str(tmp_path / "fresh"))
    with pytest.raises(ValueError, match="diverged"):
        fresh.train(learning_rate=1e30, num_steps=30, checkpoint_every=1, lr_scheduling=False)
    with pytest.raises(ValueError, match="not fitted"):
        fresh.embed(X)
