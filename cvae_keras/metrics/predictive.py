"""Posterior predictive checks: does the simulator, run on drawn x, give back what was observed?"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from cvae_keras.checks import check_numbers, shown
from cvae_keras.metrics.calibration_curve import PASSED, percent
from cvae_keras.metrics.chance import check_confidence

MIN_REPLICAS = 20
MANY = 20  # observations from which on the share of outlying ones is tested, and not each of them
OUTER = 0.05  # of the replicas of an observation: outside their central 95 %

#: Statistics of `predictive_check` unless others are given: functions of arrays `(rows, ...)`.
STATISTICS = {
    "mean": lambda y: y.reshape(len(y), -1).mean(axis=1),
    "standard deviation": lambda y: y.reshape(len(y), -1).std(axis=1),
    "minimum": lambda y: y.reshape(len(y), -1).min(axis=1),
    "maximum": lambda y: y.reshape(len(y), -1).max(axis=1),
}


@dataclass(frozen=True)
class Predictive:
    """Statistics of observations beside those of their replicas, see `predictive_check`.

    Attributes:
        names: of the statistics.
        observed: `(batch, statistics)`, of the observations.
        low: `(batch, statistics)`, lower end of the central 95 % of the replicas.
        high: `(batch, statistics)`, its upper end.
        tail: `(batch, statistics)`, two-sided tail probabilities.
        threshold: the tail probability up to which an observation counts as outlying.
        outlying: `(statistics,)`, share of the observations that are.
        limit: the largest share that chance explains, for all statistics together.
        sentences: what is found for each statistic, in words.
        confidence: of `limit`.

    Example:
        >>> from cvae_keras.metrics import predictive_check
        >>> rng = np.random.default_rng(0)
        >>> result = predictive_check(rng.normal(size=(99, 50, 8)), rng.normal(size=(50, 8)))
        >>> result.calibrated, result.tail.shape
        (True, (50, 4))
    """

    names: tuple
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tail: np.ndarray
    threshold: float
    outlying: np.ndarray
    limit: float
    sentences: tuple
    confidence: float

    check = "predictive"

    @property
    def failed(self):
        """Booleans `(statistics,)`, whether more observations are outlying than chance explains."""
        return self.outlying > self.limit

    @property
    def calibrated(self):
        """Whether no statistic fails."""
        return not self.failed.any()

    @property
    def sentence(self):
        """The result in words: that of the worst statistic, and how many fail."""
        count, of = int(self.failed.sum()), len(self.names)
        if not count:
            return f"{PASSED} in {', '.join(self.names)}"
        text = self.sentences[int(np.argmax(self.outlying))]
        if of == 1:
            return text
        return f"{text}; {count} of {of} statistics {'fails' if count == 1 else 'fail'}"


def predictive_check(replicas, observed, statistics=None, confidence=0.99):
    """Compare observations with what the simulator gives for x drawn from their posteriors.

    For each statistic T and observation y, with replicas y_s simulated from x_s ~ p(x | y):

    `tail = 2 min(P(T(y_s) <= T(y)), P(T(y_s) >= T(y)))`, at most 1,

    the observation counted as one of the replicas. With 20 observations or more, a statistic fails
    if more of them have tail <= 0.05 than chance explains; with fewer, if the tail of any is at
    most `(1 - confidence) / (observations * statistics)`. Replicas are drawn given y, so that tails
    of the exact posterior are rarely small: the check is cautious.

    Args:
        replicas: `(n_samples, batch, ...)`, of a simulator with its noise, for draws of the
            posterior of each observation; at least 20.
        observed: `(batch, ...)`.
        statistics: dictionary of name -> function of an array `(rows, ...)` that returns
            `(rows,)`; None for mean, standard deviation, minimum and maximum.
        confidence: in (0, 1), for all statistics together.

    Returns:
        `Predictive`.

    Raises:
        TypeError: an array does not hold numbers.
        ValueError: shapes that do not fit, too few replicas, NaN, a statistic that does not vary or
            is not one number per row, or a bad option.

    Source: Gelman, Meng and Stern, "Posterior predictive assessment of model fitness via realized
    discrepancies", 1996.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> replicas, observed = rng.normal(size=(99, 50, 8)), rng.normal(2, 1, size=(50, 8))
        >>> predictive_check(replicas, observed, {"mean": lambda y: y.mean(axis=1)}).calibrated
        False
    """
    replicas, observed = _check(replicas, observed)
    statistics = _check_statistics(STATISTICS if statistics is None else statistics)
    confidence = check_confidence(confidence)
    n_samples, examples = replicas.shape[:2]
    error = (1 - confidence) / len(statistics)
    threshold, limit = OUTER, float(stats.binom.ppf(1 - error, examples, OUTER) / examples)
    if examples < MANY:
        threshold, limit = error / examples, 0.0
        if 2 / (n_samples + 1) > threshold:
            raise ValueError(
                f"replicas must hold at least {int(np.ceil(2 / threshold)) - 1:,} draws for a "
                f"verdict on {len(statistics)} statistics of {examples} observations, got "
                f"{n_samples:,}: draw more, or lower the confidence."
            )
    found = {name: _apply(name, of, replicas, observed) for name, of in statistics.items()}
    drawn, seen = (np.stack(each, axis=-1) for each in zip(*found.values(), strict=True))
    below, above = (drawn <= seen).sum(axis=0), (drawn >= seen).sum(axis=0)
    tail = np.minimum(1, 2 * (1 + np.minimum(below, above)) / (n_samples + 1))
    low, high = np.quantile(drawn, [OUTER / 2, 1 - OUTER / 2], axis=0)
    outlying = (tail <= threshold).mean(axis=0)
    sentences = []
    for i, name in enumerate(found):
        worst = int(np.argmin(tail[:, i]))
        if outlying[i] <= limit:
            sentences.append(PASSED)
        elif examples < MANY:
            sentences.append(
                f"the observed {name} is {seen[worst, i]:.4g}, 95 % of its replicas are "
                f"{low[worst, i]:.4g} to {high[worst, i]:.4g}"
            )
        else:
            sentences.append(
                f"the observed {name} is outside 95 % of its replicas in {percent(outlying[i])} of "
                f"the observations (chance explains up to {percent(limit)})"
            )
    return Predictive(
        names=tuple(found),
        observed=seen,
        low=low,
        high=high,
        tail=tail,
        threshold=threshold,
        outlying=outlying,
        limit=limit,
        sentences=tuple(sentences),
        confidence=confidence,
    )


def _check(replicas, observed):
    replicas, observed = check_numbers("replicas", replicas), check_numbers("observed", observed)
    if observed.ndim < 1 or replicas.shape[1:] != observed.shape or not replicas.size:
        raise ValueError(
            f"replicas and observed must have shapes (n_samples, batch, ...) and (batch, ...), got "
            f"{replicas.shape} and {observed.shape}: give the replicas of each observation."
        )
    if len(replicas) < MIN_REPLICAS:
        raise ValueError(
            f"replicas must hold at least {MIN_REPLICAS} draws, got {len(replicas)}: draw more."
        )
    return replicas, observed.astype(replicas.dtype)


def _check_statistics(statistics):
    if (
        not isinstance(statistics, dict)
        or not statistics
        or not all(map(callable, statistics.values()))
    ):
        raise ValueError(
            f"statistics must be a dictionary of name -> function, got {shown(statistics)}: give "
            f"for instance {{'mean': lambda y: y.mean(axis=1)}}."
        )
    return statistics


def _apply(name, statistic, replicas, observed):
    """A statistic of replicas and observations: `(n_samples, batch)` and `(batch,)`."""
    rows = replicas.reshape(-1, *observed.shape[1:])
    drawn, seen = np.asarray(statistic(rows)), np.asarray(statistic(observed))
    if drawn.shape != (len(rows),) or seen.shape != (len(observed),):
        raise ValueError(
            f"the statistic {name!r} must return one number per row, ({len(rows)},), got shape "
            f"{drawn.shape}: reduce all axes but the first."
        )
    drawn, seen = (check_numbers(f"the statistic {name!r}", value) for value in (drawn, seen))
    drawn = drawn.reshape(replicas.shape[:2])
    if (drawn == drawn[0]).all():
        raise ValueError(
            f"the statistic {name!r} is the same for all replicas: simulate with noise, or leave "
            f"it out."
        )
    return drawn, seen
