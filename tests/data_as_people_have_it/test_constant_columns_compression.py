"""A column is constant if its values are all equal, and only then."""

import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.systems.compression.preprocessing import shift_and_scale

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
STEPS = np.arange(100.0) % 10


@pytest.mark.parametrize(
    "column",
    [
        1e10 + STEPS,
        1e-200 * STEPS,
        1e-300 * (STEPS + 5),
        1e200 * STEPS,
        1.7e308 * (STEPS / 4.5 - 1),
        1e15 + STEPS,
        1.0 + 1e-12 * STEPS,
        (STEPS == 3) * 1e-20,
        np.append(STEPS[1:], 1e9),
    ],
)
def test_varying_columns_vary(column):
    X = np.stack([STEPS, column], axis=1)
    shift, scale = shift_and_scale(X)
    assert np.isfinite(shift).all() and np.isfinite(scale).all() and (scale > 0).all()
    embedder = CompressionVAE(**TINY, neighbors=0).fit(X)
    kept, spread = embedder.model_.shift_and_scale()
    centered = column / 4 / spread[1] - kept[1] / 4 / spread[1]
    assert 0.1 < 4 * centered.std() < 3 and len(np.unique(centered)) == len(np.unique(column))
    z = embedder.transform(X)
    x_hat = embedder.inverse_transform(z)
    assert np.isfinite(z).all() and np.isfinite(x_hat).all()
    assert len(np.unique(x_hat[:, 1])) > 1


@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, 1e10, 1e-200, 1e200, -1.7e308, 1.7e9 + 0.5])
def test_constant_columns_are_constant(value):
    X = np.stack([STEPS, np.full(100, value)], axis=1)
    shift, scale = shift_and_scale(X)
    assert scale[1] == max(1.0, abs(value) if abs(value) > 1e30 else 1.0)
    assert shift[1] == pytest.approx(value, abs=1e-6)
    embedder = CompressionVAE(**TINY).fit(X)
    assert np.isfinite(embedder.transform(X)).all()
    assert np.isfinite(embedder.inverse_transform(embedder.transform(X))).all()


@pytest.mark.parametrize("unit", [5e-324, 1e-310])
def test_numbers_that_processors_round_to_0_are_refused(unit):
    with pytest.raises(ValueError, match="varies by less than 1e-300"):
        CompressionVAE(**TINY).fit(np.stack([STEPS, unit * STEPS], axis=1))


def test_all_columns_constant():
    X = np.full((30, 3), 5.0)
    embedder = CompressionVAE(**TINY).fit(X)
    assert np.isfinite(embedder.transform(X)).all()
    assert all(np.isfinite(list(row.values())).all() for row in embedder.history_)
