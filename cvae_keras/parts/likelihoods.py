"""Likelihoods p(x | z, c): how far a reconstruction is from x, in nats.

`SquaredError` and `AbsoluteError` are the losses that most public VAE code uses instead:
log-probabilities up to a constant, with the scale fixed.
"""

import math
from numbers import Real

import keras
from keras import ops

from cvae_keras.checks import FLOAT32, check_finite, shown
from cvae_keras.parts.distributions import LOG_2PI


class Likelihood(keras.layers.Layer):
    """Base of the likelihoods.

    To write one, override:

    - `elementwise(x, x_hat)`: x `(batch, ...)`, x_hat what the decoder returned; returns the
      log-probability of each entry, `(samples, batch, ...)`, in nats;
    - `mean(x_hat)`, if the mean of p(x | z, c) is not what the decoder returns.

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.zeros((2, 3), "float32"), np.ones((1, 2, 3), "float32")
        >>> np.array(SquaredError().log_prob(x, x_hat)).tolist()
        [[-3.0, -3.0]]
    """

    def elementwise(self, x, x_hat):
        raise NotImplementedError

    def log_prob(self, x, x_hat, mask=None):
        """Log-probability of x, summed over the event dimensions, in nats.

        Args:
            x: `(batch, ...)`.
            x_hat: what the decoder returned, `(samples, batch, ...)`, or a dictionary with "mean"
                and "log_scale".
            mask: of x's shape, 1 where observed; missing entries are left out of the sum.

        Returns:
            `(samples, batch)`.
        """
        values = self.elementwise(ops.cast(x, "float32"), x_hat)
        if mask is not None:
            values = ops.where(ops.cast(mask, "bool"), values, 0.0)
        return ops.sum(values, axis=tuple(range(2, len(values.shape))))

    def mean(self, x_hat):
        """The mean of p(x | z, c), `(samples, batch, ...)`."""
        return x_hat["mean"] if isinstance(x_hat, dict) else x_hat


@keras.saving.register_keras_serializable("cvae_keras")
class SquaredError(Likelihood):
    """`log p = -(x - x_hat)^2`: a Normal of variance 1/2, up to a constant."""

    def elementwise(self, x, x_hat):
        return -ops.square(x - ops.cast(x_hat, "float32"))


@keras.saving.register_keras_serializable("cvae_keras")
class AbsoluteError(Likelihood):
    """`log p = -|x - x_hat|`: a Laplace of scale 1, up to a constant."""

    def elementwise(self, x, x_hat):
        return -ops.abs(x - ops.cast(x_hat, "float32"))


class _Scaled(Likelihood):
    """A likelihood with a scale: fixed, one learned number, or given by the decoder.

    Its arguments are those of `Normal`.
    """

    def __init__(self, scale="learned", min_log_scale=-9.0, **kwargs):
        super().__init__(**kwargs)
        number = isinstance(scale, Real) and not isinstance(scale, bool)
        named = isinstance(scale, str) and scale in ("learned", "decoder")
        if not named and not (number and 0 < scale <= FLOAT32):
            raise ValueError(
                f"scale must be a positive number, 'learned' or 'decoder', got {shown(scale)}: "
                f"choose one."
            )
        self.scale = scale if named else float(scale)
        self.min_log_scale = check_finite("min_log_scale", min_log_scale)
        if scale == "learned":
            self.log_scale = self.add_weight(shape=(), initializer="zeros", name="log_scale")

    def mean_and_log_scale(self, x_hat):
        if self.scale == "decoder":
            mean, log_scale = x_hat["mean"], x_hat["log_scale"]
        else:
            mean = self.mean(x_hat)
            log_scale = self.log_scale if self.scale == "learned" else math.log(self.scale)
        log_scale = ops.maximum(ops.cast(log_scale, "float32"), self.min_log_scale)
        return ops.cast(mean, "float32"), log_scale

    def get_config(self):
        config = {"scale": self.scale, "min_log_scale": self.min_log_scale}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class Normal(_Scaled):
    """`log p = -((x - mean) / s)^2 / 2 - log s - log(2 pi) / 2`, for real x.

    Args:
        scale: a positive number (fixed), "learned" (one trainable log-scale, initially 0), or
            "decoder" (the decoder returns a dictionary with "mean" and "log_scale").
        min_log_scale: floor of the log-scale, which keeps the density finite on exact data.

    Raises:
        ValueError: scale is none of these.

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.zeros((1, 1), "float32"), np.zeros((1, 1, 1), "float32")
        >>> bool(np.isclose(Normal(1.0).log_prob(x, x_hat)[0, 0], -0.5 * LOG_2PI))
        True
    """

    def elementwise(self, x, x_hat):
        mean, log_scale = self.mean_and_log_scale(x_hat)
        return -0.5 * ops.square((x - mean) * ops.exp(-log_scale)) - log_scale - 0.5 * LOG_2PI


@keras.saving.register_keras_serializable("cvae_keras")
class Laplace(_Scaled):
    """`log p = -|x - mean| / s - log(2 s)`, for real x.

    Its arguments are those of `Normal`.

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.zeros((1, 1), "float32"), np.zeros((1, 1, 1), "float32")
        >>> np.allclose(Laplace(1.0).log_prob(x, x_hat), -np.log(2.0))
        True
    """

    def elementwise(self, x, x_hat):
        mean, log_scale = self.mean_and_log_scale(x_hat)
        return -ops.abs(x - mean) * ops.exp(-log_scale) - log_scale - math.log(2.0)


@keras.saving.register_keras_serializable("cvae_keras")
class Bernoulli(Likelihood):
    """`log p = x log s(l) + (1 - x) log(1 - s(l))`, for x in [0, 1]; the decoder gives logits l.

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.ones((1, 1), "float32"), np.zeros((1, 1, 1), "float32")
        >>> np.allclose(Bernoulli().log_prob(x, x_hat), -np.log(2.0))
        True
    """

    def elementwise(self, x, x_hat):
        logits = ops.cast(x_hat, "float32")
        return x * logits - ops.softplus(logits)

    def mean(self, x_hat):
        return ops.sigmoid(x_hat)


@keras.saving.register_keras_serializable("cvae_keras")
class Categorical(Likelihood):
    """`log p = sum_j x_j log softmax(l)_j`, for one-hot x; the decoder gives logits l (last axis).

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.eye(2, dtype="float32"), np.zeros((1, 2, 2), "float32")
        >>> np.allclose(Categorical().log_prob(x, x_hat), -np.log(2.0))
        True
    """

    def elementwise(self, x, x_hat):
        return x * ops.log_softmax(ops.cast(x_hat, "float32"), axis=-1)

    def mean(self, x_hat):
        return ops.softmax(x_hat, axis=-1)
