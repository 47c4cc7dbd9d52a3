"""Gaussian data: its covariance is the one stated, its sizes and seeds do what they say."""

import numpy as np
import pytest

from cvae_keras.data.gaussian import (
    CorrelatedGaussian,
    GaussianData,
    IndependentGaussian,
    ProjectedGaussian,
)

GIVEN = np.array([[1.0, -0.9], [-0.9, 1.0]])


@pytest.mark.parametrize(
    "data",
    [
        IndependentGaussian(3, variances=[1.0, 0.0, 9.0]),
        CorrelatedGaussian(4, seed=1),
        CorrelatedGaussian(2, GIVEN),
        ProjectedGaussian(2, 5, seed=1),
        ProjectedGaussian(3, 2, projection=[[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]]),
    ],
)
def test_samples_have_the_covariance(data):
    x = data.sample(400_000, seed=0)
    assert x.shape == (400_000, data.dim) and x.dtype == np.float32
    np.testing.assert_allclose(np.cov(x.T), data.covariance, atol=0.02 * data.covariance.max())
    np.testing.assert_allclose(x.std(axis=0), data.scale, rtol=0.01, atol=1e-6)


def test_seeds():
    data = IndependentGaussian(2)
    assert np.array_equal(data.sample(5, seed=[1, 2]), data.sample(5, seed=[1, 2]))
    assert not np.array_equal(data.sample(5, seed=1), data.sample(5, seed=2))
    assert not np.array_equal(
        CorrelatedGaussian(3, seed=1).covariance, CorrelatedGaussian(3, seed=2).covariance
    )


def test_random_correlation_is_valid():
    for seed in range(20):
        matrix = CorrelatedGaussian(8, seed=seed).covariance
        np.testing.assert_allclose(np.diag(matrix), 1.0)
        assert np.linalg.eigvalsh(matrix)[0] > 0


@pytest.mark.parametrize("x_dim, dim, rank", [(2, 8, 2), (2, 8, 1), (8, 3, 3), (5, 5, 2)])
def test_projection_has_the_rank_asked_for(x_dim, dim, rank):
    data = ProjectedGaussian(x_dim, dim, rank=rank, seed=0)
    assert data.projection.shape == (dim, x_dim)
    singular = np.linalg.svd(data.projection, compute_uv=False)
    np.testing.assert_allclose(singular[:rank], 1.0)
    np.testing.assert_allclose(singular[rank:], 0.0, atol=1e-12)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: IndependentGaussian(0), "dim must be a positive integer"),
        (lambda: IndependentGaussian(2, [1.0]), "variances must hold 2 numbers"),
        (lambda: IndependentGaussian(2, [1.0, -1.0]), "eigenvalue -1 < 0"),
        (lambda: CorrelatedGaussian(3, GIVEN), "3 x 3"),
        (lambda: CorrelatedGaussian(2, 2 * GIVEN), "ones on its diagonal"),
        (lambda: CorrelatedGaussian(2, [[1.0, 1.5], [1.5, 1.0]]), "eigenvalue"),
        (lambda: ProjectedGaussian(2, 8, rank=3), "rank must be at most 2"),
        (lambda: ProjectedGaussian(2, 8, projection=np.eye(2)), "projection must have shape"),
        (lambda: GaussianData([[1.0, np.inf], [np.inf, 1.0]]), "NaN or infinity"),
        (lambda: IndependentGaussian(2).sample(0), "n must be a positive integer"),
    ],
)
def test_bad_input_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
