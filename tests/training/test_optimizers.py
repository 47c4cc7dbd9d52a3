"""Optimizers: Adam for the rows of a table."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.training.optimizers import FusedAdam, LazyAdam


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


def steps(optimizer, targets):
    """All variables after one step towards each target, as `fit` takes them."""
    matrix, scalar = keras.Variable(targets[0]), keras.Variable(1.0)
    optimizer.build([matrix, scalar])

    @tf.function
    def step(target):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(scalar.value * matrix.value - target))
        gradients = tape.gradient(loss, [matrix.value, scalar.value])
        optimizer.apply(gradients, [matrix, scalar])

    for target in targets:
        step(target)
    return [each.numpy() for each in (matrix, scalar, *optimizer.variables)]


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.1, "global_clipnorm": 0.5}, {"amsgrad": True}]
)
def test_fused_adam_is_adam(options):
    targets = np.random.default_rng(0).normal(size=(50, 5, 3)).astype("float32")
    options |= {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6}
    rate = keras.optimizers.schedules.CosineDecay(0.1, 60)
    found = [steps(kind(rate, **options), targets) for kind in (FusedAdam, keras.optimizers.Adam)]
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-6)
