"""Rate and distortion of models, of which one is the optimum by construction."""

import keras
import numpy as np
import pytest

from cvae_keras.data.conditions import Conditioned, known_patterns
from cvae_keras.data.gaussian import CorrelatedGaussian
from cvae_keras.metrics.rate_distortion import average, encode, measure
from cvae_keras.parts.distributions import Gaussian
from cvae_keras.systems.dense import config as testbed
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.truth.gaussian import optimum


class Linear:
    """A posterior and a decoder that are the optimum for two independent dimensions, by hand."""

    def __init__(self, variances, beta):
        self.kept = np.sqrt(np.maximum(0, 1 - beta / 2 / variances)).astype("float32")
        self.std = np.sqrt(variances).astype("float32")

    def posterior(self, x, c, mask=None):
        unknown = 1 - np.asarray(c)[:, 2:]
        mean = np.asarray(x) * unknown * self.kept / self.std
        log_var = np.log(1 - self.kept**2 * unknown)
        return Gaussian(keras.ops.convert_to_tensor(mean), keras.ops.convert_to_tensor(log_var))

    def decode(self, z, c):
        known, m = np.split(np.asarray(c), 2, axis=1)
        return keras.ops.convert_to_tensor(
            (known + (1 - m) * np.asarray(z) * self.kept * self.std).astype("float32")
        )


def test_measuring_the_best_model_gives_the_optimum(monkeypatch):
    variances, beta = np.array([2.0, 0.8]), 0.5
    source = Conditioned(
        testbed.make_data({"kind": "independent", "dim": 2, "variances": [2, 0.8]})
    )
    model, best = DenseCVAE(2, 2, [4], [4], beta=beta), Linear(variances, beta)
    monkeypatch.setattr(
        type(model.posterior), "__call__", lambda self, *a, **k: best.posterior(*a, **k)
    )
    monkeypatch.setattr(type(model.decoder), "__call__", lambda self, *a: best.decode(*a))
    rows = measure(model, source, known_patterns(2), n=200_000)
    for row, pattern in zip(rows, known_patterns(2), strict=True):
        exact = optimum(source.data.covariance, pattern, beta)
        assert row["active"] == row["active_exact"] == exact["active"]
        for name in ("rate", "distortion", "objective"):
            assert row[f"{name}_exact"] == pytest.approx(exact[name])
            assert row[name] == pytest.approx(exact[name], rel=0.01, abs=1e-6)
        assert abs(row["objective"] - exact["objective"]) <= 4 * row["objective_se"] + 1e-6
    merged = average(rows)
    assert merged["examples"] == 200_000
    assert merged["rate"] == pytest.approx(np.mean([row["rate"] for row in rows]))


def test_missing_values_are_not_scored_and_the_optimum_knows_it():
    data = CorrelatedGaussian(3, seed=0)
    source = Conditioned(data, mask_percentage=50)
    model = DenseCVAE(3, 4, [8], [8], masked=True)
    arrays = source.examples(500, seed=0)
    errors, kl, mean = encode(model, arrays)
    assert errors.shape == (500, 3) and kl.shape == mean.shape == (500, 4)
    assert np.all(errors[arrays["mask"] == 0] == 0) and np.any(errors[arrays["mask"] == 1] > 0)
    row = measure(model, source, known_patterns(3)[:1], n=4000)[0]
    full = optimum(data.covariance, [False] * 3, beta=1.0)
    assert 0.3 * full["objective"] < row["objective_exact"] < 0.7 * full["objective"]
    assert row["objective"] > row["objective_exact"]
