"""The unit of a modality: its shift and scale, which data are free of before they are float32.

`standardized = (value - shift) / scale`; `log p(value) = log p(standardized) - sum(log scale)`

A `Unit` keeps both in float32 variables without a loss: the shift is the sum of two, and an
exponent of 2 extends the range to that of float64. Arrays are centered in float64 by NumPy, tensors
by the backend in the precision that they have.
"""

import math
import warnings

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import merged
from cvae_keras.parts import likelihoods

LIMIT = 1e8  # of standardized values: squares of what networks make of them are finite in float32
RAW_LIMIT = 1e15  # the same of values whose unit was not measured: their own squares are finite
PLAIN = 80  # binary exponents to this size need no exponent of their own
ROWS = 10_000  # rows in float64 at once


class Unit:
    """Shift and scale of each entry of a modality.

    Args:
        shift: float32 variable of the modality's shape, the shift rounded.
        scale: the same, the scale.
        low: the same, what the rounding of the shift left.
        exponent: the same, whole numbers: shift, low and scale are in units of 2^exponent.

    Example:
        >>> import keras, numpy as np
        >>> from cvae_keras.systems.multimodal.units import Unit
        >>> unit = Unit(*(keras.Variable([value]) for value in (0.0, 1.0, 0.0, 0.0)))
        >>> unit.assign(np.array([1e9 + 0.5]), np.array([2.0]))
        >>> unit.standardize("x", np.array([[1e9 + 4.5]])).tolist()
        [[2.0]]
    """

    def __init__(self, shift, scale, low, exponent):
        self.variables = shift, scale, low, exponent

    def assign(self, shift, scale):
        """Set shift and scale, float64 arrays of the modality's shape."""
        scale = np.maximum(scale, np.abs(shift) * 2.0**-60)  # less is lost in float64
        _, exponent = np.frexp(np.maximum(scale, np.abs(shift) * 2.0**-30))
        exponent = np.where(np.abs(exponent) <= PLAIN, 0, exponent)
        shift, scale = np.ldexp(shift, -exponent), np.ldexp(scale, -exponent)
        high = shift.astype("float32")
        values = high, scale, shift - high, exponent
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(np.asarray(value, "float32"))

    def load(self, values):
        """Set the first variables to `values`, and the others to 0, as in earlier versions."""
        for number, variable in enumerate(self.variables):
            variable.assign(values[number] if number < len(values) else np.zeros(variable.shape))

    def numbers(self):
        """`(shift, scale)`, float64 arrays of the modality's shape."""
        shift, scale, low, exponent = (
            ops.convert_to_numpy(variable).astype("float64") for variable in self.variables
        )
        exponent = exponent.astype(int)
        return np.ldexp(shift + low, exponent), np.ldexp(scale, exponent)

    def is_one(self):
        """Whether the shift is 0 and the scale 1, so that data are left as they are."""
        shift, scale = self.numbers()
        return not shift.any() and bool((scale == 1).all())

    # -- arrays ---------------------------------------------------------------------------------
    def standardize(self, name, values, observed=None):
        """Checked values without their unit: float32 `(batch, *shape)`.

        Args:
            name: of the modality, for the messages.
            values: float32 or float64 `(batch, *shape)`.
            observed: `(batch,)` booleans, or None; other rows become 0.

        Returns:
            NumPy array.

        Raises:
            ValueError: values so far from the shift that their squares would not be finite.
        """
        shift, scale, low, exponent = (
            ops.convert_to_numpy(variable).astype("float64") for variable in self.variables
        )
        exponent = exponent.astype(int)
        center, found = np.ldexp(shift + low, exponent), np.empty(values.shape, "float32")
        for start in range(0, len(values), ROWS):
            part = slice(start, start + ROWS)
            centered = np.ldexp(values[part].astype("float64") - center, -exponent) / scale
            if observed is not None:
                centered[~observed[part]] = 0.0
            furthest = np.abs(centered).max(initial=0.0)
            if not furthest <= (RAW_LIMIT if self.is_one() else LIMIT):
                raise ValueError(
                    f"{name} holds values that lie {furthest:.3g} times its scale from its mean: "
                    f"correct them, or fit or adapt a new model to data of this unit."
                )
            found[part] = centered
        seen = slice(None) if observed is None else observed
        if merged(values[seen], found[seen]):
            warnings.warn(
                f"{name} holds distinct values that become equal in float32, because they differ "
                f"by too little beside their distance from the mean: correct outliers, adapt a "
                f"new model to these data, or give their logarithm or ranks.",
                stacklevel=2,
            )
        return found

    def restore(self, values):
        """Standardized values in their unit.

        Args:
            values: float32 `(..., *shape)`.

        Returns:
            float32; float64 where float32 would round to more than 1e-6 of the scale, or not hold
            the unit at all.

        Raises:
            ValueError: values that are not finite.
        """
        values = check_finite(np.asarray(values))
        if self.is_one():
            return values
        shift, scale = self.numbers()
        with np.errstate(over="ignore"):
            found = np.clip(shift + scale * values, -np.finfo(float).max, np.finfo(float).max)
        ordinary = (scale > 1e-30) & (scale < 1e30) & (np.abs(shift) <= 16 * scale)
        if ordinary.all() and np.abs(found).max(initial=0.0) < np.finfo("float32").max:
            return found.astype("float32")
        return found

    # -- tensors --------------------------------------------------------------------------------
    def read(self, values):
        """A float32 or float64 tensor `(batch, *shape)` without its unit: float32."""
        kind = keras.backend.standardize_dtype(values.dtype)
        shift, scale, low, exponent = (ops.cast(value, kind) for value in self.variables)
        power = ops.power(ops.cast(2.0, kind), -exponent)
        power = ops.minimum(power, float(np.finfo(kind).max))
        values = ops.where(exponent == 0, values, values * power)
        return ops.cast(((values - shift) - low) / scale, "float32")

    def write(self, values):
        """A standardized tensor in its unit, float32: the inverse of `read`, less precise."""
        shift, scale, low, exponent = self.variables
        return (shift + (low + scale * values)) * ops.power(2.0, exponent)

    def log_scale(self):
        """The logarithm of the scale, a float32 tensor of the modality's shape."""
        _, scale, _, exponent = self.variables
        return ops.log(scale) + ops.cast(exponent, "float32") * math.log(2.0)


