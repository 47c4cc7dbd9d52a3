"""Nearest neighbours of each example, and batches that come in pairs of neighbours."""

import math

import numpy as np
from sklearn.neighbors import NearestNeighbors

from cvae_keras.data.rows import chunks, read
from cvae_keras.systems.compression.preprocessing import principal_axes
from cvae_keras.training.batches import Batches

BLOCK = 60_000  # examples among which neighbours are looked for: the cost is linear in the data
COMPONENTS = 50  # principal components in which distances are taken


def nearest_neighbors(rows, n_neighbors=7, seed=0):
    """The nearest rows of each row, among a random block of at most 60,000.

    Distances are Euclidean in the first 50 principal components.

    Args:
        rows: see `cvae_keras.data.rows.open_rows`, of mean about 0; n_neighbors: how many,
            fewer where a block is smaller; seed: of the blocks and of the components.

    Returns:
        int32 `(examples, n_neighbors)`, nearest first, never the row itself.

    Example:
        >>> nearest_neighbors(np.array([[0.0], [1.0], [5.0]]), 1)[:, 0]   # -> [1, 0, 1]
    """
    rng, n = np.random.default_rng(seed), len(rows)
    axes = principal_axes(rows, COMPONENTS, seed)[0]
    points = np.concatenate([read(rows, c) @ axes for c in chunks(rows)])
    blocks = np.array_split(rng.permutation(n), -(-n // BLOCK))
    count = min(n_neighbors, min(len(block) for block in blocks) - 1)
    found = np.empty((n, count), "int32")
    for block in blocks:
        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points[block])
        found[block] = block[search.kneighbors(return_distance=False)]
    return found


class PairedBatches(Batches):
    """Each batch: random rows, and for each a random one of its neighbours.

    At first the neighbour is found by a walk of several steps, each to a random neighbour, which
    grows shorter: what belongs together on a large scale finds its place before details do, and
    is seldom torn apart.

    `steps of the walk = 1 + ceil((walk - 1) * max(0, 1 - epoch / until))`

    Args:
        rows: see `cvae_keras.data.rows.open_rows`; neighbors: from `nearest_neighbors`, or None for
            batches of single rows; batch_size: rows of a batch, neighbours counted; steps: batches
            of an epoch; seed: with the epoch it sets the order; walk: steps at first; until: epoch
            from which the walk has one step.

    Returns:
        `batches[i]` is `({"x": ..., "neighbor": ...},)`, `{"x": ...}` without
        neighbours.

    Source: walks as affinities at a scale: Coifman and Lafon, "Diffusion maps", 2006.

    Example:
        >>> batches = PairedBatches(x, nearest_neighbors(x), 512, steps=100)
    """

    def __init__(self, rows, neighbors, batch_size, steps, seed=0, walk=1, until=0):
        super().__init__(steps, batch_size, seed)
        self.rows, self.neighbors, self.walk, self.until = rows, neighbors, walk, until
        self.drawn = batch_size if neighbors is None else max(1, batch_size // 2)

    def __getitem__(self, index):
        first = (self.epoch * self.steps + index) * self.drawn  # place in an endless shuffled row
        rows = []
        while len(rows) < self.drawn:
            lap, place = divmod(first + len(rows), len(self.rows))
            order = self._order(lap)
            rows.extend(order[place : place + self.drawn - len(rows)])
        rows = np.array(rows)
        if self.neighbors is None:
            return ({"x": read(self.rows, rows)},)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        left, near = 1 - self.epoch / self.until if self.until else 0.0, rows
        for _ in range(1 + math.ceil((self.walk - 1) * max(0.0, left))):
            near = self.neighbors[near, rng.integers(self.neighbors.shape[1], size=len(rows))]
        return ({"x": read(self.rows, rows), "neighbor": read(self.rows, near)},)

    def _order(self, lap):
        kept = getattr(self, "_kept", (None, None))  # read once: other threads fetch batches too
        if kept[0] != lap:
            kept = (lap, np.random.default_rng([self.seed, lap]).permutation(len(self.rows)))
            self._kept = kept
        return kept[1]
