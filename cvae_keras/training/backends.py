"""Many small operations at the price of one: a function as a graph, if the backend has graphs."""

from contextlib import contextmanager
from functools import partial

import keras


def compiled(function):
    """The function as a TensorFlow graph; on other backends, the function as it is.

    For small batches, calling a model operation by operation takes longer than computing it. A
    graph reads variables when it is called, so training in between is seen; one that JAX compiles
    would keep the values that it began with.

    Args:
        function: of tensors, whose first dimension may change from call to call.

    Returns:
        A function of the same arguments.

    Example:
        >>> double = compiled(lambda x: 2 * x)
        >>> double(keras.ops.ones(3))                                             # [2., 2., 2.]
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    # By itself TensorFlow counts the graphs of one code together, and warns of many models' many.
    return tf.function(partial(function), reduce_retracing=True)


@contextmanager
def forgets_graphs():
    """Context of one training: afterwards TensorFlow lets go of the graphs that were traced in it.

    A Keras optimizer sums gradients over replicas with an operation of custom gradient, and
    TensorFlow keeps that gradient in a registry for ever, and by it the whole graph of the training
    step: about 20 MB for each sinusoid model, whatever `clear_session` does. The entries made
    within this context are taken out again. With other backends it does nothing.

    A model that was trained in the context can predict and be saved after it, not be trained on.

    Example:
        >>> with forgets_graphs():
        ...     model.fit(batches, epochs=10)
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
    """TensorFlow's custom gradients by name; empty where there are none to be found."""
    if keras.backend.backend() != "tensorflow":
        return {}
    from tensorflow.python.framework import ops

    return getattr(getattr(ops, "gradient_registry", None), "_registry", {})


def at_once(steps):
    """How many steps to ask of one call of the training function: PyTorch knows no more than 1.

    Example:
        >>> model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=at_once(10))
    """
    return 1 if keras.backend.backend() == "torch" else steps


def replicas():
    """Copies of the model that train in step: TensorFlow adds up their gradients; each divides."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync
