"""Rate and distortion of a dense CVAE and the exact optimum, for each pattern of known entries."""

import keras
import numpy as np
from keras import ops

from cvae_keras.elbo import ACTIVE_NATS, elbo
from cvae_keras.truth.gaussian import optimum

ENOUGH = 200  # examples with which a latent dimension is counted as active or not


def measure(model, source, patterns, n=100_000, seed=12345):
    """Rate and distortion on new examples, for each pattern of known entries.

    `rate = mean KL(q(z|x,c) || p(z))`, `distortion = mean sum mask (x - x_hat)^2`

    Args:
        model: a `DenseCVAE`.
        source: `Conditioned` data; if its data set is Gaussian, the exact optimum is added, unless
            missing entries are penalized.
        patterns: `(k, dim)`, true where an entry is known.
        n: number of new examples, divided evenly among the patterns.
        seed: integer.

    Returns:
        List of k dictionaries: `rate` (nats), `distortion` (squared error), `objective` and its
        standard error `objective_se`, `kl_per_dim` `(latent_dim,)`, `errors_per_dim` `(x_dim,)`,
        `active` (latent dimensions above 0.01 nats), `examples`; for Gaussian data also
        `rate_exact`, `distortion_exact`, `objective_exact`, `active_exact` and `margin` (see
        `water_filling`). With missing entries the exact values are averages over the masks of these
        examples, and `active` an average over the masks with enough examples.

    Example:
        ```python
        rows = measure(model, source, known_patterns(2), n=10_000)
        rows[0]["rate"], rows[0]["rate_exact"]
        ```
    """
    patterns = np.atleast_2d(patterns)
    each = max(1, n // len(patterns))
    rows = []
    for index, pattern in enumerate(patterns):
        arrays = source.examples(each, [seed, index], known=np.tile(pattern, (each, 1)))
        errors, kl, _ = encode(model, arrays, seed)
        rows.append(_row(model, source, arrays, errors, kl))
    return rows


def average(rows):
    """Average the rows of several patterns, weighted by their numbers of examples.

    Args:
        rows: what `measure` returns.

    Returns:
        A dictionary with the same keys; `margin` is the smallest.

    Example:
        ```python
        average(measure(model, source, known_patterns(4)))["rate"]
        ```
    """
    weights = np.array([row["examples"] for row in rows]) / sum(row["examples"] for row in rows)
    merged = {
        name: sum(w * np.asarray(row[name]) for w, row in zip(weights, rows, strict=True))
        for name in rows[0]
    }
    merged["examples"] = sum(row["examples"] for row in rows)
    errors = np.array([row["objective_se"] for row in rows])
    merged["objective_se"] = np.sqrt(np.sum((weights * errors) ** 2))
    if "margin" in merged:
        merged["margin"] = min(row["margin"] for row in rows)
    return merged


def encode(model, arrays, seed=0, batch_size=10_000):
    """Squared errors, KL and posterior mean per example.

    Args:
        model: a `DenseCVAE`.
        arrays: dictionary of its inputs.
        seed: seed of the posterior samples.
        batch_size: examples at once.

    Returns:
        `(errors, kl, mean)`: `(n, x_dim)`, 0 where an entry is missing; `(n, latent_dim)` in nats;
        and `(n, latent_dim)`.

    Example:
        ```python
        errors, kl, mean = encode(model, source.examples(1000))
        ```
    """
    generator, parts = keras.random.SeedGenerator(seed), []
    for start in range(0, len(arrays["x"]), batch_size):
        x, c, mask = (
            None if array is None else ops.convert_to_tensor(array[start : start + batch_size])
            for array in (arrays["x"], arrays["c"], arrays.get("mask"))
        )
        p, q = model.prior(c), model.posterior(x, c, mask=mask)
        x_hat = model.decoder(q.sample(seed=generator), c)[0]
        errors = ops.square(x - x_hat) * (1.0 if mask is None else mask)
        parts.append([ops.convert_to_numpy(value) for value in (errors, q.kl(p), q.mean)])
    return tuple(np.concatenate(values) for values in zip(*parts, strict=True))


def _row(model, source, arrays, errors, kl):
    """The row of one pattern; with missing entries it has several kinds of (known, observed)."""
    beta = float(model.term_weights["beta"])
    losses = -ops.convert_to_numpy(elbo(-errors.sum(axis=1), kl, beta))
    row = {
        "rate": kl.sum(axis=1).mean(),
        "distortion": errors.sum(axis=1).mean(),
        "objective": losses.mean(),
        "objective_se": losses.std() / np.sqrt(len(losses)),
        "kl_per_dim": kl.mean(axis=0),
        "errors_per_dim": errors.mean(axis=0),
        "examples": len(losses),
    }
    known = np.split(arrays["c"], 2, axis=1)[1] > 0
    observed = arrays["mask"] > 0 if "mask" in arrays else np.ones_like(known)
    kinds, kind = np.unique(np.hstack([known, observed]), axis=0, return_inverse=True)
    counts = np.bincount(kind)
    many = counts >= min(ENOUGH, counts.max())
    active = [(kl[kind == k].mean(axis=0) > ACTIVE_NATS).sum() for k in np.flatnonzero(many)]
    row["active"] = np.average(active, weights=counts[many])
    if hasattr(source.data, "covariance") and not source.penalize_missing:
        sigma, dim = source.data.covariance, source.data.dim
        exact = [optimum(sigma, k[:dim], beta, observed=k[dim:]) for k in kinds]
        for name in ("rate", "distortion", "objective"):
            row[f"{name}_exact"] = np.average([best[name] for best in exact], weights=counts)
        exact = [best for best, enough in zip(exact, many, strict=True) if enough]
        row["active_exact"] = np.average([best["active"] for best in exact], weights=counts[many])
        row["margin"] = min(best["margin"] for best in exact)
    return row
