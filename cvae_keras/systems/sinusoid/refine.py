"""Test-time optimization: move each sample to the nearest x that satisfies y."""

from numbers import Integral

import numpy as np


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
    if not tol > 0:
        raise ValueError(f"tol is {tol!r}; give a positive number.")
    if isinstance(max_steps, bool) or not isinstance(max_steps, Integral) or max_steps < 1:
        raise ValueError(f"max_steps is {max_steps!r}; give a positive whole number.")
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


def fit_cosine(phases, v, max_steps=50):
    """Fit ``cos((1 - r) a + r b)``, r from 0 to 1, to curves, from given phases a and b.

    Args:
        phases: float64 (n, 2), the start (a) and the end (b) to set out from, in radians.
        v: float64 (n, points), the curves.
        max_steps: Levenberg-Marquardt steps at most.

    Returns:
        phases: float64 (n, 2), at a local minimum of the squared difference.

    Example:
        >>> v = np.cos(np.linspace(0.5, 3.0, 50))
        >>> fit_cosine(np.array([[0.3, 3.2]]), v[None]).round(6).tolist()
        [[0.5, 3.0]]
    """
    rise = np.linspace(0.0, 1.0, v.shape[1])
    basis = np.stack([1 - rise, rise])  # (2, points)
    moments = np.stack([basis[0] ** 2, basis[0] * basis[1], basis[1] ** 2], axis=1)  # (points, 3)

    def measure(phase, target):
        """Squared difference, its gradient (2) and the Gauss-Newton matrix (3): (n, 6)."""
        phase = phase @ basis
        difference, slope = np.cos(phase) - target, -np.sin(phase)
        cost = np.einsum("nt,nt->n", difference, difference)
        return np.c_[cost, (slope * difference) @ basis.T, (slope * slope) @ moments]

    result, active = phases.copy(), np.arange(len(phases))
    state, damping = measure(phases, v), np.full(len(phases), 1e-3)
    for _ in range(max_steps):
        _, g0, g1, a, b, c = state.T
        a, c = a * (1 + damping) + 1e-12, c * (1 + damping) + 1e-12
        step = np.stack([b * g1 - c * g0, b * g0 - a * g1], axis=1) / (a * c - b * b)[:, None]
        step *= np.minimum(1.0, 1.0 / np.max(np.abs(step) + 1e-300, axis=1))[:, None]
        trial = phases + step
        new = measure(trial, v)
        better = new[:, 0] <= state[:, 0]
        phases = np.where(better[:, None], trial, phases)
        state = np.where(better[:, None], new, state)
        damping = np.where(better, damping * 0.1, damping * 10)
        small = (np.max(np.abs(step), axis=1) < 1e-8) | (damping > 1e8)
        result[active[small]] = phases[small]
        keep = ~small
        active, v, phases, state = active[keep], v[keep], phases[keep], state[keep]
        damping = damping[keep]
        if len(active) == 0:
            break
    result[active] = phases
    return result
