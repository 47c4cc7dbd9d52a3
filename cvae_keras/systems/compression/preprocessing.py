"""The shift and scale that bring features to order one, and their principal components."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from cvae_keras.data.rows import chunks, read


def shift_and_scale(rows, normalize=True):
    """Shift and scale of each feature, from one pass over the data, in float64.

    `standardized = (x - shift) / scale`, with shift the mean of each feature.

    Scale is the standard deviation of each feature, unless the features share a unit, as pixels do:
    then it is one number, the root of their mean variance. Dividing each pixel by its own deviation
    would give the rare strokes at the border of an image the same weight as those that distinguish
    the digits. Features count as sharing a unit when at least half of those that vary have a range
    of at least half the widest.

    Args:
        rows: `(examples, features)`, see `cvae_keras.data.rows.open_rows`.
        normalize: False gives shift 0 and scale 1.

    Returns:
        `(shift, scale)`, float32 `(features,)` each. A feature without variance has scale 1.

    Raises:
        ValueError: NaN or infinity in the data.

    Example:
        >>> import numpy as np
        >>> shift, scale = shift_and_scale(np.array([[0.0, 5.0], [2.0, 5.0]]))
        >>> shift.tolist(), scale.tolist()
        ([1.0, 5.0], [1.0, 1.0])
    """
    moments, ranges = StandardScaler(), MinMaxScaler()
    for chunk in chunks(rows):
        values = read(rows, chunk, dtype="float64")  # raises on NaN, before training does
        if normalize:
            moments.partial_fit(values)
            ranges.partial_fit(values)
    features = rows.shape[1]
    if not normalize:
        return np.zeros(features, "float32"), np.ones(features, "float32")
    varies, scale = ranges.data_range_ > 0, moments.scale_
    widths = ranges.data_range_[varies]
    if len(widths) and np.mean(widths >= 0.5 * widths.max()) >= 0.5:
        scale = np.full(features, np.sqrt(moments.var_[varies].mean()))
    scale = np.where(scale > np.finfo("float32").tiny, scale, 1.0)
    return moments.mean_.astype("float32"), scale.astype("float32")


FITTED_ON = 20_000  # examples that the components are fitted on


def fit_pca(rows, n_components=None, seed=0):
    """Principal components of standardized rows, fitted on at most 20,000 of them.

    Args:
        rows: `(examples, features)`, see `cvae_keras.data.rows.open_rows`, of mean about 0.
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
    sample = read(rows, some)
    if n_components is not None:
        n_components = min(n_components, *sample.shape)
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
    return axes, np.sqrt(pca.explained_variance_[:count], dtype="float32")
