"""All exact solutions of a sinusoid task, and their posterior weights, in closed form.

Curve i is ``y_i(t) = g_i(p_i x0(t) + q_i x1(t))``, g sin or cos, ``t = 0..points-1``. Both x are
linear in t, so the phase of each curve is linear in t too. A curve gives its phase up to a
reflection (phi or -phi, for cos) and a shift of 2 pi k, for the whole curve at once. Each choice
for the two curves is a 2x2 linear system at both ends of the ramps.
"""

from itertools import product

import numpy as np

from cvae_keras.truth.gauss_newton import gauss_newton

TWO_PI = 2.0 * np.pi


def fit_phase(curve):
    """Fit ``cos(phi_c + omega * tau)`` to sampled curves.

    With ``D = v[t+1] - v[t-1] = -2 sin(phi) sin(omega)`` and ``v[t+1] + v[t-1] = 2 v cos(omega)``,

        omega = atan2( sqrt(sum D^2 / (4 sum(1 - v^2))), sum v (v+ + v-) / (2 sum v^2) );

    cos(phi_c) and sin(phi_c) then follow by linear least squares, and damped Gauss-Newton steps on
    ``sum (cos(phi_c + omega tau) - v)^2`` polish both.

    Args:
        curve: array (..., points), values in [-1, 1], at least 3 points.

    Returns:
        phi_c, omega: float64 arrays (...); the phase at the center of the curve, where
        ``tau = t - (points - 1) / 2`` is 0, in radians, and ``omega >= 0`` in radians per point.

    Raises:
        ValueError: the curve has fewer than 3 points.

    Source: derived here, from the addition theorems.

    Example:
        >>> tau = np.arange(50) - 24.5
        >>> phi_c, omega = fit_phase(np.cos(0.3 + 0.2 * tau))
        >>> print(f"{phi_c:.6f} {omega:.6f}")
        0.300000 0.200000
    """
    v = np.asarray(curve, dtype=np.float64)
    if v.ndim < 1 or v.shape[-1] < 3:
        raise ValueError(f"curve has shape {v.shape}; give at least 3 points on its last axis.")
    shape, v = v.shape[:-1], np.clip(v.reshape(-1, v.shape[-1]), -1.0, 1.0)
    tau = np.arange(v.shape[1]) - (v.shape[1] - 1) / 2
    middle, around = v[:, 1:-1], v[:, 2:] + v[:, :-2]
    sine = np.sum((v[:, 2:] - v[:, :-2]) ** 2, 1) / (4 * np.sum(1 - middle**2, 1) + 1e-30)
    cosine = (np.sum(middle * around, 1) + 1e-30) / (2 * np.sum(middle**2, 1) + 1e-30)
    phi, omega, worst = _polish(v, tau, np.arctan2(np.sqrt(sine), cosine))
    poor = worst > 1e-5  # rounding spoils omega when v stays near 0 or +-1: scan it instead
    if np.any(poor):
        grid = np.linspace(0.0, np.pi, 4 * v.shape[1])
        phi[poor], omega[poor] = _scan(v[poor], tau, grid, phi[poor], omega[poor], worst[poor])
    turn = np.where(omega < 0, -1.0, 1.0)
    return (turn * phi).reshape(shape), (turn * omega).reshape(shape)


def fit_cosine(phases, v, max_steps=50, damping=1e-3):
    """Fit ``cos((1 - r) a + r b)``, r from 0 to 1, to curves, from given phases a and b.

    Args:
        phases: float64 (n, 2), the start (a) and the end (b) to set out from, in radians.
        v: float64 (n, points), the curves.
        max_steps: maximum number of Gauss-Newton steps.
        damping: initial damping of the steps.

    Returns:
        phases: float64 (n, 2), at a local minimum of the squared difference.

    Example:
        >>> v = np.cos(np.linspace(0.5, 3.0, 50))
        >>> fit_cosine(np.array([[0.3, 3.2]]), v[None]).round(6).tolist()
        [[0.5, 3.0]]
    """
    rise = np.linspace(0.0, 1.0, v.shape[1])
    basis = np.stack([1 - rise, rise])  # (2, points)
    products = (basis[:, None] * basis).reshape(4, -1).T  # (points, 4)

    def measure(phase, target):
        phase = phase @ basis
        difference, slope = np.cos(phase) - target, -np.sin(phase)
        cost = np.einsum("nt,nt->n", difference, difference)
        matrix = ((slope * slope) @ products).reshape(-1, 2, 2)
        return cost, (slope * difference) @ basis.T, matrix

    return gauss_newton(measure, phases, [v], max_steps, damping, max_step=1.0)[0]


def _linear_phase(v, tau, omega):
    """Least-squares phi_c of each curve v (n, points) at given omega (n,)."""
    c, s = np.cos(omega[:, None] * tau), np.sin(omega[:, None] * tau)
    # c is even and s is odd in tau, so the two normal equations separate
    even, odd = np.sum(c * c, 1), np.sum(s * s, 1)
    cosine = np.sum(c * v, 1) / (even + 1e-30)
    sine = -np.sum(s * v, 1) / (odd + 1e-30)
    # at omega 0 there is no odd part to read a sine from, at omega pi perhaps no even part
    other_sine = np.copysign(np.sqrt(np.maximum(1 - cosine**2, 0)), sine)
    other_cosine = np.copysign(np.sqrt(np.maximum(1 - sine**2, 0)), cosine)
    least = 1e-6 * len(tau)
    return np.arctan2(
        np.where(odd < least, other_sine, sine), np.where(even < least, other_cosine, cosine)
    )


