"""What a user gives to a `CVAE`, as the model reads it: arrays, frames, masks and row numbers."""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, shown
from cvae_keras.data.frames import is_frame
from cvae_keras.elbo import WEIGHTS
from cvae_keras.parts.likelihoods import Categorical
from cvae_keras.systems.cvae.arrays import Arrays, Variable
from cvae_keras.systems.cvae.frames import (
    columns_of,
    given_labels,
    holds_labels,
    labels_of,
    to_column,
)

KEYS = ("x", "c", "mask", "index")


class Data(keras.layers.Layer):
    """Both sides of a `CVAE`, and the columns of frames that they stand for.

    Args:
        x: `Arrays` of what is generated.
        c_shapes: None without a condition, or dictionary of name -> shape.
        single: whether the condition is one array.
        given: None, or the columns of the condition: a list of names, or a dictionary of name ->
            labels of its classes, None for numbers. Of a list, what the columns hold is found by
            `discover`.
        has_target: whether x are columns of a frame.
        masks: whether x may have missing entries.
        rows: None, or the rows of a free table, whose numbers come as "index".
        categorical: columns of x that are drawn as pandas categories.
    """

    def __init__(self, x, c_shapes, single, given, has_target, masks, rows, categorical, **kwargs):
        super().__init__(**kwargs)
        self.x, self.c = x, None
        self.given, self.has_target, self.masks, self.rows = given, has_target, masks, rows
        self.categorical = list(categorical)
        self.is_measured = self.add_weight((), "zeros", trainable=False, name="measured")
        self.built = True
        if isinstance(given, dict):
            self.c = Arrays("c", {name: column(name, each) for name, each in given.items()}, False)
        elif given is None and c_shapes is not None:
            variables = {name: Variable(name, shape, "given") for name, shape in c_shapes.items()}
            self.c = Arrays("c", variables, single)

    @property
    def measured(self):
        """Whether the units are fixed: a weight, which is saved and loaded with the others."""
        return bool(ops.convert_to_numpy(self.is_measured) > 0)

    @property
    def is_known(self):
        """Whether it is known what all columns hold."""
        return not isinstance(self.given, (list, tuple))

    def check_known(self):
        """Refuse what needs columns that have not been seen."""
        if not self.is_known:
            raise ValueError("the model has not seen its columns yet: call fit or adapt first.")

    def example(self):
        """Checked arrays that fit, as tensors: with these a model builds."""
        found = self.x.example()
        if self.c is not None:
            found |= self.c.example()
        if self.masks:
            shapes = {name: each.shape for name, each in self.x.variables_by_name.items()}
            found |= {f"mask:{name}": ops.ones((2, *shape)) for name, shape in shapes.items()}
        if self.rows is not None:
            found["index"] = ops.zeros((2, 1))
        return found

    # -- frames and pairs -----------------------------------------------------------------------
    def pair(self, x, y=None):
        """The data as a dictionary of x and c, if they are arrays or frames."""
        weights = isinstance(y, dict) and set(y) == {WEIGHTS}
        if y is not None and not weights:
            if is_frame(x) and self.has_target:
                if not is_frame(y) and len(self.x.names) > 1:
                    raise ValueError(
                        f"y is one column, and target names {shown(self.x.names)}: give a frame."
                    )
                one = {self.x.names[0]: y}
                y = columns_of(y, self.x.names, "target") if is_frame(y) else one
                x = columns_of(x, self.given_names, "given") if self.given_names else None
                return {"x": y, "c": x}
            return {"c": x, "x": y}
        if not is_frame(x) or not self.has_target:
            return x
        found = {"x": columns_of(x, self.x.names, "target")}
        if self.given_names:
            found["c"] = columns_of(x, self.given_names, "given")
        return found

    def paired(self, x, y):
        """As `pair`, and the targets that are left: none, or the weights of the examples."""
        found = self.pair(x, y)
        return (found, y) if found is x or (isinstance(y, dict) and WEIGHTS in y) else (found, None)

    @property
    def given_names(self):
        """The columns of the condition, or None."""
        return None if self.given is None else list(self.given)

    def discover(self, inputs):
        """Find what the columns of a frame hold; returns whether the condition is new by that."""
        if not self.has_target or not isinstance(inputs, dict):
            return False
        x, c = inputs.get("x"), inputs.get("c")
        if not isinstance(x, dict) or not (self.is_known or isinstance(c, dict)):
            raise ValueError(
                f"the model was made with target, for columns, and got the arrays "
                f"{shown(sorted(inputs))}: give a frame, or make it with x_shape and c_shape."
            )
        x, found, categorical, given = self.x.named(x), {}, [], self.given
        for name, variable in self.x.variables_by_name.items():
            if variable.kind == "classes" and variable.classes is None:
                labels = labels_of(name, x[name], missing=self.masks)
                if len(labels) != variable.shape[-1]:
                    raise ValueError(
                        f"{name} holds the {len(labels)} labels {shown(labels)}, and its "
                        f"likelihood is Categorical({variable.shape[-1]}): give "
                        f"Categorical({len(labels)}), or all labels by labels={{{name!r}: [...]}}."
                    )
                found[name] = Variable(name, variable.shape, "classes", labels)
                if str(getattr(x[name], "dtype", "")) == "category":
                    categorical.append(name)
        if not self.is_known:
            given = {
                name: given_labels(name, series) if holds_labels(series) else None
                for name, series in columns_of(c, given, "given").items()
            }
        self.x.variables_by_name |= found  # once nothing was refused
        self.categorical += categorical
        if self.is_known:
            return False
        variables = {name: column(name, labels) for name, labels in given.items()}
        self.given, self.c = given, Arrays("c", variables, single=False)
        return True

    def is_condition(self, x):
        """Whether this is a condition, and not the data of `fit`, a dictionary with the key "x".

        Raises:
            ValueError: a dictionary that is both, because arrays of c are named "x" and "c".
        """
        if isinstance(x, dict):
            if self.c is None or set(x) != set(self.c.names):
                return "x" not in x
            if {"x", "c"} <= set(x):
                raise ValueError(
                    "a dictionary of 'x' and 'c' may be the data of fit, or the condition, whose "
                    "arrays have these names: rename them, or call sample(c, noise=False)."
                )
            return True
        return x is None or hasattr(x, "__array__") or isinstance(x, (list, tuple)) or is_frame(x)

    def to_frame(self, drawn, c, n_samples):
        """Draws `(n_samples, batch, ...)` by name as a frame."""
        import pandas as pd

        rows = next(iter(drawn.values())).shape
        batch = rows[1] if self.c is not None else 1
        index = c.index if is_frame(c) else pd.RangeIndex(batch)
        columns = {
            name: to_column(
                self.x.variables_by_name[name],
                values.reshape(n_samples * batch, *values.shape[2 if self.c else 1 :]),
                name in self.categorical,
            )
            for name, values in drawn.items()
        }
        frame = pd.DataFrame(columns)
        if self.c is None:
            return frame.rename_axis("draw")
        draws = np.repeat(np.arange(n_samples), batch)
        more = [draws, index.take(np.tile(np.arange(batch), n_samples))]
        return frame.set_axis(pd.MultiIndex.from_arrays(more, names=["draw", index.name]))

    # -- checks and units -----------------------------------------------------------------------
    def check(self, inputs):
        """The arrays of x, those of c, and the masks of x, checked and by name."""
        if unknown := sorted(set(map(str, inputs)) - set(KEYS)):
            raise ValueError(f"the inputs hold {shown(unknown)}: give 'x', and 'c' and 'mask'.")
        for key, needed in (("x", True), ("c", self.c is not None)):
            if needed and inputs.get(key) is None:
                raise ValueError(f"the inputs lack {key!r}, got {shown(sorted(inputs))}: add it.")
            if not needed and inputs.get(key) is not None:
                raise ValueError(f"{key!r} is given, but the model has no c_shape: leave it out.")
        if inputs.get("mask") is not None and not self.masks:
            raise ValueError("mask is given, but the model was made without: set masks=True.")
        masks = self.x.check_masks(inputs.get("mask")) if self.masks else {}
        if self.masks:
            masks |= self.x.found_masks(inputs["x"], masks)
        x = self.x.check(inputs["x"], masks)
        c = {} if self.c is None else self.c.check(inputs["c"])
        arrays = {self.x.label(name): array for name, array in x.items()}
        arrays |= {self.c.label(name): array for name, array in c.items()}
        arrays |= {f"mask of {name!r}": mask for name, mask in masks.items()}
        if self.rows is not None:
            if inputs.get("index") is None:
                raise ValueError("a free table needs the number of each row as input 'index'.")
            arrays["index"] = _check_index(inputs["index"], self.rows)
        elif inputs.get("index") is not None:
            raise ValueError("index is given, but the model has no free table: leave it out.")
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"the arrays must have the same length, got {lengths}: give one row per example."
            )
        return x, c, masks

    def measure(self, x, c, masks, weights):
        """Set the units from checked arrays; rows of weight 0 are left out."""
        if weights is not None:
            used = weights > 0
            if not used.any():
                return
            x, c, masks = ({n: a[used] for n, a in side.items()} for side in (x, c, masks))
            weights = weights[used]
        self.x.measure(x, weights, masks)
        if self.c is not None:
            self.c.measure(c, weights)
        self.is_measured.assign(1.0)

    def check_batch(self, inputs):
        """Refuse the arrays of a batch that the model cannot read; no weight is read."""
        if f"x:{self.x.names[0]}" not in inputs:  # else checked already
            self.check_known()
            self.check(inputs)

    def standardize(self, inputs):
        """Arrays as the model reads them: standardized, by the keys `x:name` and `c:name`."""
        inputs = self.pair(inputs)
        if f"x:{self.x.names[0]}" in inputs:
            return dict(inputs)  # checked already
        self.check_known()
        x, c, masks = self.check(inputs)
        found = self.x.standardize(x, masks)
        if self.c is not None:
            found |= self.c.standardize(c)
        if self.masks:
            for name in self.x.names:
                ones = np.ones(found[f"x:{name}"].shape, "float32")
                found[f"mask:{name}"] = masks.get(name, ones)
        if self.rows is not None:
            found["index"] = _check_index(inputs["index"], self.rows)
        return found

    def standardize_condition(self, c):
        """Conditions as the model reads them: standardized, by name."""
        self.check_known()
        if self.c is None:
            if c is not None:
                raise ValueError("c is given, but the model has no condition: leave it out.")
            return None
        if c is None:
            raise ValueError(f"c is missing: give {shown(self.c.names)}.")
        if is_frame(c) and self.given_names:
            c = columns_of(c, self.given_names, "given")
        checked = self.c.check(c)
        if len({len(array) for array in checked.values()}) > 1:
            raise ValueError("the arrays of c must have the same length: give one row per example.")
        found = self.c.standardize(checked)
        return {name: found[f"c:{name}"] for name in self.c.names}

    # -- tensors --------------------------------------------------------------------------------
    def split(self, inputs):
        """The tensors of a batch: x, c and masks by name, the last two None where there are none.

        Missing entries of x become 0.
        """
        x = self.x.tensors(inputs)
        c = None if self.c is None else self.c.tensors(inputs)
        mask = None
        if self.masks:
            names = self.x.names
            mask = {name: inputs.get(f"mask:{name}") for name in names}
            given = inputs.get("mask")
            if given is not None:
                given = given if isinstance(given, dict) else {names[0]: given}
                mask |= {name: ops.cast(value, "float32") for name, value in given.items()}
            mask = {n: ops.ones_like(x[n]) if mask[n] is None else mask[n] for n in names}
            x = {name: ops.where(mask[name] > 0, x[name], 0.0) for name in names}
        return x, c, mask


