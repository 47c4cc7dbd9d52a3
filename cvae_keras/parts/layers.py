"""Random state that is saved with its owner, which Keras by itself does not do."""

import keras


class SavesRandomState:
    """Mixin of a Keras layer or model: saves and loads the state of its `seed_generator`.

    Without it a loaded model would start its random numbers anew, and a training that goes on would
    not be the one that was interrupted.

    Example:
        >>> class Noise(SavesRandomState, keras.layers.Layer): ...
    """

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seed_state"] = self.seed_generator.state

    def load_own_variables(self, store):
        super().load_own_variables({k: store[k] for k in store.keys() if k != "seed_state"})
        self.seed_generator.state.assign(store["seed_state"])


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
