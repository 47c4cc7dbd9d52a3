"""Batches whose order depends on (seed, epoch) alone, so a resumed training sees the same ones."""

import keras
import numpy as np

from cvae_keras.checks import check_seed


def called(batches):
    """A `tf.data.Dataset` that calls `batches[0]`, `batches[1]`, ..., one ahead.

    Args:
        batches: a `Batches`; all its batches have the names, the types and, except for their
            length, the shapes of the first.

    Returns:
        A dataset of tuples with one dictionary of tensors.

    Example:
        ```python
        model.fit(called(FreshBatches(TASKS["data_1"], batch_size=250, steps=100)))
        ```
    """
    import tensorflow as tf

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
    """A `tf.data.Dataset` of a `ShuffledBatches`, whose rows are gathered inside TensorFlow.

    Args:
        batches: a `ShuffledBatches`.

    Returns:
        As `called`.

    Example:
        ```python
        model.fit(gathered(ShuffledBatches({"x": x}, batch_size=32, seed=0)))
        ```
    """
    import tensorflow as tf

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
    """Prefetch one batch; autotuning would delay the start of each epoch by two seconds."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(1).with_options(options)


class Batches(keras.utils.PyDataset):
    """Base of the batches, whose content is a function of the seed and of the epoch.

    `FollowEpoch` sets the epoch.

    Args:
        steps: batches per epoch.
        batch_size: examples per batch.
        seed: of the order or the draw.

    Returns:
        `batches[i]` is a tuple with one dictionary of arrays, as `ELBOModel` reads them.

    Example:
        ```python
        model.fit(batches, epochs=5)
        ```
    """

    def __init__(self, steps, batch_size, seed):
        super().__init__()
        self.steps, self.batch_size, self.epoch = int(steps), int(batch_size), 0
        self.seed = int(seed) if isinstance(seed, np.integer) else seed
        if not isinstance(self.seed, int):
            self.seed = check_seed("seed", seed)

    def __len__(self):
        return self.steps

    def pipeline(self):
        """What Keras reads: these batches; on TensorFlow, a faster `tf.data.Dataset` of them."""
        if keras.backend.backend() != "tensorflow" or not self.steps:
            return self
        return self.tf_dataset()

    def tf_dataset(self):
        """TensorFlow only: a `tf.data.Dataset` of these batches."""
        return called(self)


class FollowEpoch(keras.callbacks.Callback):
    """Sets the epoch of batches, also when a training resumes in the middle.

    `ELBOModel.fit` adds it automatically; add it yourself for another Keras model.

    Args:
        batches: a `Batches`.

    Example:
        ```python
        model.fit(batches, epochs=5, callbacks=[FollowEpoch(batches)])
        ```
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch


class ShuffledBatches(Batches):
    """Fixed arrays in an order drawn anew each epoch; an incomplete last batch is dropped.

    Args:
        arrays: name -> array `(examples, ...)`.
        batch_size: examples per batch.
        seed: of the order.

    Example:
        >>> batches = ShuffledBatches({"x": np.arange(10.0)[:, None]}, batch_size=4, seed=0)
        >>> len(batches), batches[0][0]["x"].shape
        (2, (4, 1))
    """

    def __init__(self, arrays, batch_size, seed=0):
        self.arrays = arrays
        self.examples = len(next(iter(arrays.values())))
        super().__init__(self.examples // batch_size, batch_size, seed)
        self._order = (None, None)

    def order(self):
        """The rows of each batch of this epoch: integers `(steps, batch_size)`."""
        epoch, kept = self.epoch, self._order  # read once: other threads prefetch batches
        if kept[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.examples)
            order = order[: self.steps * self.batch_size].reshape(self.steps, self.batch_size)
            kept = self._order = (epoch, order)
        return kept[1]

    def tf_dataset(self):
        return gathered(self)

    def __getitem__(self, index):
        rows = self.order()[index]
        return ({name: array[rows] for name, array in self.arrays.items()},)


class FreshBatches(Batches):
    """New examples in every batch: no example is seen twice, so the model cannot overfit.

    Args:
        source: a `SinusoidTask`, `Conditioned` data, or another object whose
            `source.examples(n, seed)` returns a dictionary of arrays.
        batch_size: examples per batch.
        steps: batches that count as one epoch.
        seed: of the examples.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> batches = FreshBatches(TASKS["data_2"], batch_size=4, steps=100, seed=0)
        >>> batches[0][0]["x"].shape
        (4, 50, 2)
    """

    def __init__(self, source, batch_size, steps, seed=0):
        super().__init__(steps, batch_size, seed)
        self.source = source

    def __getitem__(self, index):
        return (self.source.examples(self.batch_size, [self.seed, self.epoch, index]),)


def first_batch(data):
    """The first batch of data that come in batches, to be checked before training.

    Args:
        data: a `keras.utils.PyDataset` or `tf.data.Dataset` of dictionaries, or anything else.

    Returns:
        Dictionary of NumPy arrays; None if there is none, or if reading would consume it.

    Example:
        >>> sorted(first_batch(ShuffledBatches({"x": np.ones((4, 1))}, batch_size=2)))
        ['x']
    """
    if isinstance(data, keras.utils.PyDataset):
        batch = data[0] if len(data) else None
    else:
        batch = next(iter(data), None) if hasattr(data, "element_spec") else None
    batch = batch[0] if isinstance(batch, (tuple, list)) else batch
    if not isinstance(batch, dict):
        return None
    return {name: np.asarray(array) for name, array in batch.items()}
