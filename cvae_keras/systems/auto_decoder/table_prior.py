"""Inference with the prior that the table of the training rows' latents is."""

import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.systems.auto_decoder.inference import newton, root_of

POINTS = 1000  # latents in memory at once, each with the Jacobian of the decoder


def bandwidth(table):
    """The variance of the kernels: per dimension, that of the distance to the nearest other row.

    `h^2 = mean_i min_(j != i) |mu_i - mu_j|^2 / latent_dim`

    Args:
        table: NumPy array `(examples, latent_dim)`, two rows or more.

    Raises:
        ValueError: the table has one row.

    Example:
        >>> bandwidth(np.array([[0.0], [1.0], [3.0]]))
        2.0
    """
    if len(table) < 2:
        raise ValueError("the table must have two rows or more for prior='table': use 'normal'.")
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=2).fit(table).kneighbors()
    return max(float(np.mean(distances[:, 0] ** 2)) / table.shape[1], 1e-6)


def table_posterior_mean(decoder, x, mask, precision, ratio, table, starts=20, steps=5):
    """E[f(z)] of new rows under a prior with one kernel at the latent of each training row.

    `p(z) = (1/N) sum_i N(z; mu_i, h^2 I)`, with the `bandwidth` h^2; and

    `x_hat = sum_k w_k f(z_k)`,
    `w_k ~ p(x_observed | z_k) N(z_k; mu_k, h^2 I) det(J diag(m p / ratio) J' + I / h^2)^(-1/2)`

    The search starts at those training rows whose reconstruction is nearest to the observed
    entries. z_k is the most probable latent under kernel k, and w_k its evidence, by the Laplace
    approximation. If few entries are observed, several kinds of rows fit them: the mean over a
    prior N(0, I) around one of them misses the others. For a linear decoder and all rows as starts
    the result is exact.

    Args:
        decoder: a `DenseDecoder`.
        x: NumPy array `(batch, features)`, float32, finite.
        mask: NumPy array `(batch, features)`, float32, 1 where observed.
        precision: p, broadcast to x's shape; the noise variance is `ratio / p`.
        ratio: weight of the prior, above 0.
        table: latents of the training rows, `(examples, latent_dim)`.
        starts: kernels of each row that are searched, at most `examples`.
        steps: maximum number of Gauss-Newton steps of each.

    Returns:
        NumPy array `(batch, features)`, float32.

    Source: the prior is that of Ghosh et al., "From variational to deterministic autoencoders",
    2020, section 4 (a density fitted to the latents after training), with a kernel density
    estimate; Silverman, "Density estimation", 1986.

    Example:
        ```python
        x_hat = table_posterior_mean(decoder, x, mask, 2.0, 0.02, table)
        ```
    """
    starts = min(check_count("starts", starts), len(table))
    weight = (mask * np.broadcast_to(precision, x.shape) / ratio).astype("float32")
    prior, size = 1.0 / bandwidth(table), max(1, POINTS // starts)
    rows = np.concatenate([_decode(decoder, part) for part in _parts(table, POINTS)])
    found = []
    for first in range(0, len(x), size):
        part = slice(first, first + size)
        fit = (weight[part] * x[part]) @ rows.T - 0.5 * weight[part] @ np.square(rows).T
        nearest = np.argsort(-fit, axis=1, kind="stable")[:, :starts]
        center = ops.convert_to_tensor(table[nearest].reshape(-1, table.shape[1]))
        x_part, w_part = (
            ops.convert_to_tensor(np.repeat(each[part], starts, axis=0)) for each in (x, weight)
        )
        z, matrix = newton(decoder, x_part, w_part, prior, center, steps, center=center)
        x_hat = decoder.trace(z)[0]
        cost = ops.sum(w_part * ops.square(x_part - x_hat), -1)
        cost = cost + prior * ops.sum(ops.square(z - center), -1)
        root = ops.diagonal(root_of(matrix), axis1=1, axis2=2)
        log_w = -0.5 * cost - ops.sum(ops.log(root), axis=-1)
        log_w = ops.reshape(log_w, (-1, starts))
        w = ops.exp(log_w - ops.logsumexp(log_w, axis=1, keepdims=True))
        mean = ops.sum(w[..., None] * ops.reshape(x_hat, (len(nearest), starts, -1)), axis=1)
        found.append(ops.convert_to_numpy(mean))
    return np.concatenate(found)


def _parts(array, size):
    return [array[first : first + size] for first in range(0, len(array), size)]


def _decode(decoder, z):
    return ops.convert_to_numpy(decoder.trace(ops.convert_to_tensor(z))[0])
