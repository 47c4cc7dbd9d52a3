"""Dense networks with layer normalisation, and dropout whose random state is saved."""

import keras
from keras import ops

from cvae_keras.random_state import SavesRandomState


@keras.saving.register_keras_serializable("cvae_keras")
class Dropout(SavesRandomState, keras.layers.Layer):
    """Dropout whose rate is a variable and whose random state is saved, unlike that of Keras.

    In training each entry is kept with probability `keep` and then divided by it.

    Args:
        seed: integer.

    Example:
        >>> dropout = Dropout(seed=0); dropout.keep.assign(0.75)
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.keep = self.add_weight(shape=(), initializer="ones", trainable=False, name="keep")

    def call(self, h, training=None):
        if not training:
            return h
        draw = keras.random.uniform(ops.shape(h), seed=self.seed_generator, dtype="float32")
        return ops.where(draw < self.keep, h / ops.cast(self.keep, h.dtype), 0.0)


@keras.saving.register_keras_serializable("cvae_keras")
class NormalizedMLP(keras.layers.Layer):
    """Dense layers, each followed by layer normalisation, SiLU and dropout.

    Args:
        widths: units of each layer; kernel_initializer: of all; seed: of the dropout, or None for
            none.

    Call arguments:
        h: `(batch, features)`; c, mask: None, so that it can be the network of a posterior.

    Returns:
        `(batch, widths[-1])`.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.

    Example:
        >>> NormalizedMLP([512, 256])(np.zeros((5, 784))).shape                  # (5, 256)
    """

    def __init__(self, widths, kernel_initializer="orthogonal", seed=None, **kwargs):
        super().__init__(**kwargs)
        init = {"kernel_initializer": kernel_initializer}
        self.dense = [keras.layers.Dense(width, **init) for width in widths]
        self.norms = [keras.layers.LayerNormalization() for _ in widths]
        self.dropouts = [] if seed is None else [Dropout(seed + i) for i in range(len(widths))]

    def build(self, h_shape, c_shape=None, mask_shape=None):
        """Nothing to do: the layers build themselves when they are first called."""

    def call(self, h, c=None, mask=None, training=None):
        for number, (dense, norm) in enumerate(zip(self.dense, self.norms, strict=True)):
            h = ops.silu(norm(dense(h)))
            if self.dropouts:
                h = self.dropouts[number](h, training=training)
        return h
