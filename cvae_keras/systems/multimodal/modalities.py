"""The modalities of a model: which is generated, which are given, and which may be missing."""

import keras
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


class Modalities:
    """The main modality and the conditioning ones, as a batch holds them.

    Args:
        main: name of the modality that is generated; given: list of names of those it is
            conditioned on; shapes: dictionary of their shapes; drop_rate: None if none may be
            missing, else the probability with which `drop` takes one away.

    Raises:
        ValueError: names that are not there, or twice; a drop_rate out of range.

    Example:
        >>> modalities = Modalities("image", ["label"], {"image": (28, 28), "label": (10,)})
    """

    def __init__(self, main, given, shapes, drop_rate=None):
        if not isinstance(given, (list, tuple)) or not given:
            raise ValueError(
                f"conditioning_modalities must be a list of names, got {given!r}: name at least "
                f"one."
            )
        self.main, self.given = main, list(given)
        names = [main, *given]
        if len(set(names)) < len(names):
            raise ValueError(f"the modalities must have different names, got {names}.")
        if set(shapes) != set(names):
            raise ValueError(
                f"input_dims must have an entry for each of {sorted(names)}, got {sorted(shapes)}."
            )
        if drop_rate is not None and (isinstance(drop_rate, bool) or not 0 <= drop_rate < 1):
            raise ValueError(
                f"drop_rate must be None or a number from 0 below 1, got {drop_rate!r}: 0.5 makes "
                f"every subset as likely."
            )
        self.drop_rate = drop_rate
        self.by_name = {name: Modality(name, shapes[name]) for name in names}
        self.masks = [] if drop_rate is None else [name + MASK for name in given]

    @property
    def main_shape(self):
        """Shape of the main modality."""
        return self.by_name[self.main].shape

    @property
    def shapes(self):
        """Shape of each modality, by name."""
        return {name: list(modality.shape) for name, modality in self.by_name.items()}

    # -- tensors --------------------------------------------------------------------------------
    def drop(self, inputs, seed):
        """Take conditioning modalities away at random, each from each example on its own."""
        rows = ops.shape(inputs[self.main])[0]
        draw = keras.random.uniform((rows, len(self.given)), seed=seed)
        keep = ops.cast(draw >= self.drop_rate, "float32")
        masks = {}
        for number, name in enumerate(self.given):
            kept = keep[:, number : number + 1]
            masks[name + MASK] = kept * _column(inputs.get(name + MASK, kept))
        return {**inputs, **masks}

    def split(self, inputs):
        """The main modality as the networks read it, and the dictionary of all others."""
        x = self.by_name[self.main].tensor(inputs[self.main])
        c = {name: value for name, value in inputs.items() if name != self.main}
        for name in self.given:
            if name not in c and self.drop_rate is None:
                raise ValueError(f"{name!r} is missing in a batch: give it, or set drop_rate.")
            if name not in c:
                c[name + MASK] = ops.zeros_like(ops.reshape(x, (ops.shape(x)[0], -1))[:, :1])
        return x, c

    def read(self, c, units):
        """The conditioning modalities as the networks read them: zeros where they are missing.

        Args:
            c: dictionary of arrays; units: (shift, scale) of each modality, by name.
        """
        h = {}
        for name in self.given:
            value, modality = c.get(name), self.by_name[name]
            shift, scale = units[name]
            if name + MASK not in c:  # all there
                h[name] = (modality.tensor(value) - shift) / scale
            if self.drop_rate is None:
                continue
            if name + MASK not in c:
                h[name + MASK] = ops.ones((ops.shape(value)[0], 1))
                continue
            mask = h[name + MASK] = _column(c[name + MASK])
            value = ops.zeros((1, *modality.shape)) if value is None else value
            there = ops.reshape(mask > 0, (-1, *[1] * (len(value.shape) - 1)))
            value = ops.where(there, value, ops.zeros_like(value))  # it may have been NaN
            value = (modality.tensor(value) - shift) / scale
            h[name] = value * ops.reshape(mask, (-1, *[1] * len(modality.shape)))
        return h

    # -- checks of arrays -----------------------------------------------------------------------
    def check(self, inputs, distribution):
        """The arrays of all modalities, or one sentence on why not.

        Args:
            inputs: dictionary of arrays; distribution: of the main modality.

        Raises:
            ValueError, TypeError: a name, shape or value that does not fit; with the range it has.
        """
        if self.main not in inputs:
            raise ValueError(f"the inputs must hold {self.main!r}, got {sorted(inputs)}: add it.")
        x = self.by_name[self.main].check(inputs[self.main])
        check_support(self.main, x, distribution)
        c = {name: value for name, value in inputs.items() if name != self.main}
        return self._complete(_same_length({self.main: x, **self._check(c)}))

    def check_conditions(self, c):
        """The arrays of the conditioning modalities; the array itself where there is only one."""
        if not isinstance(c, dict):
            if len(self.given) > 1:
                raise ValueError(f"c must be a dictionary with {self.given}, got an array.")
            c = {self.given[0]: c}
        c = _same_length(self._check(c))
        if not c:
            raise ValueError(
                "c must hold a modality, or a mask of zeros that says how many examples there are."
            )
        return self._complete(c)

    def _complete(self, arrays):
        """Masks of zeros for the modalities that are left out, so missing in every example."""
        nothing = np.zeros((len(next(iter(arrays.values()))), 1), "float32")
        left_out = {name + MASK: nothing for name in self.given if name not in arrays}
        return {**arrays, **left_out}

    def _check(self, c):
        known = [*self.given, *self.masks]
        if unknown := sorted(set(c) - set(known)):
            raise ValueError(
                f"{unknown} are unknown to the model: give {known}"
                + ("." if self.masks else ", and masks only where drop_rate is not None.")
            )
        missing = [name for name in self.given if name not in c]
        if missing and self.drop_rate is None:
            raise ValueError(
                f"{missing} are missing: give them, or make the model with a drop_rate, so that it "
                f"learns to do without."
            )
        masks = {name: check_mask(name, c[name]) for name in self.masks if name in c}
        _same_length({name: c[name] for name in c if name in masks or name + MASK in masks})
        for name in missing:
            if name + MASK in masks and masks[name + MASK].any():
                raise ValueError(
                    f"{name + MASK} says that {name!r} is there, but it is not: add it."
                )
        arrays = {
            name: self.by_name[name].check(c[name], masks.get(name + MASK))
            for name in self.given
            if name in c
        }
        return {**arrays, **masks}


def _column(mask):
    """A mask as float32 `(batch, 1)`."""
    return ops.reshape(ops.cast(mask, "float32"), (-1, 1))


def _same_length(arrays):
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arrays must have the same length, got {lengths}: pair them up.")
    return arrays
