"""Samples of a sinusoid task compared with its exact solutions: residual, recall, weights."""

import numpy as np


def score_samples(task, samples, y, accepted=None, hit=0.02, min_weight=0.02):
    """Score samples of x given y against all exact solutions.

    A sample hits a solution if ``sqrt(mean (sample - solution)^2) <= hit``, the mean over points
    and channels. For each y, the frequency of a solution is the share of samples that hit it and
    are nearest to it, and ``total variation = 0.5 (sum |frequency - weight| + share of misses)``.

    Args:
        task: a `SinusoidTask`.
        samples: `(n_samples, batch, points, 2)`.
        y: `(batch, points, 2)`, the observed curves.
        accepted: booleans `(n_samples, batch)`, or None for all. Only these samples count, except
            in the share `accepted`. A y without an accepted sample has total variation 1.
        hit: RMS distance, in units of x.
        min_weight: a solution counts for recall if its posterior weight is larger.

    Returns:
        Dictionary of floats: `residual`, the mean |f(x) - y| over the accepted samples (NaN without
        any); `residual_rms`, the root of their mean square; `precision`, the share of accepted
        samples that hit a solution (NaN without any); `recall`, the share of all solutions of
        weight > min_weight that a sample hits, over all y; `total_variation`, the mean over the y
        that have a solution; `accepted`, the share of accepted samples; `solutions`, the mean
        number of exact solutions per y.

    Raises:
        ValueError: the shapes do not fit each other or the task, or there is NaN.

    Example:
        >>> from cvae_keras.data import TASKS
        >>> from cvae_keras.metrics import score_samples
        >>> x, y = TASKS["data_1"].sample(5, seed=0)
        >>> score = score_samples(TASKS["data_1"], x[None], y)
        >>> score["precision"], score["accepted"]
        (1.0, 1.0)
    """
    samples, y, accepted = _check(task, samples, y, accepted)
    return _score(task, samples, y, accepted, _solve(task, y), hit, min_weight)


def mode_weights(task, samples, y, accepted=None, hit=0.02):
    """Exact posterior weight and sampled frequency of every exact solution, for calibration.

    Args:
        task: a `SinusoidTask`.
        samples: `(n_samples, batch, points, 2)`.
        y: `(batch, points, 2)`, the observed curves.
        accepted: booleans `(n_samples, batch)`, or None for all.
        hit: RMS distance, in units of x.

    Returns:
        `(weights, frequencies, examples)`: float64 `(m,)`, float64 `(m,)`, and integers `(m,)`, the
        index in y of each, for the m solutions over all y.

    Raises:
        ValueError: as `score_samples`.

    Example:
        >>> from cvae_keras.data import TASKS
        >>> from cvae_keras.metrics import mode_weights
        >>> x, y = TASKS["data_1"].sample(5, seed=0)
        >>> weights, frequencies, examples = mode_weights(TASKS["data_1"], x[None], y)
        >>> float(weights.sum().round(6)), float(frequencies.sum())
        (5.0, 5.0)
    """
    samples, y, accepted = _check(task, samples, y, accepted)
    solved = _solve(task, y)
    frequencies = [
        _match(samples[accepted[:, i], i], modes, hit)[1] for i, (modes, _) in enumerate(solved)
    ]
    weights = [weights for _, weights in solved]
    examples = np.repeat(np.arange(len(y)), [len(w) for w in weights])
    none = np.zeros(0)  # so that an empty batch concatenates
    return np.concatenate([none, *weights]), np.concatenate([none, *frequencies]), examples


def exact_sampling_floor(task, y, n_samples, seed):
    """The scores of draws from the exact posterior: what remains of them due to chance.

    Args:
        task: a `SinusoidTask`.
        y: `(batch, points, 2)`; each must have a solution.
        n_samples: draws per y.
        seed: integer for `numpy.random.default_rng`.

    Returns:
        Dictionary, see `score_samples`.

    Raises:
        ValueError: a y has no solution.

    Example:
        >>> from cvae_keras.data import TASKS
        >>> from cvae_keras.metrics import exact_sampling_floor
        >>> _, y = TASKS["data_1"].sample(5, seed=0)
        >>> exact_sampling_floor(TASKS["data_1"], y, n_samples=100, seed=0)["precision"]
        1.0
    """
    y = task.check_curves(y)
    if y.ndim != 3:
        raise ValueError(f"y has shape {y.shape}; give (batch, {task.points}, 2).")
    rng, solved = np.random.default_rng(seed), _solve(task, y)
    samples = np.empty((n_samples, *y.shape), np.float32)
    for i, (modes, weights) in enumerate(solved):
        if len(modes) == 0:
            raise ValueError(f"y[{i}] has no exact solution; give curves of the task.")
        samples[:, i] = modes[rng.choice(len(modes), n_samples, p=weights)]
    return _score(task, samples, y, np.ones(samples.shape[:2], bool), solved, 0.02, 0.02)


