"""Bases of the project's layers: what Keras leaves to the author of a layer made of layers."""

import keras
from keras import ops

from cvae_keras.checks import check_seed


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

    Example:
        ```python
        dropout = Dropout(seed=0)
        dropout.keep.assign(0.75)
        h = dropout(h, training=True)
        ```
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(check_seed("seed", seed))
        self.keep = self.add_weight(shape=(), initializer="ones", trainable=False, name="keep")

    def call(self, h, training=None):
        if not training:
            return h
        draw = keras.random.uniform(ops.shape(h), seed=self.seed_generator, dtype="float32")
        return ops.where(draw < self.keep, h / ops.cast(self.keep, h.dtype), 0.0)
