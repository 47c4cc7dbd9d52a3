"""Batches of which further entries are hidden, anew in each epoch."""

import numpy as np

from cvae_keras.checks import check_choice
from cvae_keras.training.batches import ShuffledBatches, called

PLACES = ("given", "mask")


class RedrawnMasks(ShuffledBatches):
    """Rows of which a share is hidden that is drawn anew for each row and in each epoch.

    `m'_id = m_id * [u_id >= r_i]`, `r_i ~ U(0, 1)`, `u_id ~ U(0, 1)`

    The draws are a function of the seed, the epoch and the number of the batch.

    Args:
        arrays: dictionary of `x` `(examples, features)` and, unless all is observed, `mask` of the
            same shape, 1 where observed.
        batch_size: examples per batch.
        seed: of the order and of the masks.
        place: the array that holds m': "given", beside the mask, hides entries from an encoder
            alone; "mask" hides them from the likelihood too.

    Raises:
        ValueError: an unknown place, or what `ShuffledBatches` refuses.

    Example:
        >>> batches = RedrawnMasks({"x": np.ones((8, 100))}, batch_size=4, seed=0)
        >>> first = batches[0][0]["given"]
        >>> batches.epoch = 1
        >>> bool(np.array_equal(first, batches[0][0]["given"]))
        False
    """

    def __init__(self, arrays, batch_size, seed=0, place="given"):
        super().__init__(arrays, batch_size, seed)
        self.place = check_choice("place", place, PLACES)

    def __getitem__(self, index):
        (batch,) = super().__getitem__(index)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        shape = batch["x"].shape
        kept = (rng.random(shape) >= rng.random((shape[0], 1))).astype("float32")
        return ({**batch, self.place: kept * batch["mask"] if "mask" in batch else kept},)

    def tf_dataset(self):
        return called(self)
