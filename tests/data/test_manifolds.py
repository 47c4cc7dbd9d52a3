"""Manifolds: their moments, and that parts side by side are independent."""

import numpy as np
import pytest

from cvae_keras.data.manifolds import Manifold, SideBySide


def test_manifolds():
    data = SideBySide([Manifold(name) for name in ("circles", "moons", "blobs", "s_curve")])
    x = data.sample(20_000, seed=1)
    assert x.shape == (20_000, 9) and data.dim == 9 and x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=0.03)
    assert abs(np.corrcoef(x.T)[:2, 2:4]).max() < 0.03  # the parts are independent
    assert np.array_equal(x, data.sample(20_000, seed=1))
    for call, sentence in [
        (lambda: Manifold("other"), "unknown"),
        (lambda: Manifold("moons", noise=-1), "noise must be"),
        (lambda: SideBySide([]), "parts is empty"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            call()
