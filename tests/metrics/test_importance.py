"""The importance-weighted bound on data of known density."""

import keras
import numpy as np
import pytest
from keras import ops

from cvae_keras.elbo import ELBOModel
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts.likelihoods import Normal
from cvae_keras.parts.posteriors import FreeTablePosterior, GaussianPosterior, IAFPosterior
from cvae_keras.parts.priors import StandardNormal
from cvae_keras.training import FusedAdam


@keras.saving.register_keras_serializable("tests")
class Features(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(16, activation="tanh")

    def call(self, x, c=None, mask=None):
        return self.dense(x)


class Linear(keras.layers.Layer):
    """x = W z, with W known and not trained."""

    def __init__(self, matrix):
        super().__init__(trainable=False)
        self.matrix = matrix

    def call(self, z, c=None):
        return ops.matmul(z, self.matrix.T)


MATRIX = np.array([[1.0, 0.5], [-0.7, 1.2], [0.3, 0.9], [1.1, -0.4]], "float32")


SCALE = 0.6


def known(n, seed=0):
    """x = W z + noise with its log p(x)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ MATRIX.T + SCALE * rng.normal(size=(n, 4))
    covariance = MATRIX @ MATRIX.T + SCALE**2 * np.eye(4)
    quadratic = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
    constant = np.linalg.slogdet(covariance)[1] + 4 * np.log(2 * np.pi)
    return x.astype("float32"), -0.5 * (quadratic + constant)


@pytest.mark.parametrize("length", [0, 3])
def test_bound_rises_to_the_true_density_and_not_above(length):
    keras.utils.set_random_seed(0)
    model = ELBOModel(
        IAFPosterior(Features(), 2, length), StandardNormal(2), Linear(MATRIX), Normal(SCALE)
    )
    model.compile(FusedAdam(1e-2))
    model.fit({"x": known(2000, seed=1)[0]}, batch_size=250, epochs=5, verbose=0)
    x, truth = known(60)
    gaps = []
    for samples in (1, 10, 10_000):
        bound, error = importance_weighted_bound(model, {"x": x}, samples, seed=0)
        gaps.append(np.mean(bound - truth))
        spread = np.std(bound - truth) / np.sqrt(len(x))
        assert gaps[-1] < 3 * spread, samples
    assert np.all(np.diff(gaps) > 0) and gaps[0] < -0.02
    assert abs(gaps[-1]) < 0.01
    assert np.mean(np.abs(bound - truth) < 4 * error + 1e-4) > 0.98  # the error is honest


def test_bound_of_one_point_is_the_elbo():
    keras.utils.set_random_seed(0)
    model = ELBOModel(
        IAFPosterior(Features(), 2, 2), StandardNormal(2), Linear(MATRIX), Normal(SCALE)
    )
    x, _ = known(5000)
    bound, error = importance_weighted_bound(model, {"x": x}, 1)
    terms = model({"x": x})
    values = terms["log_likelihood"] - ops.sum(terms["kl"], axis=-1)
    both = np.hypot(np.std(bound), np.std(values)) / np.sqrt(len(x))
    assert abs(np.mean(bound) - np.mean(values)) < 4 * both
    assert np.all(np.isinf(error))


def test_bound_of_a_perfect_posterior_is_exact_with_one_point():
    """With the true posterior every weight is p(x): the bound has no error at all."""
    model = ELBOModel(
        GaussianPosterior(Features(), 1), StandardNormal(1), Linear(MATRIX[:1, :1]), Normal(1.0)
    )
    model.compile()
    x = np.array([[0.7], [-1.3]], "float32")
    model({"x": x})
    model.posterior.network = lambda x, c=None, mask=None: x
    precision = MATRIX[0, 0] ** 2 + 1
    model.posterior.mean = lambda h: h * MATRIX[0, 0] / precision
    model.posterior.log_var = lambda h: ops.zeros_like(h) - np.log(precision)
    bound, error = importance_weighted_bound(model, {"x": x}, 5)
    variance = MATRIX[0, 0] ** 2 + 1
    truth = -0.5 * (x[:, 0] ** 2 / variance + np.log(2 * np.pi * variance))
    np.testing.assert_allclose(bound, truth, atol=1e-5)
    np.testing.assert_allclose(error, 0, atol=1e-5)


def test_bound_refuses_what_has_no_density():
    from cvae_keras.data.sinusoid import SinusoidTask
    from cvae_keras.systems.sinusoid.solver import SinusoidSolver

    model = SinusoidSolver(SinusoidTask([("sin", 5, 3), ("cos", 4, 8)]))
    with pytest.raises(ValueError, match="a continuous latent, got a categorical one"):
        importance_weighted_bound(model, {}, 10)
    with pytest.raises(ValueError, match="n_samples"):
        importance_weighted_bound(model, {}, 0)


def test_bound_of_the_rows_of_a_free_table():
    """The table holds the true posteriors of its rows: the bound is log p(x), without error."""
    precision = MATRIX[0, 0] ** 2 + 1
    table = FreeTablePosterior(3, 1, "vae", log_var=-float(np.log(precision)))
    model = ELBOModel(table, StandardNormal(1), Linear(MATRIX[:1, :1]), Normal(1.0))
    x = np.array([[0.7], [-1.3], [2.0]], "float32")
    table.mean.assign(x * MATRIX[0, 0] / precision)
    rows = np.array([2, 0])
    bound, error = importance_weighted_bound(model, {"x": x[rows], "index": rows}, 5)
    truth = -0.5 * (x[rows, 0] ** 2 / precision + np.log(2 * np.pi * precision))
    np.testing.assert_allclose(bound, truth, atol=1e-5)
    np.testing.assert_allclose(error, 0, atol=1e-5)
    with pytest.raises(ValueError, match="must hold 'index', got .*: a free table has a posterior"):
        importance_weighted_bound(model, {"x": x}, 5)


def test_bound_refuses_a_point_without_noise():
    model = ELBOModel(
        FreeTablePosterior(2, 1, "ae"), StandardNormal(1), Linear(MATRIX[:1, :1]), Normal(1.0)
    )
    with pytest.raises(ValueError, match="has no density: use evaluate"):
        importance_weighted_bound(model, {"x": np.ones((2, 1)), "index": np.arange(2)}, 5)
