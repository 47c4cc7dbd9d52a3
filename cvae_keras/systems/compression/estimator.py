"""`CompressionVAE`: dimensionality reduction with scikit-learn's methods."""

import warnings
from contextlib import nullcontext
from inspect import signature
from numbers import Integral

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from tqdm.auto import tqdm

from cvae_keras.checks import (
    check_choice,
    check_count,
    check_seed,
    check_share,
    check_units,
    check_weight,
    shown,
)
from cvae_keras.data.frames import is_frame, numeric_frame, read_numbers
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.rows import CHUNK, MappedRows, Subset, chunks, open_rows, read
from cvae_keras.files import expand
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.plots.compression import grid_points, plot_embedding, plot_latent_grid
from cvae_keras.systems.compression import storage
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.compression.neighbors import (
    ComponentBatches,
    PairedBatches,
    nearest_neighbors,
)
from cvae_keras.systems.compression.preprocessing import (
    components_for,
    first_axes,
    fit_pca,
    is_image,
    shift_and_scale,
    warn_of_merged,
)
from cvae_keras.systems.compression.training import LearningRate, TrainingPlan, train_epochs
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import LazyAdam

CELLS = (384, 384, 256)  # units of the encoder
ROWS_PER_FEATURE = 5  # with fewer examples, principal components cannot be estimated
SEARCHED = 50  # principal components in which neighbors are searched
WALK = 5  # steps of a walk to a neighbor in the first epoch
WEIGHT = 300.0  # of the neighbors, for 784 features in 2 dimensions
VALIDATED = 2000  # rows of the validation data at most
EAGER = 200  # fewer steps take less time than a graph; JAX would compile each operation


class CompressionVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Dimensionality reduction that embeds new data, reconstructs data, and generates.

    `loss = -E_q[log p(x | z)] + beta * KL(q(z | x) || N(0, I)) - weight * log p(neighbor | z)`

    A variational autoencoder with a flow posterior. The last term makes z predict, beside x, which
    other examples are near x (see `cvae_keras.systems.compression.model`). Labels are never used.
    The arguments and methods are those of maxfrenzel's CompressionVAE, plus scikit-learn's;
    `docs/coming_from.md` says where they differ.

    Args:
        X: examples for `train`: array `(examples, features)`, a `numpy.memmap` of one, a pandas
            DataFrame of numbers, or the path of a folder tree of .npy files. `fit` takes its own.
            They are centered in float64. What cannot be read is refused at once.
        X_valid: the same, for the validation loss; None to hold out a part of X.
        train_valid_split: the share of X that is trained on, in (0, 1].
        dim_latent: dimensions of the embedding.
        iaf_flow_length: steps of the inverse autoregressive flow; 0 for none.
        cells_encoder: units of the encoder's layers, reversed in the decoder; None for
            `(384, 384, 256)`.
        initializer: of the dense layers, as Keras names it.
        batch_size: examples of a training batch; None for 512, or fewer where there are few.
        batch_size_test: examples of a validation batch; None for `batch_size`.
        logdir: folder of the model. A model that is there is restored, and its parameters replace
            the arguments, with a warning where one was given that differs. "temp" starts afresh and
            deletes the model it wrote there before. `fit` writes nothing into "temp" but logs. A
            folder with files of others is refused.
        feature_normalization: True to subtract from each feature its mean and divide it by its
            standard deviation; the embedding then depends neither on the unit nor on the zero of a
            feature. "images" to divide all by one number, which is right for the pixels of images:
            they share a unit (see `preprocessing.py`); with True, rows of 64 or more 8-bit unsigned
            integers, as image files hold them, are read as images. False to use the features as
            they are.
        tb_logging: write losses for TensorBoard into `<logdir>/tensorboard/CompressionVAE`.
        components: share of the variance, in (0, 1], whose principal components the networks read
            and write, at least 4 for each latent dimension; an embedding of up to 3 dimensions
            is initialized with the first of them. With 1, or with fewer than 5 examples per
            feature, the networks read the features themselves. Those of an array are computed once
            in a training and kept in float32, those of a folder or a memmap in each step.
        beta: weight of the KL.
        neighbors: how many nearest neighbors of each example are used, 0 for the plain VAE; in the
            first epochs also neighbors of neighbors.
        neighbor_weight: weight of the last term; None for
            `300 * sqrt(features / 784 * 2 / dim_latent)`: log p(x | z) grows with the features, and
            with more dimensions the two terms compete less.
        num_steps: steps at most of `fit` and `train`; None chooses them from the data.
        on_error: "raise" or "skip" for bad files of a folder.
        verbose: whether to show a progress bar.
        random_state: integer; the same one gives the same model. None, or a
            `numpy.random.RandomState` or `Generator`, from which `fit` draws one.

    Attributes:
        model_: the `CompressionModel`.
        history_: list of the losses of each epoch.
        n_features_in_: features of X.
        feature_names_in_: their names, where X was a data frame.
        converged_: whether the last training stopped before its last epoch.

    Raises:
        ValueError, TypeError: X or X_valid cannot be read, or the model in `logdir` is of another
            number of features.

    Source: Kingma et al., 2016 (flow); van der Maaten and Hinton, 2008 (neighbors).

    Example:
        ```python
        embedder = CompressionVAE(X).train()
        z = embedder.embed(X)
        X2 = embedder.decode(z)
        z = CompressionVAE(dim_latent=2).fit_transform(X)  # or with scikit-learn's methods
        ```
    """

    def __init__(
        self,
        X=None,
        X_valid=None,
        train_valid_split=0.9,
        dim_latent=2,
        iaf_flow_length=5,
        cells_encoder=None,
        initializer="orthogonal",
        batch_size=None,
        batch_size_test=None,
        logdir="temp",
        feature_normalization=True,
        tb_logging=False,
        components=0.95,
        beta=1.0,
        neighbors=7,
        neighbor_weight=None,
        num_steps=None,
        on_error="raise",
        verbose=True,
        random_state=0,
    ):
        self.X = X
        self.X_valid = X_valid
        self.train_valid_split = train_valid_split
        self.dim_latent = dim_latent
        self.iaf_flow_length = iaf_flow_length
        self.cells_encoder = cells_encoder
        self.initializer = initializer
        self.batch_size = batch_size
        self.batch_size_test = batch_size_test
        self.logdir = logdir
        self.feature_normalization = feature_normalization
        self.tb_logging = tb_logging
        self.components = components
        self.beta = beta
        self.neighbors = neighbors
        self.neighbor_weight = neighbor_weight
        self.num_steps = num_steps
        self.on_error = on_error
        self.verbose = verbose
        self.random_state = random_state
        if X is not None:
            try:
                self._prepare()
            except (TypeError, ValueError):
                # scikit-learn's checks give all arguments one value, and allow no error here
                if any(value is not X for value in self.get_params(deep=False).values()):
                    raise

    # -- training -------------------------------------------------------------------------------
    def fit(self, X, y=None, checkpoint=None):
        """Train a new model on X (or continue with the model in a named logdir).

        Args:
            X: as in the constructor.
            y: ignored.
            checkpoint: a `cvae_keras.training.Checkpoint`, from which a killed call with the same X
                and arguments continues, or None. It is for the logdir "temp": others hold a model
                that training continues from.

        Returns:
            The estimator.

        Raises:
            ValueError, TypeError: X cannot be trained on, or an argument is out of its range.
        """
        if checkpoint is not None and self.logdir != "temp":
            raise ValueError(
                f"checkpoint is for logdir 'temp', got {str(self.logdir)!r}: give one of them."
            )
        rows = self._open(X)
        self._restore()
        return self._fit(rows, write=self.logdir != "temp", checkpoint=checkpoint)

    def train(
        self,
        learning_rate=6e-3,
        num_steps=None,
        dropout_keep_prob=None,
        overwrite=False,
        test_every=None,
        lr_scheduling=True,
        lr_scheduling_steps=5,
        lr_scheduling_factor=5,
        lr_scheduling_min=1e-5,
        checkpoint_every=2000,
        restart=False,
    ):
        """Train on the X of the constructor; another call continues the training.

        Ctrl-C stops it and keeps the model. The model is written to `logdir`.

        Args:
            learning_rate: the highest; it falls along a cosine.
            num_steps: batches at most of this call; None for the estimator's, and then for a choice
                by the data. Epochs are whole, so that a few may be left over.
            dropout_keep_prob: share of the encoder's units that training keeps; None for all.
            overwrite: accepted and without effect: a present model is continued with it, as in
                maxfrenzel's CompressionVAE, and here without it too.
            test_every: steps of an epoch, after which the validation loss is computed; None for
                30 epochs.
            lr_scheduling: whether the learning rate changes. If so, it falls along a cosine, and is
                divided by `lr_scheduling_factor` after `lr_scheduling_steps` epochs without a lower
                validation loss (and no less than a pass over the data).
            lr_scheduling_steps: see there.
            lr_scheduling_factor: see there.
            lr_scheduling_min: the lowest learning rate; training stops where it would be divided.
            checkpoint_every: steps between writings of the model.
            restart: start afresh, with the arguments of the constructor. It prints what will be
                replaced in `logdir`; a copy of it, `model.previous.keras`, is kept there until the
                new model is written, and is put back where training fails.

        Returns:
            The estimator.

        Raises:
            ValueError: there is no X, an argument is out of its range, or training diverged.
        """
        if self.X is None:
            raise ValueError("X is missing: give it to CompressionVAE(X), or call fit(X).")
        if getattr(self, "_rows", None) is None:
            self._prepare()
        for name, value in (("overwrite", overwrite), ("restart", restart)):
            check_choice(name, bool(value) if isinstance(value, np.bool_) else value, (True, False))
        before = dict(vars(self))
        if restart:
            vars(self).update(self._given)
        try:
            return self._fit(
                self._rows,
                write=True,
                num_steps=num_steps,
                keep=dropout_keep_prob,
                test_every=test_every,
                checkpoint_every=checkpoint_every,
                patience=lr_scheduling_steps,
                restart=restart,
                high=learning_rate,
                low=lr_scheduling_min,
                factor=lr_scheduling_factor,
                active=lr_scheduling,
            )
        except BaseException:
            if restart:
                vars(self).update(before)
            raise

    def _fit(
        self,
        rows,
        write,
        num_steps=None,
        keep=None,
        test_every=None,
        checkpoint_every=2000,
        patience=5,
        checkpoint=None,
        restart=False,
        **rate,
    ):
        """Train the present model or a new one; `rate` are arguments of `LearningRate`.

        With `write` the model is saved, with `restart` a new one replaces that of the folder.
        """
        check_count("dim_latent", self.dim_latent)
        check_count("iaf_flow_length", self.iaf_flow_length, least=0)
        check_count("checkpoint_every", checkpoint_every)
        LearningRate.check(**rate)
        check_weight("beta", self.beta)
        check_share("components", self.components)
        if self.neighbor_weight is not None:
            check_weight("neighbor_weight", self.neighbor_weight)
        if self.cells_encoder is not None:
            check_units("cells_encoder", self.cells_encoder, least=0)
        keep = 1.0 if keep is None else check_share("dropout_keep_prob", keep)
        check_count("neighbors", self.neighbors, least=0)
        if not isinstance(self.feature_normalization, (bool, np.bool_, str)) or (
            self.feature_normalization not in (True, False, "images")
        ):
            raise ValueError(
                f"feature_normalization must be True, False or 'images', got "
                f"{self.feature_normalization!r}: choose one."
            )
        self._seed = self._draw_seed()
        train, valid = self._split(rows)
        paired = self.neighbors > 0 and len(train) > 2
        plan = TrainingPlan.choose(
            len(train),
            len(valid),
            paired,
            self.batch_size,
            self.batch_size_test,
            self.num_steps if num_steps is None else num_steps,
            test_every,
            patience,
        )
        if write or self.tb_logging:
            storage.claim(self.logdir)
        new = restart or self.model_ is None
        if new:
            normalize = self.feature_normalization
            if normalize is True and is_image(train):
                normalize = "images"
            shift, scale = shift_and_scale(train, normalize)
        else:
            shift, scale = self.model_.shift_and_scale()
        train, valid = (Subset(part.rows, part.index, shift, scale) for part in (train, valid))
        warn_of_merged(train, getattr(self, "feature_names_in_", None))
        pca = self._fit_pca(train, paired)
        if new:
            self._make_model(shift, scale, pca if self._reads_components(train) else None, paired)
        self.model_.set_keep(keep)
        self.model_.run_eagerly = plan.steps < EAGER and keras.backend.backend() != "jax"
        steps, epochs = plan.steps_per_epoch, plan.epochs
        rate = LearningRate(epochs, patience=plan.patience, **rate)
        batches = self._batches(train, pca, plan.batch_size, steps, walk=WALK, until=epochs)
        valid = self._batches(valid, pca, plan.valid_batch_size)
        logs = str(expand(self.logdir) / storage.LOGS) if self.tb_logging else None
        with self._replacing(restart) if write and new else nullcontext():
            try:
                train_epochs(
                    self.model_,
                    batches,
                    valid,
                    self.history_,
                    rate,
                    epochs,
                    save=self._save if write else None,
                    checkpoint_every=checkpoint_every,
                    tensorboard=logs,
                    verbose=self.verbose,
                    checkpoint=checkpoint,
                )
            except ValueError:  # diverged: an earlier model is kept, an untrained one is not
                self.model_ = None if new else self.model_
                raise
            self.converged_ = rate.converged
            if write:
                self._save()
        return self

    def _replacing(self, restart):
        """Context in which a new model replaces the one of the folder, if there is one."""
        if not (restart and storage.holds_model(self.logdir)):
            if self.logdir == "temp":
                storage.remove(self.logdir)
            return nullcontext()
        tqdm.write(
            f"restart=True replaces {expand(self.logdir) / storage.MODEL}; "
            f"{storage.BACKUP[storage.MODEL]} keeps it until the new model is written."
        )
        return storage.keeping(self.logdir)

    def _draw_seed(self):
        """The seed of a training: `random_state` if it is a number, else that of the model."""
        if self.model_ is not None and not isinstance(self.random_state, (int, np.integer)):
            return self.model_.seed
        return check_seed("random_state", self.random_state)

    def _split(self, rows):
        """Rows to train on, and rows for the validation loss: the same if X has but one."""
        share = check_share("train_valid_split", self.train_valid_split)
        order = np.random.default_rng(self._seed).permutation(len(rows))
        if self.X_valid is not None:
            valid = self._open_valid(rows)
            return Subset(rows, order), Subset(valid, np.arange(min(len(valid), VALIDATED)))
        kept = max(1, round(share * len(rows)))
        valid = order[kept:] if kept < len(rows) else order
        return Subset(rows, order[:kept]), Subset(rows, valid[:VALIDATED])

    def _open_valid(self, rows):
        """Rows of X_valid, in the order of X's columns."""
        valid = open_rows(self.X_valid, self.on_error)
        if not isinstance(valid, (NpyFolder, MappedRows)):
            valid = _numbers("X_valid", valid)
            with np.errstate(invalid="ignore"):  # scikit-learn's sum of large numbers overflows
                values = check_array(valid)
        else:
            values = _check_numeric(valid)
        if values.shape[1] != rows.shape[1]:
            raise ValueError(
                f"X_valid has {values.shape[1]} features but X has {rows.shape[1]}: give it the "
                f"same."
            )
        return self._validate(valid, reset=False) if is_frame(valid) else values

    def _reads_components(self, rows):
        """Whether the networks of a new model read principal components."""
        share = check_share("components", self.components)
        return share < 1 and len(rows) >= ROWS_PER_FEATURE * rows.shape[1]

    def _fit_pca(self, rows, paired):
        """The PCA for networks and neighbors, of standardized rows; None if neither uses it."""
        every = self._reads_components(rows)
        if not (every or paired):
            return None
        return fit_pca(rows, None if every else SEARCHED, self._seed)

    def _make_model(self, shift, scale, pca, paired):
        """A new model, which reads principal components if there is a `pca`."""
        features, axes = len(shift), None
        if pca is not None:
            count = max(components_for(pca, self.components), 4 * self.dim_latent)
            axes, deviations = first_axes(pca, count)
            axes = axes if axes.shape[1] < features else None
        widths = CELLS if self.cells_encoder is None else self.cells_encoder
        keras.utils.set_random_seed(self._seed)
        model = CompressionModel(
            features,
            self.dim_latent,
            self.iaf_flow_length,
            check_units("cells_encoder", widths, least=0),
            beta=self.beta,
            gamma=self._gamma(features) if paired else 0.0,
            components=None if axes is None else axes.shape[1],
            initializer=self.initializer,
            seed=self._seed,
        )
        if axes is not None:
            model.start_at(axes, deviations)
        model.standardize_with(shift, scale)
        optimizer = LazyAdam(beta_1=0.8, beta_2=0.95)  # few steps: gradients are averaged briefly
        model.compile(optimizer, steps_per_execution=at_once(10))
        self.model_, self.history_ = model, []

    def _gamma(self, features):
        """The weight of the neighbors."""
        if self.neighbor_weight is not None:
            return check_weight("neighbor_weight", self.neighbor_weight)
        return WEIGHT * float(np.sqrt(features / 784 * 2 / self.dim_latent))

    def _batches(self, rows, pca, batch_size, steps=None, walk=1, until=0):
        """Batches of standardized rows, in pairs of neighbors where there are enough rows."""
        near = None
        if self.neighbors and pca is not None and len(rows) > 2:
            axes = first_axes(pca, SEARCHED)[0]
            near = nearest_neighbors(rows, int(self.neighbors), self._seed, axes)
        options = {"neighbors": near, "batch_size": batch_size, "steps": steps}
        options |= {"seed": self._seed, "walk": walk, "until": until}
        components = self.model_.components
        if components is None or isinstance(rows.rows, (NpyFolder, MappedRows)):
            return PairedBatches(rows, **options)
        return ComponentBatches(rows, keras.ops.convert_to_numpy(components.axes), **options)

    def _prepare(self):
        rows = self._open(self.X)
        if self.X_valid is not None:
            self._open_valid(rows)
        self._restore()
        self._rows = rows

    def _open(self, X):
        """Rows of X that can be read one by one, after scikit-learn's checks."""
        rows = open_rows(X, self.on_error)
        if isinstance(rows, (NpyFolder, MappedRows)):
            self.n_features_in_ = _check_numeric(rows).shape[1]
        else:
            rows = self._validate(_numbers("X", X))
        if isinstance(rows, NpyFolder):
            self.ids_, self.skipped_ = rows.ids, rows.skipped
        return rows

    def _validate(self, X, reset=True):
        with np.errstate(invalid="ignore"):  # scikit-learn's sum of large numbers overflows
            return validate_data(self, X, dtype="numeric", reset=reset)

    # -- use of a trained model -----------------------------------------------------------------
    def embed(self, X, batch_size=CHUNK):
        """The embedding of X: the mean of q(z | x) before the flow, transformed by the flow.

        Args:
            X: as in the constructor.
            batch_size: examples that are embedded at once; it does not change the result.

        Returns:
            float32 `(examples, dim_latent)`.

        Raises:
            ValueError: the estimator is not trained, or X has other features.

        Example:
            ```python
            z = embedder.embed(X_new)
            ```
        """
        size, rows = check_count("batch_size", batch_size), self._rows_like_trained(X)
        parts = (read(rows, chunk, dtype=None) for chunk in chunks(rows, size))
        return np.concatenate([self.model_.encode(part) for part in parts])

    def transform(self, X):
        """The same as `embed`; a data frame after `set_output(transform="pandas")`."""
        return self.embed(X)

    def decode(self, z, batch_size=CHUNK):
        """Reconstruct examples from points of the embedding: the mean of p(x | z).

        Args:
            z: `(examples, dim_latent)`.
            batch_size: points that are decoded at once.

        Returns:
            `(examples, features)`, in the units of X: float64 where float32 would cost digits, as
            for features that are far from 0 compared with their deviation; else float32.

        Raises:
            ValueError: the estimator is not trained, z has another number of columns, or is so
                large that the decoder overflows.

        Example:
            ```python
            X2 = embedder.decode(embedder.embed(X))
            ```
        """
        self._check_trained()
        with np.errstate(invalid="ignore"):  # scikit-learn's sum of large numbers overflows
            z = check_array(z, dtype="float32")
        if z.shape[1] != self.dim_latent:
            raise ValueError(
                f"z has {z.shape[1]} columns, but dim_latent is {self.dim_latent}: give as many."
            )
        size = check_count("batch_size", batch_size)
        return np.concatenate([self.model_.decode(z[chunk]) for chunk in chunks(z, size)])

    def inverse_transform(self, X):
        """The same as `decode`; X are points of the embedding."""
        return self.decode(X)

    def score(self, X, y=None):
        """The ELBO, averaged over the examples of X, in nats, for x in its own units.

        Args:
            X: as in the constructor.
            y: ignored.

        Returns:
            A number; higher is better. It is an estimate with one latent sample per example, always
            drawn from the same seed.
        """
        rows = self._rows_like_trained(X)
        shift, scale = self.model_.shift_and_scale()
        rows, total = Subset(rows, np.arange(len(rows)), shift, scale), 0.0
        for number, chunk in enumerate(chunks(rows)):
            bound, _ = importance_weighted_bound(self.model_, {"x": rows[chunk]}, 1, seed=number)
            if not np.isfinite(bound).all():
                raise ValueError(
                    "X is too far from the training data, its ELBO is not finite: remove the rows "
                    "with large numbers."
                )
            total += bound.sum()
        return float(total / len(rows) - np.log(scale).sum())

    def sample(self, n_samples=1, seed=None, n=None):
        """Generate examples: z ~ N(0, I), then the mean of p(x | z).

        Args:
            n_samples: how many.
            seed: integer; None for `random_state`, or where that is no integer, for the one that
                training drew.
            n: an older name of `n_samples`.

        Returns:
            float32 `(n_samples, features)`.

        Raises:
            ValueError: the estimator is not trained, or n_samples is not a positive integer.
        """
        self._check_trained()
        n_samples = check_count("n_samples", n_samples if n is None else n)
        rng = np.random.default_rng(self._draw_seed() if seed is None else check_seed("seed", seed))
        return self.decode(rng.standard_normal((n_samples, self.dim_latent)))

    def visualize(self, z, labels=None, categories=None, filename=None):
        """Draw an embedding, and display it where no filename is given.

        Args:
            z: `(examples, 2 or more)`, of which the first two dimensions are drawn.
            labels: classes or measurements, see `cvae_keras.plots.compression.plot_embedding`.
            categories: names of the classes, see there.
            filename: where to write it; None to display it, see
                `cvae_keras.plots.display.finish`.

        Returns:
            The matplotlib Figure.

        Raises:
            ValueError: z, labels and categories do not fit each other.
        """
        return plot_embedding(z, labels, categories, filename=filename, show=filename is None)

    def visualize_latent_grid(
        self,
        xy_range=(-4, 4),
        grid_size=20,
        shape=(28, 28),
        clip=(0, 255),
        figsize=(8, 8),
        filename=None,
    ):
        """Decode a grid over a 2-D embedding and draw it as images, each at the point it is of.

        Args:
            xy_range: the edges of the grid, on both axes; images are decoded at the centers of its
                cells.
            grid_size: cells along each axis.
            shape: of an image.
            clip: lowest and highest value shown; None for those of the images.
            figsize: width and height in inches.
            filename: where to write it; None to display it, see
                `cvae_keras.plots.display.finish`.

        Returns:
            The matplotlib Figure.

        Raises:
            ValueError: the embedding is not of 2 dimensions, shape does not fit the features, or
                a range or a size is none.
        """
        self._check_trained()
        if self.dim_latent != 2:
            raise ValueError(
                f"dim_latent is {self.dim_latent}, but a grid can be drawn for 2 only: train with "
                f"dim_latent=2."
            )
        xy_range, figsize = _pair("xy_range", xy_range), _pair("figsize", figsize, ascending=False)
        clip = None if clip is None else _pair("clip", clip)
        if int(np.prod(shape)) != self.n_features_in_:
            raise ValueError(
                f"shape {shape} does not hold {self.n_features_in_} features: give that of an "
                f"image."
            )
        points = grid_points(xy_range, check_count("grid_size", grid_size))
        images = self.decode(points).reshape(grid_size, grid_size, *shape)
        return plot_latent_grid(images, xy_range, clip, figsize, filename, show=filename is None)

    def _check_trained(self):
        if getattr(self, "model_", None) is None and self.logdir != "temp":
            self._restore()
        check_is_fitted(self)

    def _rows_like_trained(self, X):
        self._check_trained()
        rows = open_rows(X, self.on_error)
        if not isinstance(rows, (NpyFolder, MappedRows)):
            return self._validate(_numbers("X", X), reset=False)
        _check_numeric(rows)
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but CompressionVAE is expecting "
                f"{self.n_features_in_} features as input."
            )
        return rows

    # -- the model on disk ----------------------------------------------------------------------
    def save(self, logdir=None):
        """Write the trained model into a folder, from which `CompressionVAE(logdir=...)` reads it.

        Args:
            logdir: the folder; None for that of the constructor.

        Raises:
            ValueError: the estimator is not trained, or the folder cannot be used.
        """
        self._check_trained()
        self._save(logdir)

    def _save(self, logdir=None):
        parameters = {name: _plain(getattr(self, name)) for name in storage.PARAMETERS}
        storage.save(logdir or self.logdir, self.model_, parameters, {"history": self.history_})

    def _restore(self):
        """Load the model of a named logdir; without one there is no model yet."""
        self.model_, self.history_, self._given = None, [], {}
        if self.logdir == "temp" or not storage.holds_model(self.logdir):
            return
        model, parameters, training = storage.load(self.logdir)
        features = model.features
        if getattr(self, "n_features_in_", features) != features:
            raise ValueError(
                f"X has {self.n_features_in_} features, but the model in logdir {self.logdir!r} "
                f"has {features}: name another logdir."
            )
        self.model_, self.history_ = model, training["history"]
        self.n_features_in_ = features
        self._adopt(parameters)

    def _adopt(self, parameters):
        """Take the parameters of a saved model, with a warning where others were given."""
        differ = {n: v for n, v in parameters.items() if _plain(getattr(self, n)) != v}
        self._given = {name: getattr(self, name) for name in differ}
        defaults = {n: p.default for n, p in signature(type(self)).parameters.items()}
        given = {n: v for n, v in self._given.items() if _plain(v) != _plain(defaults[n])}
        if given:
            changes = ", ".join(
                f"{name}={differ[name]!r} (not {value!r})" for name, value in given.items()
            )
            warnings.warn(
                f"logdir {self.logdir!r} holds a model, whose parameters win: {changes}.",
                stacklevel=4,
            )
        for name, value in differ.items():
            setattr(self, name, value)

    # -- for scikit-learn -----------------------------------------------------------------------
    def __sklearn_is_fitted__(self):
        return getattr(self, "model_", None) is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # the output is always float32
        return tags

    @property
    def _n_features_out(self):
        return self.dim_latent


