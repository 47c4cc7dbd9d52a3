"""How a `CompressionVAE` is trained: its data split, its model made, its batches drawn."""

import math

import keras
import numpy as np
from sklearn.utils.validation import check_array
from tqdm.auto import tqdm

from cvae_keras.checks import check_count, check_share, check_weight
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.rows import MappedRows, Subset, open_rows
from cvae_keras.systems.compression import storage as files
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.compression.neighbors import PairedBatches, nearest_neighbors
from cvae_keras.systems.compression.preprocessing import principal_axes, shift_and_scale
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import LazyAdam


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


CELLS = (384, 384, 256)  # units of the encoder
PASSES, LOOKS = 30, 30  # over the data (neighbours counted), and at the validation loss
PER_FEATURE = 5  # fewer examples than this for each feature do not tell the components
WALK = 5  # steps of a walk to a neighbour at first; fewer as training goes on
WEIGHT = 300.0  # of the neighbours, for 784 features in 2 dimensions
LOOK_AT = 2000  # rows of the validation data at most
EAGER = 200  # so many steps take less time than the building of TensorFlow's graph


def fit_model(
    estimator,
    rows,
    write,
    num_steps=None,
    keep=None,
    test_every=None,
    schedule=None,
    checkpoint_every=2000,
):
    """Train an estimator's model, a fresh one if it has none, and append to its `history_`.

    Args:
        estimator: a `CompressionVAE`; rows: see `open_rows`; write: whether to keep the model in
            its logdir; keep: share of units that dropout keeps; schedule: arguments of
            `LearningRate`; the others as in `CompressionVAE.train`.

    Raises:
        ValueError: an argument out of its range, or a training that diverged.

    Example:
        >>> fit_model(embedder, open_rows(X), write=False)
    """
    if write:
        files.claim(estimator.logdir)
    train, valid = _split(estimator, rows)
    size, steps, per_round = _sizes(estimator, len(train), num_steps, test_every)
    if estimator.model_ is None:
        _make_model(estimator, train)
    estimator.model_.run_eagerly = steps < EAGER
    estimator.model_.set_keep(check_share("dropout_keep_prob", 1.0 if keep is None else keep))
    rounds = -(-steps // per_round)
    batches = _batches(estimator, train, size, per_round), _test_batches(estimator, valid, size)
    batches[0].walk, batches[0].until = WALK, rounds
    schedule = {**(schedule or {})}  # no cut before the validation loss has had a pass to fall
    one_pass = -(-len(train) // (batches[0].drawn * per_round))
    schedule["patience"] = max(
        check_count("lr_scheduling_steps", schedule.get("patience", 5)), one_pass
    )
    log = f"{estimator.logdir}/{files.LOGS}" if estimator.tb_logging else None
    estimator.converged_ = train_rounds(
        estimator.model_,
        *batches,
        estimator.history_,
        rounds=rounds,
        schedule=schedule,
        save=estimator._save if write else None,
        checkpoint_every=checkpoint_every,
        tensorboard=log,
        verbose=estimator.verbose,
    )
    if write:
        estimator._save()


def _split(estimator, rows):
    """Rows to train on, and rows for the validation loss: the same if X has but one."""
    share = check_share("train_valid_split", estimator.train_valid_split)
    order = np.random.default_rng(estimator.random_state).permutation(len(rows))
    if estimator.X_valid is not None:
        valid = open_rows(estimator.X_valid, estimator.on_error)
        if isinstance(valid, (NpyFolder, MappedRows)) is False:
            valid = check_array(valid)
        if valid.shape[1] != rows.shape[1]:
            raise ValueError(
                f"X_valid has {valid.shape[1]} features but X has {rows.shape[1]}: give it the "
                f"same."
            )
        return Subset(rows, order), Subset(valid, np.arange(min(len(valid), LOOK_AT)))
    kept = max(1, round(share * len(rows)))
    valid = order[kept:] if kept < len(rows) else order
    return Subset(rows, order[:kept]), Subset(rows, valid[:LOOK_AT])


def _sizes(estimator, examples, num_steps, test_every):
    """Rows of a batch, batches in all, batches between two looks at the validation loss."""
    size = 512 if estimator.batch_size is None else check_count("batch_size", estimator.batch_size)
    size = min(size, 2 * examples)  # a batch holds neighbours too
    steps = num_steps if num_steps is not None else estimator.num_steps
    if steps is None:
        steps = int(np.clip(PASSES * examples / size, 1000, 50_000))
    steps = check_count("num_steps", steps)
    every = test_every if test_every is not None else max(1, steps // LOOKS)
    return size, steps, min(check_count("test_every", every), steps)


def _make_model(estimator, train):
    """A fresh model, with the shift and scale of the training rows."""
    check_count("dim_latent", estimator.dim_latent)
    widths = CELLS if estimator.cells_encoder is None else estimator.cells_encoder
    shift, scale = shift_and_scale(train, estimator.feature_normalization)
    seed = estimator.random_state
    axes, deviations = _axes(estimator, Subset(train.rows, train.index, shift, scale))
    keras.utils.set_random_seed(seed)
    estimator.model_ = CompressionModel(
        train.shape[1],
        estimator.dim_latent,
        estimator.iaf_flow_length,
        [check_count("cells_encoder", width) for width in widths],
        beta=estimator.beta,
        gamma=_gamma(estimator, train.shape[1]),
        components=None if axes is None else axes.shape[1],
        initializer=estimator.initializer,
        seed=seed,
    )
    if axes is not None:
        estimator.model_.start_at(axes, deviations)
    estimator.model_.standardize_with(shift, scale)
    optimizer = LazyAdam(beta_1=0.8, beta_2=0.95)  # steps are few: memories are short
    estimator.model_.compile(optimizer, steps_per_execution=at_once(10))
    estimator.history_ = []


def _gamma(estimator, features):
    """The weight of the neighbours, 0 where there are none."""
    if estimator.neighbors == 0:
        return 0.0
    check_count("neighbors", estimator.neighbors)
    if estimator.neighbor_weight is not None:
        return check_weight("neighbor_weight", estimator.neighbor_weight)
    return WEIGHT * float(np.sqrt(features / 784 * 2 / estimator.dim_latent))


def _axes(estimator, rows):
    """The components that the networks see; None where they would be all, or cannot be told.

    And the standard deviation along each.
    """
    share, enough = check_share("components", estimator.components), 4 * estimator.dim_latent
    if share == 1 or len(rows) < PER_FEATURE * rows.shape[1]:
        return None, None
    axes, deviations = principal_axes(rows, share, estimator.random_state)
    if axes.shape[1] < enough:
        axes, deviations = principal_axes(rows, enough, estimator.random_state)
    return (axes, deviations) if axes.shape[1] < rows.shape[1] else (None, None)


def _batches(estimator, part, size, per_round):
    model = estimator.model_
    shift, scale = (keras.ops.convert_to_numpy(v) for v in (model.shift, model.scale))
    rows = Subset(part.rows, part.index, shift, scale)
    near = None
    if estimator.neighbors and len(rows) > 2:
        near = nearest_neighbors(rows, estimator.neighbors, estimator.random_state)
    return PairedBatches(rows, near, size, per_round, estimator.random_state)


def _test_batches(estimator, valid, size):
    """Batches that hold the validation rows once, and no more."""
    if estimator.batch_size_test is not None:
        size = check_count("batch_size_test", estimator.batch_size_test)
    batches = _batches(estimator, valid, min(size, 2 * len(valid)), 1)
    batches.steps = -(-len(valid) // batches.drawn)
    return batches
