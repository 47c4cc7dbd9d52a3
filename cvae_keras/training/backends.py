"""What differs between backends: compiled functions, replicas, steps per execution."""

from contextlib import contextmanager
from functools import partial

import keras


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
