"""MIWAE (Mattei and Frellsen, 2019): an importance-weighted VAE for rows with missing entries."""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, check_seed
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.rows import read_rows

POINTS = 20_000  # latents in memory at once


@keras.saving.register_keras_serializable("cvae_keras")
class MIWAE(MaskedVAE):
    """A `MaskedVAE` that is trained on the importance-weighted bound of the observed entries.

    `w_k = p(m x | z_k) p(z_k) / q(z_k | m x)`, `z_k ~ q`, `bound = beta log (1/K) sum_k w_k`, and
    `x_hat = sum_k w_k f(z_k) / sum_k w_k`, with log p(m x | z) = -|m (x - f(z))|^2 / beta

    With K = 1 the bound is the sampled ELBO of `MaskedVAE`. As the number of points grows, x_hat
    approaches the mean of f(z) over the model's posterior, whatever q is.

    Args:
        features: width of x.
        latent_dim: number of latent dimensions.
        hidden: as for `MaskedVAE`.
        sees_mask: as for `MaskedVAE`.
        beta: twice the noise variance that the model assumes, above 0.
        n_samples: K, points of each example in training.
        seed: of the samples.

    Call arguments:
        inputs: as for `MaskedVAE`.

    Returns:
        The terms of `ELBOModel`, and `bound` `(batch,)`.

    Raises:
        ValueError: what `MaskedVAE` refuses, beta 0, or K not positive.

    Source: Mattei and Frellsen, "MIWAE: deep generative modelling and imputation of incomplete data
    sets", 2019, eq. 4 (the bound) and 11 (the imputation). There, q reads the zero-filled x alone.

    Example:
        ```python
        model = MIWAE(784, beta=0.02)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit({"x": x, "mask": mask}, epochs=30)
        x_hat = model.reconstruct(x_test, mask_test)
        ```
    """

    modes = {**MaskedVAE.modes, "bound": "max"}

    def __init__(
        self,
        features,
        latent_dim=50,
        hidden=(200, 200),
        sees_mask=False,
        beta=0.02,
        n_samples=5,
        seed=0,
        **kwargs,
    ):
        self.points = check_count("n_samples", n_samples)
        super().__init__(features, latent_dim, hidden, sees_mask, beta, seed, **kwargs)
        if not float(self.term_weights["beta"]) > 0:
            raise ValueError("beta must be above 0, got 0: it is twice the noise variance.")
        self.options["n_samples"] = self.points

    def term_names(self):
        return [*super().term_names(), "bound"]

    def call(self, inputs, training=None):
        q, log_p, log_w, _ = self.weighted(inputs, self.points, self.seed_generator, training)
        bound = ops.logsumexp(log_w, axis=0) - math.log(self.points)
        kl = q.kl(self.prior(None))
        terms = {"log_likelihood": ops.mean(log_p, axis=0), "kl": kl}
        return {**terms, "bound": self.term_weights["beta"] * bound}

    def weighted(self, inputs, n_samples, seed, training=None):
        """Points of q and their weights.

        Args:
            inputs: as for `call`.
            n_samples: number of points of each example.
            seed: a `keras.random.SeedGenerator`.
            training: as in `call`.

        Returns:
            `(q, log_p, log_w, x_hat)`: q; -|m (x - f(z))|^2 and log w, `(n_samples, batch)`; and
            f(z), `(n_samples, batch, features)`.
        """
        x, _, mask = self.split(inputs)
        q = self.infer(inputs, None, training)
        z, log_q = q.sample_and_log_prob(n_samples, seed=seed)
        x_hat = self.decoder(z, training=training)
        log_p = self.likelihood.log_prob(x, x_hat, mask)
        log_w = log_p / self.term_weights["beta"] + self.prior(None).log_prob(z)
        return q, log_p, log_w - ops.sum(log_q, axis=-1), x_hat

    def loss_per_example(self, terms):
        return -terms["bound"]

    def reconstruct(self, x, mask, n_samples=1000, seed=0):
        """The mean of f(z) over self-normalized importance weights, NumPy `(batch, features)`.

        Args:
            x: `(batch, features)`, anything where it is missing, also NaN.
            mask: `(batch, features)`, 1 where observed; None if all is observed.
            n_samples: points of each row.
            seed: of the points.
        """
        x, mask = read_rows({"x": x, "mask": mask}, self.options["features"])
        mask = np.ones_like(x) if mask is None else mask
        n_samples = check_count("n_samples", n_samples)
        seed, found = keras.random.SeedGenerator(check_seed("seed", seed)), []
        size = max(1, POINTS // n_samples)
        for first in range(0, len(x), size):
            part = slice(first, first + size)
            arrays = {
                "x": ops.convert_to_tensor(x[part]),
                "mask": ops.convert_to_tensor(mask[part]),
            }
            _, _, log_w, x_hat = self.weighted(arrays, n_samples, seed, training=False)
            w = ops.exp(log_w - ops.logsumexp(log_w, axis=0))
            found.append(ops.convert_to_numpy(ops.sum(w[..., None] * x_hat, axis=0)))
        return np.concatenate(found)
