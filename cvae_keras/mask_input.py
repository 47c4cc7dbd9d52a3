"""A layer for which a mask is an input like any other."""

import keras


class MaskIsInput(keras.layers.Layer):
    """Base of the layers that are called with a mask of x: Keras need not pass it on.

    Keras takes an argument of the name `mask` for that of a sequence, and warns where a layer does
    not say what becomes of it.

    Example:
        >>> class Encoder(MaskIsInput):
        ...     def call(self, x, c=None, mask=None):
        ...         return x * mask
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, *args, **kwargs):
        return None
