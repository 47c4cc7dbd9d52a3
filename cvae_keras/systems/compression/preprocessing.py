"""The shift and the scale that bring features to order one."""

import numpy as np
from sklearn.decomposition import PCA

from cvae_keras.data.rows import chunks, read


def shift_and_scale(rows, normalize=True):
    """Shift and scale of each feature, from two passes over the data.

    `standardized = (x - shift) / scale`, with shift the mean of each feature.

    Scale is the standard deviation of each feature, unless the features share a unit, as pixels do:
    then it is one number, the root of their mean variance. Dividing each pixel by its own deviation
    would let the rare strokes at the border of the picture weigh as much as those that tell the
    digits apart. They count as sharing a unit when at least half of those that vary have a range
    of at least half the widest.

    Args:
        rows: see `cvae_keras.data.rows.open_rows`; normalize: False gives shift 0 and scale 1.

    Returns:
        `(shift, scale)`, float32 `(features,)` each. A feature without variance has scale 1.

    Raises:
        ValueError: NaN or infinity in the data.

    Example:
        >>> shift, scale = shift_and_scale(np.array([[0.0, 5.0], [2.0, 5.0]]))   # [1, 5], [1, 1]
    """
    features = rows.shape[1]
    if not normalize:
        for chunk in chunks(rows):
            read(rows, chunk)  # finds NaN before training does
        return np.zeros(features, "float32"), np.ones(features, "float32")
    total, low, high = np.zeros(features), np.full(features, np.inf), np.full(features, -np.inf)
    for chunk in chunks(rows):
        values = read(rows, chunk)
        total += values.sum(axis=0, dtype="float64")
        low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
    mean, squares = total / len(rows), np.zeros(features)
    for chunk in chunks(rows):
        squares += np.square(read(rows, chunk) - mean).sum(axis=0)
    varies = high > low
    variance = np.where(varies, squares / len(rows), 0.0)
    ranges = (high - low)[varies]
    if len(ranges) and np.mean(ranges >= 0.5 * ranges.max()) >= 0.5:
        scale = np.full(features, np.sqrt(variance[varies].mean()))
    else:
        scale = np.sqrt(variance)
    scale = np.where(scale > np.finfo("float32").tiny, scale, 1.0)
    return mean.astype("float32"), scale.astype("float32")


FITTED_ON = 20_000  # examples that the axes are fitted on


def principal_axes(rows, components, seed=0):
    """The principal axes of standardised rows.

    Args:
        rows: see `cvae_keras.data.rows.open_rows`, of mean about 0; components: how many, or the
            share of the variance that they hold, in (0, 1); seed: of the examples that are looked
            at, 20,000 at most.

    Returns:
        `(axes, deviations)`, float32: `(features, components)`, orthonormal columns, those of most
        variance first, and `(components,)`, the standard deviation along each.

    Example:
        >>> axes, deviations = principal_axes(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.1]]), 0.9)
        >>> axes.shape, deviations.shape                                         # (2, 1), (1,)
    """
    some = np.sort(np.random.default_rng(seed).permutation(len(rows))[:FITTED_ON])
    sample = read(rows, some)
    if components >= 1:
        components = min(int(components), *sample.shape)
    found = PCA(components, random_state=seed).fit(sample)
    return found.components_.T.astype("float32"), np.sqrt(
        found.explained_variance_, dtype="float32"
    )