class _InUnits:
    """Mixin of a likelihood whose x and x_hat are standardized: log p is that in x's own unit.

    A learned scale of the noise is relative to the unit, and so is its floor, which is kept as a
    weight; a fixed one is in x's own unit.

    Args:
        unit: `Unit` of x.
        scale: a positive number, "learned", or "decoder".
    """

    def __init__(self, unit, scale="learned", **kwargs):
        super().__init__(scale, **kwargs)
        self.unit = unit
        if scale == "learned":
            start = keras.initializers.Constant(self.min_log_scale)
            self.floor = self.add_weight((), start, trainable=False, name="floor")

    def elementwise(self, x, x_hat):
        return super().elementwise(x, x_hat) - self.unit.log_scale()

    def mean_and_log_scale(self, x_hat):
        if self.scale == "decoder":
            return super().mean_and_log_scale(x_hat)
        mean = ops.cast(self.mean(x_hat), "float32")
        if self.scale == "learned":
            return mean, ops.maximum(self.log_scale, self.floor)
        return mean, math.log(self.scale) - self.unit.log_scale()

    def load_own_variables(self, store):
        if self.scale != "learned" or "1" in store.keys():
            return super().load_own_variables(store)
        # a file of an earlier version, whose noise and floor are in x's own unit: of one scale
        unit = float(np.log(self.unit.numbers()[1]).flat[0])
        self.log_scale.assign(np.array(store["0"]) - unit)
        self.floor.assign(self.min_log_scale - unit)


