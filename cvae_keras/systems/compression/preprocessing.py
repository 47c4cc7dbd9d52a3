"""The shift and scale that bring features to order one, and their principal components."""

import warnings

import numpy as np
from sklearn.decomposition import PCA

from cvae_keras.checks import COMPARED, merged
from cvae_keras.data.frames import EXACT, check_whole_numbers
from cvae_keras.data.rows import ORDINARY, chunks, read

LEAST = 1e-300  # range of a feature; TensorFlow's threads round numbers below 2e-308 to 0
SMALLEST_IMAGE = 64  # pixels, 8 x 8


def shift_and_scale(rows, normalize=True):
    """Shift and scale of each feature, from two passes over the data, in float64.

    `standardized = (x - shift) / scale`, with shift the mean of each feature.

    Scale is the standard deviation of each feature, so that the result depends neither on the unit
    nor on the zero of a feature. Images are declared as such: their pixels share a unit, and scale
    is one number, the root of their mean variance. Dividing each pixel by its own deviation would
    give the rare strokes at the border of an image the same weight as those that distinguish the
    digits.

    Shift is rounded to float32 where that is within 1e-6 scales of the mean.

    Args:
        rows: `(examples, features)`, see `cvae_keras.data.rows.open_rows`.
        normalize: True; "images" for one scale; False for shift 0 and scale 1.

    Returns:
        `(shift, scale)`, float64 `(features,)` each. A feature whose values are all equal has scale
        1, or where they are beyond 1e30, their size.

    Raises:
        ValueError: NaN or infinity in the data, integers that float64 does not distinguish, or a
            feature that varies by less than 1e-300.

    Example:
        >>> import numpy as np
        >>> shift, scale = shift_and_scale(np.array([[0.0, 5.0], [2.0, 5.0]]))
        >>> shift.tolist(), scale.tolist()
        ([1.0, 5.0], [1.0, 1.0])
    """
    low, high = np.inf, -np.inf
    for chunk in chunks(rows):
        values = read(rows, chunk, dtype="float64")  # raises on NaN, before training does
        if np.abs(values).max() > EXACT:
            check_whole_numbers("X", read(rows, chunk, dtype=None))
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
    if not normalize:
        return np.zeros(len(low)), np.ones(len(low))
    # In the unit 2^power, the values above the lowest one lie in [0, 4): nothing overflows.
    varies = high > low
    if (varies & (high / 2 - low / 2 < LEAST)).any():
        raise ValueError(
            "X holds a feature that varies by less than 1e-300, which processors may round to 0: "
            "rescale it."
        )
    power = np.where(varies, np.frexp(high / 2 - low / 2)[1], 0)
    start, total, square = np.ldexp(low, -power), 0.0, 0.0
    for chunk in chunks(rows):
        values = np.ldexp(read(rows, chunk, dtype="float64"), -power) - start
        total, square = total + values.sum(axis=0), square + np.square(values).sum(axis=0)
    mean = total / len(rows)
    variance = np.maximum(square / len(rows) - np.square(mean), 0.0)
    shift = np.where(varies, np.clip(np.ldexp(start + mean, power), low, high), low)
    own = varies
    if isinstance(normalize, str) and varies.any():  # one scale, also of constant pixels
        largest = power[varies].max()
        variance = np.ldexp(variance[varies], 2 * (power[varies] - largest))
        variance, power, own = np.full(len(low), variance.mean()), largest, True
    scale = np.ldexp(np.sqrt(variance), power)
    size = np.where(np.abs(low) > ORDINARY, np.abs(low), 1.0)
    scale = np.where(own, scale, size)
    with np.errstate(over="ignore", invalid="ignore"):
        single = shift.astype("float32").astype("float64")
        return np.where(np.abs(single - shift) <= 1e-6 * scale, single, shift), scale


