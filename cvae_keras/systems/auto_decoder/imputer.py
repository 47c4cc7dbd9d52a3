"""`VADImputer`: the auto-decoder as a scikit-learn transformer that fills missing values."""

import warnings
from numbers import Real

import keras
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm.keras import TqdmCallback

from cvae_keras.checks import (
    check_count,
    check_fraction,
    check_positive,
    check_seed,
    merged,
    shown,
)
from cvae_keras.data.columns import Columns
from cvae_keras.data.frames import (
    EXACT,
    check_whole_numbers,
    is_frame,
    numeric_frame,
    read_numbers,
)
from cvae_keras.systems.auto_decoder.columns import FrameColumns, holds_labels
from cvae_keras.systems.auto_decoder.decoder import check_hidden
from cvae_keras.systems.auto_decoder.donor_choice import choose_donors
from cvae_keras.systems.auto_decoder.entries import Entries
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.held_out import (
    CHUNK,
    HeldOutCells,
    TrainingTable,
)
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.optimizers import two_rates

MOST_DIMENSIONS = 24  # of the default latent_dim
LEAST_WEIGHT = 1e-15  # of all donors of a cell, relative to that of the row's most similar one
COMPARED = 4096  # rows in which values that become equal are looked for
STEPS, EPOCHS = 3000, (20, 100)  # of the default training, and the fewest and most epochs
AT_ONCE = 10  # steps that TensorFlow takes at a time
EVERY = 400  # steps between two evaluations of held-out entries, or five epochs if these are fewer
SMALL, RIDGE = 10_000, 10.0  # cells of a small table; the ridge of its factor analysis, else 1
HELD_OUT, SPLITS = 1000, 5  # entries of it that are held out, in at most so many splits


class VADImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills missing values with a variational auto-decoder.

    A decoder and one latent per row are trained on the observed entries, initialized with the best
    linear model (factor analysis, by EM). The latent of a new row is inferred from its observed
    entries, and its missing entries are filled with their posterior mean. Where the rows form
    clusters, training rows that fit the observed entries (`Donors`) contribute a share of the fill;
    the share, and how they are weighted, have the least error on held-out entries.

    A DataFrame with text, categories or Booleans is a mixed table: these columns have a categorical
    likelihood, numbers a normal one, and `transform` returns a DataFrame with the index, types and
    categories of the input. A label is filled with the most probable one, whose probabilities
    `predict_proba_missing` returns.

    Whether an entry is missing must not depend on its value, given the observed entries (missing at
    random). Where it does, as for incomes that are not told because they are high, the observed
    entries do not determine the missing ones, and neither this nor any other imputer can know them:
    fills, probabilities and intervals are then biased by an amount that the table does not show.

    Args:
        latent_dim: number of latent dimensions; by default the number of columns, at most 24; a
            column of K labels counts as K - 1.
            Dimensions that the data do not need stay unused.
        hidden: units of the decoder's hidden layers, which a linear map bypasses.
        epochs: the most passes over the training rows; by default 100, or of large tables as many
            as 3,000 steps need, and at least 20. Training stops before when the error on held-out
            entries has not decreased in four evaluations, one in 400 steps or 5 epochs.
        batch_size: rows per step.
        net_lr: learning rate of the decoder.
        latent_lr: learning rate of the latents.
        validation_share: share of the observed entries of up to 2,000 rows that are held out in
            training; the step with the least error on them is kept.
        sample_posterior: whether `transform` fills with a draw instead of the mean.
        random_state: seed of all random numbers: an integer, a `RandomState`, a `Generator` or
            None.
        verbose: 1 shows a progress bar.
        missing_values: what marks a missing entry: NaN (or `pd.NA` or None, which mean the same),
            or a number. NaN is refused where a number is given.
        min_value: least value of a fill: a number, one per column, `(columns,)`, or "observed" for
            the least observed value of each column; None for no limit.
        max_value: greatest value of a fill, in the same way.
        add_indicator: whether the output has further columns, 1 where an entry was missing, for the
            columns with missing entries in `fit` (`sklearn.impute.MissingIndicator`).
        keep_empty_features: whether a column without an observed entry in `fit` is kept and filled
            with 0, or dropped.
        likelihoods: for a DataFrame, a dictionary of column -> "normal", "categorical" (also for
            numbers), "poisson" (for counts), or None, which leaves a column out: it is returned as
            it is. Columns that it does not name have one by their type.
        round_integers: whether the columns of whole numbers of a DataFrame are filled with whole
            numbers and keep their type; else they become Float64.
        subsample: the most training rows, chosen at random; None for all. Scales and limits are
            those of all rows. Beside its input and output, the imputer's memory is bounded.

    Attributes:
        model_: the `VariationalAutoDecoder` of the standardized columns.
        donor_share_: the donors' share of a fill, from 0 to 1.
        donors_: the `Donors`, or None if that share is 0.
        columns_: the `Columns`, which standardize values.
        entries_: the `Entries`, which encode them for the model.
        frame_columns_: the `FrameColumns` of a mixed table, or of one with `likelihoods` or
            `round_integers`; else None. Labels are numbered in the attributes below.
        mean_: means of the columns, without gross outliers, `(columns,)`.
        scale_: standard deviations of the columns in the same way, 1 where constant, `(columns,)`.
        empty_: columns without an observed entry, boolean `(columns,)`.
        constant_: columns whose observed values are all equal, or that have none, boolean
            `(columns,)`.
        min_value_: least values of the fills, `(columns,)`.
        max_value_: greatest values of the fills, `(columns,)`.
        indicator_: the `MissingIndicator`, or None.
        n_features_in_: number of columns.
        feature_names_in_: names of the columns of a DataFrame.

    Raises:
        TypeError: a DataFrame with a column of dates or other objects; an array after a `fit` on a
            mixed table.
        ValueError: infinities, an array of strings, no observed entry at all, a column of more than
            100 labels, bad arguments.

    Special cases:

    - a column that is constant where observed is filled with that constant;
    - a column without an observed entry in `fit` is filled with 0, with a warning;
    - a row without an observed entry is filled with the column means (or a draw from the prior),
      and is left out in `fit`;
    - a gross outlier, see `Columns`, is returned as it is, and has no effect on any fill;
    - observed values are returned unchanged, bit for bit, and all outputs are finite;
    - nullable columns and objects of a DataFrame are read as what they hold; dates are refused;
    - a label that `fit` has not seen is returned as it is, with a warning, and has no effect on any
      fill.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019; multiple imputation: Rubin, "Multiple
    imputation for nonresponse in surveys", 1987.

    Example:
        ```python
        filled = VADImputer(random_state=0).fit_transform(table)
        pipeline = make_pipeline(VADImputer(random_state=0), StandardScaler(), Ridge())
        draws = VADImputer(random_state=0).fit(table).sample(table, n_samples=20)
        imputer = VADImputer(random_state=0, likelihoods={"visits": "poisson"}).fit(frame)
        imputer.predict_proba_missing(frame)["smoker"]                    # a row per missing cell
        ```
    """

    def __init__(
        self,
        latent_dim=None,
        hidden=(128, 128),
        epochs=None,
        batch_size=256,
        net_lr=2e-3,
        latent_lr=0.01,
        validation_share=0.1,
        sample_posterior=False,
        random_state=None,
        verbose=0,
        missing_values=np.nan,
        min_value=None,
        max_value=None,
        add_indicator=False,
        keep_empty_features=True,
        likelihoods=None,
        round_integers=False,
        subsample=100_000,
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
        self.missing_values = missing_values
        self.min_value = min_value
        self.max_value = max_value
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.likelihoods = likelihoods
        self.round_integers = round_integers
        self.subsample = subsample

    def fit(self, X, y=None):
        """Train on a table.

        Args:
            X: `(rows, columns)`, NaN or `missing_values` where a value is missing.
            y: not used.

        Returns:
            The fitted imputer.
        """
        self._check_arguments()
        X = self._validate(X, reset=True)
        seed = self._draw_seed()
        self._fit_scaling(X)
        self._fit_limits()
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False).fit(X)
        splits, entries = [self._split(X, seed)], self.entries_
        refit = None
        if self._train(splits[0], seed) == 0 and splits[0].x.size <= SMALL:
            splits, refit = self._more_splits(splits[0], X, seed), self._start_linear
        self.donor_share_, self.donors_ = choose_donors(self.model_, entries, splits, seed, refit)
        return self

    def _split(self, X, seed):
        """The training rows, some of whose entries are held out."""
        return TrainingTable.of(X, self.entries_, self.validation_share, self.subsample, seed)

    def _more_splits(self, table, X, seed):
        """As many splits as it takes to hold out `HELD_OUT` entries, at most `SPLITS`."""
        count = HELD_OUT / np.sum(table.observed - table.shown)
        others = [self._split(X, seed + number) for number in range(1, min(int(count), SPLITS))]
        return [table, *(split for split in others if len(split.validated))]

    def _start_linear(self, x, mask):
        self.model_.start_linear(self._linear(x, mask))

    def _linear(self, x, mask):
        """The best linear model of the entries of a mask."""
        entries, latent_dim = self.entries_, self.latent_dim
        latent_dim = min(entries.dimensions, MOST_DIMENSIONS) if latent_dim is None else latent_dim
        x, ridge = entries.linear(x), RIDGE if x.size <= SMALL else 1.0
        return factor_analysis(x, mask, latent_dim, ridge=ridge, labels=entries.slices)

    def _check_arguments(self):
        check_count("batch_size", self.batch_size)
        for name in ("epochs", "latent_dim", "subsample"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        check_hidden(self.hidden)
        for name in ("net_lr", "latent_lr"):
            check_positive(name, getattr(self, name))
        check_fraction("validation_share", self.validation_share)
        mark = self.missing_values
        if not _is_nan(mark) and (isinstance(mark, bool) or not isinstance(mark, Real)):
            raise ValueError(
                f"missing_values must be NaN or a number, got {shown(mark)}: replace that mark by "
                f"NaN."
            )

    def _draw_seed(self):
        if isinstance(self.random_state, np.random.Generator):
            return check_seed("random_state", self.random_state)
        if not isinstance(self.random_state, (np.random.RandomState, type(None))):
            check_count("random_state", self.random_state, most=2**32 - 1, least=0)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _fit_scaling(self, X):
        """Means and scales of the columns; which of them are empty or constant."""
        if np.isnan(X).all():
            raise ValueError("X has no observed entry: give at least one number.")
        self.columns_ = columns = Columns(X)
        self.empty_, self.constant_ = columns.empty, columns.constant
        self.mean_, self.scale_ = columns.mean, columns.scale
        kinds, sizes = ["normal"] * X.shape[1], [0] * X.shape[1]
        if self.frame_columns_ is not None:
            kinds, sizes = self.frame_columns_.kinds, self.frame_columns_.sizes
        self.entries_ = Entries(X, columns, kinds, sizes)
        if self.empty_.any():
            warnings.warn(
                f"columns {np.flatnonzero(self.empty_).tolist()} have no observed entry: they are "
                f"{'filled with 0' if self.keep_empty_features else 'dropped'}.",
                stacklevel=3,
            )
        some = X[:: -(-len(X) // COMPARED)]
        read = self.entries_.observed(some) & self.entries_.normal
        z = np.where(read, columns.standardize(some), np.nan).astype("float32")
        if equal := merged(np.where(read, some, np.nan), z):
            warnings.warn(
                f"columns {equal} hold distinct values that become equal in float32, because they "
                f"differ by too little beside the spread of the column: give their logarithms or "
                f"ranks, or split the column.",
                stacklevel=3,
            )

    def _fit_limits(self):
        limits = []
        for name, observed in (("min_value", "low"), ("max_value", "high")):
            value, none = getattr(self, name), -np.inf if name == "min_value" else np.inf
            if isinstance(value, str) and value == "observed":
                value = np.where(self.empty_, none, getattr(self.columns_, observed))
            limit = read_numbers(name, none if value is None else value).astype("float64")
            if limit.shape not in ((), (self.n_features_in_,)) or np.isnan(limit).any():
                raise ValueError(
                    f"{name} must be a number, one per column, ({self.n_features_in_},), or "
                    f"'observed', got {value!r}: choose one of these."
                )
            limits.append(np.where(self.entries_.labels, none, limit))
        self.min_value_, self.max_value_ = limits
        if wrong := np.flatnonzero(~(limits[0] <= limits[1])).tolist():
            raise ValueError(
                f"min_value must not be above max_value, got {limits[0][wrong[0]]} and "
                f"{limits[1][wrong[0]]} for column {wrong[0]}: exchange them."
            )

    def _train(self, table, seed):
        """Train `model_` from a factor analysis, and keep its best step on held-out entries.

        Returns the number of that step, 0 for the factor analysis; None if no entry is held out.
        """
        rows, columns = table.x.shape
        batch_size = min(int(self.batch_size), rows)
        epochs = self.epochs or int(np.clip(STEPS * batch_size // rows, *EPOCHS))
        entries, linear = self.entries_, self._linear(table.x, table.shown)
        keras.utils.set_random_seed(seed)
        self.model_ = VariationalAutoDecoder(
            columns,
            examples=rows,
            latent_dim=len(linear["kernel"]),
            hidden=self.hidden,
            activation="silu",
            skip=True,
            noise="learned",
            beta=1.0,
            seed=seed,
            columns=entries.likelihoods,
        )
        self.model_.start_linear(linear)
        small = epochs * rows < 20 * batch_size  # tracing a graph would take longer
        several = keras.backend.backend() == "tensorflow" and not small  # JAX compiles each step
        at_once = min(AT_ONCE, rows // batch_size) if several else 1
        self.model_.compile(two_rates(self.net_lr, self.latent_lr), steps_per_execution=at_once)
        self.model_.run_eagerly = small
        callbacks, look = [TqdmCallback(verbose=0)] if self.verbose else [], None
        index = np.arange(rows, dtype="int32")[:, None]
        batches = ShuffledBatches(
            {"x": table.x, "mask": table.shown, "index": index}, batch_size, seed
        )
        if len(table.validated):
            every, mixed = min(5 * len(batches), EVERY), entries if entries.likelihoods else None
            held_out = (*table.validation(), table.validated)
            look = HeldOutCells(*held_out, every=every, entries=mixed)
            callbacks.append(look)
        self.model_.fit(batches, epochs=epochs, verbose=0, callbacks=callbacks)
        if not all(np.isfinite(weight).all() for weight in self.model_.get_weights()):
            raise ValueError(
                f"the training has diverged with net_lr={self.net_lr} and "
                f"latent_lr={self.latent_lr}: choose smaller ones."
            )
        return None if look is None else look.step

    def transform(self, X):
        """Fill the missing entries.

        Args:
            X: `(rows, columns)`, NaN or `missing_values` where a value is missing.

        Returns:
            `(rows, columns)`, of X's dtype, or a DataFrame after `set_output`; of a mixed table
            always a DataFrame, of X's types. Without the columns that are dropped and with those of
            the indicator, see `get_feature_names_out`.
        """
        if self.sample_posterior:
            return self.sample(X, n_samples=1)[0]
        given, X = X, self._check(X)
        filled, incomplete = X.copy(), np.flatnonzero(np.isnan(X).any(axis=1))
        for first in range(0, len(incomplete), CHUNK):
            rows = incomplete[first : first + CHUNK]
            filled[rows] = self._fill(X[rows], self._means(X[rows]))
        return self._arrange(X, filled, given)

    def _means(self, X):
        """Posterior means of the entries of these rows: values, probabilities and rates."""
        x, observed = self._standardize(X)
        if not self.donor_share_:
            x_hat = self.model_.posterior_mean(x, observed)
        else:
            total, sums = self.donors_.sums(x, observed)
            x_hat = sums / np.maximum(total, LEAST_WEIGHT)
            shares = np.where(total < LEAST_WEIGHT, 0.0, self.donor_share_)
            if len(rows := np.flatnonzero(((shares < 1.0) & (observed == 0)).any(axis=1))):
                from_model = self.model_.posterior_mean(x[rows], observed[rows])
                x_hat[rows] = from_model + shares[rows] * (x_hat[rows] - from_model)
        x_hat[~observed.any(axis=1)] = self.entries_.center
        return x_hat

    def predict_proba_missing(self, X):
        """The probabilities of the labels of each missing cell.

        Args:
            X: a DataFrame with the columns of `fit`.

        Returns:
            Dictionary of column -> DataFrame, one row per missing cell with the index of X, one
            column per label; for each categorical column.

        Raises:
            ValueError: `fit` has had an array, or a DataFrame of numbers alone.

        Example:
            ```python
            imputer.predict_proba_missing(frame)["smoker"].loc[17, "yes"]
            ```
        """
        given, X = X, self._check(X)
        columns = self.frame_columns_
        if columns is None:
            raise ValueError(
                "X has no column of labels: fit a DataFrame with text, categories or Booleans."
            )
        missing, found = np.isnan(X) & self.entries_.labels, {}
        x_hat = np.zeros((len(X), len(self.entries_)))
        if (rows := missing.any(axis=1)).any():
            x_hat[rows] = self._means(X[rows])
        at = np.flatnonzero(self.entries_.labels)
        for j, part in zip(at, self.entries_.slices, strict=True):
            p = x_hat[missing[:, j], part]
            p = p / p.sum(axis=1, keepdims=True)
            index = given.index[missing[:, j]]
            found[columns.names[j]] = pd.DataFrame(p, index, columns.labels[j])
        return found

    def sample(self, X, n_samples=10):
        """Multiple imputation: draw the missing entries from the model's posterior, with noise.

        Args:
            X: `(rows, columns)`, NaN or `missing_values` where a value is missing.
            n_samples: number of draws.

        Returns:
            NumPy array `(n_samples, rows, columns)`, with the columns of `transform`, or a list of
            DataFrames if X is a mixed table; two calls with an integer `random_state` give the same
            draws. In a mixed table the donors have their share of the draws too; else draws are of
            the model alone. That its weights are estimated is left out. Estimates from each table
            are combined by `pool`.

        Example:
            ```python
            draws = imputer.sample(table, n_samples=20)
            low, high = np.quantile(draws, (0.05, 0.95), axis=0)              # 90 % intervals
            ```
        """
        given, X = X, self._check(X)
        seed, n_samples = self._draw_seed(), check_count("n_samples", n_samples)
        rng = np.random.default_rng([seed, 1])
        filled = np.empty((n_samples, *X.shape), X.dtype)
        for first in range(0, len(X), CHUNK):
            part = slice(first, first + CHUNK)
            x, observed = self._standardize(X[part])
            draws = self.model_.sample_posterior(x, observed, n_samples, seed)
            if self.entries_.likelihoods and self.donor_share_:
                draws = self.donors_.draw(x, observed, draws, self.donor_share_, rng)
            for table, draw in zip(filled, draws, strict=True):
                table[part] = self._fill(X[part], draw)
            seed = check_seed("seed", rng)  # of the next rows
        if self.frame_columns_ is None and self.indicator_ is None and self._kept().all():
            return filled
        tables = [self._arrange(X, table, given) for table in filled]
        return np.stack(tables) if self.frame_columns_ is None else tables

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of the output: an array of strings.

        Args:
            input_features: names of the columns of the input; by default those seen in `fit`, or
                "x0", "x1", ...
        """
        check_is_fitted(self)
        names = super().get_feature_names_out(input_features)
        if self.indicator_ is None:
            return names[self._kept()]
        added = self.indicator_.get_feature_names_out(names)
        return np.concatenate([names[self._kept()], added])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = _is_nan(self.missing_values)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _validate(self, X, reset):
        """X as a float64 or float32 array, NaN where a value is missing, and labels by number."""
        given = X
        if reset:
            self.frame_columns_ = self._frame_columns(X)
        if self.frame_columns_ is not None:
            X = self._read_frame(X)
        elif is_frame(X):
            X = numeric_frame("X", X)
        elif isinstance(X, np.ma.MaskedArray):
            X = read_numbers("X", X)
        elif isinstance(X, (np.ndarray, list, tuple)):
            X = _without_nulls(X)
        marked = not _is_nan(self.missing_values)
        finite = True if marked else "allow-nan"
        dtypes = [np.float64, np.float32]
        with np.errstate(invalid="ignore"):  # scikit-learn sums large numbers, which overflows
            X = validate_data(self, X, dtype=dtypes, ensure_all_finite=finite, reset=reset)
        if not is_frame(given) and (np.abs(X) >= EXACT).any():
            check_whole_numbers("X", np.asarray(given, dtype=object), X)
        return np.where(X == self.missing_values, np.array(np.nan, X.dtype), X) if marked else X

    def _frame_columns(self, X):
        """The `FrameColumns` of a DataFrame that needs them, or None."""
        asked = self.likelihoods is not None or bool(self.round_integers)
        if not is_frame(X):
            if asked:
                raise ValueError(
                    f"likelihoods and round_integers need a DataFrame, whose columns have names "
                    f"and types, got {type(X).__name__}: give pandas.DataFrame(X)."
                )
            return None
        if not asked and not holds_labels(X):
            return None
        if not _is_nan(self.missing_values):
            raise ValueError(
                f"missing_values must be NaN for a DataFrame with labels, likelihoods or "
                f"round_integers, got {shown(self.missing_values)}: replace that mark by NaN."
            )
        return FrameColumns(X, self.likelihoods)

    def _read_frame(self, X):
        """A mixed table as numbers; labels that `fit` has not seen are warned of."""
        if not is_frame(X):
            raise TypeError(
                f"X must be a DataFrame with the columns of fit, got {type(X).__name__}: give one."
            )
        found, columns = self.frame_columns_.read(X), self.frame_columns_
        labels = [name for name, each in zip(columns.names, columns.labels, strict=True) if each]
        if odd := [name for name in labels if name in found and (found[name] < 0).any()]:
            warnings.warn(
                f"columns {odd} hold labels that fit has not seen: they are returned as they are, "
                f"and have no effect on any fill.",
                stacklevel=4,
            )
        return found

    def _check(self, X):
        check_is_fitted(self)
        return self._validate(X, reset=False)

    def _standardize(self, X):
        """The entries of the rows, 0 where missing, and the mask of observed ones; both float32.

        Gross outliers count as missing.
        """
        return self.entries_.encode(X)

    def _fill(self, X, x_hat):
        """X with its missing values filled from the entries x_hat."""
        values = np.clip(self.entries_.restore(x_hat), self.min_value_, self.max_value_)
        most = np.finfo(X.dtype).max
        return np.where(np.isnan(X), np.clip(values, -most, most).astype(X.dtype), X)

    def _kept(self):
        """The columns of the output, boolean `(columns,)`."""
        return ~self.empty_ | bool(self.keep_empty_features)

    def _arrange(self, X, filled, given):
        """The output: without dropped columns, and with those of the indicator."""
        if self.frame_columns_ is not None:
            rounds = bool(self.round_integers)
            frame = self.frame_columns_.restore(given, np.isnan(X), filled, rounds)
            frame = frame.loc[:, self._kept()]
            if self.indicator_ is None:
                return frame
            added = self.indicator_.transform(X).astype(X.dtype)
            names = self.get_feature_names_out()[frame.shape[1] :]
            return frame.assign(**dict(zip(names, added.T, strict=True)))
        filled = filled if self._kept().all() else filled[:, self._kept()]
        if self.indicator_ is None:
            return filled
        return np.hstack([filled, self.indicator_.transform(X).astype(X.dtype)])


def _is_nan(value):
    """Whether this mark of a missing entry is NaN, None or `pd.NA`."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, Real) and bool(np.isnan(value))


def _without_nulls(X):
    """Arrays and lists of objects with NaN in place of `pd.NA`; others as they are."""
    array = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    if array.dtype.kind != "O":
        return X
    null = np.frompyfunc(lambda value: type(value).__name__ == "NAType", 1, 1)(array)
    return np.where(null.astype(bool), np.nan, array) if np.any(null) else X
