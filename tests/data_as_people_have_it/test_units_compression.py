"""The embedding does not depend on the unit of a column; only images share one scale."""

import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.systems.compression.preprocessing import shift_and_scale

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
rng = np.random.default_rng(0)
TABLE = rng.uniform(0, 1, size=(150, 3)) @ rng.normal(size=(3, 5)) * [1, 2, 0.5, 1, 1.5]


@pytest.fixture(scope="module")
def embedded():
    return CompressionVAE(**TINY).fit_transform(TABLE)


@pytest.mark.parametrize(
    "factor",
    [
        1e-8,
        1e8,
        1e-3,
        255.0,
        -1e5,
        np.array([1e-8, 1e-4, 1.0, 1e4, 1e8]),
        np.array([1e-100, 1e-30, 1.0, 1e30, 1e100]),
        np.array([1.0, 1000.0, 60.0, 0.01, 12.0]),
    ],
)
def test_factors_change_nothing(factor, embedded):
    X = TABLE * factor
    embedder = CompressionVAE(**TINY).fit(X)
    z = embedder.transform(X)
    sign = np.sign(factor)
    wanted = embedded if np.all(sign > 0) else CompressionVAE(**TINY).fit_transform(TABLE * sign)
    np.testing.assert_allclose(z, wanted, atol=2e-3)
    x_hat = embedder.inverse_transform(z) / factor
    reference = CompressionVAE(**TINY).fit(TABLE * sign)
    np.testing.assert_allclose(x_hat, reference.inverse_transform(z) * sign, atol=1e-3)
    units = 5 * np.log(abs(factor)) if np.ndim(factor) == 0 else np.log(factor).sum()
    difference = reference.score(TABLE * sign) - embedder.score(X)
    assert difference == pytest.approx(units, abs=0.05)


@pytest.mark.parametrize("low", [0.0, 0.2])
def test_columns_in_0_to_1_or_0_to_255_are_no_images(low):
    X = np.random.default_rng(1).uniform(low, 1, size=(100, 4)) ** [1, 2, 3, 4]
    for each in (X, 255 * X, np.round(255 * X).astype("uint8")):
        np.testing.assert_allclose(shift_and_scale(each)[1], each.std(axis=0), rtol=1e-5)


def test_images_declared_as_such_share_a_scale():
    X = np.random.default_rng(1).uniform(size=(100, 4)) * [1, 1, 0.1, 0]
    _, scale = shift_and_scale(X, "images")
    np.testing.assert_allclose(scale, np.sqrt(X[:, :3].var(axis=0).mean()), rtol=1e-6)
    np.testing.assert_allclose(shift_and_scale(255 * X, "images")[1], 255 * scale, rtol=1e-6)
    embedder = CompressionVAE(**TINY, feature_normalization="images").fit(X)
    assert len(set(embedder.model_.shift_and_scale()[1])) == 1
    for bad in ("pixels", None, 2, [True]):
        with pytest.raises(ValueError, match="feature_normalization must be True, False or"):
            CompressionVAE(**TINY, feature_normalization=bad).fit(X)