def by_name(side, shape):
    """Whether a side is one array, and the shapes by name."""
    if isinstance(shape, dict):
        if not shape:
            raise ValueError(f"{side}_shape must not be empty: name an array, or give one shape.")
        return False, {name: _shape(name, each) for name, each in shape.items()}
    return True, {side: _shape(f"{side}_shape", shape)}


def _shape(name, shape):
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not shape:
        raise ValueError(f"{name} must be a shape such as (2,), got (): name the size of its axes.")
    return tuple(check_count(f"shape of {name}", size) for size in shape)


def shapes_of(target):
    """The shapes of the columns that are generated."""
    if not isinstance(target, dict) or not target:
        raise ValueError(
            f"target must be a dictionary of column -> likelihood, got {shown(target)}: give for "
            f"instance {{'price': 'normal'}}."
        )
    shapes = {}
    for name, likelihood in target.items():
        if likelihood == "categorical" or (
            isinstance(likelihood, Categorical) and likelihood.classes is None
        ):
            raise ValueError(
                f"target[{name!r}] is categorical without the number of its classes: give "
                f"Categorical(K)."
            )
        shapes[name] = (getattr(likelihood, "classes", None) or 1,)
    return shapes


def shapes_of_condition(c_shape, given, target):
    """Whether c is one array, and its shapes by name; None where there is no condition."""
    if given is not None:
        if c_shape is not None:
            raise ValueError("c_shape and given are both the condition: give one of them.")
        if not isinstance(given, (list, tuple, dict)) or not given:
            raise ValueError(f"given must be a list of columns, got {shown(given)}: name them.")
        names = [*given, *(target or ())]
        twice = [name for name in given if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"given names {shown(twice[0])}, which it or target names as well: name it once."
            )
        labels = given if isinstance(given, dict) else dict.fromkeys(given)
        return False, {name: (len(each) if each else 1,) for name, each in labels.items()}
    return (True, None) if c_shape is None else by_name("c", c_shape)


def column(name, labels):
    """A column of the condition: a number, or one of these labels."""
    if labels is None:
        return Variable(name, (1,), "given")
    return Variable(name, (len(labels),), "classes", labels)


def spread(argument, value, shapes, optional=False):
    """An argument that is one for all arrays, or a dictionary by name."""
    if not isinstance(value, dict):
        return dict.fromkeys(shapes, value)
    unknown = sorted(set(value) - set(shapes))
    if unknown or (not optional and set(value) != set(shapes)):
        raise ValueError(
            f"{argument} must have an entry for each of {shown(sorted(shapes))}, got "
            f"{shown(sorted(value))}: correct the names."
        )
    return {name: value.get(name) for name in shapes}


def _check_index(index, examples):
    """Row numbers of a free table as float32 `(batch, 1)`."""
    index = np.asarray(index)
    whole = index.dtype.kind in "iu" and index.ndim in (1, 2) and index.size
    if not whole or index.min() < 0 or index.max() >= examples:
        raise ValueError(
            f"index must hold whole numbers from 0 below {examples}, got {shown(index)}: number "
            f"the rows of the table."
        )
    return index.reshape(-1, 1).astype("int32")
