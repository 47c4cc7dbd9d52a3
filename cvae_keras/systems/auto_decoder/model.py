"""The Variational Auto-Decoder (Zadeh et al., 2019): a decoder and one free latent per example.

| slot | filled with |
|---|---|
| posterior | a free table, one (mean, log_var) per example |
| prior | N(0, I) |
| condition | none |
| likelihood | squared error over the observed entries, or a Normal with learned scales |
| special | at test time the latents of new rows are inferred from their observed entries |
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import (
    check_choice,
    check_count,
    check_finite,
    check_fraction,
    check_seed,
)
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.likelihoods import Normal, SquaredError
from cvae_keras.parts.posteriors import FreeTablePosterior
from cvae_keras.parts.priors import StandardNormal
from cvae_keras.systems.auto_decoder.column_likelihood import ColumnLikelihood
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder, check_hidden
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.inference import infer_latents
from cvae_keras.systems.auto_decoder.laplace import posterior_draws, posterior_mean
from cvae_keras.systems.auto_decoder.rows import read_rows
from cvae_keras.systems.auto_decoder.table_prior import table_posterior_mean
from cvae_keras.training.batches import Batches
from cvae_keras.training.optimizers import TwoRates

INITS = {"zeros": 0.0, "normal": 0.001, "pca": 0.0}
NOISES = ("fixed", "learned")
REDUCTIONS = ("elbo", "original")
PRIORS = ("normal", "table")


@keras.saving.register_keras_serializable("cvae_keras")
class VariationalAutoDecoder(ELBOModel):
    """A decoder trained jointly with one free latent per example, for data with missing entries.

    `loss = sum_d m_d (x_d - f(z)_d)^2 + beta * KL(q_i(z) || N(0, I))`, z ~ q_i, mean over examples

    Args:
        features: width of x.
        examples: number of training examples, the rows of the table.
        latent_dim: number of latent dimensions.
        hidden: units of the decoder's hidden layers.
        activation: of the decoder's hidden layers, see `DenseDecoder`.
        layer_norm: whether each layer of the decoder normalizes its input.
        dropout: share of hidden units left out in training, in [0, 1).
        skip: whether a linear map of z is added to the decoder's output.
        variant: "vae_free" (learned variances), "vae" (fixed at `log_var`) or "ae" (no noise).
        log_var: log-variances of the table, initially ("vae_free") or always ("vae").
        latent_init: initial means: "zeros", "normal" (standard deviation 0.001) or "pca": whitened
            principal components of the data; with missing entries the posteriors of a factor
            analysis, whose variances are used too. (Zadeh et al. start every row at the components'
            shares of the variance instead.)
        noise: "fixed" is the squared error above; "learned" a Normal with one scale per feature.
        beta: weight of the KL term; 0 turns it off. With fixed noise it is twice the noise variance
            that the model assumes.
        reduction: "elbo" sums over the observed entries; "original" averages over those of each
            example, as Zadeh et al. do.
        columns: None, or what `ColumnLikelihood` takes: a likelihood for each column of a table, as
            `[["normal", 1], ["categorical", 3]]` for 4 features. It needs noise "learned" and
            reduction "elbo".
        seed: of the samples, the initial table and the dropout; initial weights follow
            `keras.utils.set_random_seed`.

    Call arguments:
        inputs: dictionary of `x` `(batch, features)`; `index` `(batch, 1)`, its rows in the table;
            and `mask` `(batch, features)`, 1 where observed; without a mask all is observed. Where
            the mask is 0, x may be anything, also NaN. x keeps its unit: bring its columns to a
            scale near 1 first.

    Returns:
        The terms of `ELBOModel` and `mse` `(batch,)`, the mean square over observed entries.

    Raises:
        ValueError: an unknown name, a negative weight, arrays that do not fit.

    Source: Zadeh, Lim, Liang and Morency, "Variational Auto-Decoder: a method for neural generative
    modeling from incomplete data", 2019.

    Example:
        ```python
        model = VariationalAutoDecoder(784, examples=len(x), beta=0.02)
        model.compile(two_rates(1e-3, 0.1))
        model.fit({"x": x, "mask": mask}, batch_size=32, epochs=30)
        filled = model.impute(x_test, mask_test)
        draws = model.sample(n_samples=10)                      # (10, 784), from the prior
        ```
    """

    def __init__(
        self,
        features,
        examples,
        latent_dim=50,
        hidden=(200, 200),
        activation="relu",
        layer_norm=False,
        dropout=0.0,
        skip=False,
        variant="vae_free",
        log_var=-3.0,
        latent_init="normal",
        noise="fixed",
        beta=0.02,
        reduction="elbo",
        seed=0,
        columns=None,
        **kwargs,
    ):
        check_choice("latent_init", latent_init, INITS)
        check_choice("noise", noise, NOISES)
        check_choice("reduction", reduction, REDUCTIONS)
        features, examples = check_count("features", features), check_count("examples", examples)
        latent_dim, seed = check_count("latent_dim", latent_dim), check_seed("seed", seed)
        likelihood = Normal("decoder", min_log_scale=-4.0) if noise == "learned" else SquaredError()
        if columns is not None:
            likelihood = ColumnLikelihood(columns)
            fits = likelihood.entries == features
            if noise != "learned" or reduction != "elbo" or not fits:
                raise ValueError(
                    f"columns need noise='learned', reduction='elbo' and as many entries as "
                    f"features, got {noise!r}, {reduction!r} and {likelihood.entries} for "
                    f"{features}: change these."
                )
        learned, layer_norm, skip = noise == "learned", bool(layer_norm), bool(skip)
        layers = {
            "activation": activation,
            "layer_norm": layer_norm,
            "dropout": check_fraction("dropout", dropout),
        }
        layers |= {"hidden": check_hidden(hidden), "skip": skip}
        table = {"variant": variant, "log_var": check_finite("log_var", log_var)}
        super().__init__(
            posterior=FreeTablePosterior(
                examples, latent_dim, scale=INITS[latent_init], seed=seed, **table
            ),
            prior=StandardNormal(latent_dim),
            decoder=DenseDecoder(latent_dim, features, noise=learned, seed=seed, **layers),
            likelihood=likelihood,
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.options = {"features": features, "examples": examples, "latent_dim": latent_dim}
        self.options |= {**layers, **table, "latent_init": latent_init, "noise": noise}
        self.options |= {"reduction": reduction, "seed": seed}
        self.options |= {} if columns is None else {"columns": [list(c) for c in columns]}
        self.started = self.add_weight((), "zeros", trainable=False, name="started")
        self({"x": ops.zeros((1, features)), "index": ops.zeros((1, 1), "int32")})

    # -- training -------------------------------------------------------------------------------
    def compile(self, optimizer="adam", **kwargs):
        """As `keras.Model.compile`; `two_rates` learns which variables are the latents."""
        super().compile(optimizer, **kwargs)
        if isinstance(self.optimizer, TwoRates):
            self.optimizer.select_latents(self.posterior.weights)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def term_names(self):
        return ["elbo", "reconstruction", "mse"]

    def extra_terms(self, x, c, mask, x_hat, w):
        squares = ops.square(x - self.likelihood.mean(x_hat)[0])
        if mask is None:
            observed = ops.full_like(squares[:, 0], self.options["features"])
        else:
            mask = ops.cast(mask, "float32")
            squares, observed = squares * mask, ops.maximum(ops.sum(mask, axis=-1), 1.0)
        return {"mse": ops.sum(squares, axis=-1) / observed, "observed": observed}

    def loss_per_example(self, terms):
        if self.options["reduction"] == "original":
            terms = {**terms, "log_likelihood": terms["log_likelihood"] / terms["observed"]}
        return super().loss_per_example(terms)

    def check_inputs(self, inputs):
        """Refuse arrays that the model cannot train on; rows without an index are numbered.

        x becomes 0 where it is missing.
        """
        x, mask = read_rows(inputs, self.options["features"])
        arrays = {"x": x} if mask is None else {"x": x, "mask": mask}
        examples = self.options["examples"]
        index = np.asarray(inputs.get("index", np.arange(len(x)))).reshape(-1)
        if index.dtype.kind not in "fiu":
            raise TypeError(f"index must hold whole numbers, got dtype {index.dtype}: number them.")
        if len(index) != len(x) or len(np.unique(index)) < len(index):
            raise ValueError(
                f"index must hold a different number for each of the {len(x)} rows of x, "
                f"got {len(np.unique(index))} different ones among {len(index)}: number the rows."
            )
        if index.dtype.kind not in "iu" and not np.all(np.mod(index, 1) == 0):
            raise ValueError("index must hold whole numbers: give the rows' numbers in the table.")
        if index.min() < 0 or index.max() >= examples:
            raise ValueError(
                f"index runs from {index.min()} to {index.max()}, but the table has {examples} "
                f"rows: create the model with examples={index.max() + 1}."
            )
        return {**arrays, "index": index.astype("int32")[:, None]}

    def check_batch(self, inputs):
        """Refuse a batch without one row of the table for each of its rows."""
        rows, examples = len(inputs["x"]) if "x" in inputs else 0, self.options["examples"]
        give = f"give one row of the table for each row of x, 0 to {examples - 1}."
        if "index" not in inputs:
            raise ValueError(f"index is missing in a batch: {give}")
        index = inputs["index"]
        if index.shape not in ((rows,), (rows, 1)):
            raise ValueError(
                f"index has shape {index.shape} for {rows} rows of x in a batch: {give}"
            )
        if index.dtype.kind not in "fiu" or not np.all(np.floor(index) == index):
            raise ValueError(f"index does not hold whole numbers in a batch: {give}")
        if rows and not 0 <= index.min() <= index.max() < examples:
            raise ValueError(f"index runs from {index.min()} to {index.max()} in a batch: {give}")

    def fit(self, x=None, y=None, *args, sample_weight=None, validation_data=None, **kwargs):
        """As `ELBOModel.fit`; with latent_init "pca" the first call initializes the table.

        Whether it is initialized is a weight of the model, which is saved: compiling again and
        loading change nothing. Validation data are rows of the table as well, and need an index
        unless they are as many: the latents of new rows are inferred, see `reconstruct`.
        """
        if x is None or isinstance(x, (dict, list, tuple, np.ndarray)):  # before the start
            x, y = self._checked(x, y, sample_weight)
        self._check_numbered(validation_data)
        refused = kwargs.get("class_weight") is not None or (
            y is not None and not isinstance(x, dict)
        )
        if self.compiled and not refused:
            self._start(x)
        data = {"validation_data": validation_data}
        data |= {} if isinstance(x, dict) else {"sample_weight": sample_weight}
        return super().fit(x, y, *args, **data, **kwargs)

    def _start(self, x):
        """Initialize the table with principal components, unless it has been initialized."""
        if self.options["latent_init"] != "pca" or ops.convert_to_numpy(self.started) > 0:
            self.started.assign(1.0)
            return
        arrays = x.arrays if isinstance(x, Batches) else x
        if not isinstance(arrays, dict):
            raise ValueError(
                f"latent_init 'pca' needs all rows at once, got {type(x).__name__}: fit on a "
                f"dictionary of arrays or on ShuffledBatches."
            )
        arrays = self.check_inputs(arrays)
        start = principal_components(arrays["x"], arrays.get("mask"), self.options["latent_dim"])
        rows, tables = arrays["index"][:, 0], (self.posterior.mean, self.posterior.log_var)
        for variable, values in zip(tables, start, strict=True):
            if variable is not None and values is not None:
                table = ops.convert_to_numpy(variable).copy()
                table[rows] = values
                variable.assign(table)
        self.started.assign(1.0)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `ELBOModel.evaluate`, on rows of the table."""
        self._check_numbered(x)
        return super().evaluate(x, y, *args, **kwargs)

    def _on_batch(self, method, x, *args, **kwargs):
        self._check_numbered(x)
        train = method == "train_on_batch"
        if (
            train
            and self.options["latent_init"] == "pca"
            and not ops.convert_to_numpy(self.started)
        ):
            raise ValueError(
                "latent_init 'pca' needs all rows at once, got a batch: call fit before "
                "train_on_batch, or create the model with latent_init='normal'."
            )
        logs = super()._on_batch(method, x, *args, **kwargs)
        if train:
            self.started.assign(1.0)
        return logs

    def _check_numbered(self, data):
        """Refuse rows without an index that are not as many as the table has."""
        x = data[0] if isinstance(data, (tuple, list)) and data else data
        if not isinstance(x, dict) or "index" in x or "x" not in x:
            return
        if len(x["x"]) != self.options["examples"]:
            raise ValueError(
                f"the inputs hold {len(x['x'])} rows without an index, and the table has "
                f"{self.options['examples']}: give their index in the table; new rows have no "
                f"latents there, use `reconstruct` or `laplace_bound` for them."
            )

    def start_linear(self, fit):
        """Initialize decoder and table with a linear model of the data.

        Args:
            fit: result of `factor_analysis` for all rows.

        Raises:
            ValueError: the model has no linear map or no learned noise, or the shapes differ.
        """
        if not self.options["skip"] or self.options["noise"] != "learned":
            raise ValueError(
                f"start_linear needs skip=True and noise='learned', got skip="
                f"{self.options['skip']} and noise={self.options['noise']!r}: create the model so."
            )
        self.decoder.skip.kernel.assign(fit["kernel"])
        self.decoder.layers[-1].bias.assign(fit["mean"])
        self.decoder.log_scale.assign(0.5 * np.log(fit["variance"]))
        self.posterior.mean.assign(fit["z"])
        if self.posterior.log_var is not None:
            self.posterior.log_var.assign(np.log(fit["z_variance"]))
        self.started.assign(1.0)

    # -- at test time: the decoder is frozen ----------------------------------------------------
    def find_latents(self, x, mask=None, **options):
        """Infer the latents of new rows from their observed entries; the decoder is frozen.

        Args:
            x: `(batch, features)`, anything where it is missing, also NaN.
            mask: `(batch, features)`, 1 where observed; None if all is observed.
            **options: `method`, `steps`, `init`, ... of `infer_latents`.

        Returns:
            NumPy array `(batch, latent_dim)`, float32.

        Raises:
            ValueError: arrays that do not fit the model, an unknown option.

        Example:
            ```python
            z = model.find_latents(x_test, mask_test)
            ```
        """
        return infer_latents(**self.search_of(x, mask), **options)

    def reconstruct(self, x, mask=None, **options):
        """f(z) of the latents from `find_latents`: NumPy `(batch, features)`, float32."""
        return self.decode(self.find_latents(x, mask, **options))

    def impute(self, x, mask, **options):
        """x where observed, its reconstruction elsewhere: NumPy `(batch, features)`, float32."""
        x, mask = read_rows({"x": x, "mask": mask}, self.options["features"])
        return x if mask is None else np.where(mask > 0, x, self.reconstruct(x, mask, **options))

    def posterior_mean(self, x, mask, prior="normal", starts=20, start=None):
        """As `reconstruct`, but averaged over the posterior of z, by its Laplace approximation.

        Args:
            x: `(batch, features)`, anything where it is missing, also NaN.
            mask: `(batch, features)`, 1 where observed; None if all is observed.
            prior: "normal", N(0, I), and one mode; or "table", a kernel at the latent of each
                training row and several modes, see `table_posterior_mean`, which is better where
                much is missing and several kinds of rows fit what is observed.
            starts: with "table", the number of modes of each row that are searched.
            start: with "normal", latents from which the search starts, `(batch, latent_dim)`.

        Raises:
            ValueError: an unknown prior, "table" for columns with likelihoods of their own, or
                arrays that do not fit the model.
        """
        check_choice("prior", prior, PRIORS)
        search = self.search_of(x, mask)
        if prior == "normal":
            return posterior_mean(**search, start=start)
        if "likelihood" in search:
            raise ValueError("prior 'table' is for squared errors, not for columns: use 'normal'.")
        return table_posterior_mean(**search, starts=starts)

    def sample_posterior(self, x, mask=None, n_samples=1, seed=0):
        """Draw the missing entries: z from the Laplace approximation of its posterior, and noise.

        Args:
            x: `(batch, features)`, anything where it is missing, also NaN.
            mask: `(batch, features)`, 1 where observed; None if all is observed.
            n_samples: number of draws.
            seed: of the draws.

        Returns:
            NumPy array `(n_samples, batch, features)`: x where observed, a draw elsewhere.

        Example:
            ```python
            draws = model.sample_posterior(x, mask, n_samples=20, seed=0)
            low, high = np.quantile(draws, (0.05, 0.95), axis=0)              # 90 % intervals
            ```
        """
        search = self.search_of(x, mask)
        draws = posterior_draws(**search, n_samples=check_count("n_samples", n_samples), seed=seed)
        return np.where(search["mask"] > 0, search["x"], draws)

    def decode(self, z):
        """The mean of p(x | z): z `(batch, latent_dim)` gives `(batch, features)`, float32."""
        x_hat = self.decoder(ops.convert_to_tensor(z)[None], training=False)
        return ops.convert_to_numpy(self.likelihood.mean(x_hat))[0]

    def predict(self, x, batch_size=None, **kwargs):
        """Reconstructions, NumPy `(batch, features)`, float32.

        Args:
            x: dictionary of `x` and `mask`. With `index` these are training rows, reconstructed
                from the table; without it their latents are inferred, as by `reconstruct`. Or
                batches that hold an `index`.
            batch_size: rows at a time.
            **kwargs: as for `keras.Model.predict`; not used where latents are inferred.
        """
        if isinstance(x, dict) and "x" in x and "index" not in x:
            return self.reconstruct(x["x"], x.get("mask"), batch_size=batch_size or 1000)
        return super().predict(x, batch_size=batch_size, **kwargs)

    def check_condition(self, c):
        if c is not None:
            raise ValueError(
                f"c must be None, got {type(c).__name__}: an auto-decoder has no condition; "
                f"`sample_posterior` draws the missing entries of rows."
            )

    def generate(self, n, seed=0):
        """The older name of `sample(n_samples=n, seed=seed)`: NumPy `(n, features)`, float32."""
        return self.sample(n_samples=n, seed=seed)

    def noise_precision(self):
        """One over the noise variance of each feature, `(features,)`; 2.0 with fixed noise.

        1 for labels and counts, which have no noise scale.
        """
        if self.options["noise"] == "fixed":
            return 2.0
        log_scale = ops.convert_to_numpy(self.decoder.log_scale)
        precision = np.exp(-2 * np.maximum(log_scale, self.likelihood.min_log_scale))
        if "columns" in self.options:
            precision[self.likelihood.labels | self.likelihood.counts] = 1.0
        return precision

    def search_of(self, x, mask=None):
        """The arguments of `infer_latents` for these rows, as a dictionary."""
        x, mask = read_rows({"x": x, "mask": mask}, self.options["features"])
        mask = np.ones_like(x) if mask is None else mask
        precision = self.noise_precision()
        if self.options["reduction"] == "original":
            precision = precision / np.maximum(mask.sum(axis=1, keepdims=True), 1.0)
        ratio = float(self.term_weights["beta"])
        table = ops.convert_to_numpy(self.posterior.mean)
        search = {"x": x, "mask": mask, "precision": precision, "ratio": ratio}
        if "columns" in self.options:
            search["likelihood"] = self.likelihood
        return {"decoder": self.decoder, "table": table, **search}

    # -- saving ---------------------------------------------------------------------------------
    def load_own_variables(self, store):
        """Files of earlier versions do not hold `started`: they count as initialized."""
        store = {key: store[key] for key in store.keys()}
        own = len(self._trainable_variables) + len(self._non_trainable_variables)
        store.setdefault(str(own - 1), np.ones((), "float32"))
        super().load_own_variables(store)

    def get_config(self):
        beta = float(self.term_weights["beta"])
        return {**self.options, "beta": beta, "name": self.name}


