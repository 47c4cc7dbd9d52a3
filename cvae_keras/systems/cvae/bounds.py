"""Real values within bounds as values on the whole line, and back."""

import math

import numpy as np
from keras import ops
from scipy.special import log_expit, logit, ndtr, ndtri

from cvae_keras.checks import shown

EDGE = 1e-6  # of the width of two bounds, and least distance from one bound


class Logit:
    """`u = log(share / (1 - share))`: a share that is uniform has a logistic u."""

    read_array = staticmethod(logit)

    @staticmethod
    def write_array(u):
        return np.exp(log_expit(u))

    @staticmethod
    def read(share):
        return ops.log(share) - ops.log1p(-share)

    write = staticmethod(ops.sigmoid)

    @staticmethod
    def log_slope(u):
        return -ops.softplus(u) - ops.softplus(-u)


class Probit:
    """`u = Phi^-1(share)`, Phi of N(0, 1): a share that is uniform has a u of N(0, 1)."""

    read_array = staticmethod(ndtri)
    write_array = staticmethod(ndtr)

    @staticmethod
    def read(share):
        return math.sqrt(2.0) * ops.erfinv(2.0 * share - 1.0)

    @staticmethod
    def write(u):
        return 0.5 + 0.5 * ops.erf(u / math.sqrt(2.0))

    @staticmethod
    def log_slope(u):
        return -0.5 * ops.square(u) - 0.5 * math.log(2.0 * math.pi)


LINKS = {"logit": Logit, "probit": Probit}


class Bounds:
    """The bounds of each entry of an array, and the transformation that takes them off.

    | bounds | `u =` | `log |dv / du| =` |
    |---|---|---|
    | both, "logit" | `logit((v - low) / (high - low))` | `log(high - low) - log(2 + 2 cosh u)` |
    | both, "probit" | `Phi^-1((v - low) / (high - low))` | `log(high - low) + log N(u; 0, 1)` |
    | low alone | `log(v - low)` | `u` |
    | high alone | `-log(high - v)` | `-u` |
    | none | `v` | `0` |

    Args:
        name: of the array, for the messages.
        bounds: `(low, high)`, numbers, arrays of the shape, or None for no bound; entries may be
            infinite.
        shape: of the array.
        link: "logit" or "probit", of entries with both bounds.

    Raises:
        ValueError: bounds of another shape, NaN, or low not below high.

    Example:
        >>> bounds = Bounds("x", (0.0, None), (1,))
        >>> bounds.bounded(bounds.unbounded(np.array([[2.0]]))).round(3).tolist()
        [[2.0]]
    """

    def __init__(self, name, bounds, shape, link="logit"):
        self.link = LINKS[link]
        pair = isinstance(bounds, (list, tuple, np.ndarray)) and len(bounds) == 2
        try:
            ends = [
                np.broadcast_to(np.asarray(default if end is None else end, "float64"), shape)
                for end, default in zip(bounds, (-np.inf, np.inf), strict=True)
            ]
        except (TypeError, ValueError):
            pair = False
        if not pair or np.isnan(ends).any() or (ends[0] >= ends[1]).any():
            raise ValueError(
                f"bounds of {name!r} must be (low, high), low below high, numbers or arrays of "
                f"shape {tuple(shape)}, or None, got {shown(bounds)}: correct them."
            )
        self.low, self.high = ends
        self.has_low, self.has_high = np.isfinite(self.low), np.isfinite(self.high)
        self.both = self.has_low & self.has_high
        self.safe_low = np.where(self.has_low, self.low, 0.0)
        self.safe_high = np.where(self.has_high, self.high, 0.0)
        self.width = np.where(self.both, self.safe_high - self.safe_low, 1.0)

    @property
    def inside(self):
        """Values within the bounds, one for each entry."""
        middle = 0.5 * (self.safe_low + self.safe_high)
        one = np.where(self.has_low, self.safe_low + 1.0, self.safe_high - 1.0)
        return np.where(self.both, middle, np.where(self.has_low | self.has_high, one, 0.0))

    def outside(self, values):
        """How many values are not within the bounds."""
        return int(((values < self.low) | (values > self.high)).sum())

    # -- arrays ---------------------------------------------------------------------------------
    def unbounded(self, values):
        """Values on the whole line, float64; those on a bound are moved off it by a little."""
        values = values.astype("float64")
        share = np.clip((values - self.safe_low) / self.width, EDGE, 1.0 - EDGE)
        both = self.link.read_array(share)
        above = np.log(np.maximum(values - self.safe_low, EDGE))
        below = -np.log(np.maximum(self.safe_high - values, EDGE))
        one = np.where(self.has_low, above, np.where(self.has_high, below, values))
        return np.where(self.both, both, one)

    def bounded(self, values):
        """The inverse of `unbounded`, float32, never outside the bounds, also not by rounding."""
        u = values.astype("float64")
        both = self.safe_low + self.width * self.link.write_array(u)
        above = self.safe_low + np.exp(np.minimum(u, 80.0))
        below = self.safe_high - np.exp(np.minimum(-u, 80.0))
        one = np.where(self.has_low, above, np.where(self.has_high, below, u))
        found = np.where(self.both, both, one).astype("float32")
        low, high = self.low.astype("float32"), self.high.astype("float32")
        low = np.where(low < self.low, np.nextafter(low, np.float32(np.inf)), low)
        high = np.where(high > self.high, np.nextafter(high, np.float32(-np.inf)), high)
        return np.clip(found, low, high)

    # -- tensors --------------------------------------------------------------------------------
    def _tensors(self):
        return [
            ops.convert_to_tensor(each.astype("float32"))
            for each in (self.safe_low, self.safe_high, self.width)
        ]

    def read(self, values):
        """As `unbounded`, of a tensor, float32."""
        low, high, width = self._tensors()
        values = ops.cast(values, "float32")
        share = ops.clip((values - low) / width, EDGE, 1.0 - EDGE)
        both = self.link.read(share)
        above = ops.log(ops.maximum(values - low, EDGE))
        below = -ops.log(ops.maximum(high - values, EDGE))
        one = ops.where(self.has_low, above, ops.where(self.has_high, below, values))
        return ops.where(self.both, both, one)

    def write(self, u):
        """As `bounded`, of a tensor, float32."""
        low, high, width = self._tensors()
        above, below = low + ops.exp(ops.minimum(u, 80.0)), high - ops.exp(ops.minimum(-u, 80.0))
        one = ops.where(self.has_low, above, ops.where(self.has_high, below, u))
        return ops.where(self.both, low + width * self.link.write(u), one)

    def log_jacobian(self, u):
        """`log |dv / du|` of each entry, a float32 tensor of u's shape."""
        _, _, width = self._tensors()
        both = ops.log(width) + self.link.log_slope(u)
        one = ops.where(self.has_low, u, ops.where(self.has_high, -u, ops.zeros_like(u)))
        return ops.where(self.both, both, one)
