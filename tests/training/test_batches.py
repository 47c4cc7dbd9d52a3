"""Batches: their order is a function of (seed, epoch), whatever was read before."""

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.training.batches import FollowEpoch, FreshBatches, ShuffledBatches


def read(batches, epoch):
    FollowEpoch(batches).on_epoch_begin(epoch)
    return np.concatenate([batches[i][0]["x"] for i in range(len(batches))])


def shuffled(seed=0):
    return ShuffledBatches({"x": np.arange(23), "c": np.arange(23) + 100}, 5, seed)


def fresh(seed=0):
    return FreshBatches(TASKS["data_1"], batch_size=5, steps=4, seed=seed)


@pytest.mark.parametrize("make", [shuffled, fresh])
def test_order_depends_on_seed_and_epoch_alone(make):
    batches = make()
    assert len(batches) == 4
    epochs = [read(batches, epoch) for epoch in range(3)]
    np.testing.assert_array_equal(read(make(), 2), epochs[2])
    np.testing.assert_array_equal(read(batches, 0), epochs[0])
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(read(make(seed=1), 0), epochs[0])


def test_shuffled_batches_hold_each_example_at_most_once_and_keep_pairs():
    batches = shuffled()
    x = read(batches, 0)
    assert len(x) == len(set(x)) == 20
    (batch,) = batches[2]
    np.testing.assert_array_equal(batch["c"], batch["x"] + 100)


def test_fresh_batches_hold_new_examples_of_the_task():
    (first,), (second,) = fresh()[0], fresh()[1]
    assert first["x"].shape == (5, 50, 2) and not np.any(np.isin(first["x"], second["x"]))
    np.testing.assert_allclose(TASKS["data_1"].forward(first["x"]), first["c"], atol=1e-5)


@pytest.mark.parametrize("make", [shuffled, fresh])
def test_pipeline_gives_the_same_batches_and_follows_the_epoch(make):
    batches = make()
    pipeline = batches.pipeline()
    if pipeline is batches:
        pytest.skip("only TensorFlow has a faster form")
    assert len(pipeline) == len(batches)
    for epoch in (0, 2, 1):
        FollowEpoch(batches).on_epoch_begin(epoch)
        found = [{name: part.numpy() for name, part in inputs.items()} for (inputs,) in pipeline]
        for index, inputs in enumerate(found):
            for name, array in batches[index][0].items():
                np.testing.assert_array_equal(inputs[name], array)


def test_an_epoch_of_no_batches_is_refused_by_keras_not_by_the_pipeline():
    batches = ShuffledBatches({"x": np.arange(3)}, 5)
    assert len(batches) == 0 and batches.pipeline() is batches


def test_shuffled_batches_of_a_nested_dictionary():
    c = {"a": np.arange(10.0)[:, None], "b": -np.arange(10.0)[:, None]}
    batches = ShuffledBatches({"x": c["a"], "c": c}, batch_size=4, seed=0)
    for (found,), (read,) in zip(batches, batches.pipeline(), strict=False):
        for each in (found, read):
            np.testing.assert_array_equal(each["x"], each["c"]["a"])
            np.testing.assert_array_equal(each["x"], -np.asarray(each["c"]["b"]))
        np.testing.assert_array_equal(found["x"], read["x"])
    with pytest.raises(ValueError, match="arrays differ in length"):
        ShuffledBatches({"x": c["a"], "c": {"a": c["a"][:5]}}, batch_size=4)
