"""Calibration of draws of x given c: simulation-based ranks, coverage of intervals, and TARP."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from cvae_keras.checks import check_numbers, check_seed
from cvae_keras.metrics.calibration_curve import Calibration, compare

MIN_DRAWS = MIN_EXAMPLES = 20
BINS = 10  # of the histogram of ranks


@dataclass(frozen=True)
class Ranks(Calibration):
    """The ranks of simulation-based calibration, see `simulation_based_calibration`.

    It has the attributes of `Calibration`, whose curve is the empirical distribution of the ranks.

    Attributes:
        ranks: integers `(batch, dims)` from 0 to n_samples: the number of draws below the truth.
        histogram: `(10, dims)`, shares of the examples whose rank is in each tenth of its range.
        bin_low: lower end of a share that chance explains, in all bins and dimensions together.
        bin_high: its upper end.
    """

    ranks: np.ndarray
    histogram: np.ndarray
    bin_low: float
    bin_high: float


def simulation_based_calibration(draws, truth, names=None, confidence=0.99, seed=0):
    """The rank of each true value among its draws: uniform if the draws are of the posterior.

    `rank_id = sum_s [draws_sid < truth_id]`, uniform on 0, ..., n_samples

    The test compares `(rank + U(0, 1)) / (n_samples + 1)`, which is then uniform on [0, 1], with
    the diagonal. Ties, as of discrete values, are broken at random.

    Args:
        draws: `(n_samples, batch, dims)`, from p(x | c) for the c of each example, independent of
            the draws of other examples; at least 20.
        truth: `(batch, dims)`, the x of each example. The examples must be independent draws from
            p(x, c), as a test set is; at least 20.
        names: of the dimensions; None for x0, x1, ...
        confidence: in (0, 1), of the band, for all levels and dimensions together.
        seed: integer.

    Returns:
        `Ranks`.

    Raises:
        TypeError: an array does not hold numbers.
        ValueError: shapes that do not fit, fewer than 20 draws or examples, NaN, a dimension in
            which the draws or the truth do not vary, or a bad option.

    Source: Talts et al., "Validating Bayesian inference algorithms with simulation-based
    calibration", 2018; the band: Säilynoja, Bürkner and Vehtari, 2022.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> draws, truth = rng.normal(size=(99, 1000, 1)), rng.normal(size=(1000, 1))
        >>> simulation_based_calibration(draws, truth).calibrated
        True
        >>> simulation_based_calibration(0.5 * draws, truth).sentence[:15]
        'too narrow: the'
    """
    draws, truth = check_draws(draws, truth)
    ranks, u = _randomized_ranks(draws, truth, check_seed("seed", seed))
    result = compare("ranks", u, len(draws), names, confidence)
    histogram = np.stack([np.histogram(column, BINS, (0, 1))[0] for column in u.T], axis=1)
    tail = (1 - confidence) / (2 * histogram.size)
    counts = stats.binom.ppf([tail, 1 - tail], len(u), 1 / BINS)
    return Ranks(
        **vars(result),
        ranks=ranks,
        histogram=histogram / len(u),
        bin_low=float(counts[0] / len(u)),
        bin_high=float(counts[1] / len(u)),
    )


def expected_coverage(draws, truth, names=None, confidence=0.99, seed=0):
    """The share of true values inside the central credible interval of each level.

    `coverage(a) = mean over examples of [truth in the interval between the quantiles (1 - a) / 2
    and (1 + a) / 2 of its draws]`, which is a if the draws are of the posterior

    Below the diagonal the draws are overconfident: their intervals are too narrow, or in the wrong
    place. Above it they are underconfident. An interval whose ends are between two draws is taken
    with either at random, so that the coverage is exact for any number of draws.

    Args:
        draws: `(n_samples, batch, dims)`, as for `simulation_based_calibration`.
        truth: `(batch, dims)`.
        names: of the dimensions; None for x0, x1, ...
        confidence: in (0, 1), of the band, for all levels and dimensions together.
        seed: integer.

    Returns:
        `Calibration`; `curve` is the coverage of each level and dimension.

    Raises:
        TypeError, ValueError: as `simulation_based_calibration`.

    Source: Cook, Gelman and Rubin, "Validation of software for Bayesian models using posterior
    quantiles", 2006; Hermans et al., "A crisis in simulation-based inference?", 2022.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> draws, truth = rng.normal(size=(99, 1000, 1)), rng.normal(size=(1000, 1))
        >>> expected_coverage(0.5 * draws, truth).sentence
        'overconfident: 90 % intervals hold 61.9 % (chance explains 86.5 to 93.2 %)'
    """
    draws, truth = check_draws(draws, truth)
    _, u = _randomized_ranks(draws, truth, check_seed("seed", seed))
    inside = np.abs(2 * u - 1)
    return compare("coverage", inside, len(draws), names, confidence)


def tarp(draws, truth, references=None, confidence=0.99, seed=0):
    """Tests of accuracy with random points: the coverage of all dimensions together.

    `f_i = share of the draws of example i that are nearer to the reference point r_i than its
    truth`, uniform on [0, 1] if the draws are of the posterior; the curve is `mean(f <= level)`

    Distances are Euclidean, each dimension divided by the standard deviation of its true values.
    It shows wrong dependence between dimensions, which ranks and coverage cannot; a small shift,
    which points on all sides of it average out, is shown by the ranks. Reference points that do not
    depend on c cannot tell the posterior from the prior: pass `references` that do for a stricter
    test.

    Args:
        draws: `(n_samples, batch, dims)`, as for `simulation_based_calibration`.
        truth: `(batch, dims)`.
        references: `(batch, dims)`, which may depend on c and not on the truth; None for points
            drawn uniformly from the box around all true values.
        confidence: in (0, 1), of the band, for all levels together.
        seed: integer.

    Returns:
        `Calibration` of one curve.

    Raises:
        TypeError, ValueError: as `simulation_based_calibration`; or references of another shape.

    Source: Lemos et al., "Sampling-based accuracy testing of posterior estimators for general
    inference", 2023, algorithm 2.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> draws, truth = rng.normal(size=(99, 1000, 2)), rng.normal(size=(1000, 2))
        >>> tarp(draws, truth).calibrated, tarp(0.5 * draws, truth).calibrated
        (True, False)
    """
    draws, truth = check_draws(draws, truth)
    seed = check_seed("seed", seed)
    if references is None:
        rng = np.random.default_rng([seed, 1])
        references = rng.uniform(truth.min(axis=0), truth.max(axis=0), truth.shape)
    else:
        references = check_numbers("references", references)
        if references.shape != truth.shape:
            raise ValueError(
                f"references must have the shape of truth, {truth.shape}, got {references.shape}: "
                f"give one point per example."
            )
    truth = truth.astype(float)
    scale = truth.std(axis=0)
    far = np.linalg.norm((truth - references) / scale, axis=-1)
    distances = [
        np.linalg.norm((each.astype(float) - references) / scale, axis=-1) for each in draws
    ]
    _, f = _randomized_ranks(np.stack(distances)[..., None], far[:, None], seed)
    return compare("TARP", f, len(draws), ["all dimensions"], confidence)


def check_draws(draws, truth):
    """Check draws of x and the true x that they are compared with.

    Args:
        draws: `(n_samples, batch, dims)`.
        truth: `(batch, dims)`.

    Returns:
        Both as floating NumPy arrays of one dtype.

    Raises:
        TypeError, ValueError: as `simulation_based_calibration`.

    Example:
        >>> draws = np.random.default_rng(0).normal(size=(20, 30, 1))
        >>> check_draws(draws, np.arange(30)[:, None])[1].dtype
        dtype('float64')
    """
    draws, truth = check_numbers("draws", draws), check_numbers("truth", truth)
    if draws.ndim != 3 or truth.ndim != 2 or draws.shape[1:] != truth.shape or not truth.size:
        raise ValueError(
            f"draws and truth must have shapes (n_samples, batch, dims) and (batch, dims), got "
            f"{draws.shape} and {truth.shape}: flatten each example, and give its truth once."
        )
    if len(draws) < MIN_DRAWS or len(truth) < MIN_EXAMPLES:
        raise ValueError(
            f"draws must hold at least {MIN_DRAWS} draws of {MIN_EXAMPLES} examples, got "
            f"{len(draws)} of {len(truth)}: fewer say nothing about calibration."
        )
    with np.errstate(over="ignore"):
        truth = check_numbers("truth", truth.astype(draws.dtype))  # so that equal values tie
    for column in np.flatnonzero((draws == draws[0]).all(axis=(0, 1))):
        raise ValueError(
            f"draws do not vary in dimension {column}, for any example: draw with the noise of the "
            f"likelihood, or leave that dimension out."
        )
    for column in np.flatnonzero((truth == truth[0]).all(axis=0)):
        raise ValueError(
            f"truth is {truth[0, column]:.6g} for all examples in dimension {column}: give x drawn "
            f"from the data, or leave that dimension out."
        )
    return draws, truth


def _randomized_ranks(draws, truth, seed):
    """The rank of each truth among its draws, and the same as a number in [0, 1]."""
    rng = np.random.default_rng(seed)
    equal = (draws == truth).sum(axis=0)
    ranks = (draws < truth).sum(axis=0) + rng.integers(0, equal + 1)
    return ranks, (ranks + rng.random(ranks.shape)) / (len(draws) + 1)
