"""Batches whose order depends on (seed, epoch) alone, so a resumed training sees the same ones."""

import operator
import re
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np

from cvae_keras.checks import check_count, check_seed, shown

#: Keras's words around the sentence with which a layer refuses its input.
OF_LAYER = re.compile(
    r"Exception encountered when calling .*\n\n\x1b\[1m(.*\.)\x1b\[0m\n\nArguments"
)
REFUSED = "{} holds NaN or infinity in a batch: remove those examples, or fill in the values"


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
        (inputs,) = refuse_not_finite(batches[int(index)])
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

    arrays = keras.tree.map_structure(tf.convert_to_tensor, batches.arrays)
    shape = (batches.steps, batches.rows.stop - batches.rows.start)

    def order(_):
        rows = tf.numpy_function(batches.order, [], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(rows, shape))

    def gather(rows):
        return (keras.tree.map_structure(lambda array: tf.gather(array, rows), arrays),)

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
        batch_size: examples per batch, of all processes together.
        seed: of the order or the draw.
        shard: `(rank, world)`: of each batch, the rank-th of `world` equal parts is given, for one
            of several processes that train one model, see `training.process`.

    Returns:
        `batches[i]` is a tuple with one dictionary of arrays, as `ELBOModel` reads them.

    Raises:
        ValueError: a number out of its range, or a batch that cannot be cut into equal parts.

    Example:
        ```python
        model.fit(batches, epochs=5)
        ```
    """

    def __init__(self, steps, batch_size, seed, shard=(0, 1)):
        super().__init__()
        self.steps, self.epoch = check_count("steps", steps, least=0), 0
        self.batch_size = check_count("batch_size", batch_size)
        self.seed = check_seed("seed", seed)
        self.shard, self.rows = shard, _shard_rows(shard, self.batch_size)

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


def _shard_rows(shard, batch_size):
    """The rows of a batch that belong to a shard, as a slice."""
    if not isinstance(shard, tuple) or len(shard) != 2:
        raise ValueError(f"shard must be a tuple (rank, world), got {shown(shard)}.")
    world = check_count("the world of shard", shard[1])
    rank = check_count("the rank of shard", shard[0], least=0)
    if rank >= world:
        raise ValueError(f"shard is {shard}: its rank must be below its world, from 0 on.")
    if batch_size % world:
        raise ValueError(
            f"batch_size is {batch_size}, which {world} processes cannot share in equal parts: "
            f"make it a multiple of {world}."
        )
    size = batch_size // world
    return slice(rank * size, (rank + 1) * size)


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
        arrays: name -> array `(examples, ...)`, or a dictionary of such.
        batch_size: examples per batch, of all processes together.
        seed: of the order.
        shard: as of `Batches`.

    Raises:
        ValueError: an array holds NaN or infinity; or as `Batches`.

    Example:
        >>> batches = ShuffledBatches({"x": np.arange(10.0)[:, None]}, batch_size=4, seed=0)
        >>> len(batches), batches[0][0]["x"].shape
        (2, (4, 1))
    """

    def __init__(self, arrays, batch_size, seed=0, shard=(0, 1)):
        if not isinstance(arrays, dict) or not arrays:
            raise ValueError("arrays must be a dictionary of arrays, such as {'x': x}: give one.")
        self.arrays, batch_size = refuse_not_finite(arrays), check_count("batch_size", batch_size)
        self.examples = len(keras.tree.flatten(arrays)[0])
        if lengths := {
            name: len(array)
            for name, nested in arrays.items()
            for array in keras.tree.flatten(nested)
            if len(array) != self.examples
        }:
            raise ValueError(f"arrays differ in length, {self.examples} and {lengths}: pair them.")
        super().__init__(self.examples // batch_size, batch_size, seed, shard)
        self._order = (None, None)

    def order(self):
        """The rows of each batch of this epoch, in this shard: integers `(steps, rows)`."""
        epoch, kept = self.epoch, self._order  # read once: other threads prefetch batches
        if kept[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.examples)
            order = order[: self.steps * self.batch_size].reshape(self.steps, self.batch_size)
            kept = self._order = (epoch, order[:, self.rows])
        return kept[1]

    def tf_dataset(self):
        return gathered(self)

    def __getitem__(self, index):
        rows = self.order()[index]
        return (keras.tree.map_structure(operator.itemgetter(rows), self.arrays),)


class FreshBatches(Batches):
    """New examples in every batch: no example is seen twice, so the model cannot overfit.

    Args:
        source: a `SinusoidTask`, `Conditioned` data, or another object whose
            `source.examples(n, seed)` returns a dictionary of arrays.
        batch_size: examples per batch, of all processes together.
        steps: batches that count as one epoch.
        seed: of the examples.
        shard: as of `Batches`; each process draws whole batches and keeps its part.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> batches = FreshBatches(TASKS["data_2"], batch_size=4, steps=100, seed=0)
        >>> batches[0][0]["x"].shape
        (4, 50, 2)
    """

    def __init__(self, source, batch_size, steps, seed=0, shard=(0, 1)):
        super().__init__(steps, batch_size, seed, shard)
        self.source = source

    def __getitem__(self, index):
        examples = self.source.examples(self.batch_size, [self.seed, self.epoch, index])
        return (keras.tree.map_structure(operator.itemgetter(self.rows), examples),)


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


def refuse_not_finite(batch):
    """The batch, if all its numbers are finite.

    Args:
        batch: dictionary of arrays, or a tuple that begins with one.

    Returns:
        The batch.

    Raises:
        ValueError: an array holds NaN or infinity; the sentence names it.

    Example:
        >>> sorted(refuse_not_finite({"x": np.ones((2, 1))}))
        ['x']
    """
    inputs, *more = batch if isinstance(batch, (tuple, list)) else (batch,)
    if isinstance(inputs, dict):
        for name, values in [*inputs.items(), *zip(("y", "sample_weight"), more, strict=False)]:
            mask = inputs.get("mask") if name == "x" else None
            if not all(_is_finite(np.asarray(array), mask) for array in keras.tree.flatten(values)):
                raise ValueError(REFUSED.format(name) + ".")
    return batch


def _is_finite(array, mask):
    """Whether all numbers are finite, but for those under a mask of 0, which are not read."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return True
    return mask is not None and bool(np.isfinite(np.where(mask, array, 0.0)).all())


class _Checked(keras.utils.PyDataset):
    """Another PyDataset, each batch of which is checked when it is read."""

    def __init__(self, data, check):
        super().__init__(data.workers, data.use_multiprocessing, data.max_queue_size)
        self.data, self.check = data, check

    def __len__(self):
        return len(self.data)

    @property
    def num_batches(self):
        return self.data.num_batches

    def __getitem__(self, index):
        return _refuse(self.data[index], self.check)

    def on_epoch_begin(self):
        self.data.on_epoch_begin()

    def on_epoch_end(self):
        self.data.on_epoch_end()


def finite(data, check=None):
    """Data that come in batches, each of which is checked when it is read.

    Args:
        data: a `Batches`, another `keras.utils.PyDataset`, a `tf.data.Dataset` or a generator, of
            dictionaries; anything else is returned as it is.
        check: None, or a function of the dictionary of a batch, of NumPy arrays, that raises a
            ValueError or TypeError where the model cannot read it.

    Returns:
        What Keras reads in its place. A batch with NaN or infinity, or one that `check` refuses,
        ends the training, see `refusals`.

    Raises:
        ValueError: a `tf.data.Dataset` of something else than dictionaries.

    Example:
        ```python
        with refusals():
            model.fit(finite(dataset))
        ```
    """
    if isinstance(data, Batches):
        pipeline = data.pipeline()
        if pipeline is not data:
            return pipeline if check is None else pipeline.map(partial(_check_in_graph, check))
    if isinstance(data, keras.utils.PyDataset):
        return _Checked(data, check)
    if hasattr(data, "element_spec") and hasattr(data, "map"):
        _inputs(data.element_spec)
        data = data.map(_refuse_in_graph)
        return data if check is None else data.map(partial(_check_in_graph, check))
    if hasattr(data, "__next__"):
        return (_tuple(_refuse(batch, check)) for batch in data)
    return data


def _refuse(batch, check):
    """`refuse_not_finite`, and the model's own check."""
    inputs = _inputs(batch)
    if check is not None:
        _call(check, keras.tree.map_structure(np.asarray, inputs))
    return refuse_not_finite(batch)


def _inputs(batch):
    """The dictionary of arrays of a batch."""
    inputs = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
    if not isinstance(inputs, dict):
        got = "a tuple of arrays" if isinstance(batch, (tuple, list)) else "an array"
        raise ValueError(
            f"a batch must be a dictionary of arrays, such as {{'x': x, 'c': c}}, got {got}: let "
            f"the data set give dictionaries."
        )
    return inputs


def _call(check, arrays):
    """The model's own check, with a sentence that `refusals` finds."""
    try:
        check(arrays)
    except (TypeError, ValueError) as error:
        if " in a batch: " in str(error):
            raise
        raise ValueError(f"refused in a batch: {error}") from error


def _tuple(batch):
    """A batch as Keras takes it from a generator."""
    return batch if isinstance(batch, tuple) else (batch,)


def _refuse_in_graph(inputs, *more):
    """`refuse_not_finite` as operations of TensorFlow."""
    import tensorflow as tf

    def check(name, values):
        mask = inputs.get("mask") if name == "x" else None

        def check_one(tensor):
            if not tf.is_tensor(tensor) or not tensor.dtype.is_floating:
                return tensor
            read = tensor if mask is None else tf.where(mask == 0, tf.zeros_like(tensor), tensor)
            with tf.control_dependencies([tf.debugging.check_numerics(read, REFUSED.format(name))]):
                return tf.identity(tensor)

        return keras.tree.map_structure(check_one, values)

    if isinstance(inputs, dict):
        inputs = {name: check(name, values) for name, values in inputs.items()}
    return (inputs, *(check("sample_weight", values) for values in more)) if more else inputs


def _check_in_graph(check, inputs, *more):
    """The model's own check of a batch, as an operation of TensorFlow."""
    import tensorflow as tf

    def call(*arrays):
        _call(check, keras.tree.pack_sequence_as(inputs, arrays))
        return np.True_

    with tf.control_dependencies([tf.numpy_function(call, keras.tree.flatten(inputs), tf.bool)]):
        found = keras.tree.map_structure(tf.identity, inputs)
    return (found, *more) if more else found


@contextmanager
def refusals():
    """Context of a `fit`, in which errors of what is refused are one sentence.

    Around it are TensorFlow's words where a batch is refused, and Keras's where a layer does so.

    Raises:
        ValueError: a batch held NaN or infinity, the model's own check refused it, or a layer.

    Example:
        ```python
        with refusals():
            model.fit(finite(dataset))
        ```
    """
    try:
        yield
    except Exception as error:
        not_finite = re.escape(REFUSED).replace(r"\{\}", r"\w+")
        own = r"(?<=ValueError: ).* in a batch: .*(?=\.$)"
        found = re.search(f"{not_finite}|{own}", str(error), re.MULTILINE)
        of_layer = OF_LAYER.search(str(error)) if isinstance(error, ValueError) else None
        if of_layer is not None:
            raise ValueError(of_layer.group(1)) from error
        if found is None or isinstance(error, ValueError):
            raise
        raise ValueError(found.group() + ".") from error
