"""The principal axes of rows that need not fit into memory."""

import numpy as np
from sklearn.decomposition import PCA

from cvae_keras.data.rows import read

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
