"""Optimizers: Adam for the rows of a table."""

import keras
import numpy as np
import tensorflow as tf

from cvae_keras.training.optimizers import LazyAdam


def test_lazy_adam_is_adam_where_every_row_is_in_the_batch():
    rng = np.random.default_rng(0)
    start, targets = (
        rng.normal(size=(5, 3)).astype("float32"),
        rng.normal(size=(4, 5, 3)).astype("float32"),
    )
    tables = []
    for optimizer in (LazyAdam(0.1), keras.optimizers.Adam(0.1)):
        table, matrix = keras.Variable(start), keras.Variable(start[:2])
        for target in targets:
            with tf.GradientTape() as tape:
                rows = keras.ops.take(table, np.array([4, 2, 0, 1, 3]), axis=0)
                loss = tf.reduce_sum(tf.square(rows - target)) + tf.reduce_sum(matrix.value**3)
            gradients = tape.gradient(loss, [table.value, matrix.value])
            assert isinstance(gradients[0], tf.IndexedSlices)
            if not isinstance(optimizer, LazyAdam):
                gradients[0] = tf.convert_to_tensor(gradients[0])
            optimizer.apply(gradients, [table, matrix])
        tables.append((table.numpy(), matrix.numpy()))
    np.testing.assert_allclose(tables[0][0], tables[1][0], atol=1e-5)
    np.testing.assert_allclose(tables[0][1], tables[1][1], atol=1e-5)
