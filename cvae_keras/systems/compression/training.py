"""How a `CompressionModel` is trained: the plan of a training, its learning rate, its loop."""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from tqdm.auto import tqdm
from tqdm.keras import TqdmCallback

from cvae_keras.checks import RunError, check_count, check_positive, check_weight

PASSES, EPOCHS = 30, 30  # over the data (neighbors counted); evaluations of the validation loss


@dataclass(frozen=True)
class TrainingPlan:
    """The sizes of a training. An epoch ends with an evaluation of the validation loss.

    Args:
        batch_size: rows of a training batch, neighbors counted.
        valid_batch_size: rows of a validation batch, neighbors counted.
        steps: training batches at most; those that `choose` was given are not exceeded.
        steps_per_epoch: training batches of an epoch; an epoch need not be a pass over the data.
        patience: epochs without a lower validation loss after which the learning rate is divided.

    Example:
        >>> plan = TrainingPlan.choose(examples=54_000, valid_examples=2000)
        >>> plan.batch_size, plan.steps, plan.steps_per_epoch, plan.epochs
        (512, 3164, 105, 31)
    """

    batch_size: int
    valid_batch_size: int
    steps: int
    steps_per_epoch: int
    patience: int

    @property
    def epochs(self):
        """Epochs in all."""
        return -(-self.steps // self.steps_per_epoch)

    @classmethod
    def choose(
        cls,
        examples,
        valid_examples,
        paired=True,
        batch_size=None,
        valid_batch_size=None,
        steps=None,
        steps_per_epoch=None,
        patience=5,
    ):
        """A plan for some data, with what the user left open filled in.

        Args:
            examples: training rows.
            valid_examples: validation rows.
            paired: whether half of a batch are neighbors of the other half.
            batch_size: at most; None for 512.
            valid_batch_size: at most; None for that of training.
            steps: a limit, which whole epochs reach but for fewer batches than there are epochs;
                None for 30 passes over the data, at least 1,000 and at most 50,000 batches, and
                the rest of the last epoch.
            steps_per_epoch: at most `steps`, and a few more where `steps` are given, so that few
                are left over; None for 30 epochs.
            patience: raised to the epochs of a pass over the data.

        Returns:
            A `TrainingPlan`.

        Raises:
            ValueError: a number that is not a positive integer, by the estimator's name of it.
        """
        size = 512 if batch_size is None else check_count("batch_size", batch_size)
        size = valid_size = min(size, 2 * examples)  # a batch holds neighbors too
        if valid_batch_size is not None:
            valid_size = check_count("batch_size_test", valid_batch_size)
        limited = steps is not None
        if not limited:
            steps = int(np.clip(PASSES * examples / size, 1000, 50_000))
        steps = check_count("num_steps", steps)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, steps // EPOCHS)
        steps_per_epoch = min(check_count("test_every", steps_per_epoch), steps)
        if limited:
            epochs = steps // steps_per_epoch
            steps_per_epoch = steps // epochs
            steps = epochs * steps_per_epoch
        drawn = max(1, size // 2) if paired else size
        one_pass = -(-examples // (drawn * steps_per_epoch))
        return cls(
            batch_size=size,
            valid_batch_size=min(valid_size, 2 * valid_examples),
            steps=steps,
            steps_per_epoch=steps_per_epoch,
            patience=max(check_count("lr_scheduling_steps", patience), one_pass),
        )


class LearningRate(keras.callbacks.Callback):
    """A cosine over the planned epochs, divided whenever the validation loss stops falling.

    `rate(epoch) = max(low, cosine(epoch) / factor^n)`,
    `cosine(epoch) = low + (high - low) * (1 + cos(pi * epoch / epochs)) / 2`

    n counts how often `patience` epochs have passed without a new lowest validation loss. When that
    happens at the rate `low`, training has converged and stops.

    Args:
        epochs: planned.
        high: the first learning rate.
        low: the lowest learning rate.
        patience: epochs, as above.
        factor: as above.
        active: False keeps the rate at `high` and never stops.

    Attributes:
        converged: whether it stopped the training.

    Example:
        ```python
        model.fit(batches, validation_data=valid, epochs=30, callbacks=[LearningRate(30)])
        ```
    """

    def __init__(self, epochs, high=6e-3, low=1e-5, patience=5, factor=5.0, active=True):
        super().__init__()
        self.check(high, low, factor)
        self.high, self.low = high, min(low, high)
        self.patience, self.factor, self.active = patience, factor, active
        self.cut, self.best, self.waited, self.rate, self.converged = 1.0, math.inf, 0, high, False
        # An array, because Keras computes the cosine in its precision: float64.
        self.cosine = keras.optimizers.schedules.CosineDecay(
            np.array(high, "float64"), epochs, alpha=self.low / high if high else 0.0
        )

    @staticmethod
    def check(high=6e-3, low=1e-5, factor=5.0, active=True):
        """Refuse numbers out of their range, by the estimator's names of them."""
        check_positive("learning_rate", high)
        check_weight("lr_scheduling_min", low)
        check_positive("lr_scheduling_factor", factor)

    def on_train_begin(self, logs=None):
        self.first = None

    def on_epoch_begin(self, epoch, logs=None):
        self.first = epoch if self.first is None else self.first
        if self.active:
            self.rate = max(self.low, self.cut * float(self.cosine(epoch - self.first)))
        self.model.optimizer.learning_rate = self.rate

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        loss = logs.get("val_loss", math.inf)
        if not self.active or loss < self.best:
            self.best, self.waited = min(self.best, loss), 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.waited, self.cut = 0, self.cut / self.factor
            if self.rate <= self.low:
                self.converged = self.model.stop_training = True


class Losses(keras.callbacks.Callback):
    """Appends the losses of each epoch to a list, as plain numbers, fit for JSON.

    Args:
        history: the list. Each epoch adds a dictionary of loss, val_loss, lr, and the ELBO and KL
            of the validation.

    Attributes:
        rows: what this training added; a `Checkpoint` restores it.

    Example:
        ```python
        history = []
        model.fit(batches, validation_data=valid, callbacks=[LearningRate(30), Losses(history)])
        ```
    """

    def __init__(self, history):
        super().__init__()
        self._history, self._first, self.rows = history, len(history), []

    def on_epoch_end(self, epoch, logs=None):
        kept = {name: float(logs[name]) for name in ("loss", "val_loss", "val_elbo", "val_kl")}
        self.rows.append({**kept, "lr": logs["learning_rate"]})
        self._history[self._first :] = self.rows

    def on_train_end(self, logs=None):
        self._history[self._first :] = self.rows  # where a checkpoint left no epoch to train


class SaveModel(keras.callbacks.Callback):
    """Calls `save` at the end of an epoch when `every` steps have passed since the last time.

    Args:
        save: function without arguments.
        every: steps.
        steps_per_epoch: steps of an epoch.

    Example:
        ```python
        model.fit(batches, epochs=30, callbacks=[SaveModel(save, 2000, 100)])
        ```
    """

    def __init__(self, save, every, steps_per_epoch):
        super().__init__()
        self.save, self.every, self.steps_per_epoch, self.since = save, every, steps_per_epoch, 0

    def on_epoch_end(self, epoch, logs=None):
        self.since += self.steps_per_epoch
        if self.since >= self.every:
            self.since = 0
            self.save()


SHOWN = ("loss", "val_loss", "learning_rate")  # by the progress bar


def _progress_bar(epochs):
    """A bar of the epochs, with some of the logs."""
    bar = TqdmCallback(epochs=epochs, verbose=0, desc="training")
    update = bar.on_epoch_end
    bar.on_epoch_end = lambda epoch, logs: update(epoch, {name: logs[name] for name in SHOWN})
    return bar


def train_epochs(
    model,
    train,
    valid,
    history,
    rate,
    epochs,
    save=None,
    checkpoint_every=2000,
    tensorboard=None,
    verbose=True,
    checkpoint=None,
):
    """Train a compiled model for some epochs; without a checkpoint Ctrl-C ends it early.

    Args:
        model: an `ELBOModel`.
        train: `Batches` of an epoch.
        valid: `Batches` of the validation data.
        history: list of the losses of earlier epochs, to which `Losses` appends.
        rate: a `LearningRate`.
        epochs: at most.
        save: function that saves the model, called every `checkpoint_every` steps, or None.
        checkpoint_every: steps.
        tensorboard: folder, or None.
        verbose: whether to show a progress bar.
        checkpoint: a `cvae_keras.training.Checkpoint`, from which a killed training continues, or
            None.

    Raises:
        ValueError: the model is not compiled.
        RunError: a loss became NaN or infinite. The model then has the weights from before this
            training, and history the epochs.

    Example:
        ```python
        history = []
        train_epochs(model, train, valid, history, LearningRate(epochs=30), epochs=30)
        ```
    """
    if not model.compiled:
        raise ValueError("the model is not compiled: call model.compile first.")
    first = len(history)  # it determines the order of the data
    variables = [*model.variables, *model.optimizer.variables]
    before = [ops.convert_to_numpy(variable) for variable in variables]
    callbacks = [rate, Losses(history)]
    if save is not None:
        callbacks.append(SaveModel(save, checkpoint_every, train.steps))
    if tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(tensorboard))
    if checkpoint is not None:
        callbacks.append(checkpoint)
    progress = _progress_bar(first + epochs) if verbose else None
    try:
        model.fit(
            train,
            validation_data=valid,
            initial_epoch=first,
            epochs=first + epochs,
            callbacks=[*callbacks, progress] if verbose else callbacks,
            verbose=0,
        )
    except KeyboardInterrupt:
        if checkpoint is not None:  # the next call continues
            raise
        tqdm.write("Training stopped: the model is kept as it is; train again to continue.")
    except RunError:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        for variable in model.optimizer.variables[len(before) - len(model.variables) :]:
            variable.assign(ops.zeros_like(variable))  # those that the first step created
        del history[first:]
        raise
    finally:
        if progress is not None:
            progress.epoch_bar.close()
