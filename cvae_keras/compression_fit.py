"""How a `CompressionVAE` is trained: its data split, its model made, its batches drawn."""

import keras
import numpy as np
from sklearn.utils.validation import check_array

from cvae_keras import compression_files as files
from cvae_keras.checks import check_count, check_share, check_weight
from cvae_keras.data.neighbors import PairedBatches, nearest_neighbors
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.principal import principal_axes
from cvae_keras.data.rows import MappedRows, Subset, open_rows
from cvae_keras.data.scaling import shift_and_scale
from cvae_keras.elbo import at_once
from cvae_keras.lazy_adam import LazyAdam
from cvae_keras.systems.compression import CompressionModel
from cvae_keras.training import train_rounds

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
