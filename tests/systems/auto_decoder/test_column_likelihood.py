"""ColumnLikelihood: its parts, its derivatives and its minimum by other means."""

import numpy as np
import pytest
from keras import ops
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from cvae_keras.parts.likelihoods import Categorical, Normal, Poisson
from cvae_keras.systems.auto_decoder.column_likelihood import ColumnLikelihood
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.inference import infer_latents, newton
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder

COLUMNS = [["categorical", 3], ["normal", 1], ["poisson", 1], ["categorical", 2]]
RNG = np.random.default_rng(0)
ROWS = 6
X = np.zeros((ROWS, 7), "float32")
X[np.arange(ROWS), RNG.integers(3, size=ROWS)] = 1.0
X[:, 3], X[:, 4] = RNG.normal(size=ROWS), [0, 1, 2, 5, 9, 30]
X[np.arange(ROWS), 5 + RNG.integers(2, size=ROWS)] = 1.0
X_HAT = RNG.normal(size=(ROWS, 7)).astype("float32")
LOG_SCALE = np.full(7, -0.5, "float32")
MASK = np.repeat(RNG.random((ROWS, 4)) > 0.3, [3, 1, 1, 2], axis=1).astype("float32")


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def test_it_is_the_sum_of_its_columns():
    output = {"mean": X_HAT[None], "log_scale": LOG_SCALE}
    whole = ColumnLikelihood(COLUMNS)
    scaled = {"mean": X_HAT[None, :, 3:4], "log_scale": LOG_SCALE[3:4]}
    parts = [
        Categorical().log_prob(X[:, :3], X_HAT[None, :, :3], MASK[:, :3]),
        Normal("decoder").log_prob(X[:, 3:4], scaled, MASK[:, 3:4]),
        Poisson().log_prob(X[:, 4:5], X_HAT[None, :, 4:5], MASK[:, 4:5]),
        Categorical().log_prob(X[:, 5:], X_HAT[None, :, 5:], MASK[:, 5:]),
    ]
    np.testing.assert_allclose(
        numpy(whole.log_prob(X, output, MASK)), sum(map(numpy, parts)), rtol=1e-5
    )
    mean = numpy(whole.mean(output))[0]
    np.testing.assert_allclose(mean[:, :3], softmax(X_HAT[:, :3], axis=1), rtol=1e-5)
    np.testing.assert_allclose(mean[:, 3], X_HAT[:, 3])
    np.testing.assert_allclose(mean[:, 4], np.exp(X_HAT[:, 4]), rtol=1e-5)


def test_expansion_by_hand():
    jacobian = RNG.normal(size=(ROWS, 2, 7)).astype("float32")
    weight = MASK * np.array([1, 1, 1, 4, 1, 1, 1], "float32")
    given = map(ops.convert_to_tensor, (X, X_HAT, weight, jacobian))
    found = ColumnLikelihood(COLUMNS).expand(*given)
    cost, gradient, matrix = map(numpy, found)
    for i in range(ROWS):
        p = np.r_[softmax(X_HAT[i, :3]), X_HAT[i, 3], np.exp(X_HAT[i, 4]), softmax(X_HAT[i, 5:])]
        hessian = np.diag(np.r_[p[:3], 1.0, p[4], p[5:]] * weight[i])
        for part in (slice(0, 3), slice(5, 7)):
            hessian[part, part] -= MASK[i, part.start] * np.outer(p[part], p[part])
        np.testing.assert_allclose(gradient[i], jacobian[i] @ (weight[i] * (p - X[i])), atol=2e-4)
        np.testing.assert_allclose(matrix[i], jacobian[i] @ hessian @ jacobian[i].T, atol=2e-4)
    assert np.all(cost >= 0) and np.all(np.linalg.eigvalsh(matrix) > -1e-4)


def test_newton_finds_the_minimum_of_a_linear_decoder():
    decoder = DenseDecoder(2, 7, hidden=())
    likelihood = ColumnLikelihood(COLUMNS)
    start = ops.zeros((ROWS, 2))
    weight = ops.convert_to_tensor(MASK)
    x = ops.convert_to_tensor(X)
    z = numpy(newton(decoder, x, weight, 1.0, start, 30, 1e-6, likelihood)[0])
    kernel, bias = decoder.layers[-1].get_weights()

    def minus_log(z, i):
        f, m = z @ kernel + bias, MASK[i]
        total = 0.5 * z @ z + m[3] * 0.5 * (X[i, 3] - f[3]) ** 2
        total += m[4] * (np.exp(f[4]) - X[i, 4] * f[4])
        return total - sum(
            m[part.start] * X[i, part] @ log_softmax(f[part]) for part in (slice(3), slice(5, 7))
            if part.start
        ) - m[0] * X[i, :3] @ log_softmax(f[:3])  # fmt: skip

    for i in range(ROWS):
        best = minimize(minus_log, np.zeros(2), args=(i,)).x
        np.testing.assert_allclose(z[i], best, atol=2e-3)
    table = np.zeros((3, 2), "float32")
    with pytest.raises(ValueError, match="method must be 'newton'"):
        infer_latents(decoder, X, MASK, 1.0, 1.0, table, method="adam", likelihood=likelihood)


def test_draws_have_the_probabilities_and_rates():
    likelihood, rng = ColumnLikelihood(COLUMNS), np.random.default_rng(1)
    draws = likelihood.draw(np.tile(X_HAT[:1], (20_000, 1)), 0.5, rng)
    mean = numpy(likelihood.mean({"mean": X_HAT[:1]}))[0]
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.02)
    assert np.all(draws[:, :3].sum(axis=1) == 1) and np.all(draws[:, 4] == np.rint(draws[:, 4]))
    assert draws[:, 3].std() == pytest.approx(0.5, rel=0.03)
    again = likelihood.sample({"mean": X_HAT[None], "log_scale": LOG_SCALE}, seed=3)
    assert np.array_equal(
        numpy(again), numpy(likelihood.sample({"mean": X_HAT[None], "log_scale": LOG_SCALE}, 3))
    )


def test_labels_in_factor_analysis_approach_their_exact_weights():
    """One latent, which a column shows almost exactly, and labels with logits +-2 z."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=4000)
    second = rng.random(4000) < 1 / (1 + np.exp(-(0.5 + 3.0 * z)))
    x = np.c_[z + 0.05 * rng.normal(size=4000), ~second, second]
    fit = factor_analysis(x, np.ones_like(x), 1, steps=200, labels=[slice(1, 3)])
    kernel = fit["kernel"][0] * np.sign(fit["kernel"][0, 0])
    assert kernel[2] - kernel[1] == pytest.approx(3.0, rel=0.1)
    assert fit["mean"][2] - fit["mean"][1] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ([], "columns must be a list"),
        ([["normal", 2]], "a normal column has one entry, got 2"),
        ([["gamma", 1]], "kind 'gamma' is unknown"),
    ],
)
def test_bad_columns_are_refused(columns, sentence):
    with pytest.raises(ValueError, match=sentence):
        ColumnLikelihood(columns)


def test_a_model_takes_as_many_entries_as_features():
    with pytest.raises(ValueError, match="columns need noise='learned'"):
        VariationalAutoDecoder(3, 5, 2, columns=[["categorical", 2]], noise="learned")
    with pytest.raises(ValueError, match="columns need noise='learned'"):
        VariationalAutoDecoder(2, 5, 2, columns=[["categorical", 2]])
