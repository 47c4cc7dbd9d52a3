"""A constant is an entry whose values are all equal, whatever their size or unit."""

import keras
import numpy as np
import pytest

from cvae_keras.systems.multimodal import MultimodalCVAE
from cvae_keras.systems.multimodal.units import measure
from cvae_keras.training import FusedAdam


@pytest.mark.parametrize(
    "c",
    [
        1e10 + np.arange(10.0),
        1e-200 * np.arange(10.0),
        1.0 + 2.0**-52 * np.arange(10.0),
        1e15 + np.arange(10.0),
        5e-324 * np.arange(10.0),
        1e250 * np.arange(10.0),
    ],
)
def test_a_varying_condition_is_standardized(c):
    model = MultimodalCVAE("x", ["c"], {"x": 1, "c": 2}, hidden=(8,))
    arrays = {"x": np.arange(10.0), "c": np.stack([c, np.full(10, c[-1])], axis=1)}
    model.adapt(arrays)
    found = model.check_inputs(arrays)["c:standardized"]
    np.testing.assert_allclose(found[:, 0].std(), 1.0, rtol=0.05 if c[-1] < 1e-300 else 1e-6)
    assert len(np.unique(found[:, 0])) == 10
    np.testing.assert_allclose(found[:, 1], 0.0, atol=1e-4)


def test_a_condition_of_1e10_predicts():
    rng = np.random.default_rng(0)
    c = 1e10 + rng.integers(10, size=(500, 1))
    x = c - 1e10 + 0.1 * rng.normal(size=(500, 1))
    keras.utils.set_random_seed(0)
    model = MultimodalCVAE("x", ["c"], {"x": 1, "c": 1}, latent_dim=1, hidden=(16,))
    model.compile(FusedAdam(1e-2))
    model.fit({"x": x, "c": c}, epochs=30, verbose=0)
    assert np.std(model.sample(c, seed=0)[0] - x) < 0.3


@pytest.mark.parametrize("constant", [0.0, 5e-5, 0.1, 1e9, 1e200, -3.0])
def test_a_constant_entry_of_the_main_modality_is_generated(constant):
    rng = np.random.default_rng(0)
    c = rng.normal(size=(200, 1))
    x = np.concatenate([c, np.full((200, 1), constant)], axis=1)
    keras.utils.set_random_seed(0)
    model = MultimodalCVAE("x", ["c"], {"x": 2, "c": 1}, latent_dim=1, hidden=(16,))
    model.compile(FusedAdam(1e-2))
    model.fit({"x": x, "c": c}, epochs=20, verbose=0)
    found = model.sample(c, seed=0)[0]
    assert np.std(found[:, 0] - c[:, 0]) < 0.3
    assert np.abs(found[:, 1] - constant).max() <= 0.3 * (abs(constant) or 1.0)


def test_the_deviation_is_zero_only_for_equal_values():
    values = np.array([[0.1, 0.1, 1e300, 0.0], [0.1, 0.1 + 2e-17, -1e300, 5e-324]])
    mean, deviation = measure(values)
    assert np.array_equal(deviation > 0, values[0] != values[1])
    assert np.isfinite(deviation).all() and mean[0] == 0.1
