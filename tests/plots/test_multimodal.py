"""Figures of several modalities."""

import numpy as np

from cvae_keras.plots.multimodal import tiled


def test_tiled_images_keep_their_place():
    shown = tiled(np.arange(6, dtype="float32").reshape(2, 3, 1, 1))
    assert shown.shape == (4, 6) and shown[::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]
