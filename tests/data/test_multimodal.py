"""Data of several modalities: jointly Gaussian ones, and images with their halves and labels."""

import numpy as np
import pytest

from cvae_keras.data.multimodal import GaussianModalities, image_modalities


def test_gaussian_modalities_have_their_covariance_and_density():
    data = GaussianModalities({"x": 2, "a": 3}, seed=0)
    arrays = data.examples(50_000, seed=1)
    x = np.concatenate([arrays["x"], arrays["a"]], axis=1)
    np.testing.assert_allclose(np.cov(x.T), data.covariance, atol=0.03)
    total = data.log_prob(arrays, "x") + data.log_prob(arrays, "a", ["x"])
    other = data.log_prob(arrays, "a") + data.log_prob(arrays, "x", ["a"])
    np.testing.assert_allclose(total, other, rtol=1e-6)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * data.covariance)[1]
    assert total.mean() == pytest.approx(-entropy, abs=0.03)
    assert data.log_prob(arrays, "x", ["a"]).mean() > data.log_prob(arrays, "x").mean() + 0.1
    with pytest.raises(ValueError, match="covariance must be 5 x 5"):
        GaussianModalities({"x": 2, "a": 3}, covariance=np.eye(4))


def test_images_are_black_and_white_and_their_halves_fit():
    train, test = image_modalities("digits")
    for part, count in ((train, 1500), (test, 297)):
        assert set(np.unique(part["image"])) == {0, 1} and part["image"].shape == (count, 8, 8)
        both = np.concatenate([part["upper"], part["lower"]], axis=1)
        assert np.array_equal(both, part["image"]) and part["label"].shape == (count,)