def is_image(rows):
    """Whether rows hold images as files do: at least 64 unsigned integers of 8 bits.

    Args:
        rows: a `Subset` without shift and scale.

    Example:
        >>> from cvae_keras.data.rows import Subset
        >>> is_image(Subset(np.zeros((2, 784), "uint8"), range(2)))
        True
    """
    return rows.shape[1] >= SMALLEST_IMAGE and rows[:1].dtype == np.uint8


def warn_of_merged(rows, names=None):
    """Warn where distinct values become equal in float32, although they are centered.

    That is so where the values of a feature spread over more than seven decimals, for instance
    beside an outlier; or where features are not normalized.

    Args:
        rows: a `Subset` with shift and scale.
        names: of the features, or None.

    Example:
        ```python
        warn_of_merged(Subset(x, range(len(x)), *shift_and_scale(x)))
        ```
    """
    some = slice(0, COMPARED)
    raw = read(rows.rows, rows.index[some], dtype=None)
    if raw.dtype.kind != "f" and raw.dtype.itemsize < 4:
        return  # at most 65,536 values of one unit
    columns = merged(raw.astype("float64"), rows[some])
    if columns:
        shown = ", ".join(repr(j if names is None else names[j]) for j in columns[:5])
        warnings.warn(
            f"X holds distinct values in {len(columns)} columns ({shown}) that become equal in "
            f"float32, to which they are cast after centering and scaling: take logarithms, "
            f"remove outliers, or set feature_normalization=True.",
            stacklevel=2,
        )


FITTED_ON = 20_000  # examples that the components are fitted on


def fit_pca(rows, n_components=None, seed=0):
    """Principal components of rows, fitted on at most 20,000 of them.

    Rows in float32 that are not standardized are centered and decomposed in float64.

    Args:
        rows: `(examples, features)`, see `cvae_keras.data.rows.open_rows`.
        n_components: how many, at most; None for all.
        seed: of the choice of examples and of scikit-learn's randomized solver.

    Returns:
        A fitted `sklearn.decomposition.PCA`.

    Example:
        >>> import numpy as np
        >>> pca = fit_pca(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.1]]))
        >>> pca.components_.shape
        (2, 2)
    """
    some = np.sort(np.random.default_rng(seed).permutation(len(rows))[:FITTED_ON])
    sample = read(rows, some, dtype=None)
    mean = np.mean(sample, axis=0, dtype="float64")
    largest = max(sample.max(), -sample.min())
    standardized = np.abs(mean).max() < 0.1 and 0.01 < largest < 1e6
    if sample.dtype != np.float32 or not standardized:  # scikit-learn sums float32 in float32
        sample = sample - mean
    if n_components is not None:
        n_components = min(n_components, *sample.shape)
    with np.errstate(invalid="ignore"):  # the shares of no variance at all are 0 / 0
        return PCA(n_components, random_state=seed).fit(sample)


def components_for(pca, share):
    """How many principal components hold more than a share of the variance.

    Args:
        pca: from `fit_pca`, with all components.
        share: in (0, 1).

    Returns:
        The count that `PCA(share)` finds.

    Example:
        >>> import numpy as np
        >>> components_for(fit_pca(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.1]])), 0.9)
        1
    """
    return int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), share, side="right")) + 1


def first_axes(pca, count):
    """The first axes of a PCA, and the standard deviation of the data along each.

    Args:
        pca: from `fit_pca`.
        count: how many, at most.

    Returns:
        `(axes, deviations)`, float32: `(features, count)`, orthonormal columns, those of most
        variance first, and `(count,)`.

    Example:
        >>> import numpy as np
        >>> pca = fit_pca(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.1]]))
        >>> axes, deviations = first_axes(pca, 1)
        >>> axes.shape, deviations.shape
        ((2, 1), (1,))
    """
    axes = pca.components_[:count].T.astype("float32")
    return axes, np.sqrt(pca.explained_variance_[:count]).astype("float32")
