"""The classifier two-sample test: can a classifier tell two sets of samples apart?"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neural_network import MLPClassifier

from cvae_keras.checks import check_count, check_numbers, check_seed
from cvae_keras.metrics.chance import check_confidence
from cvae_keras.metrics.compiled_mlp import CompiledMLPClassifier

MIN_ROWS = 50


@dataclass(frozen=True)
class TwoSample:
    """The accuracy of a classifier that tells two sets of samples apart, see `c2st`.

    Attributes:
        accuracy: mean over the folds: 0.5 for the same distribution, 1 for separate ones.
        folds: `(n_folds,)`, the accuracy on each.
        chance: the accuracy that chance exceeds with probability `1 - confidence` if both sets are
            of one distribution.
        confidence: of `chance`.
        rows: samples in each set.

    Example:
        >>> TwoSample(0.71, np.full(5, 0.71), 0.526, 0.99, 1000).calibrated
        False
    """

    accuracy: float
    folds: np.ndarray
    chance: float
    confidence: float
    rows: int

    check = "C2ST"

    @property
    def calibrated(self):
        """Whether chance explains the accuracy."""
        return self.accuracy <= self.chance

    @property
    def sentence(self):
        """The result in words."""
        word = "cannot tell" if self.calibrated else "tells"
        return (
            f"a classifier {word} the two sets apart: accuracy {self.accuracy:.3f} (0.5 for equal "
            f"distributions, chance explains up to {self.chance:.3f})"
        )


def c2st(a, b, seed=0, n_folds=5, confidence=0.99, compiled=False):
    """Classifier two-sample test (C2ST), with the protocol of the benchmark sbibm.

    Both sets are standardized with the mean and standard deviation of the first. A network with two
    hidden layers of 10 * dims ReLU units is trained with Adam to tell them apart, and scored on
    samples that it was not trained on, by cross-validation. The best possible accuracy is
    `1/2 + TV(a, b) / 2`, with TV the total variation distance.

    Args:
        a: `(rows, dims)`, samples of the reference distribution; at least 50.
        b: `(rows, dims)`, as many samples of the other.
        seed: integer, of the network and of the folds.
        n_folds: folds of the cross-validation.
        confidence: in (0, 1), of the accuracy that chance explains; it takes the predictions of the
            test as independent.
        compiled: whether JAX, which must be installed, compiles the training of the network. It is
            several times faster; the accuracy differs as by another order of summation.

    Returns:
        `TwoSample`.

    Raises:
        TypeError: an array does not hold numbers.
        ValueError: shapes that differ, fewer than 50 rows, NaN, a column of a that is constant, or
            a bad option.
        RunError: compiled, and JAX is not installed.

    Source: Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", 2017; settings: Lueckmann
    et al., "Benchmarking simulation-based inference", 2021 (`sbibm.metrics.c2st`).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.normal(size=(100, 1)), rng.normal(5, 1, size=(100, 1))
        >>> c2st(a, b).accuracy > 0.95
        True
    """
    a, b = _check(a, b)
    seed, confidence = check_seed("seed", seed), check_confidence(confidence)
    n_folds = check_count("n_folds", n_folds, most=len(a), least=1)
    if n_folds < 2:
        raise ValueError("n_folds must be at least 2, got 1: choose for instance 5.")
    mean, scale = a.mean(axis=0), a.std(axis=0, ddof=1)
    samples = (np.concatenate([a, b]) - mean) / scale
    labels = np.repeat([0, 1], len(a))
    width = 10 * a.shape[1]
    kind = CompiledMLPClassifier if compiled else MLPClassifier
    network = kind((width, width), max_iter=10_000, random_state=seed)
    split = KFold(n_folds, shuffle=True, random_state=seed)
    folds = cross_val_score(network, samples, labels, cv=split, scoring="accuracy")
    return TwoSample(
        accuracy=float(folds.mean()),
        folds=folds,
        chance=float(stats.binom.ppf(confidence, len(labels), 0.5) / len(labels)),
        confidence=confidence,
        rows=len(a),
    )


def _check(a, b):
    a, b = (check_numbers(name, array).astype(float) for name, array in (("a", a), ("b", b)))
    if a.ndim != 2 or a.shape != b.shape or not a.size:
        raise ValueError(
            f"a and b must both have shape (rows, dims), got {a.shape} and {b.shape}: flatten each "
            f"sample, and give as many of both."
        )
    if len(a) < MIN_ROWS:
        raise ValueError(
            f"a and b must hold at least {MIN_ROWS} rows each, got {len(a)}: draw more samples."
        )
    for column in np.flatnonzero((a == a[0]).all(axis=0)):
        raise ValueError(
            f"a is {a[0, column]:.6g} in all rows of column {column}, which cannot be "
            f"standardized: leave that column out of both sets."
        )
    return a, b
