"""One number for how far samples are from the exact posterior of a sinusoid task."""

from cvae_keras.metrics.modes import score_samples


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
