"""What differs between backends: compiled functions, replicas, processes, steps per execution."""

from contextlib import contextmanager
from functools import partial

import keras

APART = 1_000_003  # distance of the seeds of two replicas


def compiled(function):
    """The function as a TensorFlow graph; on other backends, the function as it is.

    For small batches, calling a model operation by operation takes longer than the computation. A
    graph reads the variables at each call, so it follows training; a function compiled by JAX
    would keep their first values.

    Args:
        function: of tensors, whose first dimension may change between calls.

    Returns:
        A function of the same arguments.

    Example:
        >>> double = compiled(lambda x: 2 * x)
        >>> float(keras.ops.sum(double(keras.ops.ones(3))))
        6.0
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    # `partial` makes each function its own: TensorFlow warns of many graphs of one function
    return tf.function(partial(function), reduce_retracing=True)


@contextmanager
def forgets_graphs():
    """Context of one training, after which TensorFlow frees the graphs that were traced in it.

    A Keras optimizer sums gradients over replicas with an operation of custom gradient, and
    TensorFlow keeps that gradient in a global registry, and with it the whole graph of the training
    step: about 20 MB per sinusoid model, whatever `clear_session` does. The entries made within
    this context are removed. With other backends it does nothing.

    A model that was trained in the context can predict and be saved after it, but not be trained.

    Example:
        ```python
        with forgets_graphs():
            model.fit(batches, epochs=10)
        ```
    """
    entries = _registry()
    before = set(entries)
    try:
        yield
    finally:
        for name in set(entries) - before:
            if name.startswith("CustomGradient-"):
                del entries[name]


def _registry():
    """TensorFlow's custom gradients by name; empty if there are none."""
    if keras.backend.backend() != "tensorflow":
        return {}
    from tensorflow.python.framework import ops

    return getattr(getattr(ops, "gradient_registry", None), "_registry", {})


def at_once(steps):
    """A value for `steps_per_execution`: the given one, or 1 on PyTorch, which allows no more.

    Example:
        >>> keras.Model().compile("sgd", steps_per_execution=at_once(10))
    """
    return 1 if keras.backend.backend() == "torch" else steps


def gpus():
    """Number of GPUs that the backend can use.

    Example:
        >>> gpus() >= 0
        True
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "torch":
        import torch

        return torch.cuda.device_count()
    import jax

    return sum(device.platform == "gpu" for device in jax.devices())


def replicas():
    """Number of replicas of the model: TensorFlow sums their gradients, each divides its loss."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


class ReplicaSeedGenerator(keras.random.SeedGenerator):
    """A `SeedGenerator` whose seeds differ between the replicas of a `tf.distribute` strategy.

    Keras's own gives all replicas the same seeds, so that their examples share the noise: the
    gradient's variance is then that of a smaller batch. Without replicas it is Keras's own.

    Args:
        seed: integer.

    Example:
        >>> generator = ReplicaSeedGenerator(0)
        >>> keras.random.normal((2,), seed=generator).shape == (2,)
        True
    """

    def next(self, ordered=True):
        seed = super().next(ordered)
        if replicas() == 1:
            return seed
        import tensorflow as tf

        context = tf.distribute.get_replica_context()
        replica = 0 if context is None else context.replica_id_in_sync_group
        return seed + tf.stack([tf.cast(replica, seed.dtype) * APART, tf.zeros((), seed.dtype)])


def process():
    """Number of this process and of all processes that train one model, `(rank, world)`.

    Other than `(0, 1)` on JAX alone, after `keras.distribution.initialize`.

    Example:
        >>> process()
        (0, 1)
    """
    if keras.backend.backend() != "jax":
        return 0, 1
    import jax

    return jax.process_index(), jax.process_count()


@contextmanager
def own_shards(sharded):
    """Context of a `fit` on batches that are this process's shard: Keras does not cut them again.

    Args:
        sharded: whether they are; if not, this context does nothing.

    Example:
        ```python
        with own_shards(True):
            model.fit(ShuffledBatches(arrays, 64, shard=process()))
        ```
    """
    distribution = keras.distribution.distribution() if sharded else None
    if distribution is None:
        yield
        return
    kept, distribution.auto_shard_dataset = distribution.auto_shard_dataset, False
    try:
        yield
    finally:
        distribution.auto_shard_dataset = kept
