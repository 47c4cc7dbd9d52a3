"""Nearest neighbors, and batches of rows with a neighbor each."""

import numpy as np

from cvae_keras.systems.compression.neighbors import PairedBatches, nearest_neighbors


def test_nearest_neighbors_are_those_of_a_full_search():
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    assert np.array_equal(nearest_neighbors(x, 5), nearest_neighbors(x, 5, axes=np.eye(4)))
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert np.array_equal(nearest_neighbors(x, 5), np.argsort(distance, axis=1)[:, :5])


def test_batches_hold_each_row_once_a_lap_and_its_neighbors():
    x = np.arange(10, dtype="float32")[:, None]
    near = np.stack([(np.arange(10) + 1) % 10, (np.arange(10) - 1) % 10], axis=1)
    batches = PairedBatches(x, near, batch_size=4, steps=5, seed=3)
    found = [batches[i][0] for i in range(5)]
    assert sorted(np.concatenate([b["x"] for b in found])[:, 0]) == list(range(10))
    for batch in found:
        step = (batch["x"] - batch["neighbor"])[:, 0] % 10
        assert set(step) <= {1.0, 9.0}
    again = PairedBatches(x, near, batch_size=4, seed=3)
    assert len(again) == 5  # as many as contain each row
    assert np.array_equal(again[2][0]["x"], found[2]["x"])


def test_walks_to_a_neighbor_grow_shorter():
    x = np.arange(100, dtype="float32")[:, None]
    near = (np.arange(100)[:, None] + 1) % 100  # the only one: each step of a walk adds 1
    batches = PairedBatches(x, near, batch_size=20, steps=5, walk=5, until=8)
    steps = []
    for batches.epoch in range(10):
        inputs = batches[0][0]
        (step,) = set((inputs["neighbor"] - inputs["x"])[:, 0] % 100)
        steps.append(int(step))
    assert steps == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
