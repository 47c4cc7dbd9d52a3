"""Factor analysis of incomplete data, by EM: the best linear auto-decoder. NumPy only."""

import numpy as np

from cvae_keras.checks import check_count

BOUND = 2.0  # variance of the Gaussian bound of a label column: softmax bends by at most 1/2


def factor_analysis(x, mask, latent_dim, steps=40, floor=1e-3, ridge=1.0, labels=()):
    """Fit `x = mean + z W + noise`, z ~ N(0, I), noise ~ N(0, diag variance), to observed entries.

    Each step computes the exact Gaussian posterior of z given the observed entries of each row
    (E-step), then regresses each column on z over the rows where it is observed (M-step). The
    likelihood of the observed entries never decreases.

    The entries of a label column are logits `l = mean + z W`. Their likelihood has the lower bound
    of a Gaussian of variance 2 at `l0 + 2 (x - softmax(l0))`, which touches it at l0, the logits of
    the step before.

    Args:
        x: `(rows, features)`, roughly standardized; missing entries are not read.
        mask: `(rows, features)`, 1 where observed.
        latent_dim: width of z.
        steps: number of EM steps.
        floor: least noise variance.
        ridge: weight of a N(0, I) prior on W, in rows.
        labels: a slice of features for each label column, whose x is one-hot.

    Returns:
        Dictionary of `mean` `(features,)`, `kernel` W `(latent_dim, features)`, `variance`
        `(features,)`, and `z` and `z_variance` `(rows, latent_dim)`, the means and variances of the
        rows' posteriors. z is rotated so that `W diag(1 / variance) W'` is diagonal.

    Source: Rubin and Thayer, "EM algorithms for ML factor analysis", 1982; missing entries are left
    out of both steps. Labels: Khan et al., "Variational bounds for mixed-data factor analysis",
    2010, with half the identity in place of Boehning's matrix, which it exceeds.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(500, 1)) @ [[1.0, 2.0]] + 0.1 * rng.normal(size=(500, 2))
        >>> fit = factor_analysis(x, np.ones_like(x), latent_dim=1, steps=100)
        >>> np.allclose(fit["kernel"][0, 1] / fit["kernel"][0, 0], 2.0, atol=0.01)
        True
    """
    mask = np.asarray(mask, "float64")
    x = np.where(mask > 0, np.asarray(x, "float64"), 0.0)
    latent_dim = check_count("latent_dim", latent_dim)
    rows, features = x.shape
    count = np.maximum(mask.sum(axis=0), 1.0)
    one_hot, shift = x, x.sum(axis=0) / count
    for part in labels:
        shift[part] = np.log((x[:, part].sum(axis=0) + 0.5) / count[part])
    logits = np.tile(shift, (rows, 1))
    x = _pseudo_data(x, one_hot, logits, labels)
    x = np.where(mask > 0, x - shift, 0.0)
    mean = np.zeros(features)
    values, vectors = np.linalg.eigh(x.T @ x / rows)
    keep = min(latent_dim, features)
    kernel = np.zeros((latent_dim, features))
    kernel[:keep] = (vectors[:, ::-1][:, :keep] * np.sqrt(np.maximum(values[::-1][:keep], 1e-3))).T
    variance = np.maximum(0.5 * (x**2).sum(axis=0) / count, floor)
    for part in labels:
        variance[part] = BOUND
    z = np.zeros((rows, latent_dim))
    for _ in range(steps):
        if labels:
            logits = shift + mean + z @ kernel
            x = np.where(mask > 0, _pseudo_data(x + shift, one_hot, logits, labels) - shift, 0.0)
        z, covariance = posterior(x, mask, mean, kernel, variance)
        # the M-step: one regression per column, on [1, z]
        second = covariance + z[:, :, None] * z[:, None, :]
        first = np.c_[np.ones(rows), z]
        moments = np.empty((rows, latent_dim + 1, latent_dim + 1))
        moments[:, 0], moments[:, :, 0], moments[:, 1:, 1:] = first, first, second
        gram = (mask.T @ moments.reshape(rows, -1)).reshape(features, *moments.shape[1:])
        penalty = np.diag(np.r_[1e-6, np.full(latent_dim, ridge)])
        target = (mask * x).T @ first
        solution = np.linalg.solve(gram + penalty, target[..., None])[..., 0]
        mean, kernel = solution[:, 0], solution[:, 1:].T
        fitted = np.einsum("fi,fij,fj->f", solution, gram, solution)
        rest = (mask * x * x).sum(axis=0) - 2 * (solution * target).sum(axis=1) + fitted
        variance = np.maximum((rest + 1e-3) / count, floor)
        for part in labels:
            variance[part] = BOUND
    _, rotation = np.linalg.eigh((kernel / variance) @ kernel.T)
    kernel = rotation[:, ::-1].T @ kernel
    z, covariance = posterior(x, mask, mean, kernel, variance)
    found = {"mean": shift + mean, "kernel": kernel, "variance": variance, "z": z}
    return {**found, "z_variance": np.diagonal(covariance, axis1=1, axis2=2)}


def _pseudo_data(x, one_hot, logits, labels):
    """x, in which label columns are the Gaussian data whose likelihood is the bound at `logits`."""
    x = x.copy()
    for part in labels:
        p = np.exp(logits[:, part] - logits[:, part].max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        x[:, part] = logits[:, part] + BOUND * (one_hot[:, part] - p)
    return x


def posterior(x, mask, mean, kernel, variance):
    """Mean and covariance of each row's z, given its observed entries.

    `Cov = (I + W_m diag(1 / variance) W_m')^-1`, `mean = Cov W_m ((x - mean) / variance)_m`

    Args:
        x: `(rows, features)`, finite.
        mask: `(rows, features)`, 1 where observed.
        mean: `(features,)`.
        kernel: W, `(latent_dim, features)`.
        variance: of the noise, `(features,)`.

    Returns:
        `(z, covariance)`, `(rows, latent_dim)` and `(rows, latent_dim, latent_dim)`.

    Example:
        >>> one = np.ones((1, 1))
        >>> z, covariance = posterior(2 * one, one, 0.0, one, np.ones(1))
        >>> z.tolist(), covariance.tolist()
        ([[1.0]], [[[0.5]]])
    """
    latent_dim, features = kernel.shape
    pairs = (kernel[:, None] * kernel[None] / variance).reshape(-1, features)
    precision = (mask @ pairs.T).reshape(-1, latent_dim, latent_dim) + np.eye(latent_dim)
    covariance = np.linalg.inv(precision)
    pull = (mask * (x - mean) / variance) @ kernel.T
    return np.einsum("rij,rj->ri", covariance, pull), covariance
