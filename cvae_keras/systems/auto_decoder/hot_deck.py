"""Hot-deck imputation: missing entries are filled from similar training rows, the donors."""

import numpy as np

MAX_DONORS = 30_000  # the cost of a row is linear in their number
BATCH = 1000
MODEL_WEIGHT = 1e-20  # of the model's own fill, which decides where no donor is similar


class Donors:
    """Training rows, completed by the model, each the mean of a Gaussian with the model's noise.

    `w_ij ~ exp(-sum_d m_id p_d (x_id - r_jd)^2 / 2)`,
    `x_hat_id = sum_j w_ij m_jd x_jd / sum_j w_ij m_jd`

    With the prior N(0, I), the Laplace approximation of a latent's posterior has one mode. If the
    rows form clusters and the observed entries fit several of them, the posterior has several
    modes, which the training rows represent. Only a donor whose own entry is observed contributes
    to that entry, so that no row contributes to itself. Columns with likelihoods of their own have
    their log p(x_id | r_jd), with the model's probabilities and rates as r, in place of the square.

    Args:
        x: `(rows, features)`, standardized training rows.
        mask: `(rows, features)`, 1 where observed.
        reconstruct: function `reconstruct(x, mask)` that returns the model's reconstruction.
        precision: one over the noise variances, `(features,)`.
        seed: of the choice among more than 30,000 rows.
        likelihood: a `ColumnLikelihood`, or None.

    Source: the prior is the aggregated posterior of Tomczak and Welling, "VAE with a VampPrior",
    2018, with the table in place of pseudo-inputs; the mean is that of Nadaraya and Watson.

    Example:
        ```python
        donors = Donors(x, mask, model.reconstruct, precision)
        x_hat = donors.fill(x_new, mask_new, model.reconstruct(x_new, mask_new))
        ```
    """

    def __init__(self, x, mask, reconstruct, precision, seed=0, likelihood=None):
        if len(x) > MAX_DONORS:
            chosen = np.random.default_rng(seed).permutation(len(x))[:MAX_DONORS]
            x, mask = x[chosen], mask[chosen]
        self.mask, self.observed = mask, x * mask
        precision, x_hat = np.asarray(precision, "float32"), reconstruct(x, mask)
        rows = np.where(mask > 0, x, x_hat)
        terms = precision * rows, 0.5 * precision * np.square(rows)
        if likelihood is not None:
            normal = ~(likelihood.labels | likelihood.counts)
            terms = likelihood.log_terms(np.where(normal, rows, x_hat), precision)
        self.terms = [term.astype("float32") for term in terms]

    def fill(self, x, mask, x_hat):
        """The donors' mean of each entry, `(rows, features)`; x_hat where no donor is similar.

        Args:
            x: `(rows, features)`, standardized, finite.
            mask: `(rows, features)`, 1 where observed.
            x_hat: `(rows, features)`, the model's own fill.
        """
        filled = np.empty_like(x_hat)
        for first in range(0, len(x), BATCH):
            part = slice(first, first + BATCH)
            w = self._weights(x[part], mask[part])
            total = w @ self.mask + MODEL_WEIGHT
            filled[part] = (w @ self.observed + MODEL_WEIGHT * x_hat[part]) / total
        return filled

    def draw(self, x, mask, draws, share, rng):
        """Replace a share of the model's draws by the observed entries of one donor each.

        The donor j of row i has the probability `w_ij n_ij / sum_j w_ij n_ij`, where n_ij is how
        many of the entries that i lacks j has; entries that both lack stay the model's.

        Args:
            x: `(rows, features)`, standardized, finite.
            mask: `(rows, features)`, 1 where observed.
            draws: the model's, `(n_samples, rows, features)`.
            share: probability that a draw of a row is replaced.
            rng: a NumPy `Generator`.

        Returns:
            `(n_samples, rows, features)`.
        """
        draws, samples = draws.copy(), len(draws)
        for first in range(0, len(x), BATCH):
            part = slice(first, first + BATCH)
            w = self._weights(x[part], mask[part]) * ((1.0 - mask[part]) @ self.mask.T)
            total = np.cumsum(w, axis=1, dtype="float64")
            place = rng.random((len(w), samples)) * total[:, -1:]
            chosen = np.array([np.searchsorted(*pair) for pair in zip(total, place, strict=True)])
            chosen = np.minimum(chosen, len(self.mask) - 1).T  # (samples, rows)
            replaced = (rng.random(chosen.shape) < share) & (total[:, -1] > 0)
            given = replaced[..., None] & (self.mask[chosen] > 0) & (mask[part] == 0)
            draws[:, part] = np.where(given, self.observed[chosen], draws[:, part])
        return draws

    def _weights(self, x, mask):
        """w of each donor, relative to the largest of the row: `(rows, donors)`."""
        log_w = (mask * x) @ self.terms[0].T - mask @ self.terms[1].T
        return np.exp(log_w - log_w.max(axis=1, keepdims=True))
