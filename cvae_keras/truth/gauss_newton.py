"""Damped Gauss-Newton (Levenberg-Marquardt) for many small least-squares problems at once."""

import numpy as np


def gauss_newton(
    measure,
    start,
    data=(),
    steps=50,
    damping=1e-3,
    tolerance=1e-8,
    max_step=None,
    rounding=1e-12,
    by_trace=False,
    xp=np,
):
    """Minimize a sum of squares for each row on its own.

    `z <- z - (A + damping * diag(A) + rounding * I)^-1 g`

    with the gradient g and the Gauss-Newton matrix A of the row. A step that raises the cost is not
    taken and the damping of the row grows tenfold; after other steps it shrinks tenfold.

    Args:
        measure: function `measure(z, *data)` that returns for each row the cost `(rows,)`, half its
            gradient g `(rows, k)` and half its Gauss-Newton matrix A `(rows, k, k)`.
        start: z to start from, `(rows, k)`.
        data: arrays of further arguments of `measure`, one entry per row.
        steps: maximum number of steps.
        damping: initial damping.
        tolerance: a row has converged when no entry of its step, times 1 + damping, is larger: the
            step is then small because the gradient is, not because of the damping.
        max_step: largest entry of a step, longer steps are shortened; None for no limit.
        rounding: size of rounding errors. It is added to the diagonal, the damping stays above 3
            times this value, so that the matrix is not singular when it is rounded, and a cost that
            rises by a share of less than 100 times this value counts as no rise.
        by_trace: whether the damping multiplies the trace of A, with the identity, instead of its
            diagonal: for an A that is singular, also after rounding.
        xp: module of the arrays, `numpy` or `keras.ops`. NumPy leaves rows that have converged out
            of the steps that follow; `keras.ops` keeps all shapes fixed, as JAX needs it.

    Returns:
        `(z, A)`: the minimum `(rows, k)`, and the Gauss-Newton matrix there `(rows, k, k)`.

    Source: Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963.

    Example:
        >>> def measure(z, target):  # the root of target as the minimum of (z^2 - target)^2
        ...     error, slope = z**2 - target, 2 * z
        ...     return error[:, 0] ** 2, slope * error, (slope**2)[:, None]
        >>> z, _ = gauss_newton(measure, np.ones((2, 1)), [np.array([[4.0], [9.0]])])
        >>> z.round(6).tolist()
        [[2.0], [3.0]]
    """
    z, state = start, measure(start, *data)
    eye = xp.eye(z.shape[1], dtype=z.dtype)
    damping = xp.ones_like(state[0]) * damping
    rows = found = None  # of NumPy, the rows that are still in z, and the results of all rows
    for _ in range(steps):
        cost, gradient, matrix = state
        scale = matrix
        if by_trace:
            scale = xp.sum(xp.sum(matrix * eye, axis=2), axis=1)[:, None, None]
        damped = matrix + (damping[:, None, None] * scale + rounding) * eye
        step = xp.linalg.solve(damped, gradient[..., None])[..., 0]
        size = xp.max(xp.abs(step), axis=1)
        if max_step is not None:
            step = step * (max_step / xp.maximum(size, max_step))[:, None]
        new = measure(z - step, *data)
        better = new[0] <= cost * (1.0 + 100.0 * rounding)
        z = xp.where(better[:, None], z - step, z)
        state = (
            xp.where(better, new[0], cost),
            xp.where(better[:, None], new[1], gradient),
            xp.where(better[:, None, None], new[2], matrix),
        )
        done = (size * (1.0 + damping) < tolerance) | (damping > 1e8)
        damping = xp.where(better, xp.maximum(damping * 0.1, 3.0 * rounding), damping * 10.0)
        if bool(xp.all(done)):
            break
        if xp is np and np.any(done):
            if found is None:
                rows, found = np.arange(len(z)), (z.copy(), state[2].copy())
            for whole, part in zip(found, (z, state[2]), strict=True):
                whole[rows[done]] = part[done]
            left = ~done
            z, damping, rows = z[left], damping[left], rows[left]
            data, state = [part[left] for part in data], [part[left] for part in state]
    if found is None:
        return z, state[2]
    for whole, part in zip(found, (z, state[2]), strict=True):
        whole[rows] = part
    return found
