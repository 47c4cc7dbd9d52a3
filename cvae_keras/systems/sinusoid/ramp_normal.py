"""The likelihood of ramps: a Normal on the four degrees of freedom that a pair of them has."""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_positive
from cvae_keras.parts.likelihoods import Normal


@keras.saving.register_keras_serializable("cvae_keras")
class RampNormal(Normal):
    """A Normal on ramps: the density of x on the four-dimensional space in which all ramps lie.

    A pair of ramps has 50 x 2 entries but four degrees of freedom. With Q an orthonormal basis of
    straight lines, `log p = sum_j log N((Q' x)_j; (Q' x_hat)_j, s)` over the four coordinates; the
    distance `|x - x_hat|` is that of the whole curves.

    Args:
        points: length of the ramps.
        min_log_scale: floor of the log-scale of a coordinate.
        min_scale: None, or a further floor that is a weight of the layer and can be lowered while
            training: the RMS distance of curves, in units of x. The squares of 2 * points entries
            fall on four coordinates, so the scale of a coordinate is sqrt(points / 2) times that.

    Returns:
        `log_prob`: `(samples, batch)`, nats; `mean`: ramps, `(samples, batch, points, 2)`.

    Raises:
        ValueError: a mask is given.

    Example:
        >>> tuple(RampNormal(50).mean({"mean": np.zeros((1, 3, 4), "float32")}).shape)
        (1, 3, 50, 2)
    """

    def __init__(self, points, min_log_scale=-9.0, min_scale=None, **kwargs):
        super().__init__(scale="decoder", min_log_scale=min_log_scale, **kwargs)
        self.points, self.min_scale = points, None
        if min_scale is not None:
            start = keras.initializers.Constant(check_positive("min_scale", min_scale))
            self.min_scale = self.add_weight((), start, trainable=False, name="min_scale")
        rise = np.linspace(0.0, 1.0, points)
        self.lines = np.stack([1.0 - rise, rise], axis=1).astype("float32")  # (points, 2)
        self.basis = np.linalg.qr(self.lines)[0].astype("float32")

    def get_config(self):
        config = super().get_config()
        del config["scale"]
        if self.min_scale is not None:
            config["min_scale"] = float(self.min_scale)
        return {**config, "points": self.points}

    def mean_and_log_scale(self, x_hat):
        mean, log_scale = super().mean_and_log_scale(x_hat)
        if self.min_scale is not None:
            floor = ops.log(ops.maximum(self.min_scale, 1e-6)) + 0.5 * math.log(self.points / 2)
            log_scale = ops.maximum(log_scale, floor)
        return mean, log_scale

    def mean(self, x_hat):
        lo0, hi0, lo1, hi1 = ops.unstack(x_hat["mean"], axis=-1)
        ends = ops.stack([ops.stack([hi0, lo1], -1), ops.stack([lo0, hi1], -1)], axis=-2)
        return ops.matmul(self.lines, ends)

    def sample(self, x_hat, seed=None):
        mean, log_scale = self.mean_and_log_scale(x_hat)
        noise = ops.exp(log_scale) * keras.random.normal(ops.shape(mean), seed=seed)
        return self.mean(x_hat) + ops.matmul(
            self.basis, ops.reshape(noise, (*noise.shape[:2], 2, 2))
        )

    def log_prob(self, x, x_hat, mask=None):
        if mask is not None:
            raise ValueError("mask is not supported by RampNormal: use Normal for masked curves.")
        # coordinates of x, and of the lines through the ends; (…, 2, 2) flattened to 4
        given = ops.reshape(ops.matmul(self.basis.T, ops.cast(x, "float32")), (1, -1, 4))
        lo0, hi0, lo1, hi1 = ops.unstack(x_hat["mean"], axis=-1)
        start, stop = ops.stack([hi0, lo1], -1), ops.stack([lo0, hi1], -1)
        turn = self.basis.T @ self.lines  # (2, 2)
        first = turn[0, 0] * start + turn[0, 1] * stop
        second = turn[1, 0] * start + turn[1, 1] * stop
        coordinates = ops.concatenate([first, second], axis=-1)
        return super().log_prob(given[0], {**x_hat, "mean": coordinates})
