"""The estimators: models with the calls of scikit-learn."""

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from cvae_keras.checks import check_count
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.rows import MappedRows, Subset, chunks, open_rows, read
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.plots.compression import plot_embedding, plot_latent_grid
from cvae_keras.systems.compression import storage as files
from cvae_keras.systems.compression.training import fit_model


class EmbeddingCalls:
    """The part of `CompressionVAE` that needs a trained model; see there.

    Example:
        >>> z = embedder.embed(X); X2 = embedder.decode(z); embedder.visualize(z)
    """

    def embed(self, X):
        """The embedding of X: the centre of q(z | x).

        Args:
            X: as in the constructor.

        Returns:
            float32 `(examples, dim_latent)`.

        Raises:
            ValueError: the estimator is not trained, or X has other features.

        Example:
            >>> z = embedder.embed(X_new)
        """
        rows = self._rows_like_trained(X)
        return np.concatenate([self.model_.encode(read(rows, chunk)) for chunk in chunks(rows)])

    def decode(self, z):
        """Examples from points of the embedding: the mean of p(x | z).

        Args:
            z: `(examples, dim_latent)`.

        Returns:
            float32 `(examples, features)`, in the units of X.

        Example:
            >>> X2 = embedder.decode(embedder.embed(X))
        """
        self._check_trained()
        z = check_array(z, dtype="float32")
        if z.shape[1] != self.dim_latent:
            raise ValueError(
                f"z has {z.shape[1]} columns, but dim_latent is {self.dim_latent}: give as many."
            )
        return np.concatenate([self.model_.decode(z[chunk]) for chunk in chunks(z)])

    def score(self, X, y=None):
        """The ELBO of an example, averaged over X, in nats, of x in its own units.

        Args:
            X: as in the constructor; y: ignored.

        Returns:
            A number; higher is better. It is an estimate with one point of z an example, always
            drawn from the same seed.
        """
        rows = self._rows_like_trained(X)
        shift, scale = (
            keras.ops.convert_to_numpy(v) for v in (self.model_.shift, self.model_.scale)
        )
        rows, total = Subset(rows, np.arange(len(rows)), shift, scale), 0.0
        for number, chunk in enumerate(chunks(rows)):
            bound, _ = importance_weighted_bound(self.model_, {"x": rows[chunk]}, 1, seed=number)
            total += bound.sum()
        return float(total / len(rows) - np.log(scale).sum())

    def sample(self, n=1, seed=None):
        """Generate n examples: z ~ N(0, I), then the mean of p(x | z).

        Args:
            n: how many; seed: integer; None for `random_state`.

        Returns:
            float32 `(n, features)`.
        """
        self._check_trained()
        rng = np.random.default_rng(self.random_state if seed is None else seed)
        return self.decode(rng.standard_normal((check_count("n", n), self.dim_latent)))

    def visualize(self, z, labels=None, categories=None, filename=None):
        """Draw an embedding; see `cvae_keras.plots.plot_embedding`."""
        return plot_embedding(z, labels, categories, filename=filename)

    def visualize_latent_grid(
        self, xy_range=(-4, 4), grid_size=20, shape=(28, 28), clip=(0, 255), filename=None
    ):
        """Decode a grid over a 2-D embedding and draw it as pictures.

        Args:
            xy_range: from, to, on both axes; grid_size: points a side; shape: of a picture; clip:
                lowest and highest value shown; filename: where to write it, or None.

        Returns:
            The matplotlib Figure.

        Raises:
            ValueError: the embedding is not of 2 dimensions, or shape does not fit the features.
        """
        self._check_trained()
        if self.dim_latent != 2:
            raise ValueError(f"dim_latent is {self.dim_latent}: a grid can be drawn for 2 only.")
        if int(np.prod(shape)) != self.n_features_in_:
            raise ValueError(f"shape {shape} does not hold {self.n_features_in_} features: fit it.")
        axis = np.linspace(*xy_range, check_count("grid_size", grid_size))
        grid = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
        pictures = self.decode(grid).reshape(grid_size, grid_size, *shape)
        return plot_latent_grid(pictures, xy_range, clip, filename)

    def _check_trained(self):
        if getattr(self, "model_", None) is None and self.logdir != "temp":
            self._restore()
        check_is_fitted(self)

    def _rows_like_trained(self, X):
        self._check_trained()
        rows = open_rows(X, self.on_error)
        if not isinstance(rows, (NpyFolder, MappedRows)):
            return validate_data(self, X, dtype="numeric", reset=False)
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but CompressionVAE is expecting "
                f"{self.n_features_in_} features as input."
            )
        return rows


