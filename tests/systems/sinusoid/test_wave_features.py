"""Phases and frequencies of curves that are known."""

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.systems.sinusoid.wave_features import WaveFeatures, fit_wave


@pytest.mark.parametrize("points", [20, 50])
def test_fit_wave_recovers_phase_and_frequency(points):
    rng = np.random.default_rng(0)
    phase, omega = rng.uniform(-np.pi, np.pi, 500), rng.uniform(0.15, 2.5, 500)
    tau = np.arange(points) - (points - 1) / 2
    curves = np.cos(phase[:, None] + omega[:, None] * tau).astype("float32")
    cos_phase, sin_phase, found = (np.array(each) for each in fit_wave(curves))
    np.testing.assert_allclose(found, omega, atol=2e-4)
    np.testing.assert_allclose(cos_phase, np.cos(phase), atol=1e-3)
    np.testing.assert_allclose(sin_phase, np.sin(phase), atol=1e-3)


def test_a_falling_phase_is_read_as_its_mirror_image():
    tau = np.arange(50) - 24.5
    curves = np.cos(0.7 - 0.2 * tau)[None].astype("float32")
    cos_phase, sin_phase, omega = (float(each[0]) for each in fit_wave(curves))
    assert (cos_phase, omega) == pytest.approx((np.cos(0.7), 0.2), abs=1e-4)
    assert sin_phase == pytest.approx(-np.sin(0.7), abs=1e-4)


@pytest.mark.parametrize("slope", [0.0, 1e-7, 1e-4, 1e-3])
@pytest.mark.parametrize("phase", [0.0, 1e-4, np.pi / 2, np.pi, -1.0])
def test_nearly_flat_curves_stay_finite_and_in_range(phase, slope):
    curves = np.cos(phase + slope * (np.arange(50) - 24.5)).astype("float32")
    cos_phase, sin_phase, omega = fit_wave(curves[None])
    assert np.all(np.isfinite([cos_phase, sin_phase, omega]))
    assert -1 <= cos_phase[0] <= 1 and -1 <= sin_phase[0] <= 1 and 0 <= omega[0] <= np.pi
    assert float(cos_phase[0]) == pytest.approx(np.cos(phase), abs=2e-2)
    features = WaveFeatures(3)(np.stack([curves, curves], axis=-1)[None])
    assert np.all(np.isfinite(features))


@pytest.mark.parametrize("order", [1, 2, 8])
def test_wave_features_have_the_shape_they_say(order):
    _, y = TASKS["data_2"].sample(100, seed=0)
    layer = WaveFeatures(order)
    features = np.array(layer(y))
    assert features.shape == (100, layer.compute_output_shape(y.shape)[1])
    assert np.all(np.isfinite(features))
    count = sum(
        (i > 0 or j > 0) and abs(i) + abs(j) <= order + 2
        for i in range(order + 1)
        for j in range(-order, order + 1)
    )
    assert features.shape[1] == 16 + 2 * count


def test_harmonics_are_those_of_the_two_phases():
    _, y = TASKS["data_1"].sample(10, seed=0)
    layer = WaveFeatures(2)
    features = np.array(layer(y))
    phases = [np.arctan2(*(np.array(v) for v in fit_wave(y[..., i])[1::-1])) for i in (0, 1)]
    angles = np.stack(phases, axis=1) @ layer.harmonics
    expected = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(features[:, 16:], expected, atol=1e-4)
