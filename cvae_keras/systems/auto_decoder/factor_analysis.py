"""Factor analysis of incomplete data, by EM: the best linear auto-decoder. NumPy only."""

import numpy as np

from cvae_keras.checks import check_count

BOUND = 2.0  # variance of the Gaussian bound of a label column: softmax bends by at most 1/2
LABEL_STEPS = 10  # of that bound in the posteriors of all rows, after EM
MOST_ROWS = 10_000  # of the EM steps
NUMBERS = 2**21  # of the matrices of the rows that are computed at a time


def factor_analysis(x, mask, latent_dim, steps=40, floor=1e-3, ridge=1.0, labels=()):
    """Fit `x = mean + z W + noise`, z ~ N(0, I), noise ~ N(0, diag variance), to observed entries.

    Each step computes the exact Gaussian posterior of z given the observed entries of each row
    (E-step), then regresses each column on z over the rows where it is observed (M-step). The
    likelihood of the observed entries never decreases.

    Of more than 10,000 rows a random subset takes part in EM; the posteriors returned are those of
    all rows. Memory beside arrays of the size of x and z is bounded.

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
    latent_dim = check_count("latent_dim", latent_dim)
    rows, features = x.shape
    chosen = slice(None)
    if rows > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).permutation(rows)[:MOST_ROWS])
    model = _maximize(*_read(x[chosen], mask[chosen]), latent_dim, steps, floor, ridge, labels)
    z, z_variance = (np.empty((rows, latent_dim)) for _ in range(2))
    for part in _parts(rows, latent_dim):
        some, seen = _read(x[part], mask[part])
        logits = np.tile(model["mean"], (len(some), 1))
        for _ in range(LABEL_STEPS if labels else 1):
            data = _pseudo_data(some, logits, labels)
            z[part], covariance = posterior(data, seen, **model)
            logits = model["mean"] + z[part] @ model["kernel"]
        z_variance[part] = np.diagonal(covariance, axis1=1, axis2=2)
    return {**model, "z": z, "z_variance": z_variance}


def _maximize(x, mask, latent_dim, steps, floor, ridge, labels):
    """The `mean`, `kernel` and `variance` of the arguments of `factor_analysis`, by EM."""
    rows, features = x.shape
    count = np.maximum(mask.sum(axis=0), 1.0)
    shift = x.sum(axis=0) / count
    for part in labels:
        shift[part] = np.log((x[:, part].sum(axis=0) + 0.5) / count[part])
    data = mask * (_pseudo_data(x, np.tile(shift, (rows, 1)), labels) - shift)
    mean = np.zeros(features)
    values, vectors = np.linalg.eigh(data.T @ data / rows)
    keep = min(latent_dim, features)
    kernel = np.zeros((latent_dim, features))
    kernel[:keep] = (vectors[:, ::-1][:, :keep] * np.sqrt(np.maximum(values[::-1][:keep], 1e-3))).T
    variance = np.maximum(0.5 * (data**2).sum(axis=0) / count, floor)
    for part in labels:
        variance[part] = BOUND
    z, penalty = np.zeros((rows, latent_dim)), np.diag(np.r_[1e-6, np.full(latent_dim, ridge)])
    for _ in range(steps):
        gram, target, squares = 0.0, 0.0, 0.0
        for part in _parts(rows, latent_dim):
            seen, some = mask[part], data[part]
            if labels:
                logits = shift + mean + z[part] @ kernel
                some = seen * (_pseudo_data(x[part], logits, labels) - shift)
            z[part], covariance = posterior(some, seen, mean, kernel, variance)
            first = np.c_[np.ones(len(some)), z[part]]
            moments = first[:, :, None] * first[:, None]
            moments[:, 1:, 1:] += covariance
            gram += seen.T @ moments.reshape(len(some), -1)
            target, squares = target + some.T @ first, squares + (some * some).sum(axis=0)
        # the M-step: one regression per column, on [1, z]
        gram = gram.reshape(features, latent_dim + 1, latent_dim + 1)
        solution = np.linalg.solve(gram + penalty, target[..., None])[..., 0]
        mean, kernel = solution[:, 0], solution[:, 1:].T
        fitted = np.einsum("fi,fij,fj->f", solution, gram, solution)
        rest = squares - 2 * (solution * target).sum(axis=1) + fitted
        variance = np.maximum((rest + 1e-3) / count, floor)
        for part in labels:
            variance[part] = BOUND
    _, rotation = np.linalg.eigh((kernel / variance) @ kernel.T)
    return {"mean": shift + mean, "kernel": rotation[:, ::-1].T @ kernel, "variance": variance}


def _read(x, mask):
    """x, 0 where it is missing, and its mask, in float64."""
    mask = np.asarray(mask, "float64")
    return np.where(mask > 0, np.asarray(x, "float64"), 0.0), mask


def _parts(rows, latent_dim):
    """Slices of rows, which bound the memory: there is a matrix for each row."""
    size = max(1, NUMBERS // (latent_dim + 1) ** 2)
    return [slice(first, first + size) for first in range(0, rows, size)]


def _pseudo_data(x, logits, labels):
    """x, in which label columns are the Gaussian data whose likelihood is the bound at `logits`."""
    if not labels:
        return x
    data = x.copy()
    for part in labels:
        p = np.exp(logits[:, part] - logits[:, part].max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        data[:, part] = logits[:, part] + BOUND * (x[:, part] - p)
    return data


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
