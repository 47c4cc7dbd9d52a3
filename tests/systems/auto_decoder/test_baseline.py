"""MaskedVAE: what its encoder reads."""

import numpy as np

from cvae_keras.data.missing import draw_mask
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE


def test_vae_ignores_missing_entries_and_only_the_aware_one_reads_the_mask():
    rng = np.random.default_rng(0)
    x, mask = rng.random((4, 6), "float32"), draw_mask((4, 6), 0.5, 0)
    for aware in (False, True):
        model = MaskedVAE(6, latent_dim=2, hidden=(5,), sees_mask=aware)
        there = model.reconstruct(x, mask)
        assert np.array_equal(model.reconstruct(np.where(mask > 0, x, 9.0), mask), there)
        zeros = model.reconstruct(x * mask, np.ones_like(mask))
        assert np.array_equal(zeros, there) != aware
