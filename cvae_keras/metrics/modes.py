"""Samples of a sinusoid task against its exact solutions: residual, precision, recall, weights."""

import numpy as np


def score_samples(task, samples, y, accepted=None, hit=0.02, min_weight=0.02):
    """Score samples of x given y against all exact solutions.

    A sample hits a solution when ``sqrt(mean (sample - solution)^2) <= hit``, the mean over points
    and channels. For each y, freq of a solution is the share of samples that hit it and are
    nearest to it, and ``total variation = 0.5 (sum |freq - weight| + share of misses)``.

    Args:
        task: SinusoidTask.
        samples: (n_samples, batch, points, 2), float.
        y: (batch, points, 2), the given curves.
        accepted: boolean (n_samples, batch), or None for all; only these samples count, save in
            the share `accepted`. A y without an accepted sample has total variation 1.
        hit: RMS distance, in units of x.
        min_weight: a solution counts for recall when its posterior weight is larger.

    Returns:
        dictionary of floats:
        residual: mean |f(x) - y| over the accepted samples; nan without any.
        residual_rms: the root of the mean square of the same.
        precision: share of accepted samples that hit a solution; nan without any.
        recall: share of all solutions of weight > min_weight that a sample hits, over all y.
        total_variation: mean over the y that have a solution.
        accepted: share of samples that are accepted.
        solutions: mean number of exact solutions of a y.

    Raises:
        ValueError: the shapes do not fit each other or the task, or there is NaN.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
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
        task, samples, y, accepted, hit: as in `score_samples`.

    Returns:
        weights, frequencies: float64 (m,), m the number of solutions over all y.
        examples: integers (m,), the index in y that each belongs to.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
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
    """The same scores for draws from the exact posterior: what chance alone leaves.

    Args:
        task: SinusoidTask.
        y: (batch, points, 2); each must have a solution.
        n_samples: draws for each y.
        seed: integer for numpy.random.default_rng.

    Returns:
        dictionary as from `score_samples`.

    Raises:
        ValueError: a y has no solution.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
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
            raise ValueError(f"y[{i}] has no exact solution; give curves that the task can make.")
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
    """Which solutions (k,) are hit, and the share (k,) of drawn (n, points, 2) that is nearest."""
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
    solutions, misses included, and their exact weights. None of the three is below 0, and as the
    number of samples grows all three are 0 for the exact posterior and for no other: at total
    variation 0 all samples are near solutions, in the exact proportions, and at residual 0 they are
    on them. No weight of the training loss enters. With n samples a draw from the exact posterior
    has a score of about `exact_sampling_floor`; 2 and more is no solution found at all.

    Args:
        task: a `SinusoidTask`; samples: `(n_samples, batch, points, 2)`, from the prior; y:
            `(batch, points, 2)`.

    Returns:
        Dictionary of `score`, `residual`, `recall`, `total_variation` and `precision`.

    Raises:
        ValueError: as `score_samples`.

    Source: made for this project, of the measures in `cvae_keras.metrics.modes`.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> x, y = TASKS["data_1"].sample(5, seed=0)
        >>> posterior_score(TASKS["data_1"], x[None], y)["residual"] < 1e-6
        True
    """
    parts = score_samples(task, samples, y)
    score = combine(parts["residual"], parts["recall"], parts["total_variation"])
    names = ("residual", "recall", "total_variation", "precision")
    return {"score": score, **{name: parts[name] for name in names}}


def combine(residual, recall, total_variation):
    """The score of its three parts, for a table that holds them.

    Example:
        >>> combine(0.0, 1.0, 0.0)
        0.0
    """
    return residual + (1.0 - recall) + total_variation
