"""Memory that stays flat over many trainings in one process; TensorFlow alone lets it grow."""

from contextlib import contextmanager

import keras


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