def _plain(value):
    """Numbers and lists of NumPy as those of Python, which JSON holds."""
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value


def _pair(name, value, ascending=True):
    """Two finite numbers as floats: the first below the second, or both above 0."""
    what = "two numbers, the first below the second," if ascending else "two numbers above 0,"
    try:
        first, second = (float(number) for number in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be {what} got {shown(value)}: give them.") from error
    good = first < second if ascending else min(first, second) > 0
    if not (good and np.isfinite([first, second]).all()):
        raise ValueError(f"{name} must be {what} got {shown(value)}: change them.")
    return first, second


def _check_numeric(rows):
    """The rows of a memory-mapped array or a folder, or a TypeError if they are no numbers."""
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"X must hold numbers, got dtype {rows.dtype}: convert it first.")
    return rows


def _numbers(name, X):
    """X for scikit-learn's checks: a frame of NumPy's numbers, or an array without objects."""
    if is_frame(X):
        frame = numeric_frame(name, X)
        _refuse_missing(name, frame.to_numpy(), frame.columns)
        return frame
    try:
        values = X if isinstance(X, np.ma.MaskedArray) or hasattr(X, "dtype") else np.asarray(X)
    except ValueError as error:
        raise ValueError(f"{name} has rows of different lengths: give a table.") from error
    kind = getattr(values.dtype, "kind", "")
    if kind in "mM":
        raise TypeError(f"{name} must hold numbers, got dtype {values.dtype}: convert it first.")
    own = (
        kind in ("U", "S")
        or kind == "O"
        and any(isinstance(each, (str, Integral)) or _is_missing(each) for each in values.flat)
    )
    if not (own or isinstance(values, np.ma.MaskedArray)):
        return X
    numbers = read_numbers(name, values)
    if numbers.ndim == 2:
        _refuse_missing(name, numbers, range(numbers.shape[1]))
    return numbers


def _is_missing(value):
    return value is None or type(value).__name__ == "NAType"


def _refuse_missing(name, values, columns):
    missing = np.isnan(values).any(axis=0)
    if missing.any():
        raise ValueError(
            f"{name} holds missing values (NaN) in column {columns[int(np.argmax(missing))]!r}: "
            f"fill them in first, for instance with VADImputer."
        )
