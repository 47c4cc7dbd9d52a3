"""The result of a check of calibration: curves, the band of chance, and what they say in words."""

from dataclasses import dataclass

import numpy as np

from cvae_keras.checks import shown
from cvae_keras.metrics.chance import (
    LEVELS,
    chance_band,
    check_confidence,
    counts_below,
    tail_probability,
    tail_statistic,
)

PASSED = "calibrated within what chance explains"
CLEAR = 3.0  # standard errors from which a deviation in place or width is named


@dataclass(frozen=True)
class Calibration:
    """One check of calibration: a curve for each dimension, and the band of chance.

    Where draws and truth have the same distribution the curve is the diagonal, `curve = levels`, up
    to chance. A dimension fails where its curve leaves the band. Draws of the exact posterior do so
    in any dimension, at any level, with a probability of at most `1 - confidence`.

    Attributes:
        check: "ranks", "coverage" or "TARP".
        names: of the dimensions; for TARP one, "all dimensions".
        levels: `(99,)`, 0.01 to 0.99.
        curve: `(99, dims)`, shares of the examples.
        low: `(99,)`, lower end of the band of chance.
        high: `(99,)`, its upper end.
        statistic: `(dims,)`, see `cvae_keras.metrics.chance.tail_statistic`.
        p_value: `(dims,)`, how often chance gives a statistic as small.
        failed: booleans `(dims,)`, whether the curve leaves the band.
        sentences: what is found in each dimension, in words.
        confidence: of the band.
        n_samples: draws per example.
        examples: number of examples.

    Example:
        >>> from cvae_keras.metrics import expected_coverage
        >>> rng = np.random.default_rng(0)
        >>> result = expected_coverage(rng.normal(size=(99, 500, 1)), rng.normal(size=(500, 1)))
        >>> result.calibrated, result.curve.shape
        (True, (99, 1))
    """

    check: str
    names: tuple
    levels: np.ndarray
    curve: np.ndarray
    low: np.ndarray
    high: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray
    failed: np.ndarray
    sentences: tuple
    confidence: float
    n_samples: int
    examples: int

    @property
    def calibrated(self):
        """Whether every dimension stays within the band of chance."""
        return not self.failed.any()

    @property
    def sentence(self):
        """The result in words: that of the worst dimension, and how many fail."""
        worst = int(np.argmin(np.where(self.failed, self.statistic, self.statistic + 1)))
        text, count, of = self.sentences[worst], int(self.failed.sum()), len(self.names)
        if not count:
            return text if of == 1 else f"{PASSED} in all {of} dimensions"
        if of == 1:
            return text
        fail = "fails" if count == 1 else "fail"
        return f"{self.names[worst]} is {text}; {count} of {of} dimensions {fail}"


def compare(check, u, n_samples, names, confidence):
    """Compare numbers with the uniform distribution, in each dimension.

    Args:
        check: "ranks", "coverage" or "TARP": what the numbers are.
        u: `(examples, dims)`, uniform on [0, 1] and independent over examples if all is well.
        n_samples: draws that each was made from.
        names: of the dimensions, or None.
        confidence: of the band, for all levels and dimensions together.

    Returns:
        `Calibration`.

    Raises:
        ValueError: bad names, or a confidence outside (0, 1).

    Example:
        >>> u = (np.arange(100)[:, None] + 0.5) / 100
        >>> compare("coverage", u, 99, None, 0.99).sentence
        'calibrated within what chance explains'
    """
    examples, dims = u.shape
    names, confidence = check_names(names, dims), check_confidence(confidence)
    counts = np.stack([counts_below(column) for column in u.T], axis=1)
    curve = counts / examples
    low, high = chance_band(examples, confidence, tests=dims)
    failed = ((curve < low[:, None]) | (curve > high[:, None])).any(axis=0)
    statistic = np.array([tail_statistic(column, examples) for column in counts.T])
    describe = {"ranks": _ranks, "coverage": _coverage, "TARP": _tarp}[check]
    return Calibration(
        check=check,
        names=names,
        levels=LEVELS,
        curve=curve,
        low=low,
        high=high,
        statistic=statistic,
        p_value=np.array([tail_probability(value, examples) for value in statistic]),
        failed=failed,
        sentences=tuple(
            describe(u[:, i], curve[:, i], low, high) if failed[i] else PASSED for i in range(dims)
        ),
        confidence=confidence,
        n_samples=n_samples,
        examples=examples,
    )


