"""TensorFlow only: batches read inside `tf.data`, which costs a fraction of a `PyDataset`.

Each pass asks for the batches anew, so it follows the epoch that `FollowEpoch` tells.
"""

import tensorflow as tf


def called(batches):
    """A `tf.data.Dataset` that calls `batches[0]`, `batches[1]`, ..., one ahead.

    Args:
        batches: a `Batches`; all its batches have the names, types and, but for their length, the
            shapes of the first.

    Returns:
        A dataset of tuples with one dictionary of tensors.

    Example:
        >>> model.fit(called(FreshBatches(TASKS["data_1"], batch_size=250, steps=100)))
    """
    first = {name: tf.convert_to_tensor(array) for name, array in batches[0][0].items()}
    types = [tensor.dtype for tensor in first.values()]

    def make(index):
        (inputs,) = batches[int(index)]
        return [inputs[name] for name in first]

    def load(index):
        tensors = tf.numpy_function(make, [index], types)
        for tensor, example in zip(tensors, first.values(), strict=True):
            tensor.set_shape([None, *example.shape[1:]])
        return (dict(zip(first, tensors, strict=True)),)

    return _without_tuning(tf.data.Dataset.range(len(batches)).map(load))


def gathered(batches):
    """The same for a `ShuffledBatches`: its arrays are copied into TensorFlow, and gathered there.

    Args:
        batches: a `ShuffledBatches`.

    Returns:
        As `called`.

    Example:
        >>> model.fit(gathered(ShuffledBatches({"x": x}, batch_size=32, seed=0)))
    """
    arrays = {name: tf.convert_to_tensor(array) for name, array in batches.arrays.items()}
    shape = (batches.steps, batches.batch_size)

    def order(_):
        rows = tf.numpy_function(batches.order, [], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(rows, shape))

    def gather(rows):
        return ({name: tf.gather(array, rows) for name, array in arrays.items()},)

    dataset = tf.data.Dataset.range(1).flat_map(order).map(gather)
    return _without_tuning(dataset.apply(tf.data.experimental.assert_cardinality(shape[0])))


def _without_tuning(dataset):
    """One batch ahead; tuning would begin each epoch on one core by waiting two seconds."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(1).with_options(options)
