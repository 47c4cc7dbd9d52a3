"""What changes during training: weights of the objective, and the learning rate."""

import math

import keras


class WeightSchedule(keras.callbacks.Callback):
    """Sets weights of an `ELBOModel` at the start of each epoch.

    Args:
        schedules: name of a weight ("beta", "wx", ...) -> function of the epoch, counted from 0. A
            function of the epoch alone resumes where it stopped.

    Raises:
        TypeError: an entry cannot be called. ValueError, when training starts: an unknown weight.

    Example:
        >>> warm_up = WeightSchedule(beta=linear(0.0, 1.0, epochs=10))
        >>> model.fit({"x": x, "c": y}, epochs=30, callbacks=[warm_up])
    """

    def __init__(self, **schedules):
        super().__init__()
        for name, schedule in schedules.items():
            if not callable(schedule):
                raise TypeError(
                    f"{name} must be a function of the epoch, got {schedule!r}: for instance "
                    f"linear(0.0, 1.0, epochs=10)."
                )
        self.schedules = schedules

    def on_epoch_begin(self, epoch, logs=None):
        for name, schedule in self.schedules.items():
            self.model.set_term_weight(name, schedule(epoch))


def linear(start, stop, epochs):
    """A schedule from start to stop over `epochs` epochs, constant after.

    Args:
        start, stop: values in the first epoch, and from epoch `epochs` on; epochs: at least 1.

    Returns:
        Function of the epoch.

    Raises:
        ValueError: epochs below 1.

    Example:
        >>> linear(0.0, 1.0, epochs=4)(1)
        0.25
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs!r}: choose 1 or more.")
    return lambda epoch: start + (stop - start) * min(epoch / epochs, 1.0)


def half_cosine(rate, epochs):
    """A callback under which the learning rate falls by half a cosine, epoch by epoch.

    `rate(epoch) = rate * (1 + cos(pi * epoch / epochs)) / 2`

    Args:
        rate: of the first epoch; epochs: of the whole training.

    Returns:
        `keras.callbacks.LearningRateScheduler`.

    Example:
        >>> model.fit(batches, epochs=10, callbacks=[half_cosine(3e-3, epochs=10)])
    """
    fall = keras.callbacks.LearningRateScheduler
    return fall(lambda epoch: rate * (1 + math.cos(math.pi * epoch / epochs)) / 2)
