"""Test-time optimization: move each sample to the nearest x that satisfies y."""

from numbers import Integral, Real

import numpy as np

from cvae_keras.checks import check_count
from cvae_keras.truth.sinusoid import fit_cosine


def refine(task, samples, y, tol=1e-4, max_steps=50):
    """Refine samples of a sinusoid task by Levenberg-Marquardt on their ramp ends.

    Each sample is replaced by its nearest ramps (least squares), and then

        min over the four ramp ends of  sum |f(x) - y|^2

    is solved from there. The phases ``p_i x0 + q_i x1`` at the start and at the end are an
    invertible linear map of the ramp ends, so the problem splits exactly into two of two
    parameters, one for each curve; all are solved at once, in float64.

    Args:
        task: SinusoidTask.
        samples: (..., batch, points, 2), finite.
        y: (batch, points, 2), the observed curves; or (points, 2) with samples (..., points, 2).
        tol: a sample satisfies y when ``max |f(x) - y| <= tol``.
        max_steps: steps at most, a positive integer.

    Returns:
        refined: float64, the shape of samples; never NaN.
        ok: boolean, shape samples.shape[:-2]; whether the refined sample satisfies y, inside the
            box, x0 falling and x1 rising (to 1e-6). The other samples are not to be used.

    Raises:
        ValueError: the shapes do not fit each other or the task, or there is NaN.

    Source: Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> x, y = TASKS["data_1"].sample(5, seed=0)
        >>> refined, ok = refine(TASKS["data_1"], x + 0.01, y)
        >>> bool(ok.any()), bool(np.abs(TASKS["data_1"].forward(refined) - y)[ok].max() < 1e-6)
        (True, True)
    """
    y, samples = task.check_curves(y), np.asarray(samples)
    if samples.ndim < y.ndim or samples.shape[samples.ndim - y.ndim :] != y.shape:
        raise ValueError(
            f"samples and y have shapes {samples.shape} and {y.shape}; "
            f"give (..., batch, {task.points}, 2) and (batch, {task.points}, 2)."
        )
    if not np.all(np.isfinite(samples)):
        raise ValueError("samples holds NaN or infinity; give finite numbers only.")
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0 < tol < np.inf:
        raise ValueError(f"tol is {tol!r}; give a positive number.")
    if isinstance(max_steps, bool) or not isinstance(max_steps, Integral) or max_steps < 1:
        raise ValueError(f"max_steps is {max_steps!r}; give a positive whole number.")
    check_count("max_steps", max_steps)
    shape = samples.shape
    samples, curves = samples.reshape(-1, *shape[-2:]), y.reshape(-1, *y.shape[-2:])
    curves = curves.astype(np.float64)
    refined, ok = np.empty(samples.shape), np.empty(len(samples), bool)
    for first in range(0, len(samples), 4000):  # few enough to stay in the cache
        part = slice(first, first + 4000)
        given = curves[np.arange(len(samples))[part] % len(curves)]
        ends = _solve(task, samples[part], given, max_steps)
        refined[part] = task.ramps(ends)
        error = np.abs(task.forward(refined[part]) - given).max(axis=(1, 2))
        ok[part] = (error <= tol) & _in_box(ends, task.box)
    return refined.reshape(shape), ok.reshape(shape[:-2])


def _in_box(ends, box, tol=1e-6):
    lo, hi = ends[:, [0, 2]], ends[:, [1, 3]]
    inside = (lo >= box[0] - tol) & (hi <= box[1] + tol) & (lo <= hi + tol)
    return np.all(inside, axis=1)


def _solve(task, samples, y, max_steps):
    """Refined ramp ends (n, 4) of samples (n, points, 2) for y (n, points, 2)."""
    reach = 1e3 * task.box[1]  # far beyond the box, near enough for phases to keep their digits
    lo0, hi0, lo1, hi1 = task.ends(np.clip(samples, -reach, reach)).T
    first, last = task.matrix @ [hi0, lo1], task.matrix @ [lo0, hi1]  # phases (curve, n)
    quarter = np.array([[np.pi / 2 if name == "sin" else 0.0] for name, _, _ in task.functions])
    phases = np.stack([first - quarter, last - quarter], axis=-1)  # sin(p) = cos(p - pi/2)
    v = np.moveaxis(y, -1, 0).reshape(-1, task.points)
    phases = fit_cosine(phases.reshape(-1, 2), v, max_steps).reshape(phases.shape)
    inverse = np.linalg.inv(task.matrix)
    hi0, lo1 = inverse @ (phases[..., 0] + quarter)
    lo0, hi1 = inverse @ (phases[..., 1] + quarter)
    return np.stack([lo0, hi0, lo1, hi1], axis=1)
