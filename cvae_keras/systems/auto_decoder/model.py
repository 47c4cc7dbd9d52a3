"""The Variational Auto-Decoder: a decoder and a free latent for each example, no encoder.

| slot | filled with |
|---|---|
| posterior | a free table, one (mean, log_var) an example |
| prior | N(0, I) |
| condition | none |
| likelihood | squared error over the observed entries, or a Normal with learned scales |
| special | test time: the decoder is frozen, latents of new rows are found from what is observed |
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_arrays, check_choice, check_count
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.likelihoods import Normal, SquaredError
from cvae_keras.parts.posteriors import FreeTablePosterior
from cvae_keras.parts.priors import StandardNormal
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis
from cvae_keras.systems.auto_decoder.inference import infer_latents
from cvae_keras.systems.auto_decoder.laplace import posterior_draws, posterior_mean
from cvae_keras.training.batches import Batches
from cvae_keras.training.optimizers import TwoRates

INITS = {"zeros": 0.0, "normal": 0.001, "pca": 0.0}
NOISES = ("fixed", "learned")
REDUCTIONS = ("elbo", "original")


@keras.saving.register_keras_serializable("cvae_keras")
class VariationalAutoDecoder(ELBOModel):
    """A decoder trained together with one free latent for each example; holes are no obstacle.

    `loss = sum_d m_d (x_d - f(z)_d)^2 + beta * KL(q_i(z) || N(0, I))`, z ~ q_i, mean over examples

    Args:
        features: width of x.
        examples: number of training examples, the rows of the table.
        latent_dim: latent dimensions.
        hidden, activation, layer_norm, dropout, skip: of the `DenseDecoder`.
        variant: "vae_free" (learned variances), "vae" (fixed at `log_var`) or "ae" (no noise).
        log_var: of the table, at the start or for ever.
        latent_init: "zeros", "normal" (of scale 0.001) or "pca": the means start at the principal
            components of the data, whitened; where data have holes, at the posteriors of a factor
            analysis, with learned variances too. (The original starts every row at the shares of
            variance of the components instead.)
        noise: "fixed" is the squared error above; "learned" a Normal with a scale for each feature.
        beta: weight of the KL term; 0 turns it off. With fixed noise it is twice the noise variance
            that the model assumes.
        reduction: "elbo" sums over the observed entries; "original" averages over those of each
            example.
        seed: of the samples, the table's start and the dropout; initial weights follow
            `keras.utils.set_random_seed`.

    Call arguments:
        inputs: dictionary of `x` `(batch, features)`; `index` `(batch, 1)`, its rows in the table;
            and `mask` `(batch, features)`, 1 where observed (all, where it is left out).

    Returns:
        The terms of `ELBOModel` and `mse` `(batch,)`, the mean square over observed entries.

    Raises:
        ValueError: an unknown name, a negative weight, arrays that do not fit.

    Source: Zadeh, Lim, Liang and Morency, "Variational Auto-Decoder: a method for neural generative
    modeling from incomplete data", 2019.

    Example:
        >>> model = VariationalAutoDecoder(784, examples=len(x), beta=0.02)
        >>> model.compile(two_rates(1e-3, 0.1))
        >>> model.fit({"x": x, "mask": mask}, batch_size=32, epochs=30)
        >>> filled = model.impute(x_test, mask_test)
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
        **kwargs,
    ):
        check_choice("latent_init", latent_init, INITS)
        check_choice("noise", noise, NOISES)
        check_choice("reduction", reduction, REDUCTIONS)
        features, examples = check_count("features", features), check_count("examples", examples)
        learned = noise == "learned"
        layers = {"activation": activation, "layer_norm": layer_norm, "dropout": dropout}
        layers |= {"hidden": tuple(hidden), "skip": skip}
        table = {"variant": variant, "log_var": log_var}
        super().__init__(
            posterior=FreeTablePosterior(
                examples, latent_dim, scale=INITS[latent_init], seed=seed, **table
            ),
            prior=StandardNormal(latent_dim),
            decoder=DenseDecoder(latent_dim, features, noise=learned, seed=seed, **layers),
            likelihood=Normal("decoder", min_log_scale=-4.0) if learned else SquaredError(),
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.options = {"features": features, "examples": examples, "latent_dim": latent_dim}
        self.options |= {**layers, **table, "latent_init": latent_init, "noise": noise}
        self.options |= {"reduction": reduction, "seed": seed}
        self({"x": ops.zeros((1, features)), "index": ops.zeros((1, 1), "int32")})

    # -- training -------------------------------------------------------------------------------
    def compile(self, optimizer="adam", **kwargs):
        """As `keras.Model.compile`; `two_rates` is told which variables are the latents."""
        super().compile(optimizer, **kwargs)
        if isinstance(self.optimizer, TwoRates):
            self.optimizer.select_latents(self.posterior.weights)

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def infer(self, inputs, h, training=None):
        return self.posterior(inputs["index"], training=training)

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

    def losses(self, terms):
        if self.options["reduction"] == "original":
            terms = {**terms, "log_likelihood": terms["log_likelihood"] / terms["observed"]}
        return super().losses(terms)

    def check_inputs(self, inputs):
        """Refuse arrays that the model cannot train on, and number the rows where it must."""
        if "x" not in inputs:
            raise ValueError(f"the inputs must hold 'x', got {sorted(inputs)}: add it.")
        arrays = check_arrays({k: v for k, v in inputs.items() if k in ("x", "mask")})
        self.check_rows(arrays["x"], arrays.get("mask"))
        examples = self.options["examples"]
        index = np.asarray(inputs.get("index", np.arange(len(arrays["x"])))).reshape(-1)
        if len(index) != len(arrays["x"]) or len(np.unique(index)) < len(index):
            raise ValueError(
                f"index must hold one number for each of the {len(arrays['x'])} rows of x, all "
                f"different, got {len(index)}: number the rows."
            )
        if index.min() < 0 or index.max() >= examples:
            raise ValueError(
                f"index runs from {index.min()} to {index.max()}, but the table has {examples} "
                f"rows: give examples={index.max() + 1} when the model is made."
            )
        return {**arrays, "index": index.astype("int32")[:, None]}

    def check_rows(self, x, mask):
        """Refuse rows of another width, and masks that are none."""
        if x.ndim != 2 or x.shape[1] != self.options["features"]:
            raise ValueError(
                f"x has shape {x.shape}; give (batch, {self.options['features']}) as the model has."
            )
        if mask is not None and (mask.shape != x.shape or not np.isin(mask, (0, 1)).all()):
            raise ValueError(
                f"mask must have the shape of x, {x.shape}, and hold 0 (missing) and 1 (observed), "
                f"got shape {mask.shape}."
            )

    def fit(self, x=None, *args, **kwargs):
        """As `ELBOModel.fit`; a table that starts at the principal components is set first."""
        new = self.optimizer is not None and int(self.optimizer.iterations) == 0
        if self.options["latent_init"] == "pca" and new:
            arrays = x.arrays if isinstance(x, Batches) else x
            if not isinstance(arrays, dict):
                raise ValueError("latent_init 'pca' needs all rows at once: fit on arrays.")
            arrays = self.check_inputs(arrays)
            start = principal_components(
                arrays["x"], arrays.get("mask"), self.options["latent_dim"]
            )
            rows, tables = arrays["index"][:, 0], (self.posterior.mean, self.posterior.log_var)
            for variable, values in zip(tables, start, strict=True):
                if variable is not None and values is not None:
                    table = ops.convert_to_numpy(variable).copy()
                    table[rows] = values
                    variable.assign(table)
        return super().fit(x, *args, **kwargs)

    def start_linear(self, fit):
        """Start at the best linear model of the data: needs `skip` and learned noise.

        Args:
            fit: what `factor_analysis` in `factor_analysis.py` returned for all rows.

        Raises:
            ValueError: the model has no linear map of its own, or the shapes differ.
        """
        if not self.options["skip"] or self.options["noise"] != "learned":
            raise ValueError("start_linear needs skip=True and noise='learned': make it so.")
        self.decoder.skip.kernel.assign(fit["kernel"])
        self.decoder.layers[-1].bias.assign(fit["mean"])
        self.decoder.log_scale.assign(0.5 * np.log(fit["variance"]))
        self.posterior.mean.assign(fit["z"])
        if self.posterior.log_var is not None:
            self.posterior.log_var.assign(np.log(fit["z_variance"]))

    # -- at test time, where the decoder stays as it is --------------------------------------------
    def find_latents(self, x, mask=None, **options):
        """The latents of new rows, from their observed entries alone; the decoder stays as it is.

        Args:
            x: `(batch, features)`, any finite number where it is missing.
            mask: `(batch, features)`, 1 where observed; None where all is.
            options: `method`, `steps`, `init`, ... of `infer_latents` in `inference.py`.

        Returns:
            NumPy array `(batch, latent_dim)`, float32.

        Example:
            >>> z = model.find_latents(x_test, mask_test)
        """
        return infer_latents(**self.search_of(x, mask), **options)

    def reconstruct(self, x, mask=None, **options):
        """f(z) for the latents that `find_latents` finds: `(batch, features)`, float32."""
        return self.decode(self.find_latents(x, mask, **options))

    def impute(self, x, mask, **options):
        """x where it is observed, its reconstruction elsewhere: `(batch, features)`, float32."""
        x_hat = self.reconstruct(x, mask, **options)
        return np.where(np.asarray(mask) > 0, np.asarray(x, "float32"), x_hat)

    def posterior_mean(self, x, mask):
        """The mean of what is missing: as `reconstruct`, but averaged over the posterior of z."""
        return posterior_mean(**self.search_of(x, mask))

    def sample_posterior(self, x, mask=None, n_samples=1, seed=0):
        """Draws of what is missing: z from the Laplace approximation of its posterior, and noise.

        Args:
            x, mask: as for `find_latents`; n_samples: draws; seed: of the draws.

        Returns:
            NumPy array `(n_samples, batch, features)`: x where observed, a draw elsewhere.

        Example:
            >>> draws = model.sample_posterior(x, mask, n_samples=20, seed=0)
            >>> low, high = np.quantile(draws, (0.05, 0.95), axis=0)          # 90 % intervals
        """
        search = self.search_of(x, mask)
        draws = posterior_draws(**search, n_samples=check_count("n_samples", n_samples), seed=seed)
        return np.where(search["mask"] > 0, search["x"], draws)

    def decode(self, z):
        """The mean of p(x | z): z `(batch, latent_dim)` gives `(batch, features)`, float32."""
        x_hat = self.decoder(ops.convert_to_tensor(z)[None], training=False)
        return ops.convert_to_numpy(self.likelihood.mean(x_hat))[0]

    def generate(self, n, seed=0):
        """Draw x from the model: z from the prior, decoded. Returns `(n, features)`."""
        z = np.random.default_rng(seed).normal(size=(n, self.options["latent_dim"]))
        return self.decode(z.astype("float32"))

    def search_of(self, x, mask=None):
        """What is asked of `latent_inference` for these rows: its arguments, as a dictionary."""
        arrays = check_arrays({"x": x} if mask is None else {"x": x, "mask": mask})
        x, mask = arrays["x"], arrays.get("mask")
        self.check_rows(x, mask)
        mask = np.ones_like(x) if mask is None else mask
        precision = 2.0
        if self.options["noise"] == "learned":
            floor = self.likelihood.min_log_scale
            log_scale = ops.convert_to_numpy(self.decoder.log_scale)
            precision = np.exp(-2 * np.maximum(log_scale, floor))
        if self.options["reduction"] == "original":
            precision = precision / np.maximum(mask.sum(axis=1, keepdims=True), 1.0)
        ratio = float(self.term_weights["beta"])
        table = ops.convert_to_numpy(self.posterior.mean)
        search = {"x": x, "mask": mask, "precision": precision, "ratio": ratio}
        return {"decoder": self.decoder, "table": table, **search}

    # -- saving ---------------------------------------------------------------------------------
    def get_config(self):
        beta = float(self.term_weights["beta"])
        return {**self.options, "beta": beta, "name": self.name}


def principal_components(x, mask, latent_dim):
    """Where a table starts: whitened principal components, or factor analysis if there are holes.

    Args:
        x: `(examples, features)`; mask: of its shape or None; latent_dim: components, those beyond
            the number of features are 0.

    Returns:
        `(mean, log_var)`, `(examples, latent_dim)` each; log_var None where nothing is missing.

    Example:
        >>> mean, log_var = principal_components(x, mask, 10)
    """
    if mask is not None and not np.all(mask):
        fit = factor_analysis(x, mask, latent_dim, steps=10)
        return fit["z"], np.log(fit["z_variance"])
    centred = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
    keep = min(latent_dim, x.shape[1])
    values, vectors = values[::-1][:keep], vectors[:, ::-1][:, :keep]
    scores = np.zeros((len(x), latent_dim), "float32")
    scores[:, :keep] = centred @ vectors / np.sqrt(np.maximum(values, 1e-6))
    return scores, None
