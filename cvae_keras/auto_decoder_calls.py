"""What a trained `VariationalAutoDecoder` does: latents of new rows, what is missing, new rows."""

import numpy as np
from keras import ops

from cvae_keras.checks import check_arrays, check_count
from cvae_keras.latent_inference import infer_latents
from cvae_keras.latent_posterior import posterior_draws, posterior_mean


class AutoDecoderCalls:
    """The test-time calls of the auto-decoder, in which the decoder stays as it is.

    Example:
        >>> z = model.find_latents(x_test, mask_test)
        >>> filled = model.impute(x_test, mask_test)
    """

    def find_latents(self, x, mask=None, **options):
        """The latents of new rows, from their observed entries alone; the decoder stays as it is.

        Args:
            x: `(batch, features)`, any finite number where it is missing.
            mask: `(batch, features)`, 1 where observed; None where all is.
            options: `method`, `steps`, `init`, ... of `cvae_keras.latent_inference.infer_latents`.

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
