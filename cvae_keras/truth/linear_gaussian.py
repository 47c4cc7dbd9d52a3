"""Exact solutions for linear and Gaussian models of incomplete data. NumPy only.

- `ridge_latent`: the best latent of a row for a linear decoder;
- `conditional_mean`, `conditional_error`: the best imputation of Gaussian data, and its error.
"""

import numpy as np

from cvae_keras.truth.gaussian import schur_complement


def ridge_latent(x, mask, kernel, bias=0.0, ratio=1.0, precision=2.0):
    """The exact result of test-time inference with a linear decoder: a ridge regression.

    For each row it minimizes

        sum_d  m_d p_d (x_d - (z W + b)_d)^2 / 2  +  ratio |z|^2 / 2

    with the solution `z = (W_m P W_m' + ratio I)^-1 W_m P (x - b)_m`, W_m the observed columns.
    With p_d = 2 the first term is the masked sum of squares, as in `SquaredError`; the second is
    the part of ratio * KL(q || N(0, I)) that depends on the mean of q. Zadeh et al. (2019) average
    the squares over the n observed entries of a row, which is precision 2 / n.

    Args:
        x: `(batch, features)`; missing entries are not read.
        mask: `(batch, features)`, 1 where observed.
        kernel: W, `(latent_dim, features)`.
        bias: b, `(features,)` or a number.
        ratio: weight of the KL, above 0.
        precision: p, one over the noise variance: a number, `(features,)` or `(batch, features)`.

    Returns:
        float64 `(batch, latent_dim)`.

    Raises:
        ValueError: the shapes do not fit, or ratio is not above 0.

    Source: Tipping and Bishop, "Probabilistic principal component analysis", 1999, section 3, with
    the columns of missing entries left out; the objective is that of Zadeh et al., "Variational
    Auto-Decoder", 2019.

    Example:
        >>> ridge_latent([[3.0, 0.0]], [[1, 0]], [[1.0, 5.0]], ratio=1.0).tolist()
        [[2.0]]
    """
    x, mask, kernel = _as_rows(x, mask, "kernel", kernel)
    if not ratio > 0:
        raise ValueError(f"ratio must be above 0, got {ratio!r}: without it z is not determined.")
    weight = np.where(mask, precision, 0.0)  # (batch, features)
    target = np.where(mask, x - bias, 0.0)
    gram = np.einsum("ld,bd,kd->blk", kernel, weight, kernel, optimize=True)
    gram += ratio * np.eye(len(kernel))
    return np.linalg.solve(gram, ((weight * target) @ kernel.T)[..., None])[..., 0]


def conditional_mean(x, mask, mean, covariance):
    """The best imputation of Gaussian data: E[x_U | x_K] for each row's own missing entries.

    `E[x_U | x_K] = mean_U + S_UK S_KK^-1 (x_K - mean_K)`

    Args:
        x: `(batch, features)`; missing entries are not read.
        mask: `(batch, features)`, 1 where observed (K), 0 where missing (U).
        mean: `(features,)`.
        covariance: S, `(features, features)`, positive definite.

    Returns:
        float64 `(batch, features)`: x where observed, the conditional mean elsewhere.

    Raises:
        ValueError: the shapes do not fit.

    Source: Anderson, "An introduction to multivariate statistical analysis", 2003, theorem 2.5.1.

    Example:
        >>> conditional_mean([[2.0, 0.0]], [[1, 0]], [0.0, 1.0], [[1.0, 0.5], [0.5, 1.0]]).tolist()
        [[2.0, 2.0]]
    """
    x, mask, covariance = _as_rows(x, mask, "covariance", covariance)
    filled = np.where(mask, x, mean)
    for row, known in zip(filled, mask, strict=True):
        slope, _ = schur_complement(covariance, ~known, known)
        row[~known] += slope @ (row[known] - np.asarray(mean)[known])
    return filled


def conditional_error(mask, covariance):
    """Expected squared error of `conditional_mean`, averaged over the missing entries.

    No imputation has a smaller one. Of one row it is `trace(S_UU - S_UK S_KK^-1 S_KU)`.

    Args:
        mask: `(batch, features)`, 1 where observed.
        covariance: S, `(features, features)`, positive definite.

    Returns:
        Mean squared error of a missing entry; NaN if nothing is missing.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> conditional_error([[1, 0], [0, 1]], [[1.0, 0.5], [0.5, 1.0]])
        0.75
    """
    mask = np.asarray(mask)
    _, mask, covariance = _as_rows(np.zeros(mask.shape), mask, "covariance", covariance)
    total = sum(np.trace(schur_complement(covariance, ~known, known)[1]) for known in mask)
    return float(total / (~mask).sum()) if not mask.all() else float("nan")


def _as_rows(x, mask, name, matrix):
    x, mask = np.asarray(x, float), np.asarray(mask).astype(bool)
    matrix = np.asarray(matrix, float)
    if x.ndim != 2 or mask.shape != x.shape:
        raise ValueError(
            f"x and mask have shapes {x.shape} and {mask.shape}; give (batch, features) for both."
        )
    if matrix.ndim != 2 or matrix.shape[1] != x.shape[1]:
        raise ValueError(
            f"{name} has shape {matrix.shape}; give a matrix with {x.shape[1]} columns."
        )
    return x, mask, matrix
