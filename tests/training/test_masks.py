"""RedrawnMasks: masks that differ from epoch to epoch, and are a function of (seed, epoch)."""

import numpy as np
import pytest

from cvae_keras.training.masks import RedrawnMasks

X = np.arange(400.0, dtype="float32").reshape(40, 10)


def epoch(batches, number, name="given"):
    batches.epoch = number
    return np.stack([batches[i][0][name] for i in range(len(batches))])


def test_masks_are_a_function_of_seed_and_epoch():
    batches, again = (RedrawnMasks({"x": X}, 8, seed=3) for _ in range(2))
    first, second = epoch(batches, 0), epoch(batches, 1)
    assert not np.array_equal(first, second)
    assert np.array_equal(epoch(again, 1), second)  # whatever was read before
    assert np.array_equal(epoch(batches, 0), first)
    assert not np.array_equal(epoch(RedrawnMasks({"x": X}, 8, seed=4), 0), first)
    assert set(np.unique(first)) == {0.0, 1.0}


def test_ratios_of_rows_are_uniform():
    shares = epoch(RedrawnMasks({"x": np.ones((4000, 200), "float32")}, 1000), 0).mean(axis=-1)
    # U(0, 1) has variance 1/12; a single ratio of one half would give 0.25/200
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / 12, abs=0.005)


@pytest.mark.parametrize("place", ["given", "mask"])
def test_what_is_missing_stays_missing(place):
    mask = (np.random.default_rng(0).random(X.shape) > 0.5).astype("float32")
    batches = RedrawnMasks({"x": X * mask, "mask": mask}, 8, place=place)
    (batch,) = batches[0]
    rows = batches.order()[0]
    assert (batch[place] <= mask[rows]).all() and 0 < batch[place].sum() < mask[rows].sum()
    assert np.array_equal(batch["mask"], mask[rows]) == (place == "given")
    with pytest.raises(ValueError, match="place 'encoder' is unknown"):
        RedrawnMasks({"x": X}, 8, place="encoder")
