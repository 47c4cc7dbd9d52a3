"""Damped Gauss-Newton against known minima, with NumPy and with Keras arrays."""

import keras
import numpy as np
import pytest

from cvae_keras.truth.gauss_newton import gauss_newton


def linear(seed=0, rows=5):
    rng = np.random.default_rng(seed)
    design, target = rng.normal(size=(rows, 7, 3)), rng.normal(size=(rows, 7))
    best = np.stack(
        [np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(design, target, strict=True)]
    )
    return design, target, best


def measure_linear(z, design, target):
    xp = np if isinstance(z, np.ndarray) else keras.ops
    error = xp.matmul(design, z[..., None])[..., 0] - target
    transposed = xp.swapaxes(design, 1, 2)
    gradient = xp.matmul(transposed, error[..., None])[..., 0]
    return xp.sum(error * error, axis=1), gradient, xp.matmul(transposed, design)


def rosenbrock(z):
    """Residuals 10 (z1 - z0^2) and 1 - z0: the minimum is (1, 1), in a curved valley."""
    error = np.stack([10 * (z[:, 1] - z[:, 0] ** 2), 1 - z[:, 0]], axis=1)
    jacobian = np.zeros((len(z), 2, 2))
    jacobian[:, 0, 0], jacobian[:, 0, 1], jacobian[:, 1, 0] = -20 * z[:, 0], 10, -1
    gradient = np.einsum("nr,nrk->nk", error, jacobian)
    return np.sum(error**2, axis=1), gradient, np.einsum("nrk,nrl->nkl", jacobian, jacobian)


def test_linear_least_squares_takes_one_step_without_damping():
    design, target, best = linear()
    z, matrix = gauss_newton(measure_linear, np.zeros((5, 3)), [design, target], 1, damping=0.0)
    np.testing.assert_allclose(z, best, atol=1e-9)
    np.testing.assert_allclose(matrix, design.swapaxes(1, 2) @ design, rtol=1e-12)


def test_keras_arrays_give_the_same_minimum():
    design, target, best = linear()
    data = [keras.ops.convert_to_tensor(part, "float32") for part in (design, target)]
    options = {"tolerance": 1e-5, "rounding": 1e-7, "xp": keras.ops}
    z, matrix = gauss_newton(measure_linear, keras.ops.zeros((5, 3)), data, **options)
    np.testing.assert_allclose(z, best, atol=1e-4)
    np.testing.assert_allclose(matrix, design.swapaxes(1, 2) @ design, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("max_step", [None, 0.3])
def test_rows_that_converge_at_different_times_keep_their_place(max_step):
    start = np.array([[1.0, 1.0], [-1.2, 1.0], [0.9, 0.8], [3.0, -2.0]])
    z, matrix = gauss_newton(rosenbrock, start, steps=200, max_step=max_step)
    np.testing.assert_allclose(z, 1.0, atol=1e-8)
    np.testing.assert_allclose(matrix, rosenbrock(z)[2], atol=1e-5)
    for row in range(4):  # a row does not depend on the others
        alone, _ = gauss_newton(rosenbrock, start[[row]], steps=200, max_step=max_step)
        np.testing.assert_allclose(alone[0], z[row], atol=1e-12)


def test_a_step_never_raises_the_cost():
    z = np.array([[-1.2, 1.0], [3.0, -2.0]])
    costs = [rosenbrock(gauss_newton(rosenbrock, z, steps=n)[0])[0] for n in range(1, 12)]
    assert np.all(np.diff(costs, axis=0) <= 1e-9)


def test_damping_by_the_trace_solves_a_singular_problem():
    design = np.array([[1.0, 1.0], [2.0, 2.0]])  # z_1 + z_2 = 3 is all that it says

    def measure(z, target):
        error = z @ design.T - target
        matrix = np.broadcast_to(design.T @ design, (len(z), 2, 2))
        return (error**2).sum(axis=1), error @ design, matrix

    options = {"rounding": 0.0, "by_trace": True}
    z, _ = gauss_newton(measure, np.zeros((1, 2)), [np.array([[3.0, 6.0]])], **options)
    np.testing.assert_allclose(z, [[1.5, 1.5]], atol=1e-6)


def test_keras_rows_that_converge_early_are_left_out_and_found_again():
    target = np.logspace(-4, 4, 300)[:, None].astype("float32")
    rows = []

    def measure(z, target):
        rows.append(len(z))
        error, slope = z**2 - target, 2 * z
        return error[:, 0] ** 2 + 0 * z[:, 0], slope * error, (slope**2)[:, None]

    options = {"tolerance": 1e-4, "rounding": 1e-7, "xp": keras.ops}
    z, matrix = gauss_newton(measure, keras.ops.ones((300, 1)), [target], **options)
    np.testing.assert_allclose(z, np.sqrt(target), rtol=2e-2, atol=1e-4)
    np.testing.assert_allclose(matrix[:, 0], 4 * np.square(z), rtol=1e-5)
    assert rows[0] == 300 and rows[-1] <= 128
