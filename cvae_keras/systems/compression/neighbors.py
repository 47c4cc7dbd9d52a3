"""Nearest neighbors of each example, and batches that come in pairs of neighbors."""

import math

import numpy as np
from sklearn.neighbors import NearestNeighbors

from cvae_keras.data.rows import chunks, read
from cvae_keras.training.batches import Batches

BLOCK = 60_000  # examples that are searched at once: the cost stays linear in the data


def nearest_neighbors(rows, n_neighbors=7, seed=0, axes=None):
    """The nearest rows of each row, among a random block of at most 60,000 rows.

    Distances are Euclidean.

    Args:
        rows: `(examples, features)`, see `cvae_keras.data.rows.open_rows`.
        n_neighbors: how many, fewer where a block is smaller.
        seed: of the division into blocks.
        axes: `(features, components)`: distances are taken between `rows @ axes`, which costs less
            where there are many features; None for the features themselves.

    Returns:
        int32 `(examples, n_neighbors)`, nearest first, never the row itself.

    Example:
        >>> import numpy as np
        >>> nearest_neighbors(np.array([[0.0], [1.0], [5.0]]), 1)[:, 0].tolist()
        [1, 0, 1]
    """
    rng, n = np.random.default_rng(seed), len(rows)
    points = [read(rows, chunk) for chunk in chunks(rows)]
    points = np.concatenate(points if axes is None else [part @ axes for part in points])
    blocks = np.array_split(rng.permutation(n), -(-n // BLOCK))
    count = min(n_neighbors, min(len(block) for block in blocks) - 1)
    found = np.empty((n, count), "int32")
    for block in blocks:
        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points[block])
        found[block] = block[search.kneighbors(return_distance=False)]
    return found


class PairedBatches(Batches):
    """Each batch: random rows, and for each row a random one of its neighbors.

    In the first epochs the neighbor is the end of a random walk of several steps over the graph of
    nearest neighbors. The walks become shorter, so the large-scale structure of the embedding forms
    before its details, and classes are rarely split.

    `steps of the walk = 1 + ceil((walk - 1) * max(0, 1 - epoch / until))`

    Args:
        rows: `(examples, features)`, see `cvae_keras.data.rows.open_rows`.
        neighbors: from `nearest_neighbors`, or None for batches of single rows.
        batch_size: rows of a batch, neighbors counted.
        steps: batches of an epoch; None for as many as contain each row.
        seed: with the epoch it determines the order.
        walk: steps of a walk in the first epoch.
        until: epoch from which a walk has one step; 0 for always.

    Returns:
        `batches[i]` is `({"x": ..., "neighbor": ...},)`, or `({"x": ...},)` without neighbors.

    Source: walks as affinities at a scale: Coifman and Lafon, "Diffusion maps", 2006.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(1000, 5))
        >>> batches = PairedBatches(x, nearest_neighbors(x), batch_size=512)
        >>> len(batches), batches[0][0]["neighbor"].shape
        (4, (256, 5))
    """

    def __init__(self, rows, neighbors, batch_size, steps=None, seed=0, walk=1, until=0):
        self.drawn = batch_size if neighbors is None else max(1, batch_size // 2)
        super().__init__(-(-len(rows) // self.drawn) if steps is None else steps, batch_size, seed)
        self.rows, self.neighbors, self.walk, self.until = rows, neighbors, walk, until

    def __getitem__(self, index):
        first = (self.epoch * self.steps + index) * self.drawn  # place in an endless shuffled list
        rows = []
        while len(rows) < self.drawn:
            lap, place = divmod(first + len(rows), len(self.rows))
            order = self._order(lap)
            rows.extend(order[place : place + self.drawn - len(rows)])
        rows = np.array(rows)
        if self.neighbors is None:
            return (self._inputs(rows),)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        left, near = 1 - self.epoch / self.until if self.until else 0.0, rows
        for _ in range(1 + math.ceil((self.walk - 1) * max(0.0, left))):
            near = self.neighbors[near, rng.integers(self.neighbors.shape[1], size=len(rows))]
        return (self._inputs(rows, near),)

    def _inputs(self, rows, near=None):
        inputs = {"x": read(self.rows, rows)}
        return inputs if near is None else {**inputs, "neighbor": read(self.rows, near)}

    def _order(self, lap):
        kept = getattr(self, "_kept", (None, None))  # read once: other threads fetch batches too
        if kept[0] != lap:
            kept = (lap, np.random.default_rng([self.seed, lap]).permutation(len(self.rows)))
            self._kept = kept
        return kept[1]


class ComponentBatches(PairedBatches):
    """`PairedBatches` of the principal components of the rows, which are computed once.

    Args:
        rows: as for `PairedBatches`.
        axes: `(features, components)`, orthonormal columns.
        **kwargs: as for `PairedBatches`.

    Returns:
        `batches[i]` is `({"components": ..., "rest": ..., "neighbor": ...},)`, see
        `CompressionModel`; without neighbors there is no `neighbor`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(1000, 5))
        >>> axes = np.eye(5, 3, dtype="float32")
        >>> batches = ComponentBatches(x, axes, neighbors=None, batch_size=512)
        >>> batches[0][0]["components"].shape, batches[0][0]["rest"].shape
        ((512, 3), (512, 1))
    """

    def __init__(self, rows, axes, **kwargs):
        super().__init__(rows, **kwargs)
        self.components = np.empty((len(rows), axes.shape[1]), "float32")
        self.rest = np.empty((len(rows), 1), "float32")
        for chunk in chunks(rows):
            x = read(rows, chunk)
            self.components[chunk] = h = x @ axes
            self.rest[chunk] = np.square(x - h @ axes.T).sum(axis=1, keepdims=True)

    def _inputs(self, rows, near=None):
        inputs = {"components": self.components[rows], "rest": self.rest[rows]}
        return inputs if near is None else {**inputs, "neighbor": self.components[near]}
