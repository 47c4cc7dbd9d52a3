"""The exact log-density of some entries of a Gaussian vector, given any others. NumPy only."""

import numpy as np

from cvae_keras.truth.gaussian import check_covariance


def conditional_log_density(x, target, given, covariance, mean=0.0):
    """log p(x_T | x_G) of each row, for x ~ N(mean, S).

    `x_T | x_G ~ N( mean_T + S_TG S_GG^-1 (x_G - mean_G),  S_TT - S_TG S_GG^-1 S_GT )`

    Args:
        x: `(batch, d)`. target, given: `(d,)` of booleans, T and G; entries in neither are left
            out, whatever they hold. covariance: S, `(d, d)`; mean: `(d,)` or a number.

    Returns:
        float64 `(batch,)`, in nats.

    Raises:
        ValueError: shapes that do not fit, T empty, an entry in both, S not a covariance, or x_T
            determined by x_G, so that it has no density.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, eq. 2.81, 2.82 and 2.43.

    Example:
        >>> S = [[1.0, 0.6], [0.6, 1.0]]
        >>> conditional_log_density([[0.6, 1.0]], [True, False], [False, True], S).round(4).tolist()
        [-0.6958]
    """
    x, covariance = np.asarray(x, float), check_covariance(covariance)
    target, given = np.asarray(target, bool), np.asarray(given, bool)
    dim = len(covariance)
    if x.ndim != 2 or x.shape[1] != dim or target.shape != (dim,) or given.shape != (dim,):
        raise ValueError(
            f"x, target and given have shapes {x.shape}, {target.shape} and {given.shape}; give "
            f"(batch, {dim}), ({dim},) and ({dim},), as covariance is."
        )
    if not target.any() or (target & given).any():
        raise ValueError("target must hold an entry, and none that given holds: clear it in one.")
    x = np.where(target | given, x - mean, 0.0)
    slope = np.linalg.lstsq(
        covariance[np.ix_(given, given)], covariance[np.ix_(given, target)], rcond=None
    )[0].T
    rest = covariance[np.ix_(target, target)] - slope @ covariance[np.ix_(given, target)]
    values = np.linalg.eigvalsh(rest)
    if values[0] <= 1e-12 * np.abs(covariance).max():
        raise ValueError("target is determined by given, so that it has no density: leave one out.")
    error = x[:, target] - x[:, given] @ slope.T
    square = np.sum(error * np.linalg.solve(rest, error.T).T, axis=1)
    return -0.5 * (square + np.sum(np.log(values)) + target.sum() * np.log(2.0 * np.pi))
