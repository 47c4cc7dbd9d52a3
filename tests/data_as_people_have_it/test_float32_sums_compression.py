"""Sums down an axis are taken in float64: scales and principal components."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from cvae_keras import CompressionVAE
from cvae_keras.systems.compression.preprocessing import first_axes, fit_pca, shift_and_scale

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}


def far(mean, n=200_000):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, 2)) @ [[1.0, 0.6, 0.0], [0.0, 0.8, 0.5]] + mean).astype("float32")


@pytest.mark.parametrize("mean", [1e4, -1e4, 1e5, 300.0, 0.0])
def test_means_and_deviations(mean):
    x = far(mean)
    shift, scale = shift_and_scale(x)
    exact = x.astype("float64")
    np.testing.assert_allclose(shift, exact.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(scale, exact.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize("mean", [1e4, -1e4, 1e5, 300.0, 0.0])
def test_principal_components(mean):
    x = far(mean, 20_000)
    axes, deviations = first_axes(fit_pca(x), 2)
    exact = PCA(2).fit(x - x.mean(axis=0, dtype="float64"))
    np.testing.assert_allclose(deviations, np.sqrt(exact.explained_variance_), rtol=1e-5)
    np.testing.assert_allclose(abs(axes), abs(exact.components_.T), atol=1e-4)


@pytest.mark.parametrize("unit", [1e-25, 1e-10, 1e10])
def test_principal_components_in_any_unit(unit):
    x = far(0.0, 5000) * np.float32(unit)
    _, deviations = first_axes(fit_pca(x), 2)
    _, wanted = first_axes(fit_pca(x / np.float32(unit)), 2)
    np.testing.assert_allclose(deviations / unit, wanted, rtol=1e-4)


def test_the_start_is_whitened_also_without_normalization():
    x = far(1e4, 3000)
    embedder = CompressionVAE(**TINY, feature_normalization=False).fit(x)
    start = np.asarray(embedder.model_.start)
    _, deviations = first_axes(fit_pca(x[np.random.default_rng(0).permutation(3000)[:2700]]), 2)
    if embedder.model_.components is not None:
        np.testing.assert_allclose(start, 1 / deviations, rtol=1e-3)
    assert np.isfinite(embedder.transform(x)).all()
