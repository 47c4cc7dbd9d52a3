"""Training that stops at the first loss that is NaN or infinite."""

import math

import keras

from cvae_keras.checks import RunError


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
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise RunError(
                f"training diverged: the loss is {loss} in epoch {self.epoch + 1}, step "
                f"{batch + 1}; choose a smaller learning rate, or look for large numbers in x."
            )

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(float(value)):
                raise RunError(
                    f"training diverged: {name} is {float(value)} after epoch {epoch + 1}; choose "
                    f"a smaller learning rate, or look for large numbers in the validation data."
                )
