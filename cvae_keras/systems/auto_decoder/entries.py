"""The entries of x that stand for the columns of a table: values, one-hot labels, counts."""

import numpy as np

FURTHEST = 1e6  # of standardized values, whose squares must be finite in float32
MOST = 1e6  # of a count, whose rate float32 and the Poisson likelihood hold


class Entries:
    """The columns of a table as entries of a model's rows x, and back.

    A normal column has one entry, its standardized value; a categorical one an entry per label, 1
    for its own; a Poisson one its count.

    Args:
        X: float `(rows, columns)`, NaN where missing; labels are numbered from 0.
        columns: their `Columns`.
        kinds: "normal", "categorical", "poisson" or None, for a column that is left out; one per
            column.
        sizes: number of labels of each categorical column.

    Attributes:
        likelihoods: `[kind, entries]` of each column that is not left out, for `ColumnLikelihood`;
            None if all are normal.
        widths: number of entries of each column, `(columns,)`.
        center: means, frequencies of the labels and mean counts, of each entry, `(entries,)`.
        spread: root mean square distance from them, 1 where it is 0, `(entries,)`.

    Raises:
        ValueError: a Poisson column holds something else than counts up to a million.

    Example:
        >>> from cvae_keras.data.columns import Columns
        >>> X = np.array([[1.0, 0.0], [3.0, 1.0]])
        >>> entries = Entries(X, Columns(X), ["normal", "categorical"], [0, 2])
        >>> entries.encode(X)[0].tolist()
        [[-1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
    """

    def __init__(self, X, columns, kinds, sizes):
        self.columns, self.kinds = columns, np.array(kinds, dtype=object)
        self.normal, self.counts = self.kinds == "normal", self.kinds == "poisson"
        self.labels = self.kinds == "categorical"
        left_out = ~(self.normal | self.counts | self.labels)
        self.widths = np.where(self.labels, sizes, np.where(left_out, 0, 1))
        self.first = np.cumsum([0, *self.widths])[:-1]
        self.likelihoods = None
        if not self.normal.all():
            pairs = zip(self.kinds, self.widths.tolist(), strict=True)
            self.likelihoods = [[kind, width] for kind, width in pairs if kind]
        self.center, self.spread = np.zeros(self.widths.sum()), np.ones(self.widths.sum())
        if self.likelihoods:
            x, mask = self.encode(X)
            count = np.maximum(mask.sum(axis=0), 1.0)
            mean = x.sum(axis=0, dtype="float64") / count
            variance = (mask * np.square(x - mean)).sum(axis=0) / count
            fixed = np.repeat(self.normal, self.widths)
            self.center = np.where(fixed, 0.0, mean)
            self.spread = np.where(fixed | (variance == 0), 1.0, np.sqrt(variance))

    def __len__(self):
        return int(self.widths.sum())

    @property
    def slices(self):
        """The entries of each categorical column: a list of slices."""
        at = np.flatnonzero(self.labels)
        return [slice(self.first[j], self.first[j] + self.widths[j]) for j in at]

    @property
    def dimensions(self):
        """How many numbers describe a row: one less than the labels of a categorical column."""
        return int(np.where(self.labels, np.maximum(self.widths - 1, 1), self.widths).sum())

    def observed(self, X):
        """Which values the model reads, boolean `(rows, columns)`: no gross outliers, and no labels
        that are not among those of the training rows (numbered -1)."""
        outliers = self.columns.outliers(X) & (self.normal | self.counts)
        return ~np.isnan(X) & ~self.columns.empty & ~outliers & ~(self.labels & (X < 0))

    def encode(self, X):
        """x, 0 where missing, and the mask of observed entries: float32 `(rows, entries)` each."""
        observed = self.observed(X)
        if self.normal.all():
            x = np.where(observed, self.columns.standardize(X), 0.0)
            return np.clip(x, -FURTHEST, FURTHEST).astype("float32"), observed.astype("float32")
        x = np.zeros((len(X), len(self)), "float32")
        standardized = np.where(observed, self.columns.standardize(X), 0.0)
        x[:, self.first[self.normal]] = np.clip(standardized, -FURTHEST, FURTHEST)[:, self.normal]
        x[:, self.first[self.counts]] = np.where(observed, X, 0.0)[:, self.counts]
        for j in np.flatnonzero(self.labels):
            rows = np.flatnonzero(observed[:, j])
            x[rows, self.first[j] + X[rows, j].astype(int)] = 1.0
        return x, np.repeat(observed, self.widths, axis=1).astype("float32")

    def restore(self, x_hat):
        """The values of x_hat `(rows, entries)`, float64 `(rows, columns)`: the label of the
        greatest entry, and 0 in a column that is left out."""
        x_hat = np.where(np.isfinite(x_hat), x_hat, self.center)
        if self.normal.all():
            return self.columns.restore(x_hat)
        z = np.zeros((len(x_hat), len(self.kinds)))
        z[:, self.normal] = x_hat[:, self.first[self.normal]]
        values = np.where(self.normal, self.columns.restore(z), 0.0)
        values[:, self.counts] = x_hat[:, self.first[self.counts]]
        for j, part in zip(np.flatnonzero(self.labels), self.slices, strict=True):
            values[:, j] = x_hat[:, part].argmax(axis=1)
        return values

    def errors(self, x, x_hat, held_out):
        """How far x_hat is from x in each held-out entry, `(cells,)`.

        Half the square of the distance in units of the spread; of labels -log of their probability.

        Args:
            x: `(rows, entries)`.
            x_hat: means, probabilities and rates, `(rows, entries)`.
            held_out: which entries count, boolean `(rows, entries)`.
        """
        errors = 0.5 * np.square((x_hat - x) / self.spread)
        if self.likelihoods:
            labels = np.repeat(self.labels, self.widths)
            errors = np.where(labels, -x * np.log(np.maximum(x_hat, 1e-6)), errors)
        return errors[held_out]

    def error(self, x, x_hat, held_out):
        """The mean of `errors`."""
        return float(np.mean(self.errors(x, x_hat, held_out)))

    def linear(self, x):
        """x with `log(count + 1/2)` in place of counts, as a linear model starts with it."""
        counts = np.repeat(self.counts, self.widths)
        return np.where(counts, np.log(np.maximum(x, 0.0) + 0.5), x)
