"""Test-time inference of an auto-decoder: the latents of new rows, for a frozen decoder.

For each row on its own, from its observed entries alone,

    z = argmin  sum_d m_d p_d (x_d - f(z)_d)^2 / 2  +  ratio |z|^2 / 2

with p one over the noise variance; where columns have likelihoods of their own, their -log p is in
place of the squares. All rows are one call. There are two minimizers: `newton` takes
few accurate steps; `descend` many cheap ones, preconditioned with the average row's curvature.
"""

from functools import partial

import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count, check_positive, check_seed
from cvae_keras.truth.gauss_newton import gauss_newton, gauss_newton_step


def first_order(decoder, x, weight, z, ratio, kind="adam", rate=0.1, steps=100):
    """Minimize the cost of this module with first-order steps, as Zadeh et al. do.

    Args:
        decoder: a `DenseDecoder`.
        x: tensor `(batch, features)`.
        weight: tensor `(batch, features)`, m p.
        z: tensor `(batch, latent_dim)`, the initial latents.
        ratio: weight of the prior.
        kind: "adam" or "sgd".
        rate: learning rate of the latents.
        steps: number of steps.

    Returns:
        z, `(batch, latent_dim)`.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019; Kingma and Ba, "Adam", 2015.

    Example:
        ```python
        z = first_order(decoder, x, mask * 2.0, ops.zeros((len(x), 50)), 0.02, "adam", 0.1)
        ```
    """
    m, v = ops.zeros_like(z), ops.zeros_like(z)
    for step in range(1, steps + 1):
        x_hat, trace = decoder.trace(z)
        g = decoder.pull_back(trace, weight * (x_hat - x)) + ratio * z
        if kind == "sgd":
            z = z - rate * g
            continue
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * ops.square(g)
        mean, spread = m / (1 - 0.9**step), ops.sqrt(v / (1 - 0.999**step))
        z = z - rate * mean / (spread + 1e-8)
    return z


INITS = ("mean", "zeros", "normal", "train")
#: The minimizers, and their default number of steps.
METHODS = {"newton": 15, "gradient": 30, "adam": 100, "sgd": 100}


def initial_latents(table, rows, init="mean", seed=0):
    """The latents of new rows with which a search starts.

    Args:
        table: latents of the training rows, `(examples, latent_dim)`.
        rows: number of new rows.
        init: "mean" of the table, "zeros", "normal" (draws with standard deviation 0.001) or
            "train" (draws with the table's mean and standard deviations).
        seed: of the draws.

    Returns:
        NumPy array `(rows, latent_dim)`.

    Raises:
        ValueError: an unknown init or seed.

    Example:
        >>> initial_latents(np.array([[1.0, 2.0], [3.0, 2.0]]), rows=1).tolist()
        [[2.0, 2.0]]
    """
    check_choice("init", init, INITS)
    rng = np.random.default_rng(check_seed("seed", seed))
    spread = {"normal": 0.001, "train": table.std(axis=0, dtype="float64")}.get(init, 0.0)
    given = init in ("mean", "train")
    middle = table.mean(axis=0, dtype="float64") if given else np.zeros(table.shape[1])
    return middle + spread * rng.normal(size=(rows, len(middle)))


