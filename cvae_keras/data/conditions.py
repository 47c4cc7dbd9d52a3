"""What a testbed model is given: values that are known, values that are missing, and the rest."""

from itertools import product

import numpy as np

from cvae_keras.checks import check_arrays

ALL_PATTERNS_UP_TO = 16


def known_patterns(dim):
    """All subsets of known dimensions, fewest first.

    Args:
        dim: number of dimensions.

    Returns:
        (2^dim, dim) of booleans.

    Example:
        >>> known_patterns(2).astype(int).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    patterns = np.array(list(product([False, True], repeat=dim)))
    return patterns[np.argsort(patterns.sum(axis=1), kind="stable")]


def draw_patterns(n, dim, rng):
    """One pattern of known dimensions an example.

    With up to 16 patterns each occurs equally often; with more each *number* of known dimensions
    does, and which they are is random.

    Args:
        n: examples; dim: dimensions; rng: a NumPy generator.

    Returns:
        (n, dim) of booleans.

    Example:
        >>> draw_patterns(6, 2, np.random.default_rng(0)).shape
        (6, 2)
    """
    start = rng.integers(1 << 16)  # the remainder of n is not always given to the same patterns
    if 2**dim <= ALL_PATTERNS_UP_TO:
        return known_patterns(dim)[(start + np.arange(n)) % 2**dim]
    count = (start + np.arange(n)) % (dim + 1)
    order = rng.random((n, dim)).argsort(axis=1)
    return order < count[:, None]


def as_inputs(x, known, observed=None):
    """The arrays that `DenseCVAE` reads.

    Args:
        x: (n, dim); known: (n, dim), true where x is given as condition; observed: (n, dim), false
            where x is missing, or None if nothing is.

    Returns:
        Dictionary of `x` with 0 where it is missing, `c` = [x * m, m] with m the known and observed
        entries, `(n, 2 dim)`, and `mask` if `observed` is given; float32.

    Raises:
        ValueError: shapes differ, or x holds NaN where it is observed.

    Example:
        >>> as_inputs(np.array([[2.0, 3.0]]), np.array([[True, False]]))["c"].tolist()
        [[2.0, 0.0, 1.0, 0.0]]
    """
    x, m = np.asarray(x), np.asarray(known, dtype=bool)
    shapes = {"x": x.shape, "known": m.shape}
    if observed is not None:
        observed = np.asarray(observed, dtype=bool)
        shapes["observed"] = observed.shape
    if len(set(shapes.values())) > 1 or x.ndim != 2:
        raise ValueError(f"the arrays must all be (n, dim), got {shapes}: pair them up.")
    arrays = {}
    if observed is not None:
        x, m = np.where(observed, x, 0.0), m & observed
        arrays["mask"] = observed
    return check_arrays({"x": x, "c": np.concatenate([np.where(m, x, 0.0), m], axis=1), **arrays})


class Conditioned:
    """Examples of a data set with a condition each, and with missing values if asked.

    Args:
        data: an object with `dim` and `sample(n, seed)`, for instance a `GaussianData`.
        mask_percentage: chance of a value to be missing, from 0 up to 100 (not included), in
            percent. What is missing is explicit in `mask`; it is never known.

    Raises:
        ValueError: mask_percentage is outside its range.

    Example:
        >>> from cvae_keras.data.gaussian import IndependentGaussian
        >>> Conditioned(IndependentGaussian(2)).examples(10, seed=0)["c"].shape
        (10, 4)
    """

    def __init__(self, data, mask_percentage=0):
        if not 0 <= mask_percentage < 100:
            raise ValueError(
                f"mask_percentage must lie in [0, 100), got {mask_percentage!r}: give percent."
            )
        self.data, self.mask_percentage = data, mask_percentage

    def examples(self, n, seed=0, known=None):
        """Draw examples as `DenseCVAE` reads them.

        Args:
            n: how many; seed: integer or list of integers; known: (n, dim), by default drawn.

        Returns:
            As `as_inputs`: `x`, `c`, and `mask` if values are missing.
        """
        x = self.data.sample(n, seed)
        rng = np.random.default_rng([*np.atleast_1d(seed), 1])
        known = draw_patterns(n, self.data.dim, rng) if known is None else known
        observed = None
        if self.mask_percentage:
            observed = rng.random(x.shape) >= self.mask_percentage / 100
        return as_inputs(x, known, observed)
