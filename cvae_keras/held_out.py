"""Early stopping on what matters to an imputer: the error on entries that were hidden from it."""

import keras
import numpy as np


class HeldOutCells(keras.callbacks.Callback):
    """Keeps the weights of the epoch that fills hidden entries best, the start among them.

    Args:
        x, mask: `(rows, features)`, what the model sees; hidden: of their shape, 1 where x is known
            but hidden from the model.
        every: epochs between two looks; patience: looks without a gain before training stops.

    Attributes:
        best, epoch: the least mean squared error, and the epoch it was seen after (0: the start).

    Example:
        >>> model.fit({"x": x, "mask": mask}, callbacks=[HeldOutCells(x, mask, hidden)])
    """

    def __init__(self, x, mask, hidden, every=5, patience=4):
        super().__init__()
        self.x, self.mask, self.hidden = x, mask, hidden > 0
        self.every, self.patience = every, patience
        self.best, self.epoch, self.waited = np.inf, 0, 0

    def look(self, epoch):
        x_hat = self.model.reconstruct(self.x, self.mask)
        error = float(np.mean(np.square(x_hat - self.x)[self.hidden]))
        self.waited += 1
        if error < self.best:
            self.best, self.epoch, self.waited = error, epoch, 0
            self.weights = self.model.decoder.get_weights()

    def on_train_begin(self, logs=None):
        self.look(0)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self.look(epoch + 1)
            self.model.stop_training = self.waited >= self.patience

    def on_train_end(self, logs=None):
        self.model.decoder.set_weights(self.weights)
