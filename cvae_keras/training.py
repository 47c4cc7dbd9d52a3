"""Training watched by a validation loss: the learning rate, when to stop, the progress bar."""

import math

import keras
import numpy as np
from tqdm.auto import tqdm


class LearningRate(keras.callbacks.Callback):
    """Half a cosine over the planned rounds, cut whenever the validation loss stops falling.

    `rate(round) = cut * (low + (high - low) * (1 + cos(pi * round / rounds)) / 2)`

    After `patience` rounds without a new lowest validation loss, cut is divided by `factor`; when
    the rate is at `low` already, training has converged and stops.

    Args:
        high, low: learning rates; rounds: planned; patience, factor: as above; active: False keeps
            the rate at `high` and never stops.

    Example:
        >>> model.fit(batches, epochs=30, callbacks=[LearningRate(rounds=30)])
    """

    def __init__(self, rounds, high=6e-3, low=1e-5, patience=5, factor=5.0, active=True):
        super().__init__()
        self.high, self.low, self.rounds = high, min(low, high), rounds
        self.patience, self.factor, self.active = patience, factor, active
        self.cut, self.best, self.waited, self.rate, self.converged = 1.0, math.inf, 0, high, False

    def on_train_begin(self, logs=None):
        self.first = None

    def on_epoch_begin(self, epoch, logs=None):
        self.first = epoch if self.first is None else self.first
        if self.active:
            wave = (1 + math.cos(math.pi * (epoch - self.first) / self.rounds)) / 2
            self.rate = max(self.low, self.cut * (self.low + (self.high - self.low) * wave))
        self.model.optimizer.learning_rate = self.rate

    def on_epoch_end(self, epoch, logs=None):
        loss = (logs or {}).get("val_loss", math.inf)
        if not self.active or loss < self.best:
            self.best, self.waited = min(self.best, loss), 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.waited, self.cut = 0, self.cut / self.factor
            if self.rate <= self.low:
                self.converged = self.model.stop_training = True


class Progress(keras.callbacks.Callback):
    """A progress bar of the steps, with loss, validation loss and learning rate.

    Args:
        steps: in all; per_round: of each round.

    Example:
        >>> model.fit(batches, epochs=30, verbose=0, callbacks=[Progress(3000, 100)])
    """

    def __init__(self, steps, per_round):
        super().__init__()
        self.steps, self.per_round, self.bar = steps, per_round, None

    def on_train_begin(self, logs=None):
        self.bar = tqdm(total=self.steps, unit="step", desc="training")

    def on_epoch_end(self, epoch, logs=None):
        shown = {"loss": f"{logs['loss']:.5g}", "val_loss": f"{logs['val_loss']:.5g}"}
        self.bar.set_postfix(**shown, lr=f"{float(self.model.optimizer.learning_rate):.1e}")
        self.bar.update(self.per_round)

    def close(self):
        if self.bar is not None:
            self.bar.close()


class Scalars(keras.callbacks.TensorBoard):
    """TensorBoard for an `ELBOModel`: without the rate of each dimension, which is no scalar.

    Example:
        >>> model.fit(batches, callbacks=[Scalars("temp/tensorboard")])
    """

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, _scalars(logs))

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, _scalars(logs))

    def on_test_end(self, logs=None):
        super().on_test_end(_scalars(logs))


def _scalars(logs):
    return {name: value for name, value in (logs or {}).items() if np.ndim(value) == 0}


class Losses(keras.callbacks.Callback):
    """Appends the losses of each round to a list, as plain numbers, fit for JSON.

    Example:
        >>> model.fit(batches, validation_data=others, callbacks=[Losses(history := [])])
    """

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def on_epoch_end(self, epoch, logs=None):
        kept = {name: logs[name] for name in ("loss", "val_loss", "val_elbo", "val_kl")}
        kept["lr"] = self.model.optimizer.learning_rate
        self.rows.append({name: float(value) for name, value in kept.items()})


class Checkpoint(keras.callbacks.Callback):
    """Calls `save` after every `every` steps.

    Args:
        save: function of no argument; every: steps; per_round: steps of a round.

    Example:
        >>> model.fit(batches, epochs=30, callbacks=[Checkpoint(save, 2000, 100)])
    """

    def __init__(self, save, every, per_round):
        super().__init__()
        self.save, self.every, self.per_round, self.since = save, every, per_round, 0

    def on_epoch_end(self, epoch, logs=None):
        self.since += self.per_round
        if self.since >= self.every:
            self.since = 0
            self.save()


def train_rounds(
    model,
    train,
    valid,
    history,
    rounds,
    schedule,
    save=None,
    checkpoint_every=2000,
    tensorboard=None,
    verbose=True,
):
    """Train a compiled model for some rounds, with a look at the validation loss after each.

    Args:
        model: an `ELBOModel`; train, valid: `Batches` of a round; history: list of the losses
            of the rounds before, to which these are added; rounds: at most; schedule: arguments of
            `LearningRate`; save: function that keeps the model, called every `checkpoint_every`
            steps, or None; tensorboard: folder or None; verbose: whether to show a progress bar.

    Returns:
        Whether it stopped by itself. Each round adds a dictionary of loss, val_loss, lr, and the
        validation's elbo and kl to history.

    Raises:
        ValueError: the loss became NaN.

    Example:
        >>> history = []
        >>> converged = train_rounds(model, train, valid, history, 30, {"high": 1e-3})
    """
    rate = LearningRate(rounds=rounds, **schedule)
    progress = Progress(rounds * train.steps, train.steps)
    first = len(history)  # it sets the order of the data
    callbacks = [rate, keras.callbacks.TerminateOnNaN(), Losses(history)]
    callbacks += [progress] if verbose else []
    if save is not None:
        callbacks.append(Checkpoint(save, checkpoint_every, train.steps))
    if tensorboard is not None:
        callbacks.append(Scalars(tensorboard))
    try:
        model.fit(
            train,
            validation_data=valid,
            initial_epoch=first,
            epochs=first + rounds,
            callbacks=callbacks,
            verbose=0,
        )
    except KeyboardInterrupt:
        tqdm.write("Stopped: the model is kept as it is; train again to go on.")
    finally:
        progress.close()
    if history and not math.isfinite(history[-1]["loss"]):
        raise ValueError(
            "training diverged, its loss is not finite: choose a smaller learning_rate, or keep "
            "feature_normalization on."
        )
    return rate.converged