def _polish(v, tau, omega):
    """Least-squares (phi_c, omega) from omega; returns them and the largest residual."""
    start = _linear_phase(v, tau, omega)[:, None] + omega[:, None] * tau[[0, -1]]
    phases = fit_cosine(start, v, max_steps=30, damping=1e-9)
    phi, omega = phases.mean(axis=1), (phases[:, 1] - phases[:, 0]) / (tau[-1] - tau[0])
    residual = np.cos(phi[:, None] + omega[:, None] * tau) - v
    return phi, omega, np.max(np.abs(residual), axis=1)


def _scan(v, tau, grid, phi, omega, worst):
    """Retry poorly fitted curves from each omega of the grid; keeps the best fit of each."""
    for row in range(len(v)):
        copies = np.broadcast_to(v[row], (len(grid), v.shape[1]))
        phis, omegas, worsts = _polish(copies, tau, grid)
        best = np.argmin(worsts)
        if worsts[best] < worst[row]:
            phi[row], omega[row] = phis[best], omegas[best]
    return phi, omega


def _branches(function, phi_c, omega, points, box, tol):
    """All (start, end) phases p x0 + q x1 of one curve that ramps in the box can reach: (n, 2)."""
    name, p, q = function
    corners = [p * a + q * b for a, b in product(box, box)]
    low, high = min(corners), max(corners)
    width, margin = box[1] - box[0], (abs(p) + abs(q)) * tol
    slopes = np.array([min(0, -p) + min(0, q), max(0, -p) + max(0, q)]) * width / (points - 1)
    found = []
    for sign in (1.0, -1.0):
        start = sign * (phi_c - omega * (points - 1) / 2) + (np.pi / 2 if name == "sin" else 0.0)
        first, last = (slopes - sign * omega + np.array([-margin, margin])) / TWO_PI
        for alias in range(int(np.ceil(first)), int(np.floor(last)) + 1):
            rise = (sign * omega + TWO_PI * alias) * (points - 1)
            least, most = (low - margin - start) / TWO_PI, (high + margin - start) / TWO_PI
            starts = start + TWO_PI * np.arange(np.ceil(least), np.floor(most) + 1)
            found.append(np.stack([starts, starts + rise], axis=-1))
    found = np.concatenate(found) if found else np.zeros((0, 2))
    return found[(found[:, 1] >= low - margin) & (found[:, 1] <= high + margin)]


def solutions(functions, y, box=(0.1, 1.0), tol=1e-5):
    """List every pair of ramps in the box that gives y, with its posterior weight.

    Every mode has the same Jacobian, so its weight is proportional to the prior density there:
    ``w ~ 1 / ((high - lo0) (high - lo1))`` for ``lo ~ U(low, high), hi ~ U(lo, high)``.

    Args:
        functions: two triples (name, p, q), name "sin" or "cos".
        y: array (points, 2), one example, values in [-1, 1].
        box: (low, high), the range of both ramps.
        tol: how far outside the box, or out of order, a ramp end may lie; identical solutions
            closer than this are listed once.

    Returns:
        ends: float64 (k, 4), columns lo0, hi0, lo1, hi1; x0 falls from hi0 to lo0, x1 rises from
            lo1 to hi1; by descending weight. k is 0 when y is no pair of such curves (it differs
            from the best fit by more than 1e-3 somewhere) or nothing in the box gives it.
        weights: float64 (k,), sums to 1.

    Raises:
        ValueError: y is not of shape (points, 2).

    Source: derived here; the change of variables for densities, with a constant Jacobian.

    Example:
        >>> x0, x1 = np.linspace(0.9, 0.2, 50), np.linspace(0.3, 0.8, 50)
        >>> y = np.stack([np.sin(5 * x0 + 3 * x1), np.cos(4 * x0 + 8 * x1)], axis=-1)
        >>> ends, weights = solutions([("sin", 5, 3), ("cos", 4, 8)], y)
        >>> print(ends.round(4))
        [[0.3965 0.8393 0.4011 0.4726]
         [0.2    0.9    0.3    0.8   ]]
        >>> print(weights.round(3))
        [0.608 0.392]
    """
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != 2 or y.shape[1] != 2:
        raise ValueError(f"y has shape {y.shape}; give one example of shape (points, 2).")
    points, high = len(y), box[1]
    phi_c, omega = fit_phase(y.T)
    tau = np.arange(points) - (points - 1) / 2
    nothing = np.zeros((0, 4)), np.zeros(0)
    if not np.max(np.abs(np.cos(phi_c + omega * tau[:, None]) - y)) <= 1e-3:
        return nothing
    one, two = (_branches(functions[i], phi_c[i], omega[i], points, box, tol) for i in (0, 1))
    # phases (n0 n1, curve, end) -> x (n0 n1, ramp, end)
    phases = np.stack([np.repeat(one, len(two), axis=0), np.tile(two, (len(one), 1))], axis=1)
    matrix = np.array([[p, q] for _, p, q in functions], dtype=np.float64)
    x = np.einsum("ij,njt->nit", np.linalg.inv(matrix), phases)
    lo, hi = np.stack([x[:, 0, 1], x[:, 1, 0]], 1), np.stack([x[:, 0, 0], x[:, 1, 1]], 1)
    inside = np.all((lo >= box[0] - tol) & (hi <= high + tol) & (lo <= hi + tol), axis=1)
    lo, hi = lo[inside], hi[inside]
    if len(lo) == 0:
        return nothing
    ends = np.stack([lo[:, 0], hi[:, 0], lo[:, 1], hi[:, 1]], axis=1)
    near = np.max(np.abs(ends[:, None] - ends), axis=2) < tol
    ends = ends[~np.any(np.tril(near, -1), axis=1)]
    weights = 1 / np.prod(np.maximum(high - ends[:, [0, 2]], tol), axis=1)
    weights /= weights.sum()
    order = np.argsort(-weights, kind="stable")
    return ends[order], weights[order]
