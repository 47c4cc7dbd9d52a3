"""The dense CVAE of the testbed: conditioned on any subset of its inputs.

| slot | filled with |
|---|---|
| posterior | amortized Gaussian, dense encoder of [x, c] |
| prior | N(0, I) |
| condition | `[x * m, m]`: the known values, and the indicator of which they are |
| likelihood | squared error, summed over the observed dimensions |
| special | known values are copied, not reconstructed |
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_arrays, check_count, check_units
from cvae_keras.data.frames import read_numbers
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.likelihoods import SquaredError
from cvae_keras.parts.networks import DenseStack, tile
from cvae_keras.parts.posteriors import GaussianPosterior
from cvae_keras.parts.priors import StandardNormal

LARGEST = 1e15  # values, also in units of scale, whose squares and sums stay finite in float32


@keras.saving.register_keras_serializable("cvae_keras")
class SubsetEncoder(CompositeLayer):
    """Dense layers over [x, c], and over the mask if there is one.

    Args:
        units: units of each layer.
        scale: `(x_dim,)`, the unit in which values are read.
        options: of `DenseStack`.

    Call arguments:
        x: `(batch, x_dim)`.
        c: `(batch, 2 x_dim)`, `[x * m, m]`.
        mask: `(batch, x_dim)` or None.

    Returns:
        `(batch, units[-1])`.

    Example:
        >>> encoder = SubsetEncoder([64], np.ones(2, "float32"))
        >>> tuple(encoder(np.zeros((5, 2)), np.zeros((5, 4))).shape)
        (5, 64)
    """

    def __init__(self, units, scale, name=None, trainable=True, dtype=None, **options):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.scale, self.options = np.asarray(scale, "float32"), options
        self.stack = DenseStack(units, **options)
        self.units = [int(width) for width in units]

    def call(self, x, c=None, mask=None):
        known, m = ops.split(c, 2, axis=-1)
        pattern = m if mask is None else ops.concatenate([m, mask], axis=-1)
        h = ops.concatenate([x / self.scale, known / self.scale, pattern], axis=-1)
        return self.stack(h, pattern)

    def get_config(self):
        config = {"units": list(self.units), "scale": self.scale.tolist(), **self.options}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class SubsetDecoder(CompositeLayer):
    """Dense layers over [z, c] for the unknown values; known values are copied to the output.

    `x_hat = x * m + (1 - m) * scale * network(z, c)`

    Args:
        units: units of each layer.
        scale: `(x_dim,)`, the unit in which values are read and written.
        options: of `DenseStack`.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: `(batch, 2 x_dim)`.

    Returns:
        `(samples, batch, x_dim)`.

    Example:
        >>> decoder = SubsetDecoder([64], np.ones(2, "float32"))
        >>> tuple(decoder(np.zeros((1, 5, 3)), np.zeros((5, 4))).shape)
        (1, 5, 2)
    """

    def __init__(self, units, scale, name=None, trainable=True, dtype=None, **options):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.scale, self.options = np.asarray(scale, "float32"), options
        self.stack = DenseStack(units, **options)
        self.units = [int(width) for width in units]
        self.out = keras.layers.Dense(len(scale), dtype="float32")

    def call(self, z, c):
        known, m = ops.split(c, 2, axis=-1)
        samples, batch = ops.shape(z)[0], ops.shape(c)[0]
        flat = ops.reshape(z, (-1, z.shape[-1]))
        pattern = tile(m, samples)
        h = ops.concatenate([flat, tile(known / self.scale, samples), pattern], axis=-1)
        h = ops.reshape(self.out(self.stack(h, pattern)), (samples, batch, len(self.scale)))
        return known + (1.0 - m) * self.scale * h

    def get_config(self):
        config = {"units": list(self.units), "scale": self.scale.tolist(), **self.options}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class DenseCVAE(ELBOModel):
    """A CVAE of dense layers, conditioned on any subset of its inputs; it generates the others.

    `loss = sum_i mask_i (x_i - x_hat_i)^2 + beta * KL(q(z | x, c) || N(0, I))`, `c = [x * m, m]`

    Args:
        x_dim: number of inputs.
        latent_dim: latent dimensions; those that reduce the loss by less than their rate stay
            unused.
        enc_layers: units of each layer of the encoder.
        dec_layers: units of each layer of the decoder.
        activation: of the layers.
        batch_norm: whether there is batch normalization, see `DenseStack`.
        gated: whether there are gates, see `DenseStack`; the pattern is m.
        beta: weight of the KL; directions of x with a variance below beta / 2 get no latent
            dimension at the optimum.
        scale: `(x_dim,)`, standard deviations of the inputs, the unit in which the networks read
            and write them; the loss is in the units of x. By default ones.
        masked: whether values may be missing: the model then also reads `mask`.
        seed: of the posterior samples; initial weights follow `keras.utils.set_random_seed`.

    Call arguments:
        inputs: dictionary of `x` `(batch, x_dim)`, `c` `(batch, 2 x_dim)` and, if `masked`, `mask`
            `(batch, x_dim)`, 0 where x is missing: made by `Conditioned.examples` or `as_inputs`.

    Raises:
        ValueError: a size, a weight or an array that does not fit.

    Source: Sohn, Lee and Yan, 2015, with the condition of Ivanov, Figurnov and Vetrov,
    "Variational autoencoder with arbitrary conditioning", 2019.

    Example:
        ```python
        source = Conditioned(CorrelatedGaussian(4))
        model = DenseCVAE(x_dim=4, latent_dim=16, beta=0.25)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit(FreshBatches(source, batch_size=1000, steps=100), epochs=40)
        model.sample(as_inputs(x, known)["c"], n_samples=10, seed=0).shape    # (10, batch, 4)
        ```
    """

    def __init__(
        self,
        x_dim,
        latent_dim,
        enc_layers=(128, 128),
        dec_layers=(128, 128),
        activation="silu",
        batch_norm=False,
        gated=True,
        beta=1.0,
        scale=None,
        masked=False,
        seed=0,
        **kwargs,
    ):
        counts = {"x_dim": x_dim, "latent_dim": latent_dim}
        x_dim, latent_dim = (check_count(name, value) for name, value in counts.items())
        enc_layers = check_units("enc_layers: units", enc_layers)
        dec_layers = check_units("dec_layers: units", dec_layers)
        batch_norm, gated, masked = bool(batch_norm), bool(gated), bool(masked)
        with np.errstate(over="ignore"):
            scale = np.ones(x_dim) if scale is None else np.asarray(scale, "float64")
            scale = scale.astype("float32")
        if scale.shape != (x_dim,) or not (np.isfinite(scale) & (scale > 0)).all():
            raise ValueError(
                f"scale must hold {x_dim} positive numbers, got {scale.tolist()}: give the "
                f"standard deviation of each input, 1 for a constant one."
            )
        options = {"activation": activation, "batch_norm": batch_norm, "gated": gated}
        super().__init__(
            posterior=GaussianPosterior(SubsetEncoder(enc_layers, scale, **options), latent_dim),
            prior=StandardNormal(latent_dim),
            decoder=SubsetDecoder(dec_layers, scale, **options),
            likelihood=SquaredError(),
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.x_dim, self.latent_dim, self.masked, self.options = x_dim, latent_dim, masked, options
        self.enc_layers, self.dec_layers = self.posterior.network.units, self.decoder.units
        self.scale = scale
        example = {"x": ops.zeros((1, x_dim)), "c": ops.zeros((1, 2 * x_dim))}
        self(example | ({"mask": ops.ones((1, x_dim))} if masked else {}))  # builds the weights

    def check_condition(self, c):
        if c is None:
            raise ValueError("c is missing: give [x * m, m], as as_inputs makes it.")
        c = check_arrays({"c": read_numbers("c", c)})["c"]
        known, m = np.split(c, 2, axis=1) if c.shape[1:] == (2 * self.x_dim,) else (None, None)
        if m is None or not np.isin(m, (0, 1)).all() or known[m == 0].any():
            raise ValueError(
                f"c must be [x * m, m] of shape (batch, {2 * self.x_dim}) with m 0 or 1, got shape "
                f"{c.shape}: let as_inputs make it."
            )
        self._check_size("c", known)
        return c

    def _check_size(self, name, values):
        """Refuse numbers whose squares or sums would overflow in float32."""
        with np.errstate(over="ignore"):
            most = max(np.abs(values).max(), np.abs(values / self.scale).max())
        if not most <= LARGEST:
            raise ValueError(
                f"{name} holds numbers up to {np.abs(values).max():.3g}, whose squares overflow in "
                f"float32: rescale it, or give `scale`."
            )

    def check_inputs(self, inputs):
        names = {"x", "c"} | ({"mask"} if self.masked else set())
        if set(inputs) != names:
            raise ValueError(f"the inputs must be {sorted(names)}, got {sorted(inputs)}.")
        inputs = check_arrays({name: read_numbers(name, each) for name, each in inputs.items()})
        for name in names - {"c"}:
            if inputs[name].shape[1:] != (self.x_dim,):
                raise ValueError(
                    f"{name} has shape {inputs[name].shape}; give (batch, {self.x_dim})."
                )
        if self.masked and not np.isin(inputs["mask"], (0, 1)).all():
            raise ValueError(
                "mask must hold 1 where x is observed and 0 where not: as_inputs does."
            )
        self._check_size("x", inputs["x"])
        return {**inputs, "c": self.check_condition(inputs["c"])}

    def get_config(self):
        config = {"x_dim": self.x_dim, "latent_dim": self.latent_dim, **self.options}
        config |= {"enc_layers": list(self.enc_layers), "dec_layers": list(self.dec_layers)}
        config |= {"scale": self.scale.tolist(), "masked": self.masked, "seed": self.seed}
        return {**config, "beta": float(self.term_weights["beta"]), "name": self.name}
