"""Principal components between a model and its features: fewer numbers to read and to write."""

import keras
from keras import ops


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
        >>> layer.axes.assign(principal_axes(x, 100)[0])
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
