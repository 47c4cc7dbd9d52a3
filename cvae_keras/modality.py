"""A modality: a named array of any shape, what it may hold, and how the networks see it."""

import numpy as np
from keras import ops

from cvae_keras.checks import check_count

MASK = "_mask"


class Modality:
    """One named array: its shape, its checks, its numbers as a network reads them.

    Where the last axis holds K classes, class numbers 0 to K - 1 may stand for one-hot vectors: the
    array then lacks the last axis, or has 1 there. They become one-hot only inside the model.

    Args:
        name: text. shape: of one example, for instance `(10,)`, `(28, 28)`, or 10 for `(10,)`.

    Raises:
        ValueError: a name that is reserved, or a shape that is none.

    Example:
        >>> Modality("label", (10,)).check(np.array([3, 1])).tolist()            # [3, 1]
    """

    def __init__(self, name, shape):
        if not isinstance(name, str) or not name or name == "z" or name.endswith(MASK):
            raise ValueError(
                f"modality {name!r} cannot be named so: choose a text that is not 'z' and does not "
                f"end in {MASK!r}."
            )
        shape = shape if isinstance(shape, (tuple, list)) and shape else (shape,)
        self.name = name
        self.shape = tuple(check_count(f"input_dims[{name!r}]", size) for size in shape)

    def holds_classes(self, shape):
        """Whether an array of this shape, `(batch, ...)`, holds class numbers."""
        inner = tuple(shape[1:])
        return self.shape[-1] > 1 and inner in (self.shape[:-1], (*self.shape[:-1], 1))

    def check(self, values, mask=None):
        """The values as float32, class numbers as int32, or one sentence on why not.

        Args:
            values: `(batch, *shape)`, or class numbers; mask: `(batch, 1)`, 0 where the example
                lacks this modality: what stands there is not read, NaN for instance.

        Returns:
            NumPy array.

        Raises:
            TypeError: no numbers. ValueError: another shape, NaN, or class numbers out of range.
        """
        name, values = self.name, np.asarray(values)
        if values.dtype.kind not in "fiub":
            raise TypeError(
                f"{name} must hold numbers, got dtype {values.dtype}: convert it first."
            )
        if values.ndim == 0 or values.size == 0:
            raise ValueError(
                f"{name} must have shape (batch, ...) and not be empty, got {values.shape}."
            )
        if self.shape == (1,) and values.ndim == 1:
            values = values[:, None]
        classes = self.holds_classes(values.shape)
        if not classes and values.shape[1:] != self.shape:
            wanted = ", ".join(str(size) for size in ("batch", *self.shape))
            raise ValueError(f"{name} has shape {values.shape}; give ({wanted}).")
        if mask is not None:
            there = mask.reshape(-1, *[1] * (values.ndim - 1)) > 0
            values = np.where(there, values, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            values = values.astype("float32", copy=False)
        if not np.isfinite(values).all():
            raise ValueError(
                f"{name} holds NaN or infinity: remove those examples, or give the modality a mask "
                f"where the model was made with drop_rate."
            )
        if classes:
            last = self.shape[-1] - 1
            if (values != np.round(values)).any() or values.min() < 0 or values.max() > last:
                raise ValueError(
                    f"{name} has shape {values.shape}, that of class numbers, which are whole "
                    f"numbers from 0 to {last}, but it holds values from {values.min():g} to "
                    f"{values.max():g}: correct them, or add the axis of length {last + 1}."
                )
            return values.astype("int32")
        return values

    def moments(self, values):
        """Mean of each entry, and a scale: what standardises checked values.

        The scale of a vector is the standard deviation of each entry; of other shapes it is one
        number, because entries of a picture share their unit. Class numbers and values in [0, 1]
        stay as they are.

        Returns:
            `(shift, scale)`, float32, of the modality's shape.
        """
        shift, scale = np.zeros(self.shape, "float32"), np.ones(self.shape, "float32")
        if (
            values.dtype.kind == "i"
            or len(values) == 0
            or (values.min() >= 0 and values.max() <= 1)
        ):
            return shift, scale
        shift = values.mean(axis=0)
        deviation = np.sqrt(np.mean(np.square(values - shift), axis=0))
        if len(self.shape) > 1:
            deviation = np.sqrt(np.mean(np.square(deviation)))
        return shift, scale * np.where(deviation > 0, deviation, 1.0)

    def tensor(self, values):
        """As the networks read it: float32 `(batch, *shape)`, class numbers one-hot."""
        if self.holds_classes(values.shape):
            values = ops.reshape(ops.cast(values, "int32"), (-1, *self.shape[:-1]))
            return ops.one_hot(values, self.shape[-1], dtype="float32")
        return ops.reshape(ops.cast(values, "float32"), (-1, *self.shape))


def check_mask(name, mask):
    """A mask of a modality as float32 `(batch, 1)`: 1 where an example has it, 0 where not.

    Raises:
        ValueError: another shape, or something else than 0 and 1.

    Example:
        >>> check_mask("label_mask", [1, 0]).shape
        (2, 1)
    """
    mask = np.asarray(mask)
    if mask.ndim not in (1, 2) or mask.shape[1:] not in ((), (1,)) or mask.size == 0:
        raise ValueError(f"{name} has shape {mask.shape}; give (batch,) and not be empty.")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name} must hold 1 where an example has the modality, else 0.")
    return mask.reshape(-1, 1).astype("float32")


def check_support(name, values, distribution):
    """Refuse values that have no probability under the decoder's distribution.

    Args:
        name: of the modality; values: float32, or int32 class numbers, as `Modality.check` returns
            them; distribution: "normal", "laplace", "bernoulli" or "categorical".

    Raises:
        ValueError: with the range that the values have.

    Example:
        >>> check_support("image", np.array([[0.0, 1.0]]), "bernoulli")
    """
    low, high = values.min(), values.max()
    if distribution == "bernoulli" and (low < 0 or high > 1):
        raise ValueError(
            f"{name} must lie in [0, 1] for decoder_dist 'bernoulli', got values from {low:g} to "
            f"{high:g}: rescale it, or choose 'normal' or 'laplace'."
        )
    if distribution == "categorical" and values.dtype.kind == "f":
        if not np.isin(values, (0, 1)).all() or (values.sum(axis=-1) != 1).any():
            raise ValueError(
                f"{name} must hold class numbers or one-hot vectors for decoder_dist "
                f"'categorical', got values from {low:g} to {high:g}: give the number of the "
                f"class, or choose another decoder_dist."
            )
