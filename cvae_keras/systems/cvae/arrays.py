"""The named arrays of a `CVAE`: what each may hold, and its unit.

Checked on the host, an array loses its unit in float64 before it becomes float32, under the key
`side:name`, for instance `x:price`. A batch that was not checked has the keys `x` and `c`, and its
unit is taken off by the backend.
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import shown
from cvae_keras.systems.cvae.bounds import Bounds
from cvae_keras.systems.multimodal.modalities import Modality
from cvae_keras.systems.multimodal.units import Unit, usable_scale

SKEW = 1.0  # skewness from which on an entry of a condition has a long tail


class Variable(Modality):
    """One named array of a `CVAE`.

    Args:
        name: text.
        shape: shape of one example.
        kind: "real"; "given" for real values, one-hot vectors or class numbers of a condition;
            "classes" for one-hot vectors or class numbers; "count" for 0, 1, 2, ...; "bit" for
            numbers in [0, 1]; "other" for real values that keep their unit.
        labels: None, or list of the labels of the classes.
        bounds: None, or what `Bounds` takes, that real values lie in.
        link: of the bounds, see `Bounds`.

    Raises:
        ValueError: a shape, labels or bounds that do not fit.

    Example:
        >>> from cvae_keras.systems.cvae.arrays import Variable
        >>> Variable("pet", (2,), "classes", ["cat", "dog"]).check(["dog"]).tolist()
        [[0.0, 1.0]]
    """

    def __init__(self, name, shape, kind="real", labels=None, bounds=None, link="logit"):
        super().__init__(name, shape, classes=labels)
        self.kind, self.real = kind, kind in ("real", "given")
        self.bounds = None if bounds is None else Bounds(name, bounds, self.shape, link)

    def check_name(self, name):
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"names of arrays and columns must be texts, got {shown(name)}: rename it, a frame "
                f"for instance by frame.columns.astype(str)."
            )

    def holds_classes(self, shape):
        return self.kind in ("classes", "given") and super().holds_classes(shape)

    def check(self, values, mask=None):
        """As `Modality.check`; mask has the variable's shape, and values under 0 are not read.

        Raises:
            ValueError: values outside the support of the kind, or outside the bounds.
        """
        values = self.read(values)
        if mask is not None:
            numbers = self.holds_classes(values.shape)
            seen = mask[..., 0].reshape(values.shape) if numbers else mask
            values = np.where(seen, values, 0.0 if numbers else self._inside())
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(
                f"{self.name} holds NaN or infinity: remove those rows, or, if it is generated, "
                f"make the model with masks=True."
            )
        values = super().check(values)
        low, high = float(values.min()), float(values.max())
        if self.kind == "classes":
            self.check_support(values, "categorical", "likelihood")
        if self.kind == "bit":
            self.check_support(values, "bernoulli", "likelihood")
        if self.kind == "count" and (low < 0 or (values != np.round(values)).any()):
            raise ValueError(
                f"{self.name} must hold counts, whole numbers from 0, for the likelihood 'poisson',"
                f" got values from {low:g} to {high:g}: correct them, or choose 'normal'."
            )
        if self.bounds is not None:
            outside = self.bounds.outside(values)
            if outside:
                raise ValueError(
                    f"{self.name} must lie within its bounds, but {outside} of its values do not, "
                    f"which reach from {low:g} to {high:g}: correct the values or the bounds."
                )
        return values

    def _inside(self):
        """Values that the kind may have, one for each entry."""
        if self.bounds is not None:
            return self.bounds.inside
        first = np.zeros(self.shape)
        first[..., 0] = self.kind == "classes"
        return first

    def missing(self, values):
        """Which entries of an array are NaN, or missing labels: booleans `(batch, *shape)`."""
        missing = np.isnan(self.read(values))
        if self.holds_classes(missing.shape):
            missing = np.repeat(missing.reshape(-1, *self.shape[:-1], 1), self.shape[-1], axis=-1)
        return missing

    def unbounded(self, values):
        """Checked values on the whole line."""
        return values if self.bounds is None else self.bounds.unbounded(values)


class Arrays(keras.layers.Layer):
    """The arrays of one side of a `CVAE`: x, which is generated, or c, which is given.

    Entries of c that are never negative and have a skewness above 1, counts or incomes for
    instance, are read as `log(c + least positive value)`.

    Args:
        side: "x" or "c".
        variables: dictionary of name -> `Variable`.
        single: whether the side is one array, and not a dictionary.

    Example:
        >>> from cvae_keras.systems.cvae.arrays import Arrays, Variable
        >>> arrays = Arrays("x", {"x": Variable("x", (2,))}, single=True)
        >>> arrays.measure(arrays.check([[0.0, 10.0], [2.0, 30.0]]))
        >>> arrays.standardize(arrays.check([[1.0, 40.0]]))["x:x"].tolist()
        [[0.0, 2.0]]
    """

    def __init__(self, side, variables, single, **kwargs):
        super().__init__(**kwargs)
        self.side, self.variables_by_name, self.single = side, dict(variables), single
        self.units, self.tails = {}, {}  # tails: what is added before the logarithm, 0 for none
        self.built = True
        for name, variable in self.variables_by_name.items():
            plain = name.replace("/", "_")  # Keras allows none in the name of a weight
            if variable.real:
                weights = [
                    self.add_weight(variable.shape, start, trainable=False, name=f"{kind}_{plain}")
                    for kind, start in (
                        ("shift", "zeros"),
                        ("scale", "ones"),
                        ("low", "zeros"),
                        ("exponent", "zeros"),
                    )
                ]
                self.units[name] = Unit(*weights)
            if variable.kind == "given":
                more = {"trainable": False, "name": f"tail_{plain}"}
                self.tails[name] = self.add_weight(variable.shape, "zeros", **more)

    @property
    def names(self):
        return list(self.variables_by_name)

    def label(self, name):
        """What messages call an array."""
        return self.side if self.single else f"{self.side}[{name!r}]"

    def example(self, rows=2):
        """Checked arrays that fit, as tensors: with these a model builds."""
        return {
            f"{self.side}:{name}": ops.zeros((rows, *variable.shape))
            for name, variable in self.variables_by_name.items()
        }

    # -- arrays ---------------------------------------------------------------------------------
    def named(self, values):
        """What the user gives for this side as a dictionary by name."""
        if self.single:
            if isinstance(values, dict) and set(values) != {self.side}:
                raise ValueError(
                    f"{self.side} is one array of shape (batch, ...), got a dictionary of "
                    f"{shown(sorted(map(str, values)))}: give the array."
                )
            return values if isinstance(values, dict) else {self.side: values}
        if hasattr(values, "iloc") and hasattr(values, "columns"):
            values = {name: values[name] for name in self.names if name in values.columns}
        if not isinstance(values, dict) or set(values) != set(self.names):
            got = sorted(map(str, values)) if isinstance(values, dict) else type(values).__name__
            raise ValueError(
                f"{self.side} must be a dictionary of the arrays {shown(self.names)}, got "
                f"{shown(got)}: give these."
            )
        return values

    def check(self, values, masks=None):
        """The arrays as NumPy arrays of their shapes, by name.

        Args:
            values: an array, or a dictionary of arrays by name.
            masks: dictionary of masks of the shapes of the arrays, by name.

        Raises:
            TypeError: an array that does not hold numbers or known labels.
            ValueError: names, shapes or values that do not fit.
        """
        masks, values = masks or {}, self.named(values)
        return {
            name: variable.check(values[name], masks.get(name))
            for name, variable in self.variables_by_name.items()
        }

    def check_masks(self, masks):
        """The masks of the arrays as float32 of 0 and 1, by name; the others have none."""
        if masks is None:
            return {}
        masks = masks if isinstance(masks, dict) and not self.single else self.named(masks)
        found = {}
        for name, mask in masks.items():
            if name not in self.variables_by_name:
                raise ValueError(f"mask has {name!r}, which is not among {shown(self.names)}.")
            mask, shape = np.asarray(mask), self.variables_by_name[name].shape
            if mask.dtype.kind not in "fiub" or not np.isin(mask, (0, 1)).all():
                raise ValueError(
                    f"mask of {name!r} must hold 1 where a value is observed, else 0, got "
                    f"{shown(mask)}: give such numbers."
                )
            if mask.shape[1:] != shape:
                raise ValueError(
                    f"mask of {name!r} has shape {mask.shape}; give (batch, *{shape}), one number "
                    f"for each entry."
                )
            found[name] = mask.astype("float32")
        return found

    def found_masks(self, values, masks):
        """Masks of the arrays that have none: 0 where they hold NaN or lack a label, by name."""
        values = self.named(values)
        return {
            name: (~variable.missing(values[name])).astype("float32")
            for name, variable in self.variables_by_name.items()
            if name not in masks
        }

    def measure(self, checked, weights=None, masks=None):
        """Set the units to mean and scale of checked real-valued arrays."""
        for name, unit in self.units.items():
            if name in self.tails and self.variables_by_name[name].keeps_unit(checked[name]):
                continue
            if name in self.tails:
                self.tails[name].assign(_tails(checked[name]))
            values = self._on_the_line(name, checked[name])
            mask = (masks or {}).get(name)
            if mask is None:
                shift, scale = self.variables_by_name[name].moments(values, weights)
            else:
                shift, scale = _observed_moments(values, mask)
            unit.assign(shift, usable_scale(shift, scale, generated=self.side == "x"))

    def standardize(self, checked, masks=None):
        """Checked arrays without their units: float32 by the keys `side:name`.

        Raises:
            ValueError: class numbers of an array whose unit was measured on real values.
        """
        found = {}
        for name, values in checked.items():
            if name in self.units:
                if self.variables_by_name[name].holds_classes(values.shape):
                    self._check_measured_on_classes(name, values.shape)
                    values = self._one_hot(name, values)
                values = self._on_the_line(name, values)
                values = self.units[name].standardize(name, values)
                mask = (masks or {}).get(name)
                values = values if mask is None else values * mask
            elif self.variables_by_name[name].holds_classes(values.shape):
                values = self._one_hot(name, values)
            found[f"{self.side}:{name}"] = values.astype("float32", copy=False)
        return found

    def _check_measured_on_classes(self, name, shape):
        if not self.units[name].is_one():
            inner = ", ".join(map(str, self.variables_by_name[name].shape))
            raise ValueError(
                f"{name} has shape {shape}, that of class numbers, but the model was trained on "
                f"real values: give (batch, {inner})."
            )

    def _one_hot(self, name, numbers):
        shape = self.variables_by_name[name].shape
        return np.eye(shape[-1], dtype="float32")[numbers.reshape(-1)].reshape(-1, *shape)

    def _on_the_line(self, name, values):
        """Checked real values without bounds, and without a long tail."""
        values = self.variables_by_name[name].unbounded(values)
        if name not in self.tails:
            return values
        added = ops.convert_to_numpy(self.tails[name]).astype("float64")
        logs = np.log(np.where(added > 0, np.maximum(values, 0.0) + added, 1.0))
        return np.where(added > 0, logs, values)

    def restore(self, values):
        """What the likelihoods return, in the units of the data, as the user gives this side."""
        return self.as_given(self.in_units(values))

    def in_units(self, values):
        """What the likelihoods return, in the units of the data: arrays by name."""
        found = {}
        for name, array in values.items():
            if name in self.units:
                array, bounds = self.units[name].restore(array), self.variables_by_name[name].bounds
                array = array if bounds is None else bounds.bounded(array)
            found[name] = array
        return found

    def as_given(self, values):
        """Arrays by name as the user gives this side: the inverse of `named`."""
        return values[self.side] if self.single else values

    # -- tensors --------------------------------------------------------------------------------
    def write(self, values):
        """As `restore`, of tensors and by the backend, float32."""
        found = {}
        for name, tensor in values.items():
            variable = self.variables_by_name[name]
            if name in self.units:
                tensor = self.units[name].write(tensor)
            if variable.bounds is not None:
                tensor = variable.bounds.write(tensor)
            found[name] = tensor
        return found

    def tensors(self, inputs):
        """The arrays of a batch, checked before or not, as the networks read them, by name."""
        checked = f"{self.side}:{self.names[0]}" in inputs
        if checked:
            keys = {name: f"{self.side}:{name}" for name in self.names}
            return {name: ops.cast(inputs[key], "float32") for name, key in keys.items()}
        if self.side not in inputs:
            raise ValueError(f"the inputs lack {self.side!r}: give {shown(self.names)}.")
        return {
            name: self._read(name, values) for name, values in self.named(inputs[self.side]).items()
        }

    def _read(self, name, values):
        variable = self.variables_by_name[name]
        values = variable.to_tensor(values)
        if name not in self.units:
            return values
        if variable.bounds is not None:
            values = variable.bounds.read(values)
        if name in self.tails:
            added = ops.cast(self.tails[name], values.dtype)
            logs = ops.log(ops.where(added > 0, ops.maximum(values, 0.0) + added, 1.0))
            values = ops.where(added > 0, logs, values)
        return self.units[name].read(values)


def _tails(values):
    """What is added to each entry before its logarithm: its least positive value, or 0 for none."""
    values = values.astype("float64")
    centered = values - values.mean(axis=0)
    deviation = np.sqrt(np.square(centered).mean(axis=0))
    third = (centered**3).mean(axis=0) / np.where(deviation > 0, deviation, 1.0) ** 3
    positive = np.where(values > 0, values, np.inf).min(axis=0)
    long = (values.min(axis=0) >= 0) & (third > SKEW) & np.isfinite(positive)
    return np.where(long, positive, 0.0).astype("float32")


def _observed_moments(values, mask):
    """Mean and standard deviation of each entry over the rows in which it is observed."""
    count = np.maximum(mask.sum(axis=0, dtype="float64"), 1.0)
    least = np.where(mask > 0, values, np.inf).min(axis=0)
    least = np.where(np.isfinite(least), least, 0.0)
    rest = np.where(mask > 0, values - least, 0.0)
    mean = rest.sum(axis=0, dtype="float64") / count
    square = np.where(mask > 0, np.square(rest - mean), 0.0).sum(axis=0, dtype="float64") / count
    return least + mean, np.sqrt(square)
