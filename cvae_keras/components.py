"""Principal components between a model and its features: fewer numbers to read and to write."""

import keras
import numpy as np
from keras import ops
from sklearn.decomposition import PCA

from cvae_keras.data.rows import read

FITTED_ON = 20_000  # examples that the components are fitted on


def principal_axes(rows, components, seed=0):
    """The principal axes of standardised rows.

    Args:
        rows: see `cvae_keras.data.rows.open_rows`, of mean about 0; components: how many, or the
            share of the variance that they hold, in (0, 1); seed: of the examples that are looked
            at, 20,000 at most.

    Returns:
        float32 `(features, components)`, orthonormal columns, those of most variance first.

    Example:
        >>> principal_axes(np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.1]]), 0.9).shape   # (2, 1)
    """
    some = np.sort(np.random.default_rng(seed).permutation(len(rows))[:FITTED_ON])
    sample = read(rows, some)
    if components >= 1:
        components = min(int(components), *sample.shape)
    return PCA(components, random_state=seed).fit(sample).components_.T.astype("float32")


@keras.saving.register_keras_serializable("cvae_keras")
class Components(keras.layers.Layer):
    """A fixed change from features to principal components and back.

    `h = x A` and `x = h A'`, with A of orthonormal columns, not trained

    An encoder behind it has a short first layer and a decoder a short last one, which is most of
    what a dense model of pictures computes; a Normal likelihood is still one of all features.

    Args:
        features: of x; components: columns of A, `axes`, which starts as the first of the identity.

    Call arguments:
        x: `(..., features)`.

    Returns:
        `(..., components)`; `expand` goes back.

    Example:
        >>> layer = Components(784, 100)
        >>> layer.axes.assign(principal_axes(x, 100))
        >>> layer.expand(layer(x)).shape                                         # (batch, 784)
    """

    def __init__(self, features, components, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.axes = self.add_weight(
            shape=(features, components), initializer="identity", trainable=False, name="axes"
        )

    def call(self, x):
        return ops.matmul(x, self.axes)

    def expand(self, h):
        """From components to features: `(..., features)`."""
        return ops.matmul(h, ops.transpose(self.axes))
