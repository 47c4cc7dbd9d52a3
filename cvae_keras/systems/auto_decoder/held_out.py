"""The training rows of `VADImputer`, of which some entries are held out to stop the training."""

from dataclasses import dataclass

import keras
import numpy as np

VALIDATED = 2000  # rows with held-out entries
CHUNK = 10_000  # rows at a time
NEWTON_STEPS = 3  # of latents that start from those of the training


@dataclass(frozen=True)
class TrainingTable:
    """The training rows as `Entries`, and which of their observed entries are held out.

    Args:
        x: float32 `(rows, entries)`, 0 where missing.
        observed: float32 `(rows, entries)`, 1 where x is known.
        shown: float32 `(rows, entries)`, 1 where the model observes x in training.
        validated: numbers of the rows with held-out entries.
    """

    x: np.ndarray
    observed: np.ndarray
    shown: np.ndarray
    validated: np.ndarray

    @classmethod
    def of(cls, X, entries, share, most, seed):
        """Choose training rows among those with an observed entry, and hold out some entries.

        Args:
            X: `(rows, columns)`, NaN where missing.
            entries: its `Entries`.
            share: of the observed entries of up to 2,000 rows, chosen at random, that are held out;
                a row keeps its only one.
            most: number of training rows, chosen at random if there are more; None for all.
            seed: of the choices.
        """
        rng, used = np.random.default_rng(seed), entries.widths > 0
        parts = [slice(first, first + CHUNK) for first in range(0, len(X), CHUNK)]
        read = np.concatenate([(entries.observed(X[part]) & used).any(axis=1) for part in parts])
        rows = _some(np.flatnonzero(read), most, rng)
        x, observed = entries.encode(X[rows])
        chosen = _some(np.arange(len(rows)), VALIDATED, rng)
        read = entries.observed(X[rows[chosen]]) & used
        hidden = (rng.random(read.shape) < share) & (read.sum(axis=1, keepdims=True) > 1)
        shown = observed.copy()
        shown[chosen] *= ~np.repeat(hidden & read, entries.widths, axis=1)
        return cls(x, observed, shown, chosen[(hidden & read).any(axis=1)])

    def __len__(self):
        return len(self.x)

    def validation(self):
        """x, shown and held-out entries of the rows that have such: `(rows, entries)` each."""
        rows = self.validated
        return self.x[rows], self.shown[rows], self.observed[rows] - self.shown[rows]


def _some(rows, most, rng):
    """At most so many of these row numbers, drawn at random, in their order."""
    if most is None or len(rows) <= most:
        return rows
    return np.sort(rng.permutation(rows)[:most])


def lower(errors, others):
    """Whether the mean of errors is below that of others, by two standard errors of their pairs.

    Example:
        >>> lower(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.1]))
        True
        >>> lower(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.5, 1.0]))
        False
    """
    more = errors - others
    return bool(more.mean() < -2.0 / np.sqrt(len(more)) * more.std())


class HeldOutCells(keras.callbacks.Callback):
    """Restores the weights of the step with the least error on held-out entries.

    Those from before training, of the best linear model, stay unless the error falls below theirs
    by two standard errors of the difference. (In a mixed table they are those of a bound, and any
    gain counts.)

    Args:
        x: `(rows, features)`, with the true values of the held-out entries.
        mask: `(rows, features)`, 1 where the model observes x.
        held_out: `(rows, features)`, 1 where x is known but hidden from the model.
        rows: their numbers in the model's table, whose latents the search starts from.
        every: steps between two evaluations.
        patience: evaluations without a gain before training stops.
        entries: None, or the `Entries` of a mixed table, whose `error` of the posterior mean is in
            place of the mean squared error of the reconstruction.

    Attributes:
        best: least error.
        step: the step whose weights are kept (0: those from before training).

    Example:
        ```python
        look = HeldOutCells(x, mask, held_out, rows=np.arange(len(x)))
        model.fit({"x": x, "mask": mask}, callbacks=[look])
        ```
    """

    def __init__(self, x, mask, held_out, rows, every=400, patience=4, entries=None):
        super().__init__()
        self.x, self.mask, self.held_out = x, mask, held_out > 0
        self.rows, self.every, self.patience, self.entries = rows, every, patience, entries
        self.best, self.step, self.steps, self.waited, self.first = np.inf, 0, 0, 0, None

    def evaluate(self):
        """Measure the error after `steps` steps; keep the weights if it is the least so far."""
        start = keras.ops.convert_to_numpy(self.model.posterior.mean)[self.rows]
        if self.entries is None:
            x_hat = self.model.reconstruct(self.x, self.mask, start=start, steps=NEWTON_STEPS)
            errors = np.square(x_hat - self.x)[self.held_out]
        else:
            x_hat = self.model.posterior_mean(self.x, self.mask, start=start)
            errors = self.entries.errors(self.x, x_hat, self.held_out)
        if self.first is None:
            self.first = errors
        self.waited += 1
        if (error := float(np.mean(errors))) < self.best:
            self.best, self.waited = error, 0
            if self.entries is not None or lower(errors, self.first):
                self.step, self.weights = self.steps, self.model.decoder.get_weights()

    def on_train_begin(self, logs=None):
        self.weights = self.model.decoder.get_weights()
        self.evaluate()

    def on_epoch_begin(self, epoch, logs=None):
        self.before = self.steps

    def on_train_batch_end(self, batch, logs=None):
        last, self.steps = self.steps, self.before + batch + 1
        if self.steps // self.every > last // self.every:
            self.evaluate()
            self.model.stop_training = self.waited >= self.patience

    def on_train_end(self, logs=None):
        self.model.decoder.set_weights(self.weights)
