"""Filling a row from the training rows that resemble it: the auto-decoder's table as a prior."""

import numpy as np

MOST = 30_000  # donors: the cost of a row is linear in them
BATCH = 1000
UNLIKELY = 1e-20  # below this share of the weights, the donors say less than the model


class Donors:
    """Training rows, completed by the model, each a Gaussian of the model's noise variances.

    `w_ij ~ exp(-sum_d m_id p_d (x_id - r_jd)^2 / 2)`,
    `x_hat_id = sum_j w_ij m_jd x_jd / sum_j w_ij m_jd`

    Under N(0, I) and the Laplace approximation, the posterior of a latent has one mode. Where rows
    come in kinds, and what is observed fits several, it has several; the latents of the training
    rows, each with its residual, know them. Only donors that have an entry observed give it, so a
    row gives nothing to itself.

    Args:
        x, mask: `(rows, features)`, training rows, standardised, 1 where observed; reconstruct:
            called as `reconstruct(x, mask)`, gives the model's reconstruction of rows; precision:
            `(features,)`, one over the noise variance; seed: of the choice among more than 30,000
            rows.

    Source: the prior is the aggregated posterior of Tomczak and Welling, "VAE with a VampPrior",
    2018, here with the table in place of pseudo-inputs; the mean is that of Nadaraya and Watson.

    Example:
        >>> donors = Donors(x, mask, model.reconstruct, precision)
        >>> x_hat = donors.fill(x_new, mask_new, model.reconstruct(x_new, mask_new))
    """

    def __init__(self, x, mask, reconstruct, precision, seed=0):
        if len(x) > MOST:
            kept = np.random.default_rng(seed).permutation(len(x))[:MOST]
            x, mask = x[kept], mask[kept]
        self.mask, self.precision = mask, np.asarray(precision, "float32")
        self.given = x * mask
        self.rows = np.where(mask > 0, x, reconstruct(x, mask)).astype("float32")

    def fill(self, x, mask, x_hat):
        """The donors' mean of each entry: `(rows, features)`; x_hat where no donor is near."""
        filled, squares = np.empty_like(x_hat), np.square(self.rows)
        for first in range(0, len(x), BATCH):
            part = slice(first, first + BATCH)
            weight = mask[part] * self.precision
            log_w = (weight * x[part]) @ self.rows.T - 0.5 * weight @ squares.T
            w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
            total = w @ self.mask + UNLIKELY
            filled[part] = (w @ self.given + UNLIKELY * x_hat[part]) / total
        return filled
