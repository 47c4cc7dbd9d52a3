"""Features of sinusoidal curves: the phase and the frequency of each, and their harmonics.

The solved models read these instead of the raw 50 points. Two numbers determine a curve, and the
ramps are nearly linear in these features.
"""

import math

import keras
import numpy as np
from keras import ops

EPS = 1e-12


def fit_wave(curve):
    """Phase at the middle and frequency of `curve[t] = cos(phase + omega * tau)`, in closed form.

    With D[t] = v[t+1] - v[t-1] and tau = t - (points - 1) / 2:

    `omega = atan2( sqrt(sum D^2 / (4 sum (1 - v^2))),
                    sum v[t] (v[t+1] + v[t-1]) / (2 sum v[t]^2) )`

    and cos(phase), sin(phase) by least squares, given omega.

    Args:
        curve: `(batch, points)`, values in [-1, 1].

    Returns:
        `(cos_phase, sin_phase, omega)`, each `(batch,)`; omega in radians per point, in [0, pi].

    Source: addition theorems: v[t+1] + v[t-1] = 2 cos(omega) v[t], and
    D[t]^2 = 4 sin(omega)^2 (1 - v[t]^2).

    Example:
        >>> curve = np.cos(0.3 + 0.1 * (np.arange(50) - 24.5))[None].astype("float32")
        >>> cos_phase, sin_phase, omega = fit_wave(curve)
        >>> np.allclose(cos_phase, np.cos(0.3), atol=1e-3), np.allclose(omega, 0.1, atol=1e-3)
        (True, True)
    """
    tau = ops.convert_to_tensor(np.arange(curve.shape[1]) - (curve.shape[1] - 1) / 2, "float32")
    middle = curve[:, 1:-1]
    difference, total = curve[:, 2:] - curve[:, :-2], curve[:, 2:] + curve[:, :-2]
    sine = ops.sqrt(
        ops.sum(difference**2, axis=-1) / (4.0 * ops.sum(1.0 - middle**2, axis=-1) + EPS)
    )
    cosine = ops.sum(middle * total, axis=-1) / (2.0 * ops.sum(middle**2, axis=-1) + EPS)
    omega = ops.arctan2(sine, cosine)
    even, odd = ops.cos(omega[:, None] * tau), ops.sin(omega[:, None] * tau)
    cos_phase = ops.sum(curve * even, axis=-1) / (ops.sum(even**2, axis=-1) + EPS)
    sin_phase = -ops.sum(curve * odd, axis=-1) / (ops.sum(odd**2, axis=-1) + EPS)
    return ops.clip(cos_phase, -1.0, 1.0), ops.clip(sin_phase, -1.0, 1.0), omega


@keras.saving.register_keras_serializable("cvae_keras")
class WaveFeatures(keras.layers.Layer):
    """Phases, frequencies, end points and Fourier features of the two curves of a condition.

    Features of a pair of curves with middle phases a, b and half-turns W = omega (points - 1) / 2:
    a, b, W, cos and sin at the middle and at both ends, and `cos(i a + j b)`, `sin(i a + j b)` for
    small integers i, j. The inverse of the task is a sawtooth function of such combinations; a
    network of (a, b) alone smooths it, one of their harmonics can represent it.

    Args:
        order: largest |i|, |j| of the harmonics; |i| + |j| <= order + 2.

    Call arguments:
        y: `(batch, points, 2)`.

    Returns:
        `(batch, features)`.

    Source: Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", 2020.

    Example:
        >>> tuple(WaveFeatures(order=2)(np.zeros((3, 50, 2))).shape)
        (3, 40)
    """

    def __init__(self, order=8, **kwargs):
        super().__init__(**kwargs)
        self.order = order
        whole = range(-order, order + 1)
        pairs = [(i, j) for i in range(order + 1) for j in whole if i > 0 or j > 0]
        self.harmonics = np.array([p for p in pairs if abs(p[0]) + abs(p[1]) <= order + 2]).T

    def call(self, y):
        y = ops.cast(y, "float32")
        features, phases = [], []
        for i in range(2):
            cos_phase, sin_phase, omega = fit_wave(y[..., i])
            phase, half = ops.arctan2(sin_phase, cos_phase), omega * (y.shape[1] - 1) / 2
            phases.append(phase)
            features += [cos_phase, sin_phase, phase / math.pi, half / 5.0]
            features += [ops.cos(phase + half), ops.sin(phase + half)]
            features += [ops.cos(phase - half), ops.sin(phase - half)]
        harmonics = ops.convert_to_tensor(self.harmonics, "float32")
        angles = ops.matmul(ops.stack(phases, axis=-1), harmonics)
        return ops.concatenate(
            [ops.stack(features, axis=-1), ops.cos(angles), ops.sin(angles)], axis=-1
        )

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 16 + 2 * self.harmonics.shape[1])