def check_names(names, count, kind="x"):
    """Check the names of dimensions.

    Args:
        names: list of strings, or None.
        count: how many there must be.
        kind: what the names begin with if there are none.

    Returns:
        Tuple of `count` strings.

    Raises:
        ValueError: it is something else.

    Example:
        >>> check_names(None, 2)
        ('x0', 'x1')
    """
    if names is None:
        return tuple(f"{kind}{i}" for i in range(count))
    if isinstance(names, str) or len(names) != count or not all(isinstance(n, str) for n in names):
        raise ValueError(
            f"names must be {count} strings, one a dimension, got {shown(names)}: give as many."
        )
    return tuple(names)


def percent(share):
    """A share in words.

    Args:
        share: a number in [0, 1].

    Returns:
        Text.

    Example:
        >>> percent(0.712)
        '71.2 %'
    """
    return f"{100 * share:.1f} %"


def _coverage(u, curve, low, high):
    """What is wrong with a coverage that leaves the band: at 90 % if it does there."""
    at = _worst(curve, low, high)
    word = "over" if curve[at] < low[at] else "under"
    return (
        f"{word}confident: {100 * LEVELS[at]:.0f} % intervals hold {percent(curve[at])} (chance "
        f"explains {100 * low[at]:.1f} to {percent(high[at])})"
    )


def _ranks(u, curve, low, high):
    """What is wrong with ranks that are not uniform: place, width or shape of the draws."""
    place, width = _deviations(u)
    parts = []
    if abs(width) > CLEAR:
        outer = percent(np.mean(np.abs(2 * u - 1) > 0.9))
        word = "too narrow" if width > 0 else "too wide"
        parts.append(
            f"{word}: the truth is among the outer 10 % of its draws in {outer} of the examples"
        )
    if abs(place) > CLEAR:
        word = "too low" if place > 0 else "too high"
        parts.append(f"{word}: on average the truth is above {percent(u.mean())} of its draws")
    at = _worst(curve, low, high)
    other = (
        f"of the wrong shape: {percent(curve[at])} of the ranks are in the lowest "
        f"{100 * LEVELS[at]:.0f} %"
    )
    return "; ".join(parts) or other


def _tarp(u, curve, low, high):
    """What is wrong with the draws of all dimensions together."""
    _, width = _deviations(u)
    at = _worst(curve, low, high)
    word = "of the wrong shape"
    if abs(width) > CLEAR:
        word = f"too {'narrow, or shifted,' if width > 0 else 'wide'} in some directions"
    return (
        f"{word}: in {percent(curve[at])} of the examples at most {100 * LEVELS[at]:.0f} % of the "
        f"draws are nearer to a random point than the truth (chance explains {100 * low[at]:.1f} "
        f"to {percent(high[at])})"
    )


def _deviations(u):
    """How far mean and spread of u are from those of a uniform distribution, in standard errors."""
    error = 1 / np.sqrt(12 * len(u))
    return (u.mean() - 0.5) / error, (np.abs(2 * u - 1).mean() - 0.5) / error


def _worst(curve, low, high):
    """The level to report, one at which the curve leaves the band: 90 % if possible."""
    outside = (curve < low) | (curve > high)
    deviation = np.abs(curve - LEVELS) / np.sqrt(LEVELS * (1 - LEVELS))
    nine = int(np.flatnonzero(LEVELS == 0.9)[0])
    return nine if outside[nine] else int(np.argmax(np.where(outside, deviation, 0)))