def infer_latents(
    decoder,
    x,
    mask,
    precision,
    ratio,
    table,
    method=None,
    steps=None,
    init="mean",
    rate=0.1,
    seed=0,
    batch_size=1000,
    likelihood=None,
    start=None,
    tolerance=1e-5,
):
    """Infer the latents of new rows.

    Args:
        decoder: a `DenseDecoder`.
        x: NumPy array `(batch, features)`, float32, finite.
        mask: NumPy array `(batch, features)`, float32, 1 where observed.
        precision: p, broadcast to x's shape.
        ratio: weight of the prior, above 0 unless the observed entries determine every latent.
        table: latents of the training rows, `(examples, latent_dim)`.
        method: "newton" (`newton`), "gradient" (`descend`), "adam" or "sgd" (`first_order`); by
            default newton if latent_dim * features <= 4000, else gradient.
        steps: maximum number of steps; by default 15, 30, 100 and 100.
        init: initial latents, see `initial_latents`.
        rate: learning rate of "adam" and "sgd".
        seed: of the draws.
        batch_size: rows at a time, which bounds the memory.
        likelihood: a `ColumnLikelihood`, for which there is "newton" alone; None for squares.
        start: initial latents `(batch, latent_dim)` in place of those of `init`.
        tolerance: of "newton": a row has converged when no entry of its z moves by more.

    Returns:
        NumPy array `(batch, latent_dim)`, float32.

    Raises:
        ValueError: an unknown name, a count below 1, or another method than "newton" for columns
            with likelihoods of their own.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019, section 3 (by first-order steps).

    Example:
        ```python
        z = infer_latents(model.decoder, x, mask, 2.0, 0.02, table)
        ```
    """
    usual = usual_method(table.shape[1], x.shape[1], likelihood)
    method = check_choice("method", method or usual, METHODS)
    if likelihood is not None and method != "newton":
        raise ValueError(
            f"method must be 'newton' for columns with likelihoods of their own, got {method!r}: "
            f"leave it out."
        )
    steps = METHODS[method] if steps is None else check_count("steps", steps)
    rate, found = check_positive("rate", rate), []
    batch_size = check_count("batch_size", batch_size)
    precision = np.broadcast_to(np.asarray(precision, "float32"), x.shape)
    start = initial_latents(table, len(x), init, seed) if start is None else np.asarray(start)
    basis = mean_curvature(decoder, precision, table) if method == "gradient" else None
    for first in range(0, len(x), batch_size):
        part = slice(first, first + batch_size)
        arrays = [x[part], mask[part], mask[part] * precision[part], start[part]]
        arrays = [ops.convert_to_tensor(array, "float32") for array in arrays]
        if method == "newton":
            x_part, _, weight, z = arrays
            options = {"likelihood": likelihood, "compiled": len(x) > batch_size}
            z, _ = newton(decoder, x_part, weight, ratio, z, steps, tolerance, **options)
        elif method in ("adam", "sgd"):
            x_part, _, weight, z = arrays
            z = first_order(decoder, x_part, weight, z, ratio, method, rate, steps)
        else:
            z = descend(decoder, *arrays, ratio, basis, steps)
        found.append(ops.convert_to_numpy(z))
    return np.concatenate(found)


def usual_method(latent_dim, features, likelihood=None):
    """The default method of `infer_latents`.

    Example:
        >>> usual_method(20, 20), usual_method(50, 784)
        ('newton', 'gradient')
    """
    small = latent_dim * features <= 4000 or likelihood is not None
    return "newton" if small else "gradient"


def newton(
    decoder,
    x,
    weight,
    ratio,
    z,
    steps=15,
    tolerance=1e-5,
    likelihood=None,
    center=None,
    compiled=False,
):
    """Damped Gauss-Newton steps in the latents; for a linear decoder one step is exact.

    A decoder that normalizes z has no curvature along z, and in float32 the rounding errors of the
    other directions exceed the ratio: its damping is relative to the trace of the matrix.

    Args:
        decoder: a `DenseDecoder`.
        x: tensor `(batch, features)`.
        weight: tensor `(batch, features)`, m p.
        ratio: weight of the prior.
        z: tensor `(batch, latent_dim)`, the initial latents.
        steps: maximum number of steps.
        tolerance: a row has converged when no entry of its z moves by more.
        likelihood: a `ColumnLikelihood`, whose `expand` is in place of the squares; or None.
        center: tensor `(batch, latent_dim)`, the prior's mean of each row; None for 0.
        compiled: whether a step is a graph of TensorFlow, which takes a second to make.

    Returns:
        `(z, matrix)`: `(batch, latent_dim)`, and the Gauss-Newton matrix
        `J diag(m p) J' + ratio I` there, `(batch, latent_dim, latent_dim)`.

    Source: Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", 1963.

    Example:
        ```python
        z, matrix = newton(decoder, x, mask * 2.0, 0.02, ops.zeros((len(x), 50)))
        ```
    """
    center = ops.zeros_like(z) if center is None else center
    data = [x, weight, center, ops.full((z.shape[0],), ratio, dtype="float32")]
    measure, rounding = partial(_expand, decoder, likelihood), 1e-7
    options = {"tolerance": tolerance, "rounding": rounding, "by_trace": bool(decoder.norms)}
    if compiled:
        first = (measure, rounding, None, options["by_trace"], ops)
        options["advance"] = decoder.compiled(gauss_newton_step, *first, key=likelihood)
    return gauss_newton(measure, z, data, steps, 1e-5, xp=ops, **options)


def _expand(decoder, likelihood, z, x, weight, center, ratio):
    """Twice the cost of this module at z, half its gradient, and its Gauss-Newton matrix."""
    x_hat, trace = decoder.trace(z)
    jacobian, far, ratio = decoder.jacobian(trace), z - center, ratio[:, None]
    if likelihood is not None:
        cost, gradient, matrix = likelihood.expand(x, x_hat, weight, jacobian)
    else:
        error = weight * (x_hat - x)
        cost, gradient = ops.sum(error * (x_hat - x), -1), ops.matmul(jacobian, error[..., None])
        matrix = ops.matmul(jacobian * weight[:, None], ops.swapaxes(jacobian, 1, 2))
        gradient = gradient[..., 0]
    cost = cost + ops.sum(ratio * ops.square(far), -1)
    return cost, gradient + ratio * far, matrix + ratio[..., None] * ops.eye(z.shape[-1])


