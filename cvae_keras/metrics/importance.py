"""The importance-weighted bound: an estimate of log p(x | c) with many latent samples."""

import operator

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, check_seed
from cvae_keras.parts.distributions import Delta

ROWS = 20_000  # latent samples in memory at once


def importance_weighted_bound(model, inputs, n_samples=100, seed=0):
    """Estimate log p(x | c) from below, with K latent samples per example.

    `log p(x | c) >= E log (1/K) sum_k p(x | z_k, c) p(z_k | c) / q(z_k | x, c)`, `z_k ~ q`

    With K = 1 it is the ELBO; it rises with K, and meets log p(x | c) as K grows.

    Args:
        model: an `ELBOModel` with a continuous latent.
        inputs: its dictionary of arrays, as for `fit`; with a free table, `index` among them: the
            rows of the table whose examples these are.
        n_samples: K.
        seed: integer.

    Returns:
        `(bound, error)`, NumPy float64 `(batch,)` each, in nats: the estimate of each example, and
        its standard error over the K samples (infinite for K = 1).

    Raises:
        ValueError: a categorical latent, a latent without noise, a free table without an index, bad
            arrays, or K not positive.

    Source: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 8.

    Example:
        ```python
        bound, error = importance_weighted_bound(model, {"x": x_test}, n_samples=1000)
        ```
    """
    samples = check_count("n_samples", n_samples)
    if model.posterior.family == "categorical":
        raise ValueError(
            "model must have a continuous latent, got a categorical one, whose ELBO is exact: use "
            "evaluate."
        )
    needed = model.posterior.reads
    if needed != "x" and needed not in inputs:
        raise ValueError(
            f"the inputs must hold {needed!r}, got {sorted(inputs)}: a free table has a posterior "
            f"for its own rows alone; for new rows of a VariationalAutoDecoder use laplace_bound "
            f"of cvae_keras.systems.auto_decoder."
        )
    inputs = model.check_inputs(inputs)
    seed = keras.random.SeedGenerator(check_seed("seed", seed))
    examples = max(1, ROWS // samples)
    bounds, errors = [], []
    for start in range(0, len(keras.tree.flatten(inputs)[0]), examples):
        rows = slice(start, start + examples)
        part = keras.tree.map_structure(operator.itemgetter(rows), inputs)
        part = keras.tree.map_structure(ops.convert_to_tensor, part)
        log_w = np.concatenate(
            [
                _log_weights(model, part, min(ROWS, samples - first), seed)
                for first in range(0, samples, ROWS)
            ],
            axis=1,
        )
        top = log_w.max(axis=1, keepdims=True)
        w = np.exp(log_w - top)
        mean = w.mean(axis=1)
        bounds.append(np.log(mean) + top[:, 0])
        spread = w.std(axis=1, ddof=1) if samples > 1 else np.inf
        errors.append(spread / mean / np.sqrt(samples))
    return np.concatenate(bounds), np.concatenate(errors)


def _log_weights(model, inputs, samples, seed):
    """log p(x | z, c) + log p(z | c) - log q(z | x, c), `(batch, samples)`."""
    x, c, mask = model.split(inputs)
    h = model.read(c)
    q = model.infer(inputs, h)
    if isinstance(q, Delta):
        raise ValueError(
            "the posterior is a point without noise, which has no density: use evaluate."
        )
    z, log_q = q.sample_and_log_prob(samples, seed=seed)
    log_p = model.likelihood.log_prob(x, model.decoder(z, h), mask) + model.prior(h).log_prob(z)
    log_w = ops.transpose(log_p - ops.sum(log_q, axis=-1))
    return ops.convert_to_numpy(log_w).astype("float64")
