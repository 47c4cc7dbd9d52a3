"""Batches whose order depends on (seed, epoch) alone, so a resumed training sees the same ones."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Base of the batches: knows the epoch that `FollowEpoch` tells it.

    Args:
        steps: batches an epoch; batch_size: examples a batch; seed: of the order or the draw.

    Returns:
        `batches[i]` is a tuple with one dictionary of arrays, as `ELBOModel` reads them.

    Example:
        >>> model.fit(batches, epochs=5)
    """

    def __init__(self, steps, batch_size, seed):
        # With one worker, Keras has tf.data tune itself, and on one core each epoch begins by
        # waiting for that tuning to stop (2 s, longer than some epochs). With two it does not.
        super().__init__(workers=2)
        self.steps, self.batch_size, self.seed, self.epoch = steps, batch_size, seed, 0

    def __len__(self):
        return self.steps


class FollowEpoch(keras.callbacks.Callback):
    """Tells batches which epoch it is, also when a training resumes in the middle.

    `ELBOModel.fit` adds it by itself; another Keras model must be given it.

    Args:
        batches: a `Batches`.

    Example:
        >>> model.fit(batches, epochs=5, callbacks=[FollowEpoch(batches)])
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch


class ShuffledBatches(Batches):
    """Fixed arrays in an order drawn anew each epoch; an incomplete last batch is left out.

    Args:
        arrays: name -> array `(examples, ...)`; batch_size; seed.

    Example:
        >>> batches = ShuffledBatches({"x": x, "c": y}, batch_size=250, seed=0)
    """

    def __init__(self, arrays, batch_size, seed=0):
        self.arrays = arrays
        self.examples = len(next(iter(arrays.values())))
        super().__init__(self.examples // batch_size, batch_size, seed)
        self._order = (None, None)

    def __getitem__(self, index):
        epoch, kept = self.epoch, self._order  # read once: batches are prefetched by other threads
        if kept[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.examples)
            kept = self._order = (epoch, order)
        rows = kept[1][index * self.batch_size : (index + 1) * self.batch_size]
        return ({name: array[rows] for name, array in self.arrays.items()},)


class FreshBatches(Batches):
    """New examples in every batch: no example is seen twice, so nothing is overfitted.

    Args:
        source: what draws them, a `SinusoidTask` or `Conditioned` data: `source.examples(n, seed)`
            gives a dictionary of arrays. batch_size; steps: batches that count as one epoch; seed.

    Example:
        >>> batches = FreshBatches(TASKS["data_2"], batch_size=1000, steps=100, seed=0)
    """

    def __init__(self, source, batch_size, steps, seed=0):
        super().__init__(steps, batch_size, seed)
        self.source = source

    def __getitem__(self, index):
        return (self.source.examples(self.batch_size, [self.seed, self.epoch, index]),)
