"""Closed forms for Gaussian data: conditional distributions, and the best rate and distortion.

For x ~ N(mean, S), any entries given any others are Gaussian too, with the mean and covariance of
`schur_complement`. If some entries are known and the rest is to be sent through a latent, no code,
and so no VAE, does better under the loss ``||x - x_hat||^2 + beta * KL`` than reverse water-filling
of the conditional covariance. A linear VAE attains it.
"""

import numpy as np

ROUNDING = 1e-9


def schur_complement(covariance, target, given):
    """Slope and covariance of x_T given x_G, for x ~ N(mean, S).

    ``E[x_T | x_G] = mean_T + A (x_G - mean_G)``, ``Cov[x_T | x_G] = S_TT - A S_GT``,
    ``A = S_TG S_GG^+``

    ``+`` is the pseudo-inverse, so that S may be singular. It is taken of correlations, so that the
    units of x do not matter.

    Args:
        covariance: S, `(d, d)`, a float64 array.
        target: T, `(d,)`, booleans.
        given: G, `(d,)`, booleans.

    Returns:
        `(slope, rest)`: A `(t, g)` and the conditional covariance `(t, t)`, float64, for t entries
        in T and g in G.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, eq. 2.81 and 2.82.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.truth import schur_complement
        >>> S = np.array([[2.0, 0.8], [0.8, 1.0]])
        >>> slope, rest = schur_complement(S, np.array([True, False]), np.array([False, True]))
        >>> slope.round(2).tolist(), rest.round(2).tolist()
        ([[0.8]], [[1.36]])
    """
    inner, cross = covariance[np.ix_(given, given)], covariance[np.ix_(target, given)]
    scale = np.sqrt(np.diag(inner))
    scale = np.where(scale > 0, scale, 1.0)
    inverse = np.linalg.pinv(inner / np.outer(scale, scale), rcond=ROUNDING, hermitian=True)
    slope = cross / scale @ inverse / scale
    return slope, covariance[np.ix_(target, target)] - slope @ cross.T


def conditional_covariance(sigma, known, observed=None):
    """Covariance of the entries that are to be reconstructed, given those that are known.

    ``Sigma_UU - Sigma_UK Sigma_KK^+ Sigma_KU``, see `schur_complement`.

    Args:
        sigma: covariance `(d, d)`; it may be singular.
        known: `(d,)`, true where an entry is given as condition.
        observed: `(d,)`, false where an entry is missing: it is neither reconstructed nor known. By
            default all are observed.

    Returns:
        float64 `(u, u)`, u the number of entries observed and not known.

    Raises:
        ValueError: sigma is not a covariance, a pattern has another length, or a missing entry is
            marked as known.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, eq. 2.82.

    Example:
        >>> from cvae_keras.truth import conditional_covariance
        >>> conditional_covariance([[1.0, 0.8], [0.8, 1.0]], [True, False]).round(2)
        array([[0.36]])
    """
    sigma, known = check_covariance(sigma), np.asarray(known, dtype=bool)
    observed = np.ones_like(known) if observed is None else np.asarray(observed, dtype=bool)
    if known.shape != sigma[0].shape or observed.shape != known.shape:
        raise ValueError(
            f"known and observed must have shape {sigma[0].shape}, got {known.shape} and "
            f"{observed.shape}: give one value for each row of sigma."
        )
    if np.any(known & ~observed):
        raise ValueError("known holds an entry that observed marks missing: clear it in known.")
    return schur_complement(sigma, observed & ~known, known)[1]


def conditional_log_density(x, target, given, covariance, mean=0.0):
    """log p(x_T | x_G) of each row, for x ~ N(mean, S).

    ``x_T | x_G ~ N(mean_T + A (x_G - mean_G), S_TT - A S_GT)``, A as in `schur_complement`

    Args:
        x: `(batch, d)`.
        target: T, `(d,)`, booleans.
        given: G, `(d,)`, booleans; entries in neither T nor G are not read.
        covariance: S, `(d, d)`.
        mean: `(d,)` or a number.

    Returns:
        float64 `(batch,)`, in nats.

    Raises:
        ValueError: shapes that do not fit, T empty, an entry in both, S not a covariance, or x_T
            determined by x_G, so that it has no density.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, eq. 2.81, 2.82 and 2.43.

    Example:
        >>> from cvae_keras.truth import conditional_log_density
        >>> S = [[1.0, 0.6], [0.6, 1.0]]
        >>> conditional_log_density([[0.6, 1.0]], [True, False], [False, True], S).round(4).tolist()
        [-0.6958]
    """
    from scipy.stats import Covariance, multivariate_normal  # slow to import, and only used here

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
    slope, rest = schur_complement(covariance, target, given)
    scale = np.sqrt(np.maximum(np.diag(covariance)[target], np.finfo(float).tiny))
    if np.linalg.eigvalsh(rest / np.outer(scale, scale))[0] <= 1e-12:
        raise ValueError("target is determined by given, so that it has no density: leave one out.")
    error = x[:, target] - x[:, given] @ slope.T
    rest = Covariance.from_cholesky(np.linalg.cholesky(rest))
    return np.atleast_1d(multivariate_normal.logpdf(error, cov=rest))


