"""Damped Gauss-Newton (Levenberg-Marquardt) for many small least-squares problems at once."""

from functools import partial

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
    advance=None,
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
        xp: module of the arrays, `numpy` or `keras.ops`. Rows that have converged are left out of
            the steps that follow; with `keras.ops` the number of rows that stay is a power of two,
            because JAX compiles each operation again for each shape.
        advance: None, or `gauss_newton_step` with its first five arguments, compiled.

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
    damping = xp.ones_like(state[0]) * damping
    if advance is None:
        advance = partial(gauss_newton_step, measure, rounding, max_step, by_trace, xp)
    rows = found = None  # the rows that are still in z, and the results of all rows
    for _ in range(steps):
        z, size, *state, damping = advance(z, *state, damping, *data)
        done = (size < tolerance) | (damping > 1e9)
        done = done if xp is np else xp.convert_to_numpy(done)
        if done.all():
            break
        kept = _kept(done, exactly=xp is np)
        if len(kept) < len(done):
            rows, found = _store(z, state[2], rows, found, xp)
            rows = rows[kept]
            z, damping, *data = (xp.take(part, kept, axis=0) for part in (z, damping, *data))
            state = [xp.take(part, kept, axis=0) for part in state]
    if found is None:
        return z, state[2]
    return _store(z, state[2], rows, found, xp)[1]


def gauss_newton_step(
    measure, rounding, max_step, by_trace, xp, z, cost, gradient, matrix, damping, *data
):
    """One step of `gauss_newton`, of whose arguments it takes the first five.

    Args:
        z: `(rows, k)`.
        cost: as `measure` returns it at z, like `gradient` and `matrix`.
        damping: `(rows,)`.
        data: of `measure`.

    Returns:
        `(z, size, cost, gradient, matrix, damping)` after the step; size is the largest entry of
        the undamped step, about, `(rows,)`.

    Example:
        >>> def measure(z):
        ...     return z[:, 0] ** 2, z, np.ones((len(z), 1, 1))
        >>> z = np.ones((1, 1))
        >>> gauss_newton_step(measure, 0.0, None, False, np, z, *measure(z), np.zeros(1))[0]
        array([[0.]])
    """
    eye, scale = xp.eye(z.shape[1], dtype=z.dtype), matrix
    if by_trace:
        scale = xp.sum(xp.sum(matrix * eye, axis=2), axis=1)[:, None, None]
    damped = matrix + (damping[:, None, None] * scale + rounding) * eye
    step = xp.linalg.solve(damped, gradient[..., None])[..., 0]
    size = xp.max(xp.abs(step), axis=1)
    if max_step is not None:
        step = step * (max_step / xp.maximum(size, max_step))[:, None]
    new = measure(z - step, *data)
    better = new[0] <= cost * (1.0 + 100.0 * rounding)
    return (
        xp.where(better[:, None], z - step, z),
        size * (1.0 + damping),
        xp.where(better, new[0], cost),
        xp.where(better[:, None], new[1], gradient),
        xp.where(better[:, None, None], new[2], matrix),
        xp.where(better, xp.maximum(damping * 0.1, 3.0 * rounding), damping * 10.0),
    )


def _kept(done, exactly):
    """The rows that stay: those that are not done, or with others a power of two, at least 64."""
    left = int(np.count_nonzero(~done))
    if not exactly:
        power = max(64, 1 << (left - 1).bit_length())
        left = power if 2 * power <= len(done) else len(done)
    return np.sort(np.argsort(done, kind="stable")[:left])


def _store(z, matrix, rows, found, xp):
    """The rows that are in z, and the results of all rows with theirs."""
    if found is None:
        return np.arange(len(z)), (z, matrix)
    if xp is not np:
        pairs = zip(found, (z, matrix), strict=True)
        return rows, tuple(xp.scatter_update(whole, rows[:, None], part) for whole, part in pairs)
    for whole, part in zip(found, (z, matrix), strict=True):
        whole[rows] = part
    return rows, found
