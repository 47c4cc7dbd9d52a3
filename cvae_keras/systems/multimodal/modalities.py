"""The modalities of a model: what each may hold, how networks read it, and what may be missing.

`Modality` is one named array. `Modalities` are all those of a model: the main one, which is
generated, and the conditioning ones. A mask `name_mask` `(batch,)` says which examples have the
modality `name`. An array without its unit, see `cvae_keras.systems.multimodal.units`, has the key
`name:standardized`.
"""

from numbers import Real

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, shown
from cvae_keras.data.frames import read_numbers
from cvae_keras.systems.multimodal.arrays import LARGEST, as_floats
from cvae_keras.systems.multimodal.classes import Classes
from cvae_keras.systems.multimodal.units import measure, root_mean_square

MASK = "_mask"
STANDARD = ":standardized"


class Modality:
    """One named array: its shape, its checks, and its values as a network reads them.

    If the last axis holds K classes, class numbers 0 to K - 1 may replace one-hot vectors: the
    array then lacks the last axis, or has length 1 there. The model converts them to one-hot. With
    `classes`, such an array holds their labels instead, and is converted before it is a tensor.

    Args:
        name: text.
        shape: shape of one example, for instance `(10,)`, `(28, 28)`, or 10 for `(10,)`.
        image: whether it is an image: it lies in [0, 1], and keeps its unit.
        classes: None, or list of the labels of the K classes, see `Classes`.

    Raises:
        ValueError: a reserved name, or a shape that is not of positive integers.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.modalities import Modality
        >>> Modality("label", (10,)).check(np.array([3, 1])).tolist()
        [3, 1]
    """

    def __init__(self, name, shape, image=False, classes=None):
        self.check_name(name)
        shape = shape.tolist() if isinstance(shape, np.ndarray) else shape
        shape = shape if isinstance(shape, (tuple, list)) and shape else (shape,)
        self.name, self.image = str(name), bool(image)
        self.shape = tuple(check_count(f"input_dims[{name!r}]", size) for size in shape)
        self.classes = None if classes is None else Classes(self.name, classes, self.shape[-1])

    def check_name(self, name):
        """Refuse a name that means something else in the dictionaries of a model."""
        reserved = ("z", "")
        if not isinstance(name, str) or name in reserved or name.endswith((MASK, STANDARD)):
            raise ValueError(
                f"modality {name!r} has a reserved name: choose a text that is not 'z' and does "
                f"not end in {MASK!r} or {STANDARD!r}."
            )

    def holds_classes(self, shape):
        """Whether an array of this shape, `(batch, ...)`, holds class numbers."""
        inner = tuple(shape[1:])
        return self.shape[-1] > 1 and inner in (self.shape[:-1], (*self.shape[:-1], 1))

    def fits(self, shape):
        """Whether an array of this shape, `(batch, ...)`, can hold the modality."""
        one_number = self.shape == (1,) and len(shape) == 1
        return one_number or self.holds_classes(shape) or tuple(shape[1:]) == self.shape

    def check(self, values, mask=None):
        """The values as a NumPy array of the modality's shape, if they fit.

        Args:
            values: `(batch, *shape)`, or class numbers: whatever `read_numbers` reads.
            mask: `(batch, 1)`, 0 where an example lacks this modality; its values are not read, and
                may be NaN.

        Returns:
            float32 or float64 `(batch, *shape)`, see `as_floats`; or class numbers as int32.

        Raises:
            TypeError: the values are not numbers.
            ValueError: another shape, NaN, infinity, numbers beyond 1e300, or class numbers out of
                range.
        """
        values = self.read(values)
        if mask is not None:
            values = np.where(mask.reshape(-1, *[1] * (values.ndim - 1)) > 0, values, 0)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(
                f"{self.name} holds NaN or infinity: remove those examples, or give the modality a "
                f"mask if the model has a drop_rate."
            )
        if self.holds_classes(values.shape):
            return self._check_classes(values)
        values = as_floats(values)
        low, high = float(values.min()), float(values.max())
        if max(-low, high) > LARGEST:
            raise ValueError(
                f"{self.name} holds values from {low:g} to {high:g}, beyond {LARGEST:g}, whose "
                f"squares have no number: rescale it."
            )
        if self.image and (low < 0 or high > 1):
            raise ValueError(
                f"{self.name} is among images, which lie in [0, 1], but it holds values from "
                f"{low:g} to {high:g}: divide it by its largest value, or leave it out of images."
            )
        return values

    def read(self, values):
        """The values as an array of numbers whose shape fits, NaN where they are missing."""
        if self.classes is not None:
            if isinstance(values, np.ma.MaskedArray):
                values = np.where(np.ma.getmaskarray(values), None, values.data)
            elif not hasattr(values, "shape"):
                values = np.array(values, dtype=object)
            if self.holds_classes(values.shape) and len(values):
                values = self.classes.one_hot(values).reshape(-1, *self.shape)
        return self._check_shape(read_numbers(self.name, values))

    def _check_shape(self, values):
        if values.ndim == 0 or values.size == 0:
            raise ValueError(
                f"{self.name} must have shape (batch, ...) and not be empty, got {values.shape}."
            )
        if not self.fits(values.shape):
            wanted = ", ".join(str(size) for size in ("batch", *self.shape))
            raise ValueError(f"{self.name} has shape {values.shape}; give ({wanted}).")
        return values[:, None] if self.shape == (1,) and values.ndim == 1 else values

    def _check_classes(self, values):
        last = self.shape[-1] - 1
        if (values != np.round(values)).any() or values.min() < 0 or values.max() > last:
            raise ValueError(
                f"{self.name} has shape {values.shape}, that of class numbers, which are whole "
                f"numbers from 0 to {last}, but it holds values from {values.min():g} to "
                f"{values.max():g}: correct them, add the axis of length {last + 1}, or list the "
                f"labels in classes."
            )
        return values.astype("int32")

    def check_support(self, values, distribution, argument="decoder_dist"):
        """Refuse checked values that have no probability under the decoder's distribution.

        Args:
            values: what `check` returns.
            distribution: "normal", "laplace", "bernoulli" or "categorical".
            argument: what the model calls it, for the message.

        Raises:
            ValueError: values outside the support; the message gives their range.

        Example:
            >>> import numpy as np
            >>> from cvae_keras.systems.multimodal.modalities import Modality
            >>> Modality("image", (2,)).check_support(np.array([[0.0, 1.0]]), "bernoulli")
        """
        low, high = values.min(), values.max()
        if distribution == "bernoulli" and (low < 0 or high > 1):
            raise ValueError(
                f"{self.name} must lie in [0, 1] for {argument} 'bernoulli', got values from "
                f"{low:g} to {high:g}: rescale it, or choose 'normal' or 'laplace'."
            )
        if distribution == "categorical" and values.dtype.kind == "f":
            if not np.isin(values, (0, 1)).all() or (values.sum(axis=-1) != 1).any():
                raise ValueError(
                    f"{self.name} must hold class numbers or one-hot vectors for {argument} "
                    f"'categorical', got values from {low:g} to {high:g}: give the number of the "
                    f"class, or choose another {argument}."
                )

    def keeps_unit(self, values):
        """Whether checked values stay as they are: class numbers, one-hot vectors and images."""
        if self.image or self.classes is not None or values.dtype.kind == "i":
            return True
        one_hot = self.shape[-1] > 1 and np.isin(values, (0, 1)).all()
        return bool(one_hot and (values.sum(axis=-1) == 1).all())

    def moments(self, values, weights=None):
        """Shift and scale that standardize checked values, `(value - shift) / scale`.

        The shift is the mean of each entry. The scale of a vector is the standard deviation of each
        entry; that of other shapes is one number, because the entries of an image share their unit.
        Class numbers, one-hot vectors and images that are declared as such are left as they are.

        Args:
            values: what `check` returns.
            weights: `(batch,)`, positive: how many examples each stands for; or None.

        Returns:
            `(shift, scale)`, float64 of the modality's shape; the scale is 0 where all values of an
            entry are equal.
        """
        if self.keeps_unit(values):
            return np.zeros(self.shape), np.ones(self.shape)
        shift, deviation = measure(values, weights)
        if len(self.shape) > 1:
            deviation = np.full(self.shape, root_mean_square(deviation))
        return shift, deviation

    def to_tensor(self, values):
        """The values as floats `(batch, *shape)`, float64 stays that; class numbers one-hot."""
        if self.holds_classes(values.shape):
            if self.classes is not None:
                raise ValueError(
                    f"{self.name} has classes and comes in batches, which must hold one-hot "
                    f"vectors: convert its labels, or give fit the arrays themselves."
                )
            values = ops.reshape(ops.cast(values, "int32"), (-1, *self.shape[:-1]))
            return ops.one_hot(values, self.shape[-1], dtype="float32")
        kind = keras.backend.standardize_dtype(values.dtype)
        return ops.reshape(
            ops.cast(values, kind if kind == "float64" else "float32"), (-1, *self.shape)
        )


