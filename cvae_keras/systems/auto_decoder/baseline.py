"""The VAE with which the auto-decoder is compared: the same decoder, and an encoder."""

import keras
from keras import ops

from cvae_keras.checks import check_count, check_seed
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.likelihoods import SquaredError
from cvae_keras.parts.posteriors import GaussianPosterior
from cvae_keras.parts.priors import StandardNormal
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder, check_hidden
from cvae_keras.systems.auto_decoder.rows import read_rows


@keras.saving.register_keras_serializable("cvae_keras", name="HoleEncoder")
class MaskedEncoder(CompositeLayer):
    """Dense layers that read x with zeros for missing entries, and optionally the mask.

    Args:
        hidden: units of each layer.
        sees_mask: whether the mask is read too.

    Call arguments:
        x: `(batch, features)`.
        c: not used.
        mask: `(batch, features)`, 1 where observed; None if all is observed.

    Returns:
        `(batch, hidden[-1])`.

    Example:
        >>> tuple(MaskedEncoder((200, 100), sees_mask=True)(ops.zeros((8, 30))).shape)
        (8, 100)
    """

    def __init__(self, hidden=(200, 200), sees_mask=False, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.sees_mask = check_hidden(hidden), bool(sees_mask)
        self.layers = [keras.layers.Dense(units, activation="relu") for units in self.hidden]

    def call(self, x, c=None, mask=None):
        mask = ops.ones_like(x) if mask is None else ops.cast(mask, x.dtype)
        h = ops.concatenate([x * mask, mask], axis=-1) if self.sees_mask else x * mask
        for layer in self.layers:
            h = layer(h)
        return h


@keras.saving.register_keras_serializable("cvae_keras")
class MaskedVAE(ELBOModel):
    """A VAE for incomplete data: zero-filled, as in Zadeh et al. (2019), or aware of the mask.

    `loss = sum_d m_d (x_d - f(z)_d)^2 + beta * KL(q(z | m x) || N(0, I))`, mean over examples

    Args:
        features: width of x.
        latent_dim: number of latent dimensions.
        hidden: units of the decoder's hidden layers and, in reverse order, of the encoder's.
        sees_mask: whether the encoder reads the mask in addition to the zero-filled x.
        beta: weight of the KL term.
        seed: of the samples.

    Call arguments:
        inputs: dictionary of `x` `(batch, features)`, anything where it is missing, also NaN; and
            `mask` `(batch, features)`, 1 where observed; without a mask all is observed. With
            `given` of the same shape, at most the mask, the encoder reads these entries alone, and
            learns to infer the others; `RedrawnMasks` draws it.

    Returns:
        The terms of `ELBOModel`.

    Source: the baseline of Zadeh et al., 2019; the mask as a second input: Nazabal et al.,
    "Handling incomplete heterogeneous data using VAEs", 2020; entries hidden at random from the
    encoder: Ivanov, Figurnov and Vetrov, "Variational autoencoder with arbitrary conditioning",
    2019.

    Example:
        ```python
        model = MaskedVAE(784, sees_mask=True)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit({"x": x, "mask": mask}, epochs=30)
        x_hat = model.reconstruct(x_test, mask_test)
        ```
    """

    def __init__(
        self,
        features,
        latent_dim=50,
        hidden=(200, 200),
        sees_mask=False,
        beta=0.02,
        seed=0,
        **kwargs,
    ):
        features, latent_dim = (
            check_count("features", features),
            check_count("latent_dim", latent_dim),
        )
        hidden, seed = check_hidden(hidden), check_seed("seed", seed)
        encoder = MaskedEncoder(hidden[::-1], sees_mask)
        super().__init__(
            posterior=GaussianPosterior(encoder, latent_dim),
            prior=StandardNormal(latent_dim),
            decoder=DenseDecoder(latent_dim, features, hidden=hidden),
            likelihood=SquaredError(),
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.options = {"features": features, "latent_dim": latent_dim, "hidden": hidden}
        self.options |= {"sees_mask": bool(sees_mask), "seed": seed}
        self({"x": ops.zeros((1, features)), "mask": ops.ones((1, features))})

    def check_inputs(self, inputs):
        """Refuse arrays that the model cannot train on; x becomes 0 where it is missing."""
        x, mask = read_rows(inputs, self.options["features"])
        arrays = {"x": x} if mask is None else {"x": x, "mask": mask}
        if inputs.get("given") is not None:
            given = read_rows({"x": x, "mask": inputs["given"]}, self.options["features"])[1]
            if mask is not None and (given > mask).any():
                raise ValueError("given must be 0 where the mask is 0: multiply it by the mask.")
            arrays["given"] = given
        return arrays

    def infer(self, inputs, h, training=None):
        """q(z | m x), of the entries that are given to the encoder."""
        x, _, mask = self.split(inputs)
        return self.posterior(x, h, mask=inputs.get("given", mask), training=training)

    def reconstruct(self, x, mask):
        """Decode the mean of q(z | m x), NumPy `(batch, features)`, float32.

        Args:
            x: `(batch, features)`, anything where it is missing, also NaN.
            mask: `(batch, features)`, 1 where observed; None if all is observed.
        """
        x, mask = read_rows({"x": x, "mask": mask}, self.options["features"])
        mask = None if mask is None else ops.convert_to_tensor(mask)
        mean = self.posterior(ops.convert_to_tensor(x), mask=mask).mean
        return ops.convert_to_numpy(self.decoder(mean[None]))[0]

    def get_config(self):
        beta = float(self.term_weights["beta"])
        return {**self.options, "beta": beta, "name": self.name}
