"""A VAE for incomplete rows as an imputer of a table, the rival of `VADImputer`."""

import keras
import numpy as np

from cvae_keras.data.missing import draw_mask, observed_entries
from cvae_keras.training.backends import at_once
from cvae_keras.training.masks import RedrawnMasks
from cvae_keras.training.optimizers import FusedAdam

BETAS = (0.05, 0.2, 0.8)  # twice the noise variance of standardized columns
HELD_OUT = 0.1


class NetworkImputer:
    """Standardizes the columns, trains a model with redrawn masks, and fills.

    Beta, twice the noise variance that the model assumes, is the one of `BETAS` with the least
    error on a tenth of the observed cells, which are hidden for the choice.

    Args:
        kind: `MaskedVAE` or `MIWAE`.
        place: see `RedrawnMasks`.
        seed: integer.
        epochs: passes over the rows.
        latent_dim: number of latent dimensions, at most that of the columns.

    Example:
        ```python
        filled = NetworkImputer(MIWAE, "mask", seed=0).fit_transform(incomplete)
        ```
    """

    def __init__(self, kind, place, seed=0, epochs=100, latent_dim=10):
        self.kind, self.place, self.seed = kind, place, seed
        self.epochs, self.latent_dim = epochs, latent_dim

    def fit_transform(self, incomplete):
        """The completed table, float64 `(rows, columns)`.

        Args:
            incomplete: `(rows, columns)`, NaN where a value is missing.
        """
        mean = np.nanmean(incomplete, axis=0)
        scale = np.maximum(np.nanstd(incomplete, axis=0), 1e-12)
        x, known = observed_entries((incomplete - mean) / scale)
        kept = known * draw_mask(x.shape, HELD_OUT, [self.seed, 2])
        hidden = known > kept

        def error(beta):
            return np.mean((self._fit(x, kept, beta).reconstruct(x, kept) - x)[hidden] ** 2)

        beta = min(BETAS, key=error)
        x_hat = self._fit(x, known, beta).reconstruct(x, known)
        return np.where(known > 0, incomplete, mean + scale * x_hat)

    def _fit(self, x, mask, beta):
        keras.utils.set_random_seed(self.seed)
        latent_dim = min(self.latent_dim, x.shape[1])
        model = self.kind(
            x.shape[1], latent_dim, (100, 100), sees_mask=True, beta=beta, seed=self.seed
        )
        batch = min(64, len(x))
        steps = self.epochs * (len(x) // batch)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        model.compile(FusedAdam(rate), steps_per_execution=at_once(10))
        batches = RedrawnMasks({"x": x * mask, "mask": mask}, batch, self.seed, self.place)
        model.fit(batches, epochs=self.epochs, verbose=0)
        return model