def check_mask(name, mask):
    """A mask of a modality as float32 `(batch, 1)`: 1 where an example has it, 0 where not.

    Args:
        name: name of the mask, for the message.
        mask: `(batch,)` or `(batch, 1)`.

    Returns:
        float32 `(batch, 1)`.

    Raises:
        ValueError: another shape, or values other than 0 and 1.

    Example:
        >>> from cvae_keras.systems.multimodal.modalities import check_mask
        >>> check_mask("label_mask", [1, 0]).tolist()
        [[1.0], [0.0]]
    """
    mask = read_numbers(name, mask)
    if mask.ndim not in (1, 2) or mask.shape[1:] not in ((), (1,)) or mask.size == 0:
        raise ValueError(f"{name} has shape {mask.shape}; give (batch,) and not be empty.")
    if not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name} must hold 1 where an example has the modality, else 0.")
    return mask.reshape(-1, 1).astype("float32")


class Modalities:
    """The main modality and the conditioning ones of a model.

    Args:
        main: name of the main modality, which is generated.
        conditions: list of the names of the conditioning modalities.
        shapes: dictionary of name -> shape of one example.
        drop_rate: None if no modality may be missing, else the probability with which `drop` marks
            a conditioning modality as missing.
        images: names of the modalities that are images.
        classes: None, or dictionary of name -> labels of the classes.

    Raises:
        ValueError: names that are absent or occur twice, or a drop_rate out of range.

    Example:
        >>> from cvae_keras.systems.multimodal.modalities import Modalities
        >>> modalities = Modalities("image", ["label"], {"image": (28, 28), "label": 10})
        >>> modalities.shapes
        {'image': [28, 28], 'label': [10]}
    """

    def __init__(self, main, conditions, shapes, drop_rate=None, images=(), classes=None):
        if not isinstance(conditions, (list, tuple)) or not conditions:
            raise ValueError(
                f"conditioning_modalities must be a list of names, got {conditions!r}: name at "
                f"least one."
            )
        self.main, self.conditions = main, list(conditions)
        names = [main, *conditions]
        if len(set(names)) < len(names):
            raise ValueError(
                f"main_modality and conditioning_modalities must be different names, got {names}."
            )
        if set(shapes) != set(names):
            raise ValueError(
                f"input_dims must have an entry for each of {sorted(names)}, got {sorted(shapes)}."
            )
        number = isinstance(drop_rate, Real) and not isinstance(drop_rate, bool)
        if drop_rate is not None and not (number and 0 <= drop_rate < 1):
            raise ValueError(
                f"drop_rate must be None or a number from 0 below 1, got {drop_rate!r}: with 0.5 "
                f"every subset of the conditions is equally likely."
            )
        self.drop_rate = None if drop_rate is None else float(drop_rate)
        listed = isinstance(images, (list, tuple, set, frozenset))
        if not listed or not set(images) <= set(names):
            raise ValueError(
                f"images must be a list of names among {names}, got {images!r}: name the "
                f"modalities that lie in [0, 1] and keep their unit."
            )
        self.images = [name for name in names if name in images]
        classes = {} if classes is None else classes
        if not isinstance(classes, dict) or not set(classes) <= set(names):
            raise ValueError(
                f"classes must be a dictionary of lists of labels, by names among {names}, got "
                f"{shown(classes)}: correct it."
            )
        self.by_name = {
            name: Modality(name, shapes[name], name in images, classes.get(name)) for name in names
        }
        self.masks = [] if drop_rate is None else [name + MASK for name in conditions]

    @property
    def main_shape(self):
        """Shape of the main modality."""
        return self.by_name[self.main].shape

    @property
    def shapes(self):
        """Shape of each modality as a list, by name."""
        return {name: list(modality.shape) for name, modality in self.by_name.items()}

    @property
    def classes(self):
        """The labels of each modality that has classes, by name."""
        found = {name: modality.classes for name, modality in self.by_name.items()}
        return {name: classes.labels for name, classes in found.items() if classes is not None}

    # -- checks of arrays -----------------------------------------------------------------------
    def check(self, inputs, distribution, infer_masks=True):
        """The arrays of all modalities, and masks of zeros for those that are left out.

        With a drop_rate, examples of which all entries of a conditioning modality are NaN lack it.

        Args:
            inputs: dictionary of arrays by name.
            distribution: decoder_dist, whose support the main modality must lie in.
            infer_masks: False to refuse NaN where there is no mask.

        Returns:
            Dictionary of NumPy arrays.

        Raises:
            TypeError: an array that does not hold numbers.
            ValueError: a name, shape or value that does not fit.
        """
        if _is_standardized(inputs):
            return dict(inputs)  # checked already
        if self.main not in inputs:
            raise ValueError(f"the inputs must hold {self.main!r}, got {sorted(inputs)}: add it.")
        modality = self.by_name[self.main]
        x = modality.check(inputs[self.main])
        modality.check_support(x, distribution)
        c = {name: value for name, value in inputs.items() if name != self.main}
        c = self._check(c, infer_masks)
        return self._complete(_same_length({self.main: x, **c}))

    def check_conditions(self, c):
        """The arrays of the conditioning modalities, and masks of zeros for those left out.

        Args:
            c: dictionary of arrays by name; or the array itself if there is one conditioning
                modality; or None, if the model has a drop_rate: one example without any.

        Returns:
            Dictionary of NumPy arrays.

        Raises:
            TypeError: an array that does not hold numbers.
            ValueError: a name, shape or value that does not fit.
        """
        if isinstance(c, dict) and _is_standardized(c):
            return dict(c)  # checked already
        if c is None and self.masks:
            c = {self.masks[0]: [0]}
        if c is None:
            raise ValueError(f"c must hold {self.conditions}, got None: give their arrays.")
        if not isinstance(c, dict):
            if len(self.conditions) > 1:
                raise ValueError(f"c must be a dictionary with {self.conditions}, got an array.")
            c = {self.conditions[0]: c}
        c = _same_length(self._check(c))
        if not c:
            raise ValueError(
                "c must hold a modality, or a mask of zeros, which gives the number of examples."
            )
        return self._complete(c)

    def _check(self, c, infer_masks=True):
        known = [*self.conditions, *self.masks]
        if unknown := sorted(set(c) - set(known)):
            raise ValueError(
                f"{unknown} are unknown to the model: give {known}"
                + ("." if self.masks else ", and masks only if the model has a drop_rate.")
            )
        missing = [name for name in self.conditions if name not in c]
        if missing and self.drop_rate is None:
            raise ValueError(
                f"{missing} are missing: give them, or make the model with a drop_rate, so that it "
                f"is trained with missing modalities."
            )
        masks = {name: check_mask(name, c[name]) for name in self.masks if name in c}
        c = dict(c)
        for name in self.conditions if self.masks and infer_masks else ():
            if name in c and name + MASK not in masks:
                c[name] = values = self.by_name[name].read(c[name])
                if values.dtype.kind == "f":
                    lacking = np.isnan(values).reshape(len(values), -1).all(axis=1)
                    if lacking.any():
                        masks[name + MASK] = 1 - lacking[:, None].astype("float32")
        _same_length({**masks, **{name: c[name] for name in c if name + MASK in masks}})
        for name in missing:
            if name + MASK in masks and masks[name + MASK].any():
                raise ValueError(
                    f"{name + MASK} marks {name!r} as observed, but it is not among the inputs: "
                    f"add it."
                )
        arrays = {
            name: self.by_name[name].check(c[name], masks.get(name + MASK))
            for name in self.conditions
            if name in c
        }
        return {**arrays, **masks}

    def _complete(self, arrays):
        """The arrays, and masks of zeros for the modalities that are left out."""
        zeros = np.zeros((len(next(iter(arrays.values()))), 1), "float32")
        left_out = {name + MASK: zeros for name in self.conditions if name not in arrays}
        return {**arrays, **left_out}

    def unstack(self, z, c, stacked):
        """Latent samples and conditions as one condition a row, where there is one a sample.

        Args:
            z: `(N, batch, latent_dim)`.
            c: what `check_conditions` takes, or each array with the axis N in front.
            stacked: whether an array that may be either has the axis N.

        Returns:
            `(z, c)`: z as it is, if the conditions of all samples are the same; else z of shape
            `(1, N * batch, latent_dim)`, with as many conditions.
        """
        if c is None or not isinstance(c, dict):
            c = c if c is None or len(self.conditions) > 1 else {self.conditions[0]: c}
        if not isinstance(c, dict):
            return z, c
        (N, batch), front = z.shape[:2], {}
        for name, values in c.items():
            shape = tuple(getattr(values, "shape", None) or np.shape(values))
            plain = shape[:1] == (batch,) and self._fits(name, shape)
            if shape[:2] == (N, batch) and self._fits(name, shape[1:]) and (stacked or not plain):
                front[name] = np.asarray(values)
        if all(_repeats(values) for values in front.values()):
            return z, {**c, **{name: values[0] for name, values in front.items()}}
        tiled = {
            name: values.reshape(N * batch, *values.shape[2:])
            if name in front
            else np.concatenate([np.asarray(values)] * N)
            for name, values in (c | front).items()
        }
        return z.reshape(1, N * batch, -1), tiled

    def _fits(self, name, shape):
        """Whether an array of this shape, `(batch, ...)`, can have this name."""
        if name in self.by_name:
            return self.by_name[name].fits(shape)
        return name in self.masks and tuple(shape[1:]) in ((), (1,))

    # -- tensors --------------------------------------------------------------------------------
    def drop(self, inputs, seed):
        """Mark conditioning modalities as missing at random, independently of each other.

        Args:
            inputs: dictionary of tensors by name.
            seed: a `keras.random.SeedGenerator`.

        Returns:
            The dictionary with a mask for each conditioning modality.
        """
        rows = ops.shape(_get(inputs, self.main))[0]
        draw = keras.random.uniform((rows, len(self.conditions)), seed=seed)
        keep = ops.cast(draw >= self.drop_rate, "float32")
        masks = {}
        for number, name in enumerate(self.conditions):
            kept = keep[:, number : number + 1]
            masks[name + MASK] = kept * _column(inputs.get(name + MASK, kept))
        return {**inputs, **masks}

    def standardize(self, arrays, units):
        """Checked arrays without their units, which networks read as they are.

        Args:
            arrays: what `check` and `check_conditions` return.
            units: dictionary of name -> `Unit`.

        Returns:
            Dictionary of NumPy arrays: float32 under the key `name:standardized` where the unit of
            a modality has been measured; class numbers, masks and other modalities as they are.

        Raises:
            ValueError: values too far from the data whose unit was measured.
        """
        found = {}
        for name, values in arrays.items():
            if name not in self.by_name or self.by_name[name].holds_classes(values.shape):
                found[name] = values
                continue
            mask = arrays.get(name + MASK)
            observed = None if mask is None else mask[:, 0] > 0
            key = name if units[name].is_one() else name + STANDARD
            found[key] = units[name].standardize(name, values, observed)
        return found

    def split(self, inputs, units):
        """The main modality as the networks read it, and the dictionary of all others."""
        x = self._standard(self.main, inputs, units)
        mains = (self.main, self.main + STANDARD)
        c = {name: value for name, value in inputs.items() if name not in mains}
        for name in self.conditions:
            absent = name not in c and name + STANDARD not in c
            if absent and self.drop_rate is None:
                raise ValueError(f"{name!r} is missing in a batch: give it, or set drop_rate.")
            if absent:
                c[name + MASK] = ops.zeros_like(ops.reshape(x, (ops.shape(x)[0], -1))[:, :1])
        return x, c

    def _standard(self, name, inputs, units):
        """A modality as the networks read it."""
        if name + STANDARD in inputs:
            return ops.convert_to_tensor(inputs[name + STANDARD], "float32")
        return units[name].read(self.by_name[name].to_tensor(inputs[name]))

    def read(self, c, units):
        """The conditioning modalities as the networks read them: zeros where they are missing.

        Args:
            c: dictionary of tensors by name.
            units: dictionary of name -> `Unit`.

        Returns:
            Dictionary of standardized tensors `(batch, *shape)`, and if the model has a drop_rate,
            a mask `(batch, 1)` for each.
        """
        h = {}
        for name in self.conditions:
            value, modality = _get(c, name), self.by_name[name]
            if name + MASK not in c:  # observed in all examples
                h[name] = self._standard(name, c, units)
                if self.drop_rate is not None:
                    h[name + MASK] = ops.ones((ops.shape(value)[0], 1))
                continue
            mask = h[name + MASK] = _column(c[name + MASK])
            if value is None:
                value = ops.zeros((1, *modality.shape))
            elif name + STANDARD not in c:
                observed = ops.reshape(mask > 0, (-1, *[1] * (len(value.shape) - 1)))
                value = ops.where(observed, value, ops.zeros_like(value))  # it may have been NaN
                value = self._standard(name, {name: value}, units)
            h[name] = value * ops.reshape(mask, (-1, *[1] * len(modality.shape)))
        return h


def _repeats(values):
    """Whether an array is the same at all positions of its first axis."""
    if values.strides[0] == 0:
        return True
    return values.dtype.kind != "O" and bool((values == values[:1]).all())


def _is_standardized(arrays):
    """Whether arrays are what `Modalities.standardize` returns."""
    return any(isinstance(name, str) and name.endswith(STANDARD) for name in arrays)


def _get(arrays, name):
    """A modality, with or without its unit; None if it is left out."""
    return arrays.get(name, arrays.get(name + STANDARD))


def _column(mask):
    """A mask as float32 `(batch, 1)`."""
    return ops.reshape(ops.cast(mask, "float32"), (-1, 1))


def _same_length(arrays):
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arrays must have the same length, got {lengths}: pair them up.")
    return arrays
