"""Many small operations at the price of one: a function as a graph, if the backend has graphs."""

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
