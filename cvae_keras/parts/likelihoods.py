"""Likelihoods p(x | z, c): how far a reconstruction is from x, in nats.

`SquaredError` and `AbsoluteError` are the losses that most public VAE code uses instead:
log-probabilities up to a constant, with the scale fixed.
"""

import math
from numbers import Real

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import FLOAT32, check_count, check_finite, shown
from cvae_keras.parts.distributions import LOG_2PI


class Likelihood(keras.layers.Layer):
    """Base of the likelihoods.

    To write one, override:

    - `elementwise(x, x_hat)`: x `(batch, ...)`, x_hat what the decoder returned; returns the
      log-probability of each entry, `(samples, batch, ...)`, in nats;
    - `mean(x_hat)`, if the mean of p(x | z, c) is not what the decoder returns;
    - `sample(x_hat, seed)`: a draw from p(x | z, c) for each of its rows;
    - `reads_log_scale`: True if the decoder is to return a dictionary with "log_scale".

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.zeros((2, 3), "float32"), np.ones((1, 2, 3), "float32")
        >>> np.array(SquaredError().log_prob(x, x_hat)).tolist()
        [[-3.0, -3.0]]
    """

    reads_log_scale = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True  # it is never called, and its weights are made here

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

    def sample(self, x_hat, seed=None):
        """Draw x from p(x | z, c), once for each of the decoder's rows.

        Args:
            x_hat: what the decoder returned, `(samples, batch, ...)`, or a dictionary of such.
            seed: an integer or a `keras.random.SeedGenerator`.

        Returns:
            `(samples, batch, ...)`, float32.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no draws: override `sample`, or draw with noise=False."
        )


@keras.saving.register_keras_serializable("cvae_keras")
class SquaredError(Likelihood):
    """`log p = -(x - x_hat)^2`: a Normal of variance 1/2, up to a constant."""

    def elementwise(self, x, x_hat):
        return -ops.square(x - ops.cast(x_hat, "float32"))

    def sample(self, x_hat, seed=None):
        return _normal(ops.cast(x_hat, "float32"), -0.5 * math.log(2.0), seed)


@keras.saving.register_keras_serializable("cvae_keras")
class AbsoluteError(Likelihood):
    """`log p = -|x - x_hat|`: a Laplace of scale 1, up to a constant."""

    def elementwise(self, x, x_hat):
        return -ops.abs(x - ops.cast(x_hat, "float32"))

    def sample(self, x_hat, seed=None):
        return _laplace(ops.cast(x_hat, "float32"), 0.0, seed)


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

    def sample(self, x_hat, seed=None):
        return _normal(*self.mean_and_log_scale(x_hat), seed)


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

    def sample(self, x_hat, seed=None):
        return _laplace(*self.mean_and_log_scale(x_hat), seed)


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

    def sample(self, x_hat, seed=None):
        draw = keras.random.uniform(ops.shape(x_hat), seed=seed, dtype="float32")
        return ops.cast(draw < self.mean(ops.cast(x_hat, "float32")), "float32")


@keras.saving.register_keras_serializable("cvae_keras")
class Categorical(Likelihood):
    """`log p = sum_j x_j log softmax(l)_j`, for one-hot x; the decoder gives logits l (last axis).

    Args:
        classes: None, or their number, which `cvae_keras.CVAE` reads for a column of labels.

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.eye(2, dtype="float32"), np.zeros((1, 2, 2), "float32")
        >>> np.allclose(Categorical().log_prob(x, x_hat), -np.log(2.0))
        True
    """

    def __init__(self, classes=None, **kwargs):
        super().__init__(**kwargs)
        self.classes = None if classes is None else check_count("classes", classes, least=2)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}

    def elementwise(self, x, x_hat):
        return x * ops.log_softmax(ops.cast(x_hat, "float32"), axis=-1)

    def mean(self, x_hat):
        return ops.softmax(x_hat, axis=-1)

    def sample(self, x_hat, seed=None):
        """One-hot draws, by the Gumbel-max trick."""
        draw = keras.random.uniform(ops.shape(x_hat), 1e-7, 1.0, seed=seed, dtype="float32")
        gumbel = -ops.log(-ops.log(draw) + 1e-20)
        chosen = ops.argmax(ops.cast(x_hat, "float32") + gumbel, axis=-1)
        return ops.one_hot(chosen, x_hat.shape[-1], dtype="float32")


@keras.saving.register_keras_serializable("cvae_keras")
class Poisson(Likelihood):
    """`log p = x l - exp(l) - log x!`, for counts x = 0, 1, 2, ...; the decoder gives log-rates l.

    From x = 8 on it is written as `x (r - exp(r) + 1) - log(2 pi x) / 2 - d(x)`, `r = l - log x`,
    with Stirling's series d, because float32 does not hold the difference of the large terms.

    Args:
        max_log_rate: log-rates are clipped at this number, which keeps the rate finite.

    Source: Loader, "Fast and accurate computation of binomial probabilities", 2000, section 3.

    Example:
        >>> import numpy as np
        >>> x, x_hat = np.zeros((1, 1), "float32"), np.zeros((1, 1, 1), "float32")
        >>> np.allclose(Poisson().log_prob(x, x_hat), -1.0)
        True
    """

    def __init__(self, max_log_rate=16.0, **kwargs):
        super().__init__(**kwargs)
        self.max_log_rate = check_finite("max_log_rate", max_log_rate)

    def log_rate(self, x_hat):
        """The log-rate that the decoder's output stands for."""
        return ops.minimum(ops.cast(x_hat, "float32"), self.max_log_rate)

    def elementwise(self, x, x_hat):
        log_rate = self.log_rate(x_hat)
        log_factorial = sum(ops.where(x >= k, math.log(k), 0.0) for k in range(2, 8))
        few = x * log_rate - ops.exp(log_rate) - log_factorial
        many = ops.maximum(x, 8.0)
        ratio = log_rate - ops.log(many)
        rest = 1.0 / (12.0 * many) - 1.0 / (360.0 * many**3) + 1.0 / (1260.0 * many**5)
        saddle = many * (ratio - ops.expm1(ratio)) - 0.5 * (LOG_2PI + ops.log(many)) - rest
        return ops.where(x < 8.0, few, saddle)

    def mean(self, x_hat):
        return ops.exp(self.log_rate(x_hat))

    def sample(self, x_hat, seed=None):
        """Counts, drawn by NumPy: outside of a compiled function only."""
        key = keras.random.randint((4,), 0, 2**31 - 1, seed=seed)
        rng = np.random.default_rng(ops.convert_to_numpy(key).tolist())
        counts = rng.poisson(ops.convert_to_numpy(self.mean(x_hat)).astype("float64"))
        return ops.convert_to_tensor(counts.astype("float32"))

    def get_config(self):
        return {**super().get_config(), "max_log_rate": self.max_log_rate}


