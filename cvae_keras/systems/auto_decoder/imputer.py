"""`VADImputer`: the auto-decoder as a scikit-learn transformer that fills the holes of a table."""

import warnings

import keras
import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
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


SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a fill that the donors may give


class VADImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills missing values with a variational auto-decoder; NaN is what is missing.

    A decoder and one latent for each row are trained on the observed entries, from the best linear
    model (factor analysis, by EM) onwards. A new row's latent is found from what it has, and its
    holes are filled with the mean of their posterior. Where rows come in kinds, training rows that
    fit what is observed (`Donors`) give a share of the fill, that which fills hidden cells best.

    Args:
        latent_dim: latent dimensions; by default the number of columns, at most 24. Those that the
            data do not need go unused.
        hidden: units of the decoder's hidden layers, beside which it has a linear map.
        epochs: passes over the rows; batch_size: rows a step.
        net_lr, latent_lr: learning rates of the decoder and of the latents.
        validation_share: share of the observed entries that are hidden in training; the epoch that
            fills them best is kept.
        sample_posterior: whether `transform` fills with a draw instead of the mean.
        random_state: seed of all that is random: an integer, a `RandomState` or None.
        verbose: 1 shows a progress bar.

    Attributes:
        model_: the `VariationalAutoDecoder`, of standardised columns; donor_share_: the donors'
            share; donors_: they, where that is not 0; mean_, scale_: `(columns,)`,
            the standardisation; n_features_in_, feature_names_in_: as scikit-learn has them.

    Raises:
        ValueError: infinities, strings, no observed entry at all, bad arguments.

    What holds where data are odd:

    - a column that is constant where it is observed is filled with that constant;
    - a column never observed in `fit` is filled with 0, with a warning;
    - a row with nothing observed is filled with the column means (or a draw from the prior), and is
      left out in `fit`;
    - what is observed is returned as it came, bit for bit; a table without holes too.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019; multiple imputation: Rubin, "Multiple
    imputation for nonresponse in surveys", 1987.

    Example:
        >>> filled = VADImputer(random_state=0).fit_transform(table)
        >>> pipeline = make_pipeline(VADImputer(random_state=0), StandardScaler(), Ridge())
        >>> draws = VADImputer(random_state=0).fit(table).sample(table, n_samples=20)
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
        """Train on a table `(rows, columns)` with NaN where a value is missing; y is not used."""
        epochs = check_count("epochs", self.epochs)
        batch_size = check_count("batch_size", self.batch_size)
        if not 0 <= self.validation_share < 1:
            raise ValueError(
                f"validation_share must lie in [0, 1), got {self.validation_share!r}: choose 0.1."
            )
        X = self._validate(X, reset=True)
        mask = ~np.isnan(X)
        if not mask.any():
            raise ValueError("X has no observed entry: give at least one number.")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.empty_ = ~mask.any(axis=0)
        if self.empty_.any():
            warnings.warn(
                f"columns {np.flatnonzero(self.empty_).tolist()} have no observed entry: they are "
                f"filled with 0.",
                stacklevel=2,
            )
        count = np.maximum(mask.sum(axis=0), 1)
        self.mean_ = np.where(mask, X, 0.0).sum(axis=0) / count
        deviation = np.where(mask, X - self.mean_, 0.0)
        self.scale_ = np.sqrt((deviation**2).sum(axis=0) / count)
        floor = 1e-9 * np.abs(self.mean_)  # rounding of a constant
        self.constant_ = self.scale_ <= floor
        self.scale_ = np.where(self.constant_, 1.0, self.scale_)

        x, mask = self._standardise(X)
        seen = mask.any(axis=1)
        x, mask = x[seen], mask[seen]
        rows, columns = x.shape
        latent_dim = min(columns, 24) if self.latent_dim is None else self.latent_dim
        hidden = mask * (np.random.default_rng(seed).random(mask.shape) < self.validation_share)
        hidden *= mask.sum(axis=1, keepdims=True) > 1  # a row keeps what it has alone
        shown = mask - hidden
        linear = factor_analysis(x, shown, check_count("latent_dim", latent_dim))
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
        self.model_.compile(two_rates(self.net_lr, self.latent_lr), steps_per_execution=1)
        self.model_.run_eagerly = epochs * rows < 20 * batch_size  # a graph takes longer to trace
        callbacks = [TqdmCallback(verbose=0)] if self.verbose else []
        some = np.flatnonzero(hidden.any(axis=1))[:2000]
        if len(some):
            callbacks.append(HeldOutCells(x[some], shown[some], hidden[some]))
        batches = ShuffledBatches(
            {"x": x, "mask": shown, "index": np.arange(rows, dtype="int32")[:, None]},
            min(batch_size, rows),
            seed,
        )
        self.model_.fit(batches, epochs=epochs, verbose=0, callbacks=callbacks)
        self._choose_share(x, mask, shown, hidden, some, seed)
        return self

    def _choose_share(self, x, mask, shown, hidden, some, seed):
        """What share of a fill the donors give: what fills the hidden cells of some rows best."""
        precision = self.model_.search_of(x[:1])["precision"]
        self.donor_share_ = 0.0
        if len(some):
            own = self.model_.posterior_mean(x[some], shown[some])
            donors = Donors(x, shown, self.model_.reconstruct, precision, seed)
            given = donors.fill(x[some], shown[some], own)
            where = hidden[some] > 0

            def error(share):
                return np.mean(np.square(own + share * (given - own) - x[some])[where])

            self.donor_share_ = float(min(SHARES, key=error))
        if self.donor_share_:
            self.donors_ = Donors(x, mask, self.model_.reconstruct, precision, seed)

    def transform(self, X):
        """X with its holes filled: `(rows, columns)`, of X's dtype, or as `set_output` says."""
        if self.sample_posterior:
            return self.sample(X, n_samples=1)[0]
        X = self._check(X)
        filled = X.copy()
        holes = np.isnan(X).any(axis=1)
        if holes.any():
            x, mask = self._standardise(X[holes])
            means = self.model_.posterior_mean(x, mask)
            if self.donor_share_:
                given = self.donors_.fill(x, mask, means)
                means = means + self.donor_share_ * (given - means)
            filled[holes] = self._fill(X[holes], means, np.where(mask.any(1), 1.0, 0.0)[:, None])
        return filled

    def sample(self, X, n_samples=10):
        """Multiple imputation: draws of the holes from the model's posterior, noise included.

        Args:
            X: `(rows, columns)`; n_samples: draws.

        Returns:
            NumPy array `(n_samples, rows, columns)`; two calls with an integer `random_state` give
            the same draws.

        Example:
            >>> draws = imputer.sample(table, n_samples=20)
            >>> low, high = np.quantile(draws, (0.05, 0.95), axis=0)          # 90 % intervals
        """
        X = self._check(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        x, mask = self._standardise(X)
        draws = self.model_.sample_posterior(x, mask, check_count("n_samples", n_samples), seed)
        return np.stack([self._fill(X, draw, 1.0) for draw in draws])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _validate(self, X, reset):
        kinds = [np.float64, np.float32]
        return validate_data(self, X, dtype=kinds, ensure_all_finite="allow-nan", reset=reset)

    def _check(self, X):
        check_is_fitted(self)
        return self._validate(X, reset=False)

    def _standardise(self, X):
        """Standardised values with 0 where they are missing, and the mask; both float32."""
        mask = ~np.isnan(X) & ~self.empty_
        x = np.where(mask, (X - self.mean_) / self.scale_, 0.0)
        return np.clip(x, -1e6, 1e6).astype("float32"), mask.astype("float32")

    def _fill(self, X, x_hat, known):
        """X with its holes filled from standardised x_hat; known is 0 for rows that take means."""
        values = self.mean_ + self.scale_ * np.where(self.constant_, 0.0, x_hat * known)
        return np.where(np.isnan(X), values, X).astype(X.dtype)
