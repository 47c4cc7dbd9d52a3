"""`VADImputer`: the auto-decoder as a scikit-learn transformer that fills missing values."""

import warnings
from dataclasses import dataclass

import keras
import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.keras import TqdmCallback

from cvae_keras.checks import check_count
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.hot_deck import Donors
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.optimizers import two_rates


class HeldOutCells(keras.callbacks.Callback):
    """Restores the weights of the epoch with the least error on held-out entries.

    Args:
        x: `(rows, features)`, with the true values of the held-out entries.
        mask: `(rows, features)`, 1 where the model observes x.
        held_out: `(rows, features)`, 1 where x is known but hidden from the model.
        every: epochs between two evaluations.
        patience: evaluations without a gain before training stops.

    Attributes:
        best: least mean squared error.
        epoch: the epoch after which it was reached (0: before training).

    Example:
        ```python
        model.fit({"x": x, "mask": mask}, callbacks=[HeldOutCells(x, mask, held_out)])
        ```
    """

    def __init__(self, x, mask, held_out, every=5, patience=4):
        super().__init__()
        self.x, self.mask, self.held_out = x, mask, held_out > 0
        self.every, self.patience = every, patience
        self.best, self.epoch, self.waited = np.inf, 0, 0

    def evaluate(self, epoch):
        """Measure the error after `epoch` epochs; keep the weights if it is the least so far."""
        x_hat = self.model.reconstruct(self.x, self.mask)
        error = float(np.mean(np.square(x_hat - self.x)[self.held_out]))
        self.waited += 1
        if error < self.best:
            self.best, self.epoch, self.waited = error, epoch, 0
            self.weights = self.model.decoder.get_weights()

    def on_train_begin(self, logs=None):
        self.evaluate(0)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self.evaluate(epoch + 1)
            self.model.stop_training = self.waited >= self.patience

    def on_train_end(self, logs=None):
        self.model.decoder.set_weights(self.weights)


@dataclass(frozen=True)
class TrainingTable:
    """The standardized training rows, and which of their observed entries are held out.

    Args:
        x: float32 `(rows, columns)`, 0 where missing.
        observed: float32 `(rows, columns)`, 1 where x is known.
        shown: float32 `(rows, columns)`, 1 where the model observes x in training.
    """

    x: np.ndarray
    observed: np.ndarray
    shown: np.ndarray

    def __len__(self):
        return len(self.x)

    @property
    def held_out(self):
        """1 where x is known but hidden in training: `(rows, columns)`."""
        return self.observed - self.shown

    def validation_rows(self, most=2000):
        """The first rows with held-out entries, as another `TrainingTable`."""
        rows = np.flatnonzero(self.held_out.any(axis=1))[:most]
        return TrainingTable(self.x[rows], self.observed[rows], self.shown[rows])


DONOR_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # candidates for the donors' share of a fill
MOST_DIMENSIONS = 24  # of the default latent_dim


class VADImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills missing values, marked by NaN, with a variational auto-decoder.

    A decoder and one latent per row are trained on the observed entries, initialized with the best
    linear model (factor analysis, by EM). The latent of a new row is inferred from its observed
    entries, and its missing entries are filled with their posterior mean. Where the rows form
    clusters, training rows that fit the observed entries (`Donors`) contribute a share of the fill;
    the share is the one with the least error on held-out entries.

    Args:
        latent_dim: number of latent dimensions; by default the number of columns, at most 24.
            Dimensions that the data do not need stay unused.
        hidden: units of the decoder's hidden layers, which a linear map bypasses.
        epochs: passes over the rows.
        batch_size: rows per step.
        net_lr: learning rate of the decoder.
        latent_lr: learning rate of the latents.
        validation_share: share of the observed entries that are held out in training; the epoch
            with the least error on them is kept.
        sample_posterior: whether `transform` fills with a draw instead of the mean.
        random_state: seed of all random numbers: an integer, a `RandomState` or None.
        verbose: 1 shows a progress bar.

    Attributes:
        model_: the `VariationalAutoDecoder` of the standardized columns.
        donor_share_: the donors' share of a fill, from 0 to 1.
        donors_: the `Donors`, if that share is not 0.
        mean_: means of the columns, `(columns,)`.
        scale_: standard deviations of the columns, 1 where constant, `(columns,)`.
        empty_: columns without an observed entry, boolean `(columns,)`.
        constant_: columns that are constant where observed, boolean `(columns,)`.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns of a DataFrame.

    Raises:
        ValueError: infinities, strings, no observed entry at all, bad arguments.

    Special cases:

    - a column that is constant where observed is filled with that constant;
    - a column without an observed entry in `fit` is filled with 0, with a warning;
    - a row without an observed entry is filled with the column means (or a draw from the prior),
      and is left out in `fit`;
    - observed values are returned unchanged, bit for bit.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019; multiple imputation: Rubin, "Multiple
    imputation for nonresponse in surveys", 1987.

    Example:
        ```python
        filled = VADImputer(random_state=0).fit_transform(table)
        pipeline = make_pipeline(VADImputer(random_state=0), StandardScaler(), Ridge())
        draws = VADImputer(random_state=0).fit(table).sample(table, n_samples=20)
        ```
    """

    def __init__(
        self,
        latent_dim=None,
        hidden=(128, 128),
        epochs=100,
        batch_size=256,
        net_lr=2e-3,
        latent_lr=0.01,
        validation_share=0.1,
        sample_posterior=False,
        random_state=None,
        verbose=0,
    ):
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.net_lr = net_lr
        self.latent_lr = latent_lr
        self.validation_share = validation_share
        self.sample_posterior = sample_posterior
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Train on a table.

        Args:
            X: `(rows, columns)`, NaN where a value is missing.
            y: not used.

        Returns:
            The fitted imputer.
        """
        self._check_arguments()
        X = self._validate(X, reset=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._fit_scaling(X)
        table = self._hold_out(X, seed)
        self._train(table, seed)
        self._choose_donors(table, seed)
        return self

    def _check_arguments(self):
        for name in ("epochs", "batch_size"):
            check_count(name, getattr(self, name))
        if self.latent_dim is not None:
            check_count("latent_dim", self.latent_dim)
        if not 0 <= self.validation_share < 1:
            raise ValueError(
                f"validation_share must lie in [0, 1), got {self.validation_share!r}: choose 0.1."
            )

    def _fit_scaling(self, X):
        """Means and scales of the columns; which of them are empty or constant."""
        observed = ~np.isnan(X)
        if not observed.any():
            raise ValueError("X has no observed entry: give at least one number.")
        self.empty_ = ~observed.any(axis=0)
        if self.empty_.any():
            warnings.warn(
                f"columns {np.flatnonzero(self.empty_).tolist()} have no observed entry: they are "
                f"filled with 0.",
                stacklevel=3,
            )
        scaler = StandardScaler().fit(np.where(self.empty_, 0.0, X.astype("float64")))
        self.mean_ = scaler.mean_
        floor = 1e-9 * np.abs(self.mean_)  # rounding errors of a constant
        self.constant_ = np.sqrt(scaler.var_) <= floor
        self.scale_ = np.where(self.constant_, 1.0, np.sqrt(scaler.var_))

    def _hold_out(self, X, seed):
        """The rows with observed entries as a `TrainingTable`, some of these entries held out."""
        x, observed = self._standardize(X)
        rows = observed.any(axis=1)
        x, observed = x[rows], observed[rows]
        drawn = np.random.default_rng(seed).random(observed.shape) < self.validation_share
        several = observed.sum(axis=1, keepdims=True) > 1  # a row keeps its only entry
        return TrainingTable(x, observed, observed * ~(drawn & several))

    def _train(self, table, seed):
        """Train `model_` from a factor analysis, and keep its best epoch on held-out entries."""
        rows, columns = table.x.shape
        latent_dim = min(columns, MOST_DIMENSIONS) if self.latent_dim is None else self.latent_dim
        linear = factor_analysis(table.x, table.shown, latent_dim)
        keras.utils.set_random_seed(seed)
        self.model_ = VariationalAutoDecoder(
            columns,
            examples=rows,
            latent_dim=latent_dim,
            hidden=self.hidden,
            activation="silu",
            skip=True,
            noise="learned",
            beta=1.0,
            seed=seed,
        )
        self.model_.start_linear(linear)
        self.model_.compile(two_rates(self.net_lr, self.latent_lr))
        small = self.epochs * rows < 20 * self.batch_size  # tracing a graph would take longer
        self.model_.run_eagerly = small
        callbacks = [TqdmCallback(verbose=0)] if self.verbose else []
        validation = table.validation_rows()
        if len(validation):
            callbacks.append(HeldOutCells(validation.x, validation.shown, validation.held_out))
        index = np.arange(rows, dtype="int32")[:, None]
        batches = ShuffledBatches(
            {"x": table.x, "mask": table.shown, "index": index}, min(self.batch_size, rows), seed
        )
        self.model_.fit(batches, epochs=self.epochs, verbose=0, callbacks=callbacks)

    def _choose_donors(self, table, seed):
        """Set the donors' share of a fill: the one with the least error on held-out entries."""
        self.donor_share_ = 0.0
        reconstruct, precision = self.model_.reconstruct, self.model_.noise_precision()
        rows = table.validation_rows()
        if len(rows):
            from_model = self.model_.posterior_mean(rows.x, rows.shown)
            donors = Donors(table.x, table.shown, reconstruct, precision, seed)
            from_donors = donors.fill(rows.x, rows.shown, from_model)

            def error(share):
                x_hat = from_model + share * (from_donors - from_model)
                return np.mean(np.square(x_hat - rows.x)[rows.held_out > 0])

            self.donor_share_ = float(min(DONOR_SHARES, key=error))
        if self.donor_share_:
            self.donors_ = Donors(table.x, table.observed, reconstruct, precision, seed)

    def transform(self, X):
        """Fill the missing entries.

        Args:
            X: `(rows, columns)`, NaN where a value is missing.

        Returns:
            `(rows, columns)`, of X's dtype, or a DataFrame after `set_output`.
        """
        if self.sample_posterior:
            return self.sample(X, n_samples=1)[0]
        X = self._check(X)
        filled = X.copy()
        incomplete = np.isnan(X).any(axis=1)
        if incomplete.any():
            x, observed = self._standardize(X[incomplete])
            x_hat = self.model_.posterior_mean(x, observed)
            if self.donor_share_:
                from_donors = self.donors_.fill(x, observed, x_hat)
                x_hat = x_hat + self.donor_share_ * (from_donors - x_hat)
            x_hat[~observed.any(axis=1)] = 0.0  # the column means
            filled[incomplete] = self._fill(X[incomplete], x_hat)
        return filled

    def sample(self, X, n_samples=10):
        """Multiple imputation: draw the missing entries from the model's posterior, with noise.

        Args:
            X: `(rows, columns)`, NaN where a value is missing.
            n_samples: number of draws.

        Returns:
            NumPy array `(n_samples, rows, columns)`; two calls with an integer `random_state` give
            the same draws.

        Example:
            ```python
            draws = imputer.sample(table, n_samples=20)
            low, high = np.quantile(draws, (0.05, 0.95), axis=0)              # 90 % intervals
            ```
        """
        X = self._check(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        x, observed = self._standardize(X)
        n_samples = check_count("n_samples", n_samples)
        draws = self.model_.sample_posterior(x, observed, n_samples, seed)
        return np.stack([self._fill(X, draw) for draw in draws])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _validate(self, X, reset):
        dtypes = [np.float64, np.float32]
        return validate_data(self, X, dtype=dtypes, ensure_all_finite="allow-nan", reset=reset)

    def _check(self, X):
        check_is_fitted(self)
        return self._validate(X, reset=False)

    def _standardize(self, X):
        """Standardized values, 0 where missing, and the mask of observed entries; both float32."""
        observed = ~np.isnan(X) & ~self.empty_
        x = np.where(observed, (X - self.mean_) / self.scale_, 0.0)
        return np.clip(x, -1e6, 1e6).astype("float32"), observed.astype("float32")

    def _fill(self, X, x_hat):
        """X with its missing entries filled from standardized x_hat."""
        values = self.mean_ + self.scale_ * np.where(self.constant_, 0.0, x_hat)
        return np.where(np.isnan(X), values, X).astype(X.dtype)
