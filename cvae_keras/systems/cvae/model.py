"""The front door: a conditional VAE of your own data.

| slot | filled with |
|---|---|
| posterior | Gaussian, flow, categorical, or a free table, by name or as an object |
| prior | N(0, I), Gaussian or flow or categorical given c |
| condition | none, an array, named arrays, columns of a frame |
| likelihood | normal, laplace, logit-normal, bernoulli, categorical, poisson; one for each array |
| special | draws in the units of the data, their noise included; intervals; log p(x given c) |
"""

import itertools
import math
from numbers import Real

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, check_sample_weight, check_share, shown
from cvae_keras.data.frames import is_frame
from cvae_keras.elbo import WEIGHTS, ELBOModel, elbo
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts.likelihoods import Categorical, Product
from cvae_keras.parts.posteriors import FreeTablePosterior
from cvae_keras.systems.cvae.arrays import Arrays, Variable
from cvae_keras.systems.cvae.frames import columns_of, holds_labels, labels_of, to_column
from cvae_keras.systems.cvae.networks import ArrayDecoder, ArrayReader, FeatureNetwork, kind_of
from cvae_keras.systems.cvae.parts import (
    check_layer,
    in_unit,
    kind_and_scale,
    make_likelihood,
    make_posterior,
    make_prior,
)
from cvae_keras.systems.cvae.sampler import Sampler

KEYS = ("x", "c", "mask", "index")
DRAWN = 50_000  # rows decoded at once
MEASURED = 20  # batches of a data set from which units are measured
EPOCHS, PATIENCE, BATCH = 100, 10, 128  # of a `fit` that names no epochs