def water_filling(eigenvalues, beta):
    """Reverse water-filling: the minimum of ``D + beta R`` over all ways to send a Gaussian.

    ``D_i = min(lambda_i, beta / 2)``, ``R_i = max(0, 0.5 ln(2 lambda_i / beta))``

    Args:
        eigenvalues: lambda, `(n,)`, of the conditional covariance, not negative.
        beta: weight of the rate, above 0.

    Returns:
        Dictionary of ``rate`` (nats), ``distortion`` (squared error), ``objective`` (distortion +
        beta * rate), ``active`` (latent dimensions in use, lambda_i > beta / 2) and ``margin``
        (distance of the eigenvalue nearest to the threshold, relative to it; infinity if n = 0).

    Raises:
        ValueError: beta is not a finite positive number.

    Source: Cover and Thomas, "Elements of Information Theory", 2nd edition, theorem 10.3.3, with
    the water level beta / 2 that minimizes D + beta R.

    Example:
        >>> from cvae_keras.truth import water_filling
        >>> best = water_filling([1.0, 0.1], beta=1.0)
        >>> print(f"{best['distortion']:.2f} {best['rate']:.4f} {best['active']}")
        0.60 0.3466 1
    """
    if not 0 < beta < np.inf:
        raise ValueError(f"beta must be a finite number above 0, got {beta!r}: choose one.")
    values, level = np.maximum(np.asarray(eigenvalues, dtype=float), 0.0), beta / 2
    rate = float(np.sum(0.5 * np.log(np.maximum(values, level) / level)))
    distortion = float(np.sum(np.minimum(values, level)))
    return {
        "rate": rate,
        "distortion": distortion,
        "objective": distortion + beta * rate,
        "active": int(np.sum(values > level)),
        "margin": float(np.min(np.abs(values / level - 1), initial=np.inf)),
    }


def optimum(sigma, known, beta, observed=None):
    """The best rate and distortion for x ~ N(0, sigma) when the entries `known` are given.

    Args:
        sigma: covariance `(d, d)`, as in `conditional_covariance`.
        known: `(d,)`, true where an entry is given as condition.
        beta: weight of the rate, above 0.
        observed: `(d,)`, false where an entry is missing; by default all are observed.

    Returns:
        Dictionary, see `water_filling`.

    Raises:
        ValueError: as `conditional_covariance` and `water_filling`.

    Example:
        >>> from cvae_keras.truth import optimum
        >>> optimum([[1.0, 0.8], [0.8, 1.0]], [True, False], beta=0.25)["active"]
        1
    """
    rest = conditional_covariance(sigma, known, observed)
    return water_filling(np.linalg.eigvalsh(rest) if len(rest) else [], beta)


def check_covariance(sigma):
    """Return sigma as float64 if it is symmetric and has no negative eigenvalue.

    Args:
        sigma: `(d, d)`.

    Returns:
        float64 `(d, d)`.

    Raises:
        ValueError: it is not square, not finite, not symmetric or has a negative eigenvalue.

    Example:
        >>> from cvae_keras.truth import check_covariance
        >>> check_covariance([[1, 0], [0, 1]]).dtype
        dtype('float64')
    """
    sigma = np.asarray(sigma, dtype=float)
    if sigma.ndim != 2 or sigma.shape[0] != sigma.shape[1] or len(sigma) == 0:
        raise ValueError(f"sigma must be a square matrix, got shape {sigma.shape}: give (d, d).")
    if not np.isfinite(sigma).all():
        raise ValueError("sigma holds NaN or infinity: give finite numbers.")
    scale = np.abs(sigma).max()
    if np.abs(sigma - sigma.T).max() > ROUNDING * scale:
        raise ValueError("sigma is not symmetric: give a covariance, (sigma + sigma.T) / 2.")
    lowest = np.linalg.eigvalsh(sigma)[0]
    if lowest < -ROUNDING * max(scale, 1.0):
        raise ValueError(f"sigma has the eigenvalue {lowest:.3g} < 0: it is not a covariance.")
    return sigma
