"""The rate of each latent dimension over an epoch, and how many dimensions are in use."""

import keras
from keras import ops

ACTIVE_NATS = 0.01


class Rate(keras.metrics.Metric):
    """KL of each latent dimension, averaged over the examples of an epoch.

    `kl_per_dim[j] = mean_i KL(q(z_j | x_i) || p(z_j))`; `kl` is its sum, and `active_units` counts
    the dimensions above 0.01 nats.

    Args:
        dims: number of latent dimensions.

    Returns:
        `result()` is a dictionary: `kl` (nats), `kl_per_dim` `(dims,)` (nats), `active_units`. The
        progress bar shows the mean of `kl_per_dim`; `History` keeps the whole vector.

    Source: active units are those of Burda et al., "Importance Weighted Autoencoders", 2016,
    counted here by their KL.

    Example:
        >>> rate = Rate(2)
        >>> rate.update_state(np.array([[1.0, 0.0]]))
        >>> float(rate.result()["active_units"])
        1.0
    """

    def __init__(self, dims, name="rate", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dims = dims
        self.total = self.add_weight(shape=(dims,), initializer="zeros", name="total")
        self.examples = self.add_weight(shape=(), initializer="zeros", name="examples")

    def update_state(self, kl, sample_weight=None):
        self.total.assign_add(ops.sum(ops.cast(kl, self.dtype), axis=0))
        self.examples.assign_add(ops.cast(ops.shape(kl)[0], self.dtype))

    def result(self):
        per_dim = self.total / ops.maximum(self.examples, 1.0)
        active = ops.sum(ops.cast(per_dim > ACTIVE_NATS, self.dtype))
        return {"kl": ops.sum(per_dim), "kl_per_dim": per_dim, "active_units": active}
