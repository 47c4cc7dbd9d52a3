"""Shift and scale of rows."""

import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.data.rows import Subset
from cvae_keras.systems.compression.model import (
    CompressionModel,
)
from cvae_keras.systems.compression.preprocessing import (
    shift_and_scale,
)


@pytest.mark.parametrize("share", [0.2, 3.0])
def test_scale_of_pixels_is_one_number_and_of_other_units_many(share):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(500, 5))
    pixels[:, 0] = 7
    shift, scale = shift_and_scale(pixels, "images")
    np.testing.assert_allclose(shift, pixels.mean(axis=0), rtol=1e-6)
    assert np.allclose(scale, np.sqrt(pixels[:, 1:].var(axis=0).mean()))
    _, scale = shift_and_scale(pixels)  # a table that is not declared as images
    np.testing.assert_allclose(scale[1:], pixels[:, 1:].std(axis=0), rtol=1e-6)
    assert scale[0] == 1
    units = rng.normal(size=(500, 3)) * [1.0, 1000.0, 1e-3] + [5.0, 0.0, 2.0]
    _, scale = shift_and_scale(units)
    np.testing.assert_allclose(scale, units.std(axis=0), rtol=1e-4)
    _, scale = shift_and_scale(np.full((4, 2), 3.0))
    assert np.all(scale == 1)  # without variance


def test_rows_with_large_means_lose_no_digits():
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 5.0, 0.5]
    far = X + 1e6  # float32 there has steps of 0.06
    shift, scale = shift_and_scale(far)
    np.testing.assert_allclose(scale, shift_and_scale(X)[1], rtol=1e-5)
    np.testing.assert_allclose(
        Subset(far, np.arange(200), shift, scale)[:], (far - shift) / scale, rtol=1e-5
    )
    model = CompressionModel(3, widths=[8])
    wanted = model.encode((far - shift) / scale)
    model.standardize_with(shift, scale)
    np.testing.assert_allclose(model.encode(far), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "width, dtype, images", [(64, "uint8", True), (63, "uint8", False), (64, "int64", False)]
)
def test_bytes_are_read_as_images(width, dtype, images):
    X = np.random.default_rng(0).integers(0, 256, size=(40, width)).astype(dtype)
    X[:, 0] //= 50  # a feature of smaller spread
    options = {"cells_encoder": [8], "iaf_flow_length": 0, "num_steps": 1, "verbose": False}
    _, scale = CompressionVAE(**options).fit(X).model_.shift_and_scale()
    assert (len(np.unique(scale)) == 1) == images
