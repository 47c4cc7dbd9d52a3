"""Bases of the project's layers: what Keras leaves to the author of a layer made of layers."""

import math

import keras
from keras import ops

from cvae_keras.checks import check_seed
from cvae_keras.training.backends import ReplicaSeedGenerator


class CompositeLayer(keras.layers.Layer):
    """Base of a layer that is made of other layers, and may be called with a mask of x.

    The inner layers build themselves when they are first called, so `build` has nothing to do. The
    argument `mask` is an input like any other: Keras need not pass it on to the next layer.

    A subclass whose `__init__` takes other layers lists the names of these arguments in `nested`
    and overrides `get_config`; `from_config` then restores them.

    Example:
        ```python
        class Encoder(CompositeLayer):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.dense = keras.layers.Dense(8)

            def call(self, x, c=None, mask=None):
                return self.dense(x * mask)
        ```
    """

    nested = ()

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, *shapes, **more):
        """Nothing to build: the inner layers do so in their first call."""

    def compute_mask(self, *args, **kwargs):
        return None

    @classmethod
    def from_config(cls, config):
        layers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in cls.nested
            if config.get(name) is not None
        }
        return super().from_config({**config, **layers})


class SavesRandomState:
    """Mixin of a Keras layer or model: saves and loads the state of its `seed_generator`.

    Keras does not save the state of a `SeedGenerator`: without this mixin, a loaded model would
    draw its first random numbers again, and a resumed training would differ from the interrupted
    one.

    Example:
        ```python
        class Noise(SavesRandomState, keras.layers.Layer):
            def __init__(self, seed=0, **kwargs):
                super().__init__(**kwargs)
                self.seed_generator = keras.random.SeedGenerator(seed)
        ```
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seed_state"] = self.seed_generator.state

    def load_own_variables(self, store):
        super().load_own_variables({k: store[k] for k in store.keys() if k != "seed_state"})
        self.seed_generator.state.assign(store["seed_state"])


@keras.saving.register_keras_serializable("cvae_keras")
class Dropout(SavesRandomState, keras.layers.Layer):
    """Dropout whose rate is a variable and whose random state is saved, unlike that of Keras.

    In training, each entry is kept with probability `keep` and then divided by it.

    Args:
        seed: integer.

    Attributes:
        keep: a variable, 1 at first.
        active: False where `keep` is 1, and no random numbers need to be drawn.

    Example:
        ```python
        dropout = Dropout(seed=0)
        dropout.keep.assign(0.75)
        h = dropout(h, training=True)
        ```
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = ReplicaSeedGenerator(check_seed("seed", seed))
        self.keep = self.add_weight(shape=(), initializer="ones", trainable=False, name="keep")
        self.active = True

    def call(self, h, training=None):
        if not (training and self.active):
            return h
        draw = keras.random.uniform(ops.shape(h), seed=self.seed_generator, dtype="float32")
        return ops.where(draw < self.keep, h / ops.cast(self.keep, h.dtype), 0.0)


def flat(*values):
    """Tensors, flattened per example and concatenated.

    Args:
        values: tensors `(batch, ...)`, dictionaries of such (read in the order of their names), or
            None, which is left out.

    Returns:
        `(batch, features)`, float32.

    Example:
        >>> import numpy as np
        >>> tuple(flat(np.zeros((5, 2, 3)), None, {"a": np.zeros((5, 1))}).shape)
        (5, 7)
    """
    tensors = [each for each in keras.tree.flatten(values) if each is not None]
    rows = [ops.reshape(each, (-1, math.prod(each.shape[1:]))) for each in tensors]
    return ops.concatenate([ops.cast(each, "float32") for each in rows], axis=-1)


def join(z, c=None):
    """`[z, c]` of each sample and example, with these two axes as one.

    Args:
        z: `(samples, batch, latent_dim)`; of batch 1 if it is the same for all examples.
        c: `(batch, ...)`, a dictionary of such, or None.

    Returns:
        `(samples * batch, features)`, sample first.

    Example:
        >>> import numpy as np
        >>> tuple(join(np.zeros((4, 1, 3)), np.zeros((5, 2, 2))).shape)
        (20, 7)
    """
    if c is None:
        return ops.reshape(z, (-1, z.shape[-1]))
    c = flat(c)
    if z.shape[1] == 1:
        z = ops.repeat(z, ops.shape(c)[0], axis=1)
    tiled = ops.tile(c, (ops.shape(z)[0], 1))
    return ops.concatenate([ops.reshape(z, (-1, z.shape[-1])), tiled], axis=-1)


def zero_missing(x, mask):
    """A batch x with 0 where the mask is 0: a NaN there would make gradients NaN.

    Args:
        x: tensor `(batch, ...)`, or a dictionary of such.
        mask: tensor of the same shape, 1 where observed; None if all is observed; or a dictionary.

    Returns:
        As x.

    Example:
        >>> import numpy as np
        >>> np.array(zero_missing(np.array([[np.nan, 2.0]]), np.array([[0, 1]]))).tolist()
        [[0.0, 2.0]]
    """
    if mask is None:
        return x
    if isinstance(x, dict):
        return {name: zero_missing(each, mask.get(name)) for name, each in x.items()}
    return ops.where(ops.cast(mask, "bool"), x, ops.zeros_like(x))