def principal_components(x, mask, latent_dim):
    """Initial table: whitened principal components, or with missing entries a factor analysis.

    Args:
        x: `(examples, features)`; with missing entries of a scale near 1.
        mask: `(examples, features)`, 1 where observed, or None.
        latent_dim: number of components; those beyond the number of features are 0.

    Returns:
        `(mean, log_var)`, NumPy `(examples, latent_dim)` each; log_var is None if nothing is
        missing.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> mean, log_var = principal_components(x, None, 2)
        >>> mean.shape, bool(np.allclose(mean.T @ mean / 100, np.eye(2), atol=1e-5)), log_var
        ((100, 2), True, None)
    """
    if mask is not None and not np.all(mask):
        fit = factor_analysis(x, mask, latent_dim, steps=10)
        return fit["z"], np.log(fit["z_variance"])
    from sklearn.decomposition import PCA  # takes a second to import

    rows, features = x.shape
    scores, keep = np.zeros((rows, latent_dim), "float32"), min(latent_dim, features, rows - 1)
    if keep:
        pca = PCA(keep, svd_solver="covariance_eigh")
        x = x.astype("float64")  # and centered: this solver squares before it subtracts the mean
        components = pca.fit_transform(x - x.mean(axis=0))
        # not whiten=True, which scales the rounding errors of constant features to variance 1
        variance = pca.explained_variance_ * (rows - 1) / rows
        rounding = 1e-12 * variance.max() or 1.0
        scores[:, :keep] = components / np.sqrt(np.maximum(variance, rounding))
    return scores, None
