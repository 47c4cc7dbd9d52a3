"""Centers and scales of the columns of an incomplete table, for values of any size."""

import numpy as np

FAR = 100.0  # times as far from the median as every ordinary value: an outlier
OUTLIERS = 0.02  # the most outliers of a column, as a share of its values; at least one
FEWEST = 10  # values of a column in which outliers are looked for


class Columns:
    """Means and standard deviations of the columns of a table, and its gross outliers.

    `z = (x - mean) / scale`, in float64 throughout: values are centered before they are squared or
    cast, and neither the unit nor the shift of a column has an effect on z.

    A value is a gross outlier if it is 100 times as far from the median as every value that is not,
    and such values are at most 2 % of the column (or one); where all values but one are equal, that
    one is. Gross outliers count neither for mean and scale nor as observed.

    Args:
        x: float `(rows, columns)`, finite, NaN where a value is missing.

    Attributes:
        mean: `(columns,)`; 0 where nothing is observed.
        scale: standard deviations, 1 where the values are equal, `(columns,)`.
        empty: columns without a value, boolean `(columns,)`.
        constant: columns whose values are all equal, or that have none, boolean `(columns,)`.
        center: medians, `(columns,)`.
        limit: values farther from the median than this are outliers, `(columns,)`.
        low: least values that are no outliers, `(columns,)`.
        high: greatest values that are no outliers, `(columns,)`.

    Example:
        >>> x = 1e10 + np.arange(10.0)[:, None]
        >>> columns = Columns(x)
        >>> columns.mean.tolist(), columns.constant.tolist()
        ([10000000004.5], [False])
        >>> bool(np.allclose(columns.restore(columns.standardize(x)), x, rtol=0, atol=1e-6))
        True
    """

    def __init__(self, x):
        found = [_measure(column[~np.isnan(column)]) for column in np.asarray(x).T]
        self.mean, self.scale, self.center, self.limit, self.low, self.high = np.transpose(found)
        self.empty = np.isnan(x).all(axis=0)
        self.constant = self.low == self.high

    def outliers(self, x):
        """Which values are gross outliers, boolean `(rows, columns)`; missing ones are not."""
        with np.errstate(invalid="ignore"):
            return np.abs(x / 2.0 - self.center / 2.0) > self.limit / 2.0

    def standardize(self, x):
        """z of the values: float64 `(rows, columns)`, NaN where missing, finite if no outlier."""
        exponent = self._exponent()
        with np.errstate(over="ignore"):  # of outliers
            x = np.ldexp(np.asarray(x, "float64"), -exponent)
            return (x - np.ldexp(self.mean, -exponent)) / np.ldexp(self.scale, -exponent)

    def restore(self, z):
        """The values of z, `(..., columns)`, in float64; finite if z is.

        The mean where a column is constant.
        """
        exponent, most = self._exponent(), np.finfo("float64").max
        values = np.ldexp(self.mean, -exponent) + np.ldexp(self.scale, -exponent) * z
        with np.errstate(over="ignore"):
            values = np.clip(np.ldexp(values, exponent), -most, most)
        return np.where(self.constant, self.mean, values)

    def _exponent(self):
        """The power of two by which values are divided, so that no difference overflows."""
        return np.frexp(np.maximum(np.abs(self.mean), self.scale))[1]


def _measure(values):
    """`(mean, scale, center, limit, low, high)` of the values of a column."""
    values = np.sort(values.astype("float64"))
    if not len(values):
        return 0.0, 1.0, 0.0, np.inf, 0.0, 0.0
    center = values[len(values) // 2]
    half = 0.5 if max(-values[0], values[-1]) > 2.0**1022 else 1.0  # differences must be finite
    distances = np.abs(half * values - half * center)
    ordinary = distances <= _reach(np.sort(distances))
    kept, largest = values[ordinary], distances[ordinary].max()
    with np.errstate(over="ignore"):
        limit = largest * FAR / half
    if kept[0] == kept[-1]:
        return kept[0], 1.0, center, limit, kept[0], kept[-1]
    exponent = np.frexp(largest)[1]
    shifted = np.ldexp(half * kept - half * center, -exponent)  # in [-1, 1]
    mean, deviation = shifted.mean(), shifted.std()
    mean = (half * center + np.ldexp(mean, exponent)) / half
    smallest = np.finfo("float64").smallest_subnormal
    scale = np.maximum(np.ldexp(deviation, exponent) / half, smallest)
    return np.clip(mean, kept[0], kept[-1]), scale, center, limit, kept[0], kept[-1]


def _reach(distances):
    """The largest distance from the median, of these in order, that belongs to no outlier."""
    count, last = len(distances), distances[-1]
    if count < FEWEST:
        return last
    most = max(1, int(OUTLIERS * count))
    inner, outer = distances[-most - 1 : -1], distances[-most:]
    several = np.arange(count - most, count) - np.searchsorted(distances, 0.0, "right") >= 5
    with np.errstate(over="ignore"):
        gaps = np.flatnonzero((outer > FAR * inner) & (inner > 0) & several)
    if len(gaps):
        return inner[gaps[0]]
    return 0.0 if count >= 2 * FEWEST and distances[-2] == 0 else last