def root_of(matrix):
    """The Cholesky factors of Gauss-Newton matrices, made positive where rounding has not.

    Args:
        matrix: tensor `(batch, latent_dim, latent_dim)`.

    Returns:
        Tensor of the same shape, lower triangular.

    Example:
        >>> bool(root_of(4.0 * ops.ones((1, 1, 1)))[0, 0, 0] > 1.99)
        True
    """
    eye = ops.eye(matrix.shape[-1])
    diagonal = ops.diagonal(matrix, axis1=1, axis2=2)
    matrix = matrix + 1e-7 * (1.0 + ops.mean(diagonal, axis=1)[:, None, None]) * eye
    trace, lowest = ops.sum(diagonal, axis=1), ops.eigh(matrix)[0][:, 0]
    short = ops.where(lowest < 1e-7 * trace, 1e-6 * trace - lowest, 0.0)
    return ops.cholesky(matrix + short[:, None, None] * eye)


def mean_curvature(decoder, precision, table):
    """Eigenvalues and eigenvectors of J diag(p) J', averaged over 64 training latents.

    Args:
        decoder: a `DenseDecoder`.
        precision: p, NumPy array `(batch, features)`.
        table: latents of the training rows, `(examples, latent_dim)`.

    Returns:
        `(values, vectors)`, NumPy arrays `(latent_dim,)` and `(latent_dim, latent_dim)`.

    Example:
        ```python
        values, vectors = mean_curvature(decoder, precision, table)
        ```
    """
    rows = ops.convert_to_tensor(table[:: max(1, len(table) // 64)][:64])
    jacobian = ops.convert_to_numpy(decoder.jacobian(decoder.trace(rows)[1]))
    scaled = jacobian * np.sqrt(precision.mean(axis=0, dtype="float64"))
    matrix = np.tensordot(scaled, scaled, axes=((0, 2), (0, 2))) / len(jacobian)
    return np.linalg.eigh(matrix)


def descend(decoder, x, mask, weight, z, ratio, basis, steps=30, momentum=0.5):
    """Preconditioned gradient descent with momentum and one step size per row.

    The gradient is divided by `share * curvature + ratio` in the eigenbasis of the average
    curvature, where share is the observed share of the row. A step that would raise the row's cost
    is not taken, and the row's step size shrinks.

    Args:
        decoder: a `DenseDecoder`.
        x: tensor `(batch, features)`.
        mask: tensor `(batch, features)`, 1 where observed.
        weight: tensor `(batch, features)`, m p.
        z: tensor `(batch, latent_dim)`, the initial latents.
        ratio: weight of the prior.
        basis: result of `mean_curvature`.
        steps: number of steps.
        momentum: in [0, 1).

    Returns:
        z, `(batch, latent_dim)`.

    Example:
        ```python
        z = descend(decoder, x, mask, mask * 2.0, z, 0.02, mean_curvature(decoder, p, table))
        ```
    """
    values, vectors = (ops.convert_to_tensor(part, "float32") for part in basis)
    scale = 1.0 / (ops.mean(mask, -1, keepdims=True) * ops.relu(values) + ratio + 1e-6)

    def measure(z):
        x_hat, trace = decoder.trace(z)
        error = x_hat - x
        weighted = weight * error
        cost = ops.sum(weighted * error, -1) + ratio * ops.sum(ops.square(z), -1)
        return cost[:, None], decoder.pull_back(trace, weighted) + ratio * z

    cost, gradient = measure(z)
    size, velocity = 0.5 * ops.ones_like(cost), ops.zeros_like(z)
    for _ in range(steps):
        step = ops.matmul(ops.matmul(gradient, vectors) * scale, ops.transpose(vectors))
        velocity = momentum * velocity - size * step
        new_cost, new_gradient = measure(z + velocity)
        better = new_cost <= cost * (1.0 + 1e-6)
        z = ops.where(better, z + velocity, z)
        cost, gradient = (
            ops.where(better, new_cost, cost),
            ops.where(better, new_gradient, gradient),
        )
        velocity = ops.where(better, velocity, 0.0)
        size = ops.where(better, ops.minimum(size * 1.1, 1.0), size * 0.3)
    return z