@keras.saving.register_keras_serializable("cvae_keras")
class CVAE(ELBOModel):
    """p(x | c) of your own data: draws with their noise, intervals, and log p.

    `loss = -E_q(z | x, c)[log p(x | z, c)] + beta * KL(q(z | x, c) || p(z | c))`

    Either shapes are given, `x_shape` and `c_shape`, or the columns of a DataFrame, `target` and
    `given`. Real-valued arrays are standardized by mean and scale of the training rows of the first
    `fit`, and what is drawn has the unit of the data.

    To stop when the validation loss no longer falls, and to keep the best weights, pass
    `callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=10, restore_best_weights=True)]`
    and a `validation_split` to `fit`. A `fit` that names no `epochs` does so by itself, for at most
    100 epochs, on a tenth of the rows, and compiles the model with AdamW where it is not compiled.

    Args:
        x_shape: shape of one example of x; or a dictionary of name -> shape. `(features,)` is a
            vector, `(points, channels)` curves, `(height, width, channels)` an image.
        c_shape: the same of the condition, or None. A last axis of K classes may come as class
            numbers.
        latent_dim: number of latent dimensions; of categories for the posterior "categorical".
        posterior: "gaussian", "flow", "categorical" (summed exactly), or a `Posterior`; a
            `FreeTablePosterior` needs the number of each row as input "index".
        prior: "standard", "conditional", "flow", "categorical", or a `Prior`. None is "flow" with a
            condition, "standard" without, and "categorical" for that posterior.
        likelihood: "normal", "laplace", "bernoulli", "categorical", "poisson", a `Likelihood`, or
            a dictionary of these by name. "normal" and "laplace" have a noise scale for each entry,
            which depends on z and c; `Normal("learned")` has one for each entry alone, and
            `Normal(0.1)` a fixed one in the unit of x.
        bounds: `(low, high)` of real-valued x, or a dictionary of these by name: a logit-normal,
            whose samples never leave them.
        target: dictionary of column -> likelihood, of the columns that are generated. A
            `Categorical(K)` column holds K labels.
        given: list of the columns of the condition: numbers, or labels of a class.
        network: None to read and generate each array by dense layers or convolutions as its shape
            says; or "dense", "conv1d", "conv2d".
        x_network: a Keras layer from x `(batch, ...)`, or the dictionary, to features `(batch, n)`.
        c_network: the same for c.
        decoder_network: a Keras layer from [z, features of c] `(rows, n)` to features `(rows, m)`.
        width: units of the dense blocks.
        depth: number of dense blocks of each network.
        dropout: share of the features of c that are dropped in training.
        masks: whether x may have missing entries, marked by 0 in an input "mask" of its shape, or
            by NaN.
        beta: weight of the KL.
        seed: seed of the posterior samples and of the dropout.
        labels: dictionary of column -> labels of its classes; None finds them at the first `fit`.
        categorical: columns of classes that are drawn as pandas categories.

    Call arguments:
        inputs: dictionary of `x`, `c`, `mask` and `index`, where the model has them.

    Returns:
        The terms of `ELBOModel`.

    Raises:
        ValueError: parts that cannot be combined, shapes or columns that do not fit.
        TypeError: a network that is not a Keras layer.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", 2015.

    Example:
        ```python
        model = CVAE(x_shape=(2,), c_shape=(8,), latent_dim=4)
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit({"x": theta, "c": data}, validation_split=0.1, epochs=50)
        draws = model.sample(data[:3], n_samples=1000)              # (1000, 3, 2)
        model.log_prob({"x": theta[:3], "c": data[:3]})             # (3,), nats

        model = CVAE(target={"price": Normal("decoder"), "kind": Categorical(4)}, given=["age"])
        model.fit(frame)
        model.sample(frame[:3], n_samples=100)                      # a frame of 300 rows
        ```
    """

    def __init__(
        self,
        x_shape=None,
        c_shape=None,
        latent_dim=4,
        posterior="flow",
        prior=None,
        likelihood="normal",
        bounds=None,
        target=None,
        given=None,
        network=None,
        x_network=None,
        c_network=None,
        decoder_network=None,
        width=128,
        depth=2,
        dropout=0.0,
        masks=False,
        beta=1.0,
        seed=0,
        labels=None,
        categorical=(),
        **kwargs,
    ):
        if (x_shape is None) == (target is None):
            raise ValueError(
                "x_shape or target must be given, and not both: the shape of x, or the columns "
                "that are generated."
            )
        if target is not None:
            x_shape, likelihood = _shapes_of(target), target
        latent_dim, width = check_count("latent_dim", latent_dim), check_count("width", width)
        single, shapes = _by_name("x", x_shape)
        likelihoods = _spread("likelihood", likelihood, shapes)
        likelihoods = {name: make_likelihood(name, spec) for name, spec in likelihoods.items()}
        limits = _spread("bounds", bounds, shapes, optional=True)
        kinds = {name: kind_and_scale(each) for name, each in likelihoods.items()}
        variables = {
            name: Variable(name, shape, kinds[name][0], (labels or {}).get(name), limits[name])
            for name, shape in shapes.items()
        }
        x_arrays = Arrays("x", variables, single)
        c_single, c_names = _names_of_condition(c_shape, given)
        reads = {"width": width, "depth": depth}
        x_reader = _reader("x_network", x_network, shapes, network)
        condition = None
        if c_names is not None:
            c_reader = _reader("c_network", c_network, c_names, network)
            one = "c" if c_single and c_network is not None else None
            condition = FeatureNetwork(c_reader, single=one, dropout=dropout, seed=seed, **reads)
        one = "x" if single and x_network is not None else None
        made = make_posterior(posterior, FeatureNetwork(x_reader, single=one, **reads), latent_dim)
        decoder = ArrayDecoder(
            shapes,
            {name: kind_of(name, shape, network) for name, shape in shapes.items()},
            {name: scale for name, (_, scale) in kinds.items()},
            check_layer("decoder_network", decoder_network),
            **reads,
        )
        parts = {
            name: in_unit(each, variables[name], x_arrays.units.get(name))
            for name, each in likelihoods.items()
        }
        super().__init__(
            posterior=made,
            prior=make_prior(prior, latent_dim, made, c_names is not None, width),
            decoder=decoder,
            likelihood=Product(parts),
            condition=condition,
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.autocast = False  # float64 tensors are centered first
        self.x_arrays, self.c_arrays, self.latent_dim = x_arrays, None, latent_dim
        self.masks, self.given = bool(masks), given
        self.categorical = list(categorical)
        config = {
            "x_shape": None if target is not None else x_shape,
            "c_shape": c_shape,
            "latent_dim": latent_dim,
            "posterior": posterior,
            "prior": prior,
            "likelihood": "normal" if target is not None else likelihood,
            "bounds": bounds,
            "target": target,
            "network": network,
            "x_network": x_network,
            "c_network": c_network,
            "decoder_network": decoder_network,
            "width": width,
            "depth": depth,
            "dropout": dropout,
            "masks": self.masks,
            "seed": seed,
        }
        self.config = {name: _serialized(value) for name, value in config.items()}
        self.is_adapted = self.add_weight((), "zeros", trainable=False, name="adapted")
        if isinstance(given, (list, tuple)):
            return  # what these columns hold is known at the first `fit`
        if isinstance(given, dict):
            self._set_condition({name: _column(name, found) for name, found in given.items()})
        elif c_names is not None:
            self._set_condition(
                {name: Variable(name, shape, "given") for name, shape in c_names.items()}, c_single
            )
        self._build()

    def _set_condition(self, variables, single=False):
        self.c_arrays = Arrays("c", variables, single)

    def _build(self):
        example = self.x_arrays.example()
        if self.c_arrays is not None:
            example |= self.c_arrays.example()
        if self.masks:
            masks = self.x_arrays.variables_by_name.items()
            example |= {f"mask:{name}": ops.ones((2, *each.shape)) for name, each in masks}
        if self._has_free_table:
            example["index"] = ops.zeros((2, 1))
        self(example)

    @property
    def _has_free_table(self):
        return isinstance(self.posterior, FreeTablePosterior)

    # -- the objective --------------------------------------------------------------------------
    def split(self, inputs):
        x = self.x_arrays.tensors(inputs)
        c = None if self.c_arrays is None else self.c_arrays.tensors(inputs)
        mask = None
        if self.masks:
            names = self.x_arrays.names
            mask = {name: inputs.get(f"mask:{name}") for name in names}
            given = inputs.get("mask")
            if given is not None:
                given = given if isinstance(given, dict) else {names[0]: given}
                mask |= {name: ops.cast(value, "float32") for name, value in given.items()}
            mask = {n: ops.ones_like(x[n]) if mask[n] is None else mask[n] for n in names}
            x = {name: ops.where(mask[name] > 0, x[name], 0.0) for name in names}
        return x, c, mask

    def infer(self, inputs, h, training=None):
        if self._has_free_table:
            if "index" not in inputs:
                raise ValueError("a free table needs the number of each row as input 'index'.")
            return self.posterior(inputs["index"])
        return super().infer(inputs, h, training)

    # -- data -----------------------------------------------------------------------------------
    @property
    def adapted(self):
        """Whether the units are fixed: a weight, which is saved and loaded with the others."""
        return bool(ops.convert_to_numpy(self.is_adapted) > 0)

    def adapt(self, inputs, sample_weight=None):
        """Measure the mean and scale of real-valued arrays, by which they are standardized.

        The first `fit` does this, with its training rows alone; of data that come in batches, with
        the first 20 batches. Call it before a first `fit` on a generator.

        Args:
            inputs: arrays or a frame, as for `fit`.
            sample_weight: `(examples,)`, how many examples each row stands for.

        Raises:
            ValueError: inputs that `fit` refuses.
        """
        inputs = self._pair(inputs)
        self._discover(inputs)
        x, c, masks = self._check_raw(inputs)
        rows = len(next(iter(x.values())))
        self._measure(x, c, masks, check_sample_weight(sample_weight, rows))

    def _measure(self, x, c, masks, weights):
        if weights is not None:
            used = weights > 0
            if not used.any():
                return
            x, c, masks = ({n: a[used] for n, a in side.items()} for side in (x, c, masks))
            weights = weights[used]
        self.x_arrays.measure(x, weights, masks)
        if self.c_arrays is not None:
            self.c_arrays.measure(c, weights)
        self.is_adapted.assign(1.0)

    def _pair(self, x, y=None):
        """The data as a dictionary of x and c, if they are arrays or frames."""
        weights = isinstance(y, dict) and set(y) == {WEIGHTS}
        if y is not None and not weights:
            if is_frame(x) and self.config["target"] is not None:
                y = y if is_frame(y) else {name: y for name in self.x_arrays.names}
                x = columns_of(x, self._given_names, "given") if self._given_names else None
                return {"x": columns_of(y, self.x_arrays.names, "target"), "c": x}
            return {"c": x, "x": y}
        if not is_frame(x) or self.config["target"] is None:
            return x
        found = {"x": columns_of(x, self.x_arrays.names, "target")}
        if self._given_names:
            found["c"] = columns_of(x, self._given_names, "given")
        return found

    @property
    def _given_names(self):
        return None if self.given is None else list(self.given)

    def _discover(self, inputs):
        """What the columns of a frame hold, at the first `fit`."""
        if self.config["target"] is None or not isinstance(inputs, dict):
            return
        for name, variable in self.x_arrays.variables_by_name.items():
            if variable.kind == "classes" and variable.classes is None:
                labels = labels_of(name, inputs["x"][name])
                found = Variable(name, variable.shape, "classes", labels)
                if str(getattr(inputs["x"][name], "dtype", "")) == "category":
                    self.categorical.append(name)
                self.x_arrays.variables_by_name[name] = found
        if isinstance(self.given, (list, tuple)):
            given = {
                name: labels_of(name, series) if holds_labels(series) else None
                for name, series in inputs["c"].items()
            }
            self._set_condition({name: _column(name, labels) for name, labels in given.items()})
            self.given = given
            self._build()

    def _check_raw(self, inputs):
        """The arrays of x, those of c, and the masks of x, checked and by name."""
        if unknown := sorted(set(map(str, inputs)) - set(KEYS)):
            raise ValueError(f"the inputs hold {shown(unknown)}: give 'x', and 'c' and 'mask'.")
        for key, needed in (("x", True), ("c", self.c_arrays is not None)):
            if needed and inputs.get(key) is None:
                raise ValueError(f"the inputs lack {key!r}, got {shown(sorted(inputs))}: add it.")
            if not needed and inputs.get(key) is not None:
                raise ValueError(f"{key!r} is given, but the model has no c_shape: leave it out.")
        if inputs.get("mask") is not None and not self.masks:
            raise ValueError("mask is given, but the model was made without: set masks=True.")
        masks = self.x_arrays.check_masks(inputs.get("mask")) if self.masks else {}
        if self.masks:
            masks |= self.x_arrays.found_masks(inputs["x"], masks)
        x = self.x_arrays.check(inputs["x"], masks)
        c = {} if self.c_arrays is None else self.c_arrays.check(inputs["c"])
        arrays = {**{f"x {n}": a for n, a in x.items()}, **{f"c {n}": a for n, a in c.items()}}
        arrays |= {f"mask {name}": mask for name, mask in masks.items()}
        if inputs.get("index") is not None:
            arrays["index"] = inputs["index"]
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"the arrays must have the same length, got {lengths}: give one row per example."
            )
        return x, c, masks

    def check_inputs(self, inputs):
        """Arrays as the model reads them: standardized, by the keys `x:name` and `c:name`."""
        inputs = self._pair(inputs)
        if f"x:{self.x_arrays.names[0]}" in inputs:
            return dict(inputs)  # checked already
        self._check_built()
        x, c, masks = self._check_raw(inputs)
        found = self.x_arrays.standardize(x, masks)
        if self.c_arrays is not None:
            found |= self.c_arrays.standardize(c)
        if self.masks:
            for name in self.x_arrays.names:
                ones = np.ones(found[f"x:{name}"].shape, "float32")
                found[f"mask:{name}"] = masks.get(name, ones)
        if self._has_free_table:
            if inputs.get("index") is None:
                raise ValueError("a free table needs the number of each row as input 'index'.")
            found["index"] = _check_index(inputs["index"], self.posterior.examples)
        return found

    def check_condition(self, c):
        """Conditions as the model reads them: standardized, by name."""
        self._check_built()
        if self.c_arrays is None:
            if c is not None:
                raise ValueError("c is given, but the model has no condition: leave it out.")
            return None
        if c is None:
            raise ValueError(f"c is missing: give {shown(self.c_arrays.names)}.")
        if is_frame(c) and self._given_names:
            c = columns_of(c, self._given_names, "given")
        checked = self.c_arrays.check(c)
        if len({len(array) for array in checked.values()}) > 1:
            raise ValueError("the arrays of c must have the same length: give one row per example.")
        found = self.c_arrays.standardize(checked)
        return {name: found[f"c:{name}"] for name in self.c_arrays.names}

    def _check_built(self):
        if isinstance(self.given, (list, tuple)):
            raise ValueError("the model has not seen its columns yet: call fit or adapt first.")

    def _checked(self, x, y=None, sample_weight=None):
        return super()._checked(*self._paired(x, y), sample_weight)

    def _paired(self, x, y):
        found = self._pair(x, y)
        return (found, y) if found is x or isinstance(y, dict) and WEIGHTS in y else (found, None)

    # -- training -------------------------------------------------------------------------------
    def fit(self, x=None, y=None, *args, sample_weight=None, validation_data=None, **kwargs):
        """Train as `keras.Model.fit` does.

        Args:
            x: dictionary of `x`, `c`, `mask` and `index`; or a DataFrame; or batches of
                dictionaries: a `tf.data.Dataset`, a `PyDataset`, a generator; or c, if y is x.
            y: x, if the first argument is c, as in `fit(c, x)`; else None.
            sample_weight: `(examples,)`.
            validation_data: of the kinds of x, or `(c, x)`.
            args: further positional arguments of `keras.Model.fit`.
            kwargs: further arguments of `keras.Model.fit`. Without `epochs`, at most 100 with early
                stopping on a tenth of the rows, and batches of 128.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: data that do not fit.
            RunError: the loss became NaN or infinite.
        """
        x, y = self._paired(x, y)
        arrays = isinstance(x, dict)
        if arrays:
            self._discover(x)
        if not self.compiled:
            self.compile(keras.optimizers.AdamW(1e-3, weight_decay=1e-4))
        if "epochs" not in kwargs and not args:
            kwargs["epochs"] = EPOCHS
            kwargs.setdefault("batch_size", BATCH if arrays else None)
            if validation_data is None and "validation_split" not in kwargs and arrays:
                kwargs["validation_split"] = 0.1
            if validation_data is not None or kwargs.get("validation_split"):
                stop = keras.callbacks.EarlyStopping(
                    "val_loss", patience=PATIENCE, mode="min", restore_best_weights=True
                )
                given = keras.tree.flatten(kwargs.pop("callbacks", None) or [])
                kwargs["callbacks"] = [*given, stop]
        if not self.adapted:
            x = self._adapt_to(x, y, sample_weight, validation_data, args, kwargs)
        data = {"sample_weight": sample_weight, "validation_data": validation_data}
        return super().fit(x, y, *args, **data, **kwargs)

    def _adapt_to(self, x, y, sample_weight, validation_data, args, kwargs):
        """`adapt` to the training rows of `fit`; returns the data, none of them consumed."""
        if isinstance(x, dict):
            found, c, masks = self._check_raw(x)
            rows = len(next(iter(found.values())))
            weights = check_sample_weight(y[WEIGHTS] if y else sample_weight, rows)
            share = kwargs.get("validation_split", args[4] if len(args) > 4 else 0.0)
            if validation_data is None and isinstance(share, Real) and 0 < share < 1:
                rows = math.floor(rows * (1.0 - share))  # as Keras does, which refuses 0
            parts = ({n: a[:rows] for n, a in side.items()} for side in (found, c, masks))
            self._measure(*parts, None if weights is None else weights[:rows])
            return x
        if isinstance(x, keras.utils.PyDataset):
            first = (x[number] for number in range(min(len(x), MEASURED)))
        elif hasattr(x, "element_spec"):
            first = itertools.islice(x, MEASURED)
        elif hasattr(x, "__next__"):
            kept = list(itertools.islice(x, MEASURED))
            first, x = kept, itertools.chain(kept, x)
        else:
            return x  # refused by `fit`
        batches = [batch[0] if isinstance(batch, (tuple, list)) else batch for batch in first]
        batches = [batch for batch in batches if isinstance(batch, dict)]
        if batches:
            batches = [keras.tree.map_structure(np.asarray, batch) for batch in batches]
            joined = keras.tree.map_structure(lambda *each: np.concatenate(each), *batches)
            found, c, masks = self._check_raw(joined)
            self._measure(found, c, masks, None)
        return x

    # -- use ------------------------------------------------------------------------------------
    def sample(self, c=None, n_samples=1, seed=None, batch_size=None, noise=True):
        """Draw x from p(x | c): z ~ p(z | c), then x ~ p(x | z, c), in the units of the data.

        Args:
            c: the condition: an array, a dictionary of arrays, or a frame; None without one.
            n_samples: samples of each condition.
            seed: integer; the same seed gives the same samples. None continues the model's own
                random state.
            batch_size: conditions decoded at once; by default as many as make 50,000 rows.
            noise: False for the mean of p(x | z, c) in place of a draw, of bounded x its median.

        Returns:
            `(n_samples, batch, *x_shape)`, or a dictionary of such, by name; `(n_samples, ...)`
            without a condition. Classes are one-hot vectors, counts and bits whole numbers. If the
            model has a target, a frame: a row for each sample and condition, numbered in its index
            by "draw" and by the index of the condition.

        Raises:
            ValueError: c does not fit, or n_samples is not a positive integer.
        """
        n_samples = check_count("n_samples", n_samples)
        rows = max(1, DRAWN // n_samples) if batch_size is None else batch_size
        drawn = super().sample(c, n_samples, seed, rows, noise)
        drawn = self.x_arrays.restore(drawn)
        if self.config["target"] is None:
            return drawn
        return self._to_frame(drawn, c, n_samples)

    def _to_frame(self, drawn, c, n_samples):
        """Draws `(n_samples, batch, ...)` by name as a frame."""
        import pandas as pd

        rows = next(iter(drawn.values())).shape
        batch = rows[1] if self.c_arrays is not None else 1
        index = c.index if is_frame(c) else pd.RangeIndex(batch)
        columns = {
            name: to_column(
                self.x_arrays.variables_by_name[name],
                values.reshape(n_samples * batch, *values.shape[2 if self.c_arrays else 1 :]),
                name in self.categorical,
            )
            for name, values in drawn.items()
        }
        frame = pd.DataFrame(columns)
        if self.c_arrays is None:
            return frame.rename_axis("draw")
        draws = np.repeat(np.arange(n_samples), batch)
        more = [draws, index.take(np.tile(np.arange(batch), n_samples))]
        return frame.set_axis(pd.MultiIndex.from_arrays(more, names=["draw", index.name]))

    def predict(self, x=None, *args, n_samples=100, seed=0, **kwargs):
        """The mean of p(x | c), and of classes the most likely one; or the reconstruction of x.

        Args:
            x: the condition, as for `sample`. A dictionary with the key "x", and batches of these,
                are reconstructed instead: the mean of p(x | z, c) at the mean of q(z | x, c), of
                classes probabilities.
            args: further positional arguments of `keras.Model.predict`, of a reconstruction.
            n_samples: latent samples over which p(x | z, c) is averaged.
            seed: integer.
            kwargs: further arguments of `keras.Model.predict`, of a reconstruction.

        Returns:
            `(batch, *x_shape)`, class numbers `(batch, ...)`, or a dictionary of these by name; a
            frame with labels if the model has a target.

        Raises:
            ValueError: data that do not fit.
        """
        if not self._is_condition(x):
            return self.x_arrays.restore(super().predict(x, *args, **kwargs))
        return self._mean(x, n_samples, seed)

    def _is_condition(self, x):
        """Whether this is a condition, and not the data of `fit`."""
        if isinstance(x, dict):
            names = [] if self.c_arrays is None else self.c_arrays.names
            return set(x) == set(names) or not any(str(key).startswith("x") for key in x)
        return x is None or hasattr(x, "__array__") or isinstance(x, (list, tuple)) or is_frame(x)

    def _mean(self, c, n_samples, seed):
        """The mean of p(x | c), as `predict` returns it."""
        n_samples = check_count("n_samples", n_samples)
        rows = max(1, DRAWN // n_samples)
        drawn = super().sample(c, n_samples, seed, rows, noise=False)
        drawn = self.x_arrays.restore(drawn)
        by_name = {self.x_arrays.side: drawn} if self.x_arrays.single else drawn
        means = {name: values.mean(axis=0) for name, values in by_name.items()}
        if self.config["target"] is not None:
            frame = self._to_frame({name: mean[None] for name, mean in means.items()}, c, 1)
            return frame.droplevel("draw") if self.c_arrays is not None else frame
        for name, variable in self.x_arrays.variables_by_name.items():
            if variable.kind == "classes":
                means[name] = means[name].argmax(axis=-1)
        return means[self.x_arrays.side] if self.x_arrays.single else means

    def interval(self, c=None, level=0.9, n_samples=1000, seed=0):
        """The central interval of each entry that holds this share of p(x | c).

        Args:
            c: the condition, as for `sample`.
            level: share, between 0 and 1.
            n_samples: draws of which the quantiles are taken.
            seed: integer.

        Returns:
            `(2, batch, *x_shape)`, low and high ends, or a dictionary of these by name. If the
            model has a target, a frame of its columns of numbers, each with "low" and "high". Ends
            of counts and bits are whole numbers, and belong to the interval, which may hold more.

        Raises:
            ValueError: level is not between 0 and 1, or c does not fit.
        """
        level = check_share("level", level)
        ends = [0.5 - level / 2, 0.5 + level / 2]
        drawn = self.x_arrays.restore(
            super().sample(c, n_samples, seed, max(1, DRAWN // n_samples), noise=True)
        )
        by_name = {self.x_arrays.side: drawn} if self.x_arrays.single else drawn
        kinds = {name: self.x_arrays.variables_by_name[name].kind for name in by_name}
        methods = {"count": "inverted_cdf", "bit": "inverted_cdf"}  # no number between two counts
        found = {
            name: np.quantile(values, ends, axis=0, method=methods.get(kinds[name], "linear"))
            for name, values in by_name.items()
            if kinds[name] != "classes"
        }
        if not found:
            raise ValueError("interval needs an array of numbers, and x holds classes: use sample.")
        if self.config["target"] is None:
            return found[self.x_arrays.side] if self.x_arrays.single else found
        import pandas as pd

        columns = {
            (name, end): values[number].reshape(-1)
            for name, values in found.items()
            for number, end in enumerate(("low", "high"))
        }
        frame = pd.DataFrame(columns)
        return frame.set_axis(c.index) if is_frame(c) else frame

    def log_prob(self, inputs, n_samples=1000, seed=0):
        """Importance-weighted log p(x | c) of each example, in nats, in the units of the data.

        A categorical latent is summed exactly. See `importance_weighted_bound` of
        `cvae_keras.metrics.importance`, which also gives the error of the estimate.

        Args:
            inputs: dictionary or frame, as for `fit`.
            n_samples: latent samples of each example.
            seed: integer.

        Returns:
            float64 `(batch,)`, a lower bound that is tight for many samples.

        Raises:
            ValueError: inputs that `fit` refuses.
        """
        inputs = self.check_inputs(inputs)
        if self.posterior.family != "categorical":
            return importance_weighted_bound(self, inputs, n_samples, seed)[0]
        rows, found = len(next(iter(inputs.values()))), []
        for start in range(0, rows, BATCH):
            part = {n: ops.convert_to_tensor(a[start : start + BATCH]) for n, a in inputs.items()}
            terms = self(part)
            found.append(ops.convert_to_numpy(elbo(terms["log_likelihood"], terms["kl"])))
        return np.concatenate(found).astype("float64")

    # -- saving ---------------------------------------------------------------------------------
    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Save a sampler for serving, as `keras.Model.export`: noise and a condition in, x out.

        Its random numbers are an input, so that it also runs where those of the backend do not, in
        onnxruntime for instance.

        Args:
            filepath: of the folder or file.
            format: "tf_saved_model", "onnx" or another one of Keras.
            kwargs: further arguments of `keras.Model.export`.

        The inputs are "z" `(batch, latent_dim)`, standard normal, and the arrays of c by name, in
        their units and of their shapes: classes as one-hot vectors. The outputs are by name the
        means of x, in its unit; of bounded x the medians, of classes the probabilities.

        Raises:
            ValueError: a prior that is no function of standard normal noise.
        """
        self._check_built()
        sampler = Sampler(self)
        sampler(sampler.example())
        return sampler.export(filepath, format, input_signature=[sampler.signature()], **kwargs)

    def get_config(self):
        config = {
            **_serialized(self.config),
            "beta": float(self.term_weights["beta"]),
            "name": self.name,
        }
        config["given"] = self.given
        variables = self.x_arrays.variables_by_name.items()
        config["categorical"] = list(self.categorical)
        config["labels"] = {n: v.classes.labels for n, v in variables if v.classes is not None}
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("posterior", "prior", "likelihood", "target", *NETWORKS):
            config[name] = _deserialized(config[name])
        for name in ("x_shape", "c_shape"):
            config[name] = _tuples(config[name])
        return cls(**config)


NETWORKS = ("x_network", "c_network", "decoder_network")


def _serialized(value):
    if isinstance(value, dict):
        return {name: _serialized(each) for name, each in value.items()}  # in this order
    return keras.saving.serialize_keras_object(value) if hasattr(value, "get_config") else value


def _deserialized(value):
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    if isinstance(value, dict):
        return {name: _deserialized(each) for name, each in value.items()}
    return value


def _tuples(shape):
    if isinstance(shape, dict):
        return {name: _tuples(each) for name, each in shape.items()}
    return tuple(shape) if isinstance(shape, list) else shape


def _by_name(side, shape):
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


def _shapes_of(target):
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


def _names_of_condition(c_shape, given):
    """Whether c is one array, and its shapes by name; None where there is no condition."""
    if given is not None:
        if c_shape is not None:
            raise ValueError("c_shape and given are both the condition: give one of them.")
        if not isinstance(given, (list, tuple, dict)) or not given:
            raise ValueError(f"given must be a list of columns, got {shown(given)}: name them.")
        labels = given if isinstance(given, dict) else dict.fromkeys(given)
        return False, {name: (len(each) if each else 1,) for name, each in labels.items()}
    return (True, None) if c_shape is None else _by_name("c", c_shape)


def _column(name, labels):
    """A column of the condition: a number, or one of these labels."""
    if labels is None:
        return Variable(name, (1,), "given")
    return Variable(name, (len(labels),), "classes", labels)


def _spread(argument, value, shapes, optional=False):
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


def _reader(argument, layer, shapes, network):
    """The user's layer that reads the arrays of a side, or an `ArrayReader`."""
    if check_layer(argument, layer) is not None:
        return layer
    return ArrayReader({name: kind_of(name, shape, network) for name, shape in shapes.items()})


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