class Normal(_InUnits, likelihoods.Normal):  # files hold the class's name
    """`Normal` of a standardized x, with log p in x's own unit; arguments as `_InUnits`."""


class Laplace(_InUnits, likelihoods.Laplace):
    """`Laplace` of a standardized x, with log p in x's own unit; arguments as `_InUnits`."""


def check_finite(values):
    """Refuse what a model returns if it is not finite.

    Args:
        values: NumPy array.

    Returns:
        The array.

    Raises:
        ValueError: NaN or infinity.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.units import check_finite
        >>> check_finite(np.ones(2)).tolist()
        [1.0, 1.0]
    """
    if not np.isfinite(values).all():
        raise ValueError(
            "the model's output is not finite: it has diverged, or its inputs lie too far from "
            "those that it was trained on; correct them, or train with a smaller learning rate."
        )
    return values


# -- what is measured -----------------------------------------------------------------------------
def measure(values, weights=None):
    """Mean and standard deviation of each entry, in float64.

    `mean = sum_i w_i v_i / sum_i w_i`, `deviation^2 = sum_i w_i (v_i - mean)^2 / sum_i w_i`

    The sums are over differences from the least value, and squares are of numbers near 1, so that
    neither rounds nor overflows. The deviation is 0 if and only if all values are equal.

    Args:
        values: `(batch, *shape)`, finite.
        weights: `(batch,)`, positive; or None.

    Returns:
        `(mean, deviation)`, float64 of the modality's shape.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.units import measure
        >>> mean, deviation = measure(np.array([[1e10], [1e10 + 2]]))
        >>> mean.tolist(), deviation.tolist()
        ([10000000001.0], [1.0])
    """
    share = np.ones(len(values)) if weights is None else np.asarray(weights, "float64")
    share = share / share.max()
    share = share / share.sum()
    least, most = (end.astype("float64") for end in (values.min(axis=0), values.max(axis=0)))

    def total(of):
        parts = range(0, len(values), ROWS)
        return sum(
            np.tensordot(share[i : i + ROWS], of(values[i : i + ROWS].astype("float64")), axes=1)
            for i in parts
        )

    _, exponent = np.frexp(most - least)
    offset = total(lambda part: np.ldexp(part - least, -exponent))
    square = total(lambda part: np.square(np.ldexp(part - least, -exponent) - offset))
    mean = np.clip(least + np.ldexp(offset, exponent), least, most)
    deviation = np.ldexp(np.sqrt(square), exponent)
    return mean, np.where(most > least, np.maximum(deviation, np.nextafter(0.0, 1.0)), 0.0)


def usable_scale(shift, scale, generated):
    """The scale of each entry, and a positive one in place of 0, where all values are equal.

    Args:
        shift: mean of each entry, float64.
        scale: standard deviation of each entry, 0 where its values are equal.
        generated: whether the array is generated, with an error in proportion to the scale: an
            entry of equal values then has its own size, at most that of the others; else 1.

    Returns:
        Positive float64 of the same shape.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.units import usable_scale
        >>> usable_scale(np.array([0.0, 5.0]), np.array([2.0, 0.0]), generated=True).tolist()
        [2.0, 2.0]
    """
    constant = np.ones(scale.shape)
    if generated:
        size, usual = np.abs(shift), root_mean_square(scale[scale > 0]) or np.inf
        constant = np.minimum(np.where(size > 0, size, usual), usual)
        constant = np.where(np.isfinite(constant), constant, 1.0)
    constant = np.maximum(constant, np.abs(shift) * 2.0**-30)  # above its rounding
    return np.where(scale > 0, scale, constant)


def root_mean_square(values):
    """`sqrt(mean(values^2))` of nonnegative values, which neither overflows nor becomes 0."""
    most = values.max(initial=0.0)
    return most * np.sqrt(np.mean(np.square(values / most))) if most > 0 else 0.0
