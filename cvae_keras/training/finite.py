"""Training that stops at the first loss that is NaN or infinite."""

import math

import keras

from cvae_keras.checks import RunError


def check_loss(loss, when, name="loss", data="x"):
    """Refuse a loss that is NaN or infinite.

    Args:
        loss: a number.
        when: where it was found, for the error, for instance "in epoch 2, step 3".
        name: of the loss.
        data: what may hold numbers that are too large.

    Raises:
        RunError: the loss is NaN or infinite.

    Example:
        >>> check_loss(0.5, "in epoch 1, step 1")
    """
    if not math.isfinite(float(loss)):
        raise RunError(
            f"training diverged: the {name} is {float(loss)} {when}; choose a smaller learning "
            f"rate, or look for large numbers in {data}."
        )


class StopIfNotFinite(keras.callbacks.Callback):
    """Raises `RunError` at the first training or validation loss that is NaN or infinite.

    `ELBOModel.fit` adds it automatically. The error leaves `fit`, so that what comes after it, such
    as saving the model, is not reached.

    Raises:
        RunError: in training; it says the epoch and the step.

    Example:
        ```python
        model.fit(batches, epochs=5, callbacks=[StopIfNotFinite()])
        ```
    """

    def __init__(self):
        super().__init__()
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        check_loss(loss, f"in epoch {self.epoch + 1}, step {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss"):
                check_loss(value, f"after epoch {epoch + 1}", name, "the validation data")
