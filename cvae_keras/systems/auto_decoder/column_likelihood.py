"""The likelihood of a table's columns: normal, categorical and Poisson ones side by side."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count, shown
from cvae_keras.parts.likelihoods import Likelihood, Normal, Poisson

KINDS = ("normal", "categorical", "poisson")
NOTHING = -1e9  # a logit of probability 0


@keras.saving.register_keras_serializable("cvae_keras")
class ColumnLikelihood(Likelihood):
    """`log p(x | z) = sum over columns of log p(x_d | f(z)_d)`, with a likelihood per column.

    A column has one or several entries of x and of the decoder's output f: a normal column its
    value and mean, a categorical one K one-hot entries and K logits, a Poisson one its count and
    log-rate. For the test-time search it knows the gradient of -log p in f and its generalized
    Gauss-Newton matrix in z, `J H J'`, where H is the Hessian of -log p in f: p of a normal entry,
    `diag(softmax) - softmax softmax'` of a categorical column, the rate of a Poisson one.

    Args:
        columns: list of `[kind, entries]`, kind "normal", "categorical" or "poisson", in the order
            of the entries; normal and Poisson columns have one entry.

    Call arguments:
        x: `(batch, entries)`.
        x_hat: dictionary of the decoder's "mean" `(samples, batch, entries)` and "log_scale"
            `(entries,)`, of which only those of normal entries are used.

    Raises:
        ValueError: an unknown kind, or a number of entries that it cannot have.

    Source: Nazabal et al., "Handling incomplete heterogeneous data using VAEs", 2020, without
    ordinal columns; Schraudolph, "Fast curvature matrix-vector products", 2002.

    Example:
        >>> both = ColumnLikelihood([["normal", 1], ["categorical", 2]])
        >>> x_hat = {"mean": ops.zeros((1, 1, 3)), "log_scale": ops.zeros((3,))}
        >>> both.mean(x_hat)[0, 0].numpy().tolist()
        [0.0, 0.5, 0.5]
    """

    reads_log_scale = True

    def __init__(self, columns, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(columns, (list, tuple)) or not columns:
            raise ValueError(f"columns must be a list of [kind, entries], got {shown(columns)}.")
        self.columns = [[check_choice("kind", k, KINDS), check_count("n", n)] for k, n in columns]
        for kind, entries in self.columns:
            if kind != "categorical" and entries > 1:
                raise ValueError(f"a {kind} column has one entry, got {entries}: split it.")
        self.normal, self.poisson = Normal("decoder", min_log_scale=-4.0), Poisson()
        kinds = np.repeat([kind for kind, _ in self.columns], [n for _, n in self.columns])
        self.entries = len(kinds)
        self.labels, self.counts = kinds == "categorical", kinds == "poisson"
        sizes = [entries for _, entries in self.columns]
        first = np.cumsum([0, *sizes])[:-1]
        blocks = [(a, n) for a, n, (kind, _) in zip(first, sizes, self.columns, strict=True)
                  if kind == "categorical"]  # fmt: skip
        widest = max((n for _, n in blocks), default=1)
        #: of each label column its entries, filled up to the widest with its last entry again
        self.index = np.array(
            [np.minimum(a + np.arange(widest), a + n - 1) for a, n in blocks], "int32"
        ).reshape(-1, widest)
        self.padding = np.array([NOTHING * (np.arange(widest) >= n) for _, n in blocks], "float32")
        self.member = np.zeros((self.entries, max(len(blocks), 1)), "float32")
        for number, (a, n) in enumerate(blocks):
            self.member[a : a + n, number] = 1.0
        self.block = self.member.argmax(axis=1).astype("int32")

    @property
    def min_log_scale(self):
        """Floor of the log-scales of normal entries."""
        return self.normal.min_log_scale

    def log_softmax(self, logits):
        """Of the entries of each label column among themselves; other entries mean nothing."""
        if not len(self.index):
            return logits
        blocks = ops.take(logits, self.index.reshape(-1), axis=-1)
        blocks = ops.reshape(blocks, (*ops.shape(logits)[:-1], *self.index.shape))
        blocks = ops.add(blocks, self.padding)
        return logits - ops.take(ops.logsumexp(blocks, axis=-1), self.block, axis=-1)

    def elementwise(self, x, x_hat):
        values = self.normal.elementwise(x, x_hat)
        mean = ops.cast(x_hat["mean"], "float32")
        if self.labels.any():
            values = ops.where(self.labels, x * self.log_softmax(mean), values)
        if self.counts.any():
            counts = self.poisson.elementwise(ops.maximum(x, 0.0), mean)
            values = ops.where(self.counts, counts, values)
        return values

    def mean(self, x_hat):
        """Means, probabilities and rates, of the shape of the decoder's output."""
        mean = ops.cast(x_hat["mean"] if isinstance(x_hat, dict) else x_hat, "float32")
        found = ops.where(self.labels, ops.exp(self.log_softmax(mean)), mean)
        return ops.where(self.counts, self.poisson.mean(mean), found)

    def sample(self, x_hat, seed=None):
        """Draws of each column, labels one-hot: outside of a compiled function only."""
        key = keras.random.randint((4,), 0, 2**31 - 1, seed=seed)
        rng = np.random.default_rng(ops.convert_to_numpy(key).tolist())
        mean, log_scale = (ops.convert_to_numpy(x_hat[name]) for name in ("mean", "log_scale"))
        scale = np.exp(np.maximum(log_scale, self.min_log_scale))
        return ops.convert_to_tensor(self.draw(mean, scale, rng))

    def draw(self, x_hat, scale, rng):
        """Draw x from p(x | z): NumPy, float32.

        Args:
            x_hat: the decoder's output, NumPy `(..., entries)`.
            scale: standard deviations of the normal entries, broadcast to its shape.
            rng: a NumPy `Generator`.
        """
        x = x_hat + scale * rng.standard_normal(x_hat.shape)
        if self.counts.any():
            rate = np.exp(np.minimum(x_hat[..., self.counts], self.poisson.max_log_rate))
            x[..., self.counts] = rng.poisson(rate.astype("float64"))
        if self.labels.any():
            noisy = x_hat[..., self.index] + self.padding
            chosen = np.argmax(noisy + rng.gumbel(size=noisy.shape), axis=-1)
            entry = self.index[np.arange(len(self.index)), chosen]
            one_hot = np.zeros(x_hat.shape, bool)
            np.put_along_axis(one_hot, entry, True, axis=-1)
            x = np.where(self.labels, one_hot, x)
        return x.astype("float32")

    def expand(self, x, x_hat, weight, jacobian):
        """Second-order expansion of -log p in z, by the generalized Gauss-Newton matrix.

        Args:
            x: `(batch, entries)`.
            x_hat: the decoder's output, `(batch, entries)`.
            weight: m p, one over the noise variance where observed, `(batch, entries)`; p is 1 of
                labels and counts.
            jacobian: d x_hat / d z, `(batch, latent_dim, entries)`.

        Returns:
            `(cost, gradient, matrix)`: twice -log p up to a constant, at least 0, `(batch,)`; the
            gradient of -log p in z `(batch, latent_dim)`; and the matrix.
        """
        error = x_hat - x
        cost, slope, bend = error * error, error, ops.ones_like(x)
        if self.labels.any():
            log_p = self.log_softmax(x_hat)
            p = ops.exp(ops.minimum(log_p, 0.0))
            cost = ops.where(self.labels, -2.0 * x * log_p, cost)
            slope, bend = ops.where(self.labels, p - x, slope), ops.where(self.labels, p, bend)
        if self.counts.any():
            rate, count = self.poisson.mean(x_hat), ops.maximum(x, 0.0)
            log_rate, log_count = self.poisson.log_rate(x_hat), ops.log(ops.maximum(count, 1.0))
            deviance = 2.0 * (rate - count - count * (log_rate - log_count))
            cost = ops.where(self.counts, deviance, cost)
            slope = ops.where(self.counts, rate - x, slope)
            bend = ops.where(self.counts, rate, bend)
        scaled = jacobian * (weight * bend)[:, None]
        matrix = ops.matmul(scaled, ops.swapaxes(jacobian, 1, 2))
        if self.labels.any():
            means = ops.matmul(scaled, self.member * self.labels[:, None])  # J p of each column
            matrix = matrix - ops.matmul(means, ops.swapaxes(means, 1, 2))
        gradient = ops.matmul(jacobian, (weight * slope)[..., None])[..., 0]
        return ops.sum(weight * cost, axis=-1), gradient, matrix

    def log_terms(self, mean, precision):
        """`log p(x | mean) = sum_d m_d (x_d a_d - b_d)` up to a constant: the pair (a, b), NumPy.

        Args:
            mean: means, probabilities and rates, `(rows, entries)`.
            precision: one over the noise variances, `(entries,)`.
        """
        a, b = precision * mean, 0.5 * precision * np.square(mean)
        log_mean = np.log(np.maximum(mean, 1e-6))
        a = np.where(self.labels | self.counts, log_mean, a)
        return a, np.where(self.labels, 0.0, np.where(self.counts, mean, b))

    def get_config(self):
        return {**super().get_config(), "columns": [list(column) for column in self.columns]}
