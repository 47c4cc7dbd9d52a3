"""What chance alone does to an empirical distribution: exact simultaneous bands."""

import numpy as np
from scipy import stats

from cvae_keras.checks import check_fraction, check_positive

STEPS = 100
LEVELS = np.arange(1, STEPS) / STEPS  # 0.01 to 0.99: where distributions are compared


def counts_below(u):
    """How many values are at most each level.

    Args:
        u: `(n,)`, numbers in [0, 1].

    Returns:
        Integers `(99,)`, at the levels 0.01 to 0.99.

    Example:
        >>> int(counts_below([0.1, 0.6, 0.9])[49])  # at most 0.50
        1
    """
    return np.searchsorted(np.sort(u), LEVELS, side="right")


def tail_statistic(counts, n):
    """The least probable point of an empirical distribution, if the truth is uniform.

    `t = min over levels a of min(P(X <= count_a), P(X >= count_a))`, `X ~ Binomial(n, a)`

    Args:
        counts: `(99,)`, from `counts_below`.
        n: number of values.

    Returns:
        A number in [0, 1]; the smaller, the less chance explains the counts.

    Source: Säilynoja, Bürkner and Vehtari, "Graphical test for discrete uniformity and its
    applications in goodness-of-fit evaluation and multiple sample comparison", 2022.

    Example:
        >>> u = (np.arange(1000) + 0.5) / 1000
        >>> [tail_statistic(counts_below(x), 1000) > 0.4 for x in (u, u**1.2)]
        [True, False]
    """
    below, above = stats.binom.cdf(counts, n, LEVELS), stats.binom.sf(counts - 1, n, LEVELS)
    return float(np.minimum(below, above).min())


def tail_probability(statistic, n):
    """The p-value of `tail_statistic`: how often chance gives one as small.

    It is exact: the counts of n uniform values are those of a Poisson process that ends at n, whose
    probability to stay between two bounds is a chain of convolutions.

    Args:
        statistic: from `tail_statistic`.
        n: number of values.

    Returns:
        A number in [0, 1], correct to 1e-10.

    Source: as `tail_statistic`; the chain is that of Khmaladze and Shinjikashvili, "Calculation of
    noncrossing probabilities for Poisson processes and its corollaries", 2001.

    Example:
        >>> round(tail_probability(0.001, 1000), 2)
        0.04
    """
    if statistic < 1e-20:
        return 0.0  # p is at most 2 * 99 times as large, and SciPy finds no quantiles below 1e-300
    low, high = _bounds(statistic, n)
    if np.any(low > high):
        return 1.0
    step = stats.poisson.pmf(np.arange(n + 1), n / STEPS)
    step = step[: np.flatnonzero(step > 1e-18)[-1] + 1]
    inside, start = np.ones(1), 0  # probability of each count from `start` on
    for first, last in zip([*low, n], [*high, n], strict=True):
        reached = np.convolve(inside, step)[max(first - start, 0) : last - start + 1]
        start = max(first, start)
        inside = reached
    return float(np.clip(1 - inside.sum() / stats.poisson.pmf(n, n), 0, 1))


def chance_band(n, confidence=0.99, tests=1):
    """The band that an empirical distribution of n uniform values leaves by chance only.

    With probability `confidence` or more, all of `tests` empirical distributions are inside it at
    all levels; the distributions may depend on each other (Bonferroni).

    Args:
        n: number of values of each.
        confidence: in (0, 1).
        tests: number of distributions.

    Returns:
        `(low, high)`, each `(99,)`: the least and the largest share of values that are at most
        0.01, ..., 0.99.

    Source: as `tail_statistic`.

    Example:
        >>> low, high = chance_band(1000, confidence=0.99)
        >>> float(low[49]), float(high[49])  # of the values that are at most 0.50
        (0.445, 0.555)
    """
    wanted = (1 - confidence) / tests
    least, most = np.log(wanted) - 12, np.log(0.5)  # p is at most 99 * 2 times the statistic
    for _ in range(30):
        middle = (least + most) / 2
        if tail_probability(np.exp(middle), n) <= wanted:
            least = middle
        else:
            most = middle
    low, high = _bounds(np.exp(least), n)
    return low / n, high / n


def check_confidence(confidence):
    """Check the confidence of a band.

    Args:
        confidence: a number in (0, 1).

    Returns:
        It as a float.

    Raises:
        ValueError: it is something else.

    Example:
        >>> check_confidence(0.99)
        0.99
    """
    return check_fraction("confidence", check_positive("confidence", confidence))


def _bounds(statistic, n):
    """The least and the largest count at each level whose tail probabilities are larger."""
    low = stats.binom.ppf(statistic, n, LEVELS).astype(int)
    low += stats.binom.cdf(low, n, LEVELS) <= statistic
    high = stats.binom.isf(statistic, n, LEVELS).astype(int)
    high -= stats.binom.sf(high - 1, n, LEVELS) <= statistic
    return low, high
