"""Averages over an epoch: of the terms of the objective, and of the rate of each dimension."""

import keras
from keras import ops

ACTIVE_NATS = 0.01


class EpochMeans(keras.metrics.Metric):
    """Means of the terms over the examples of an epoch, and the rate of each latent dimension.

    `kl_per_dim[j] = mean_i KL(q(z_j | x_i) || p(z_j))`; `kl` is its sum, and `active_units` counts
    the dimensions above 0.01 nats. All sums are one vector, because on small models a metric for
    each term costs more than the term.

    Args:
        names: of the terms, one number an example each; dims: number of latent dimensions.

    Returns:
        `result()` is a dictionary: the mean of each term; `kl` (nats), `kl_per_dim` `(dims,)`
        (nats), `active_units`. The progress bar shows the mean of `kl_per_dim`; `History` keeps
        the whole vector.

    Source: active units are those of Burda et al., "Importance Weighted Autoencoders", 2016,
    counted here by their KL.

    Example:
        >>> means = EpochMeans(["elbo"], 2)
        >>> means.update_state({"elbo": np.array([-3.0]), "kl": np.array([[1.0, 0.0]])})
        >>> float(means.result()["elbo"]), float(means.result()["active_units"])
        (-3.0, 1.0)
    """

    def __init__(self, names, dims, name="means", **kwargs):
        super().__init__(name=name, **kwargs)
        self.names = list(names)
        self.total = self.add_weight(shape=(len(self.names) + dims,), initializer="zeros")
        self.examples = self.add_weight(shape=(), initializer="zeros", name="examples")

    def update_state(self, terms, sample_weight=None):
        columns = [ops.cast(terms[name], self.dtype)[:, None] for name in self.names]
        columns = ops.concatenate([*columns, ops.cast(terms["kl"], self.dtype)], axis=1)
        self.total.assign_add(ops.sum(columns, axis=0))
        self.examples.assign_add(ops.cast(ops.shape(columns)[0], self.dtype))

    def result(self):
        means = self.total / ops.maximum(self.examples, 1.0)
        result = {name: means[number] for number, name in enumerate(self.names)}
        per_dim = means[len(self.names) :]
        active = ops.sum(ops.cast(per_dim > ACTIVE_NATS, self.dtype))
        return {**result, "kl": ops.sum(per_dim), "kl_per_dim": per_dim, "active_units": active}

    def save_own_variables(self, store):
        """Nothing: each epoch begins at 0."""

    def load_own_variables(self, store):
        """Nothing, whatever an older file holds."""