@keras.saving.register_keras_serializable("cvae_keras")
class Product(Likelihood):
    """The likelihood of several named arrays: `log p(x | z, c) = sum_k log p_k(x_k | z, c)`.

    Given z and c the arrays are independent; what they have in common is in z.

    Args:
        parts: dictionary of name -> `Likelihood`.

    Call arguments:
        `x`, `x_hat` and `mask` of the methods are dictionaries with the same names; an array
        without a mask is observed.

    Example:
        >>> import numpy as np
        >>> both = Product({"a": Normal(1.0), "b": Bernoulli()})
        >>> x = {"a": np.zeros((5, 2), "float32"), "b": np.ones((5, 1), "float32")}
        >>> tuple(both.log_prob(x, {name: value[None] for name, value in x.items()}).shape)
        (1, 5)
    """

    def __init__(self, parts, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(parts, dict) or not parts:
            raise ValueError(f"parts must be a dictionary of likelihoods, got {shown(parts)}.")
        self.parts = dict(parts)

    def log_prob(self, x, x_hat, mask=None):
        masks = {} if mask is None else mask
        return sum(
            part.log_prob(x[name], x_hat[name], masks.get(name))
            for name, part in self.parts.items()
        )

    def mean(self, x_hat):
        return {name: part.mean(x_hat[name]) for name, part in self.parts.items()}

    def sample(self, x_hat, seed=None):
        seed = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        return {name: part.sample(x_hat[name], seed) for name, part in self.parts.items()}

    def get_config(self):
        parts = {name: keras.saving.serialize_keras_object(p) for name, p in self.parts.items()}
        return {**super().get_config(), "parts": parts}

    @classmethod
    def from_config(cls, config):
        parts = {
            name: keras.saving.deserialize_keras_object(part)
            for name, part in config["parts"].items()
        }
        return cls(**{**config, "parts": parts})


def _normal(mean, log_scale, seed):
    noise = keras.random.normal(ops.shape(mean), seed=seed, dtype="float32")
    return mean + ops.exp(log_scale) * noise


def _laplace(mean, log_scale, seed):
    draw = keras.random.uniform(ops.shape(mean), -1.0, 1.0, seed=seed, dtype="float32")
    size = -ops.log1p(-ops.minimum(ops.abs(draw), 1.0 - 1e-7))
    return mean + ops.exp(log_scale) * ops.sign(draw) * size
