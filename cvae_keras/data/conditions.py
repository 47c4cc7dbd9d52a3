"""Conditions of the dense CVAE: which entries of an example are known, and which are missing."""

from itertools import combinations, product
from math import comb
from numbers import Real

import numpy as np

from cvae_keras.checks import check_arrays, check_choice, check_count, check_seed, shown
from cvae_keras.data.frames import read_numbers

ALL_PATTERNS_UP_TO = 16
MOST_DIMENSIONS = 16  # whose patterns are all listed
LISTED = 1024  # patterns of `patterns_of`, over all numbers of known dimensions


def known_patterns(dim):
    """All subsets of known dimensions, fewest first.

    Args:
        dim: number of dimensions.

    Returns:
        `(2^dim, dim)`, booleans.

    Raises:
        ValueError: dim is not an integer from 1 to 16; see `patterns_of` for more.

    Example:
        >>> from cvae_keras.data import known_patterns
        >>> known_patterns(2).astype(int).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    dim = check_count("dim", dim, MOST_DIMENSIONS)
    patterns = np.array(list(product([False, True], repeat=dim)))
    return patterns[np.argsort(patterns.sum(axis=1), kind="stable")]


def patterns_of(dim, known):
    """The subsets of a number of known dimensions; where there are too many, some drawn at random.

    Args:
        dim: number of dimensions.
        known: number of known ones, from 0 to dim.

    Returns:
        `(patterns, dim)`, booleans, at most `1024 / (dim + 1)` different ones, always the same.

    Example:
        >>> from cvae_keras.data.conditions import patterns_of
        >>> patterns_of(3, 1).astype(int).tolist()
        [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
        >>> patterns_of(30, 15).shape
        (33, 30)
    """
    dim, known = check_count("dim", dim), check_count("known", known, dim, least=0)
    most = max(1, LISTED // (dim + 1))
    if comb(dim, known) <= most:
        found = list(combinations(range(dim), known))[::-1]
    else:
        rng, drawn = np.random.default_rng([dim, known]), set()
        while len(drawn) < most:
            drawn.add(tuple(sorted(rng.choice(dim, known, replace=False).tolist())))
        found = sorted(drawn, reverse=True)
    patterns = np.zeros((len(found), dim), bool)
    for pattern, dimensions in zip(patterns, found, strict=True):
        pattern[list(dimensions)] = True
    return patterns


def draw_patterns(n, dim, rng, every_subset=True):
    """Draw a pattern of known dimensions for each example.

    With up to 16 patterns each occurs equally often. With more, each *number* of known dimensions
    occurs equally often, and which dimensions these are is random; but if n is at least the number
    of patterns, each pattern occurs, and the other examples even out the numbers.

    Args:
        n: number of examples.
        dim: number of dimensions.
        rng: a `numpy.random.Generator`.
        every_subset: False to draw more than 16 patterns at random whatever n is, as version 0.1.

    Returns:
        `(n, dim)`, booleans.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data import draw_patterns
        >>> patterns = draw_patterns(64, 5, np.random.default_rng(0))
        >>> len(np.unique(patterns, axis=0))
        32
    """
    n, dim = check_count("n", n), check_count("dim", dim)
    start = rng.integers(1 << 16)  # so that the remainder of n does not favor the first patterns
    if dim <= MOST_DIMENSIONS and 2**dim <= ALL_PATTERNS_UP_TO:
        return known_patterns(dim)[(start + np.arange(n)) % 2**dim]
    if every_subset and n >= 2**dim:
        every = np.arange(2**dim)[:, None] >> np.arange(dim) & 1 > 0
        more = _random_patterns(_numbers_that_even_out(n - 2**dim, dim, rng), dim, rng)
        return rng.permutation(np.concatenate([every, more]))
    return _random_patterns((start + np.arange(n)) % (dim + 1), dim, rng)


def _random_patterns(count, dim, rng):
    """Patterns of `count` `(n,)` known dimensions each."""
    order = rng.random((len(count), dim)).argsort(axis=1)
    return order < count[:, None]


def _numbers_that_even_out(n, dim, rng):
    """n numbers of known dimensions: beside all patterns once, each then occurs equally often."""
    there = np.array([comb(dim, known) for known in range(dim + 1)])
    least = np.sort(there)
    level = min((n + least[:few].sum()) // few for few in range(1, dim + 2))
    more = np.maximum(level - there, 0)
    lowest = rng.permutation(np.flatnonzero(there <= level))
    more[lowest[: n - more.sum()]] += 1
    return np.repeat(np.arange(dim + 1), more)


def as_inputs(x, known, observed=None):
    """The arrays that `DenseCVAE` reads.

    Args:
        x: `(n, dim)`.
        known: `(n, dim)`, true where x is given as condition.
        observed: `(n, dim)`, false where x is missing, or None if nothing is missing.

    Returns:
        Dictionary of float32 arrays: `x` `(n, dim)`, 0 where it is missing; `c` `(n, 2 dim)`, which
        is [x * m, m] with m the known and observed entries; and `mask` `(n, dim)` if `observed` is
        given.

    Raises:
        ValueError: shapes differ, x holds NaN where it is observed, or known or observed hold
            something else than 0 and 1.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data import as_inputs
        >>> as_inputs(np.array([[2.0, 3.0]]), np.array([[True, False]]))["c"].tolist()
        [[2.0, 0.0, 1.0, 0.0]]
    """
    x, m = read_numbers("x", x), _indicator("known", known)
    shapes = {"x": x.shape, "known": m.shape}
    if observed is not None:
        observed = _indicator("observed", observed)
        shapes["observed"] = observed.shape
    if len(set(shapes.values())) > 1 or x.ndim != 2:
        raise ValueError(f"the arrays must all be (n, dim), got {shapes}: pair them up.")
    arrays = {}
    if observed is not None:
        x, m = np.where(observed, x, 0.0), m & observed
        arrays["mask"] = observed
    return check_arrays({"x": x, "c": np.concatenate([np.where(m, x, 0.0), m], axis=1), **arrays})


def _indicator(name, values):
    """An array of booleans, or of 0 and 1, as booleans."""
    values = read_numbers(name, values)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must hold booleans, or 0 and 1: compare the values with some.")
    return values.astype(bool)


def integers(seed):
    """A seed as a list of integers, which can be extended.

    Args:
        seed: integer, sequence of integers, `numpy.random.RandomState` or `Generator`, or None.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data.conditions import integers
        >>> integers(np.int64(3)), integers([3, 4])
        ([3], [3, 4])
    """
    if isinstance(seed, (int, np.integer, list, tuple, np.ndarray)):
        numbers = list(np.atleast_1d(seed))
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in numbers)
        if not whole or not numbers or isinstance(seed, bool) or min(numbers) < 0:
            raise ValueError(f"seed must be an integer >= 0, got {shown(seed)}: choose 0, say.")
        return [int(number) for number in numbers]
    return [check_seed("seed", seed)]


class Conditioned:
    """Examples of a data set with a condition each, and with missing entries on request.

    Args:
        data: an object with `dim` and `sample(n, seed)`, for instance a `GaussianData`.
        mask_percentage: probability that an entry is missing, in percent: 0, or from 1 to below
            100. A missing entry is marked in `mask`, and is never among the known ones.
        missing: "entries" if each entry is missing independently of the others, or "rows" if all
            entries of an example are, as in the swiss roll of CVAE_testbed.
        penalize_missing: whether the loss counts missing entries, as if 0 had been observed there:
            there is then no `mask`. It is the `synthetic_loss_no_mask` of CVAE_testbed.
        every_subset: see `draw_patterns`.

    Raises:
        ValueError: mask_percentage is outside its range, or an option is none of these.

    Example:
        >>> from cvae_keras.data import Conditioned, IndependentGaussian
        >>> Conditioned(IndependentGaussian(2)).examples(10, seed=0)["c"].shape
        (10, 4)
    """

    def __init__(
        self,
        data,
        mask_percentage=0,
        missing="entries",
        penalize_missing=False,
        every_subset=True,
    ):
        if isinstance(mask_percentage, (bool, np.bool_)) or not (
            isinstance(mask_percentage, Real) and 0 <= mask_percentage < 100
        ):
            raise ValueError(
                f"mask_percentage must lie in [0, 100), got {shown(mask_percentage)}: give percent."
            )
        if 0 < mask_percentage < 1:
            raise ValueError(
                f"mask_percentage must be 0 or at least 1, got {shown(mask_percentage)}, which may "
                f"mean {mask_percentage:g} percent or {100 * mask_percentage:g} percent: it is in "
                f"percent, so give {100 * mask_percentage:g} for a share of {mask_percentage:g}, "
                f"or 1 for the least."
            )
        options = {"penalize_missing": penalize_missing, "every_subset": every_subset}
        for name, value in options.items():
            if not isinstance(value, (bool, np.bool_)):
                raise ValueError(f"{name} must be true or false, got {shown(value)}: choose one.")
        self.data, self.mask_percentage = data, mask_percentage
        self.missing = check_choice("missing", missing, ["entries", "rows"])
        self.penalize_missing, self.every_subset = bool(penalize_missing), bool(every_subset)

    @property
    def masked(self):
        """Whether the examples have a `mask`."""
        return self.mask_percentage > 0 and not self.penalize_missing

    def examples(self, n, seed=0, known=None):
        """Draw examples as `DenseCVAE` reads them.

        Args:
            n: number of examples.
            seed: integer or list of integers; None or a generator to draw one.
            known: `(n, dim)`, booleans; by default drawn by `draw_patterns`.

        Returns:
            Dictionary of `x`, `c`, and `mask` if entries are missing, see `as_inputs`.
        """
        n, numbers = check_count("n", n), integers(seed)
        plain = isinstance(seed, (int, np.integer, list, tuple, np.ndarray))
        x = self.data.sample(n, seed if plain else numbers[0])
        rng = np.random.default_rng([*numbers, 1])
        if known is None:
            known = draw_patterns(n, self.data.dim, rng, self.every_subset)
        observed = None
        if self.mask_percentage:
            shape = x.shape if self.missing == "entries" else (n, 1)
            observed = rng.random(shape) >= self.mask_percentage / 100
            observed = np.broadcast_to(observed, x.shape)
        arrays = as_inputs(x, known, observed)
        return arrays if self.masked else {name: arrays[name] for name in ("x", "c")}
