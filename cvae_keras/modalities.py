"""The modalities of a model: which is generated, which are given, and which may be missing."""

import keras
import numpy as np
from keras import ops

from cvae_keras.modality import MASK, Modality, check_mask, check_support


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
