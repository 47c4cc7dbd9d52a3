"""The Laplace approximation of a new row's posterior: means, draws and a bound on log p(x).

`infer_latents` finds the most probable latent z_hat of a row, and the curvature there gives its
uncertainty: `z ~ N(z_hat, ratio (J diag(m p) J' + ratio I)^-1)`.
"""

from functools import partial

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, check_seed
from cvae_keras.systems.auto_decoder.inference import (
    infer_latents,
    initial_latents,
    newton,
    root_of,
    usual_method,
)

TOLERANCE = 1e-3  # of latents whose standard deviation is near 1 without observed entries


def posterior_mean(
    decoder, x, mask, precision, ratio, table, likelihood=None, batch_size=1000, start=None
):
    """E[f(z)] of new rows, over the Laplace approximation of the posterior.

    The mean over 2 latent_dim sigma points, `z_hat +- sqrt(latent_dim) * column_j(root of Cov)`,
    which is exact for a quadratic f. If few entries are observed it is better than f(z_hat). For
    columns with likelihoods of their own it is the mean of their means, probabilities and rates
    over 64 quasi-random points and their reflections.

    Args:
        decoder: a `DenseDecoder`.
        x: NumPy array `(batch, features)`, float32, finite.
        mask: NumPy array `(batch, features)`, float32, 1 where observed.
        precision: p, broadcast to x's shape.
        ratio: weight of the prior.
        table: latents of the training rows, `(examples, latent_dim)`.
        likelihood: a `ColumnLikelihood`, or None for squared errors.
        batch_size: rows at a time, which bounds the memory.
        start: latents from which the search starts, `(batch, latent_dim)`; None for the mean of the
            table.

    Returns:
        NumPy array `(batch, features)`, float32.

    Source: Julier and Uhlmann, "Unscented filtering and nonlinear estimation", 2004.

    Example:
        ```python
        x_hat = posterior_mean(decoder, x, mask, 2.0, 0.02, table)
        ```
    """
    means = np.empty(x.shape, "float32")
    latent_dim = table.shape[1]
    directions = np.sqrt(latent_dim) * np.eye(latent_dim)  # one a column
    if likelihood is not None:
        directions = multivariate_normal_points(latent_dim)
    count = directions.shape[1]
    directions = ops.convert_to_tensor(np.sqrt(ratio) * directions, "float32")

    search = (decoder, x, mask, precision, ratio, table, batch_size, likelihood)
    average = partial(_average, decoder, likelihood)
    if len(x) > batch_size:
        average = decoder.compiled(_average, decoder, likelihood, key=likelihood)
    at_once = max(1, 10_000 // min(batch_size, len(x)))  # bounds the memory
    groups = [directions[:, first : first + at_once] for first in range(0, count, at_once)]
    for part, z, root in _laplace(*search, start):
        total = sum(average(z, root, group) for group in groups)
        means[part] = ops.convert_to_numpy(total) / (2 * count)
    return means


def _average(decoder, likelihood, z, root, directions):
    """The sum of the means at z +- the directions, scaled by the root of each row's covariance."""
    rows, (dims, count) = ops.shape(z)[0], ops.shape(directions)
    tiled = ops.broadcast_to(directions, (rows, dims, count))
    shift = ops.transpose(ops.solve_triangular(ops.swapaxes(root, 1, 2), tiled), (2, 0, 1))
    points = ops.reshape(ops.stack([z + shift, z - shift]), (-1, z.shape[-1]))
    x_hat = decoder(points[None], training=False)
    x_hat = x_hat["mean"][0] if isinstance(x_hat, dict) else x_hat[0]
    if likelihood is not None:
        x_hat = likelihood.mean(x_hat)
    return ops.sum(ops.reshape(x_hat, (2 * count, -1, x_hat.shape[-1])), axis=0)


def multivariate_normal_points(dims, count=64):
    """Quasi-random points of N(0, I), always the same ones: NumPy `(dims, count)`.

    Example:
        >>> multivariate_normal_points(3).shape
        (3, 64)
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    return ndtri(qmc.Sobol(dims, seed=0).random(count)).T


def posterior_draws(
    decoder, x, mask, precision, ratio, table, n_samples, seed, likelihood=None, batch_size=1000
):
    """Draw x for new rows: z from the Laplace approximation of its posterior, and noise.

    `z ~ N(z_hat, ratio (J diag(m p) J' + ratio I)^-1)`, `x = f(z) + sqrt(ratio / p) * eps`

    At ratio 1 and p one over the noise variance this is the posterior of the model; with any other
    ratio that of the model whose noise variance is ratio / p.

    Args:
        decoder: a `DenseDecoder`.
        x: NumPy array `(batch, features)`, float32, finite.
        mask: NumPy array `(batch, features)`, float32, 1 where observed.
        precision: p, broadcast to x's shape.
        ratio: weight of the prior.
        table: latents of the training rows, `(examples, latent_dim)`.
        n_samples: draws per row.
        seed: of the draws.
        likelihood: a `ColumnLikelihood`, of which x is drawn given f(z); None for squared errors.
        batch_size: rows at a time, which bounds the memory.

    Returns:
        NumPy array `(n_samples, batch, features)`, float32.

    Source: MacKay, "Information theory, inference, and learning algorithms", 2003, chapter 27.

    Example:
        ```python
        draws = posterior_draws(decoder, x, mask, 2.0, 0.02, table, n_samples=20, seed=0)
        ```
    """
    rng = np.random.default_rng(check_seed("seed", seed))
    precision = np.broadcast_to(np.asarray(precision, "float32"), x.shape)
    draws = np.empty((n_samples, *x.shape), "float32")
    search = (decoder, x, mask, precision, ratio, table, batch_size, likelihood)
    for part, z, root in _laplace(*search):
        eps = ops.convert_to_tensor(rng.normal(size=(*z.shape, n_samples)).astype("float32"))
        shift = ops.solve_triangular(ops.swapaxes(root, 1, 2), eps)
        shift = ops.transpose(shift, (2, 0, 1)) * float(np.sqrt(ratio))
        scale = np.sqrt(ratio / precision[part])
        noise = 0.0
        if likelihood is None:
            noise = rng.normal(size=(n_samples, *x[part].shape)) * scale
        at_once = max(1, 20_000 // len(z))  # bounds the memory
        for begin in range(0, n_samples, at_once):
            some = slice(begin, begin + at_once)
            flat = ops.reshape(z + shift[some], (-1, z.shape[-1]))
            x_hat = ops.convert_to_numpy(decoder.trace(flat)[0]).reshape(-1, *x[part].shape)
            if likelihood is None:
                draws[some, part] = x_hat + noise[some]
            else:
                draws[some, part] = likelihood.draw(x_hat, scale, rng)
    return draws


def _laplace(decoder, x, mask, precision, ratio, table, batch_size, likelihood, start=None):
    """For each batch of rows: its slice, the latents, the Cholesky factor of their precision."""
    precision = np.broadcast_to(np.asarray(precision, "float32"), x.shape)
    steps, options = 15, {"likelihood": likelihood, "compiled": len(x) > batch_size}
    if usual_method(table.shape[1], x.shape[1], likelihood) != "newton":
        search = (decoder, x, mask, precision, ratio, table)
        start, steps = infer_latents(*search, batch_size=batch_size, start=start), 2
    elif start is None:
        start = initial_latents(table, len(x))
    for first in range(0, len(x), batch_size):
        part = slice(first, first + batch_size)
        arrays = [x[part], mask[part] * precision[part], start[part]]
        x_part, weight, z = (ops.convert_to_tensor(array, "float32") for array in arrays)
        z, matrix = newton(decoder, x_part, weight, ratio, z, steps, TOLERANCE, **options)
        yield part, z, root_of(matrix)


def laplace_bound(model, x, mask=None, n_samples=10, seed=0):
    """The ELBO, at beta 1, of new rows under an auto-decoder with learned noise.

    `elbo = E_q[log p(x | z)] - KL(q(z) || N(0, I))`, `q = N(z_hat, (J' diag(m / s^2) J + I)^-1)`

    q is the Laplace approximation of the posterior of each row, with its mode z_hat and its
    curvature there; it does not depend on the beta of the training. For a linear decoder it is the
    exact posterior, and the bound equals log p(x).

    Args:
        model: a `VariationalAutoDecoder` with noise "learned".
        x: `(batch, features)`, anything where it is missing, also NaN.
        mask: `(batch, features)`, 1 where observed; None if all is observed.
        n_samples: latent samples per example for the expectation.
        seed: of the samples.

    Returns:
        NumPy float64 `(batch,)`, in nats.

    Raises:
        ValueError: the model has fixed noise, so that its squared error is no likelihood.

    Source: MacKay, "Information theory, inference, and learning algorithms", 2003, chapter 27.

    Example:
        ```python
        laplace_bound(model, x_test).mean()
        ```
    """
    if model.options["noise"] != "learned":
        raise ValueError(
            "model must have noise='learned', got 'fixed', whose squared error is no likelihood: "
            "create the model with noise='learned'."
        )
    search = {**model.search_of(x, mask), "ratio": 1.0}
    n_samples = check_count("n_samples", n_samples)
    decoder, generator = model.decoder, keras.random.SeedGenerator(check_seed("seed", seed))
    start = infer_latents(**search)
    x, mask = (ops.convert_to_tensor(search[name]) for name in ("x", "mask"))
    weight = mask * search["precision"]
    options = {"steps": 5, "likelihood": search.get("likelihood")}
    z, matrix = newton(decoder, x, weight, 1.0, ops.convert_to_tensor(start), **options)
    root, (rows, dims) = root_of(matrix), z.shape
    inverse = ops.solve_triangular(root, ops.eye(dims)[None] + 0 * root, lower=True)
    eps = keras.random.normal((n_samples, rows, dims), seed=generator)
    draws = z + ops.einsum("bij,sbi->sbj", inverse, eps)  # covariance: inverse' inverse
    log_p = ops.mean(model.likelihood.log_prob(x, decoder(draws), mask), axis=0)
    trace = ops.sum(ops.square(inverse), axis=(1, 2))
    log_det = 2.0 * ops.sum(ops.log(ops.diagonal(root, axis1=1, axis2=2)), axis=-1)
    kl = 0.5 * (trace + ops.sum(ops.square(z), -1) - dims + log_det)
    return ops.convert_to_numpy(log_p - kl).astype("float64")
