"""The importance-weighted bound: how close to log p(x | c) a model's posterior can be carried."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count

ROWS = 20_000  # points of z in memory at once


def importance_weighted_bound(model, inputs, n_samples=100, seed=0):
    """Estimate log p(x | c) from below, with K points of z an example.

    `log p(x | c) >= E log (1/K) sum_k p(x | z_k, c) p(z_k | c) / q(z_k | x, c)`, `z_k ~ q`

    With K = 1 it is the ELBO; it rises with K, and meets log p(x | c) as K grows.

    Args:
        model: an `ELBOModel` whose posterior and prior have `log_prob`; inputs: its dictionary of
            arrays, as for `fit`; n_samples: K; seed: integer.

    Returns:
        `(bound, error)`, NumPy float64 `(batch,)` each, in nats: the estimate of each example, and
        its standard error over the K points (infinite for K = 1).

    Raises:
        ValueError: a posterior or prior without a density, bad arrays, or K not positive.

    Source: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016, eq. 8.

    Example:
        >>> bound, error = importance_weighted_bound(model, {"x": x_test}, n_samples=1000)
    """
    samples = check_count("n_samples", n_samples)
    for part in (model.posterior, model.prior):
        if not hasattr(part, "log_prob"):
            raise ValueError(
                f"model must have a posterior and a prior with a density, got "
                f"{type(part).__name__}: a categorical ELBO is exact, use `evaluate`."
            )
    inputs, seed = model.check_inputs(inputs), keras.random.SeedGenerator(seed)
    examples = max(1, ROWS // samples)
    bounds, errors = [], []
    for start in range(0, len(next(iter(inputs.values()))), examples):
        part = {
            name: ops.convert_to_tensor(array[start : start + examples])
            for name, array in inputs.items()
        }
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
    p, q = model.prior(h), model.infer(inputs, h)  # once an example; only its points are many
    q = keras.tree.map_structure(lambda part: ops.repeat(part, samples, axis=0), q)
    z = model.posterior.points(q, p, seed)
    log_q = ops.reshape(model.posterior.log_prob(q, z), (-1, samples))
    z = ops.transpose(ops.reshape(z, (-1, samples, z.shape[-1])), (1, 0, 2))
    log_p = model.likelihood.log_prob(x, model.decoder(z, h), mask) + model.prior.log_prob(p, z)
    return ops.convert_to_numpy(ops.transpose(log_p) - log_q).astype("float64")