def _check(task, samples, y, accepted):
    y, samples = task.check_curves(y), np.asarray(samples)
    if y.ndim != 3 or samples.ndim != 4 or samples.shape[1:] != y.shape:
        raise ValueError(
            f"samples and y have shapes {samples.shape} and {y.shape}; "
            f"give (n_samples, batch, {task.points}, 2) and (batch, {task.points}, 2)."
        )
    if accepted is None:
        accepted = np.ones(samples.shape[:2], bool)
    accepted = np.asarray(accepted)
    if accepted.shape != samples.shape[:2] or accepted.dtype != bool:
        raise ValueError(
            f"accepted is {accepted.dtype} of shape {accepted.shape}; "
            f"give booleans of shape {samples.shape[:2]}."
        )
    if not np.all(np.isfinite(samples)):
        raise ValueError("samples holds NaN or infinity; give finite numbers only.")
    return samples, y, accepted


def _solve(task, y):
    return [task.solutions(one) for one in y]


def _match(drawn, modes, hit):
    """Which solutions `(k,)` are hit, and the share `(k,)` of the draws nearest to each."""
    if len(modes) == 0 or len(drawn) == 0:
        return np.zeros(len(modes), bool), np.zeros(len(modes))
    square = np.stack([np.mean((drawn - mode) ** 2, axis=(1, 2)) for mode in modes])  # (k, n)
    near = square <= hit**2
    nearest = np.argmin(square, axis=0)
    counts = np.bincount(nearest[np.any(near, axis=0)], minlength=len(modes))
    return np.any(near, axis=1), counts / len(drawn)


def _score(task, samples, y, accepted, solved, hit, min_weight):
    absolute = squared = hits = found = wanted = 0.0
    variation = []
    for i, (modes, weights) in enumerate(solved):
        drawn = samples[accepted[:, i], i]
        difference = task.forward(drawn) - y[i]
        absolute, squared = absolute + np.abs(difference).sum(), squared + (difference**2).sum()
        reached, frequency = _match(drawn, modes, hit)
        hits += frequency.sum() * len(drawn)
        found += np.sum(reached & (weights > min_weight))
        wanted += np.sum(weights > min_weight)
        if len(modes):
            misses = 1 - frequency.sum()
            variation.append(0.5 * (np.abs(frequency - weights).sum() + misses))
    count = accepted.sum()
    values = max(count, 1) * task.points * 2
    return {
        "residual": float(absolute / values) if count else float("nan"),
        "residual_rms": float(np.sqrt(squared / values)) if count else float("nan"),
        "precision": float(hits / count) if count else float("nan"),
        "recall": float(found / wanted) if wanted else float("nan"),
        "total_variation": float(np.mean(variation)) if variation else float("nan"),
        "accepted": float(count / accepted.size) if accepted.size else float("nan"),
        "solutions": float(np.mean([len(w) for _, w in solved])) if solved else float("nan"),
    }


def posterior_score(task, samples, y):
    """Residual, recall and calibration of samples in one score; 0 is the exact posterior.

    `score = residual + (1 - recall) + total_variation`

    The residual is the mean |f(x) - y|; recall the share of exact solutions (of weight above 0.02)
    that are hit within 0.02 RMS; total variation the distance between the frequencies of the
    solutions, misses included, and their exact weights. No term is negative, and as the number of
    samples grows, all are 0 for the exact posterior only: at total variation 0 all samples are near
    solutions, in the exact proportions, and at residual 0 they are solutions. The score does not
    depend on the loss weights. For n samples, that of the exact posterior is about
    `exact_sampling_floor`; 2 and more means that no solution was found.

    Args:
        task: a `SinusoidTask`.
        samples: `(n_samples, batch, points, 2)`, from the prior.
        y: `(batch, points, 2)`, the observed curves.

    Returns:
        Dictionary of `score`, `residual`, `recall`, `total_variation` and `precision`.

    Raises:
        ValueError: as `score_samples`.

    Source: this project; the sum of three measures of `score_samples`.

    Example:
        >>> from cvae_keras.data import TASKS
        >>> from cvae_keras.metrics import posterior_score
        >>> x, y = TASKS["data_1"].sample(5, seed=0)
        >>> posterior_score(TASKS["data_1"], x[None], y)["residual"] < 1e-6
        True
    """
    parts = score_samples(task, samples, y)
    score = combine(parts["residual"], parts["recall"], parts["total_variation"])
    names = ("residual", "recall", "total_variation", "precision")
    return {"score": score, **{name: parts[name] for name in names}}


def combine(residual, recall, total_variation):
    """`posterior_score` from its three terms.

    Args:
        residual: mean |f(x) - y|.
        recall: share of the exact solutions that are hit.
        total_variation: distance between sampled frequencies and exact weights.

    Returns:
        A number of at least 0.

    Example:
        >>> from cvae_keras.metrics.modes import combine
        >>> combine(0.0, 1.0, 0.0)
        0.0
    """
    return residual + (1.0 - recall) + total_variation