#: What belongs to a model, and is restored with it.
MODEL_PARAMETERS = [
    "dim_latent",
    "iaf_flow_length",
    "cells_encoder",
    "initializer",
    "feature_normalization",
    "components",
    "beta",
    "neighbors",
    "neighbor_weight",
]


class CompressionVAE(
    EmbeddingCalls, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Dimensionality reduction that maps new data, goes back from the embedding, and generates.

    `loss = -E_q[log p(x | z)] + beta * KL(q(z | x) || N(0, I)) - weight * log p(neighbour | z)`

    A variational autoencoder with a flow posterior; the last term has z explain, beside x, which
    other examples are near it (see `cvae_keras.systems.compression.model`). Labels are never seen.

    Args:
        X: examples for `train`: array `(examples, features)`, a `numpy.memmap` of one, or the path
            of a folder tree of .npy files; `fit` brings its own.
        X_valid: the same, for the validation loss; without it a part of X is kept back.
        train_valid_split: the share of X that is trained on, in (0, 1].
        dim_latent: dimensions of the embedding.
        iaf_flow_length: steps of the inverse autoregressive flow; 0 for none.
        cells_encoder: units of the encoder's layers, the decoder's in reverse; None chooses them.
        initializer: of the dense layers, as Keras names it.
        batch_size, batch_size_test: examples of a training and of a validation batch; None for 512,
            or fewer where the data are few.
        logdir: folder of the model. One that holds a model is restored, and its parameters win over
            the arguments. "temp" starts afresh and deletes the model it wrote there before. `fit`
            writes nothing into "temp".
        feature_normalization: bring features to order one (see `preprocessing.py`).
        components: share of the variance, in (0, 1], whose principal components the networks read
            and write, at least 4 for each dimension; an embedding of up to 3 dimensions starts at
            the first of them. 1 for the features themselves, as with fewer than 5 examples a
            feature.
        tb_logging: write losses for TensorBoard into `<logdir>/tensorboard`.
        beta, neighbor_weight: weights of the loss above; None for the second is
            `300 * sqrt(features / 784 * 2 / dim_latent)`: the more features, the more there is of
            log p(x | z); the more dimensions, the less do neighbours and x compete for room.
        neighbors: how many of each example count as near, 0 for the plain VAE; at first neighbours
            of these do, too.
        num_steps: steps at most of `fit` and `train`; None chooses them from the data.
        on_error: "raise" or "skip" bad files of a folder.
        verbose: show a progress bar; random_state: integer; the same one gives the same model.

    Attributes:
        model_: the `CompressionModel`; history_: losses of each round; n_features_in_, and
        feature_names_in_ for frames; converged_: whether the last training stopped by itself.

    Source: Kingma et al., 2016 (flow); van der Maaten and Hinton, 2008 (neighbours).

    Example:
        >>> embedder = CompressionVAE(X); embedder.train()
        >>> z = embedder.embed(X); X2 = embedder.decode(z)
        >>> z = CompressionVAE(dim_latent=2).fit_transform(X)                # or this way
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
                self._rows = None  # scikit-learn wants no error here: `train` raises it

    # -- training -------------------------------------------------------------------------------
    def fit(self, X, y=None):
        """Train afresh on X (or go on with the model that a named logdir holds); y is not read.

        Args:
            X: as in the constructor; y: ignored.

        Returns:
            The estimator.

        Raises:
            ValueError, TypeError: X is not what can be trained on.
        """
        rows = self._open(X)
        self._restore()
        fit_model(self, rows, write=self.logdir != "temp")
        return self

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
    ):
        """Train on the X of the constructor; called again, it goes on from where it is.

        Ctrl-C stops it and keeps the model. The model is written to `logdir`.

        Args:
            learning_rate: the highest; it falls along a cosine.
            num_steps: batches at most; None for the estimator's, and then for a choice by the data.
            dropout_keep_prob: share of the encoder's units that training keeps; None for all.
            overwrite: forget the present model and start afresh.
            test_every: steps between looks at the validation loss; None for 30 looks.
            lr_scheduling: whether the rate falls, is divided by `lr_scheduling_factor` after
                `lr_scheduling_steps` looks without a better validation loss (and no less than a
                pass over the data), and training stops when that happens at `lr_scheduling_min`.
            checkpoint_every: steps between writings of the model.

        Returns:
            The estimator.

        Raises:
            ValueError: there is no X, an argument is out of its range, or training diverged.
        """
        if self.X is None:
            raise ValueError("X is missing: give it to CompressionVAE(X), or call fit(X).")
        if self._rows is None:
            self._prepare()
        if overwrite:
            self.model_ = None
        if self.logdir == "temp" and self.model_ is None:
            files.remove(self.logdir)
        schedule = {"high": learning_rate, "low": lr_scheduling_min, "active": lr_scheduling}
        schedule |= {"patience": lr_scheduling_steps, "factor": lr_scheduling_factor}
        fit_model(
            self,
            self._rows,
            True,
            num_steps,
            dropout_keep_prob,
            test_every,
            schedule,
            checkpoint_every,
        )

    def transform(self, X):
        """The same as `embed`; a frame where `set_output` asks for one."""
        return self.embed(X)

    def inverse_transform(self, X):
        """The same as `decode`; X are points of the embedding."""
        return self.decode(X)

    def _prepare(self):
        self._rows = self._open(self.X)
        self._restore()

    def _open(self, X):
        """Make X readable by the row, and check what scikit-learn checks."""
        rows = open_rows(X, self.on_error)
        if isinstance(rows, (NpyFolder, MappedRows)):
            self.n_features_in_ = rows.shape[1]
        else:
            rows = validate_data(self, X, dtype="numeric")
        if isinstance(rows, NpyFolder):
            self.ids_, self.skipped_ = rows.ids, rows.skipped
        return rows

    # -- the model on disk ----------------------------------------------------------------------
    def save(self, logdir=None):
        """Write the trained model into a folder, which `CompressionVAE(logdir=...)` reads."""
        self._check_trained()
        self._save(logdir)

    def _save(self, logdir=None):
        parameters = {name: getattr(self, name) for name in MODEL_PARAMETERS}
        if parameters["cells_encoder"] is not None:
            parameters["cells_encoder"] = list(parameters["cells_encoder"])
        files.save(logdir or self.logdir, self.model_, parameters, {"history": self.history_})

    def _restore(self):
        """Take up the model that a named logdir holds; else there is none yet."""
        self.model_, self.history_ = None, []
        if self.logdir == "temp" or not files.is_ours(self.logdir):
            return
        self.model_, parameters, training = files.load(self.logdir)
        self.history_ = training["history"]
        features = self.model_.features
        if getattr(self, "n_features_in_", features) != features:
            raise ValueError(
                f"X has {self.n_features_in_} features, but the model in logdir {self.logdir!r} "
                f"has {features}: name another logdir."
            )
        self.n_features_in_ = features
        files.adopt(self, parameters)

    def __sklearn_is_fitted__(self):
        return getattr(self, "model_", None) is not None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]  # what comes out is float32 always
        return tags

    @property
    def _n_features_out(self):
        return self.dim_latent
