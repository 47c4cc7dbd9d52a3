"""Hot-deck imputation: missing entries are filled from similar training rows, the donors."""

import numpy as np

PAIRS = 5_000_000  # of rows and donors at a time, with a weight each
SKEWED = 1.0  # the skewness from which on the distances in a column are those of logarithms
MODEL_WEIGHT = 1e-20  # of the model's own fill, which decides where no donor is similar


class Donors:
    """Training rows, completed by the model, each the mean of a Gaussian with the model's noise.

    `w_ij ~ exp(-sum_d m_id p_d (t(x_id) - t(r_jd))^2 / 2)`,
    `x_hat_id = sum_j w_ij m_jd x_jd / sum_j w_ij m_jd`

    With the prior N(0, I), the Laplace approximation of a latent's posterior has one mode. If the
    rows form clusters and the observed entries fit several of them, the posterior has several
    modes, which the training rows represent. Only a donor whose own entry is observed contributes
    to that entry, so that no row contributes to itself. Columns with likelihoods of their own have
    their log p(x_id | r_jd), with the model's probabilities and rates as r, in place of the square.

    Args:
        x: `(rows, features)`, standardized training rows.
        mask: `(rows, features)`, 1 where observed.
        x_hat: the model's reconstruction of these rows, `(rows, features)`.
        precision: p, `(features,)`: one over the noise variances, or other weights.
        metric: the t of the distances, such as `Logarithms`; None for x itself.
        sharpness: a factor of all distances.
        likelihood: a `ColumnLikelihood`, or None.

    Source: the prior is the aggregated posterior of Tomczak and Welling, "VAE with a VampPrior",
    2018, with the table in place of pseudo-inputs; the mean is that of Nadaraya and Watson.

    Example:
        ```python
        x_hat = model.reconstruct(x, mask)
        donors = Donors(x, mask, x_hat, model.noise_precision())
        x_hat = donors.fill(x_new, mask_new, model.reconstruct(x_new, mask_new))
        ```
    """

    def __init__(self, x, mask, x_hat, precision, metric=None, sharpness=1.0, likelihood=None):
        self.metric = metric
        self.observed = np.concatenate([mask, x * mask], axis=1)
        rows = self._measured(np.where(mask > 0, x, x_hat))
        precision = np.asarray(precision, "float32")
        terms = precision * rows, 0.5 * precision * np.square(rows)
        if likelihood is not None:
            normal = ~(likelihood.labels | likelihood.counts)
            terms = likelihood.log_terms(np.where(normal, rows, x_hat), precision)
        self.terms = sharpness * np.concatenate([terms[0], -terms[1]], axis=1).astype("float32")

    def fill(self, x, mask, x_hat):
        """The donors' mean of each entry, `(rows, features)`; x_hat where no donor is similar.

        Args:
            x: `(rows, features)`, standardized, finite.
            mask: `(rows, features)`, 1 where observed.
            x_hat: `(rows, features)`, the model's own fill.
        """
        total, sums = self.sums(x, mask)
        return (sums + MODEL_WEIGHT * x_hat) / (total + MODEL_WEIGHT)

    def sums(self, x, mask):
        """The sums over j of `w_ij m_jd` and `w_ij m_jd x_jd`: `(rows, features)` each."""
        sums = np.empty((len(x), 2 * x.shape[1]), "float32")
        for part in self._parts(len(x)):
            sums[part] = self._weights(x[part], mask[part]) @ self.observed
        return np.split(sums, 2, axis=1)

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
        seen, values = np.split(self.observed, 2, axis=1)
        for part in self._parts(len(x)):
            w = self._weights(x[part], mask[part]) * ((1.0 - mask[part]) @ seen.T)
            total = np.cumsum(w, axis=1, dtype="float64")
            place = rng.random((len(w), samples)) * total[:, -1:]
            chosen = np.array([np.searchsorted(*pair) for pair in zip(total, place, strict=True)])
            chosen = np.minimum(chosen, len(seen) - 1).T  # (samples, rows)
            replaced = (rng.random(chosen.shape) < share) & (total[:, -1] > 0)
            given = replaced[..., None] & (seen[chosen] > 0) & (mask[part] == 0)
            draws[:, part] = np.where(given, values[chosen], draws[:, part])
        return draws

    def _measured(self, x):
        return x if self.metric is None else self.metric(x)

    def _parts(self, rows):
        """Slices of rows, which bound the memory."""
        size = max(1, PAIRS // len(self.terms))
        return [slice(first, first + size) for first in range(0, rows, size)]

    def _weights(self, x, mask):
        """w of each donor, relative to the largest of the row: `(rows, donors)`."""
        w = np.concatenate([mask * self._measured(x), mask], axis=1) @ self.terms.T
        w -= w.max(axis=1, keepdims=True)
        return np.exp(w, out=w)


class Logarithms:
    """Distances of logarithms in columns with a long tail on one side: the t of `Donors`.

    `t(x) = (log(1 + 3 |x - edge|) - center) / scale`, with the edge where the values begin on the
    side without the tail. Other columns, whose skewness is less than 1, stay as they are.

    Args:
        x: `(rows, features)`, standardized.
        mask: `(rows, features)`, 1 where observed.
        columns: boolean `(features,)`, those in question.

    Attributes:
        skewed: columns whose logarithms are taken, boolean `(features,)`.

    Example:
        >>> x = np.exp(np.random.default_rng(0).normal(size=(1000, 1)))
        >>> t = Logarithms(x, np.ones_like(x), np.array([True]))
        >>> bool(t.skewed[0]), bool(abs(t(x).mean()) < 1e-6), bool(abs(t(x).std() - 1) < 1e-6)
        (True, True, True)
    """

    def __init__(self, x, mask, columns):
        count = np.maximum(mask.sum(axis=0), 1.0)
        mean = (mask * x).sum(axis=0) / count
        centered = mask * (x - mean)
        second, third = ((centered**power).sum(axis=0) / count for power in (2, 3))
        skewness = third / np.maximum(second, 1e-12) ** 1.5
        self.skewed = columns & (np.abs(skewness) > SKEWED)
        low = np.where(mask > 0, x, np.inf).min(axis=0)
        high = np.where(mask > 0, x, -np.inf).max(axis=0)
        self.sign = np.where(skewness > 0, 1.0, -1.0)
        self.edge = np.where(self.skewed, np.where(skewness > 0, low, high), 0.0)
        logs = self._logs(x)
        self.center = (mask * logs).sum(axis=0) / count
        spread = np.sqrt((mask * np.square(logs - self.center)).sum(axis=0) / count)
        self.scale = np.maximum(spread, 1e-6)

    def _logs(self, x):
        return np.log1p(3.0 * np.maximum(self.sign * (x - self.edge), 0.0))

    def __call__(self, x):
        return np.where(self.skewed, (self._logs(x) - self.center) / self.scale, x).astype(
            "float32"
        )
