"""Schedules over training: weights of the objective, and the learning rate."""

import keras

from cvae_keras.checks import check_count, check_finite, check_positive


class WeightSchedule(keras.callbacks.Callback):
    """Sets weights of an `ELBOModel` at the start of each epoch.

    Args:
        schedules: name of a weight ("beta", "wx", ...) -> function of the epoch, counted from 0.
            Since it depends on the epoch alone, a resumed training continues it.

    Raises:
        TypeError: an entry cannot be called.
        ValueError: when training starts, an unknown weight.

    Example:
        ```python
        warm_up = WeightSchedule(beta=linear(0.0, 1.0, epochs=10))
        model.fit({"x": x, "c": y}, epochs=30, callbacks=[warm_up])
        ```
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
        start: value in the first epoch.
        stop: value from epoch `epochs` on.
        epochs: at least 1.

    Returns:
        Function of the epoch.

    Raises:
        ValueError: epochs below 1.

    Example:
        >>> linear(0.0, 1.0, epochs=4)(1)
        0.25
    """
    start, stop = check_finite("start", start), check_finite("stop", stop)
    if not check_finite("epochs", epochs) >= 1:
        raise ValueError(f"epochs must be at least 1, got {epochs!r}: choose 1 or more.")
    return lambda epoch: start + (stop - start) * min(epoch / epochs, 1.0)


def fall(start, stop, first, last):
    """A schedule that holds start, and then falls to stop by the same factor each epoch.

    Args:
        start: value up to epoch `first`, positive.
        stop: value from epoch `last` on, positive.
        first: epoch.
        last: epoch; where it is not after first, stop holds from there.

    Returns:
        Function of the epoch.

    Raises:
        ValueError: start or stop is not positive.

    Example:
        >>> [round(fall(0.4, 0.1, first=1, last=3)(epoch), 3) for epoch in range(5)]
        [0.4, 0.4, 0.2, 0.1, 0.1]
    """
    start, stop = check_positive("start", start), check_positive("stop", stop)
    length = max(check_finite("last", last) - check_finite("first", first), 1e-9)
    return lambda epoch: start * (stop / start) ** min(max((epoch - first) / length, 0.0), 1.0)


def half_cosine(rate, epochs):
    """A callback that lowers the learning rate along half a cosine, once per epoch.

    `rate(epoch) = rate * (1 + cos(pi * epoch / epochs)) / 2`

    Args:
        rate: learning rate of the first epoch.
        epochs: of the whole training.

    Returns:
        `keras.callbacks.LearningRateScheduler`.

    Example:
        ```python
        model.fit(batches, epochs=10, callbacks=[half_cosine(3e-3, epochs=10)])
        ```
    """
    rate, epochs = check_positive("rate", rate), check_count("epochs", epochs)
    decay = keras.optimizers.schedules.CosineDecay(rate, decay_steps=epochs)
    return keras.callbacks.LearningRateScheduler(lambda epoch: float(decay(epoch)))
