"""What differs between backends: graphs."""

import keras
import numpy as np
from tensorflow.python.framework import ops as tf_ops

from cvae_keras.training.backends import forgets_graphs


def test_graphs_of_past_trials_are_forgotten():
    """TensorFlow registers custom gradients for ever, each of which holds a graph."""
    registry = tf_ops.gradient_registry._registry
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, before = np.ones((4, 1)), set(registry)
    with forgets_graphs():
        model.fit(x, x, verbose=0)
        assert set(registry) - before
    assert set(registry) == before
    assert np.isfinite(model.predict(x, verbose=0)).all()
