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

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import (
    check_choice,
    check_count,
    check_fraction,
    check_sample_weight,
    check_share,
    shown,
)
from cvae_keras.data.frames import is_frame
from cvae_keras.elbo import WEIGHTS, ELBOModel, elbo, training_rows
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts.likelihoods import Product
from cvae_keras.parts.posteriors import FreeTablePosterior
from cvae_keras.systems.cvae.arrays import Arrays, Variable
from cvae_keras.systems.cvae.bounds import LINKS
from cvae_keras.systems.cvae.data import (
    Data,
    by_name,
    shapes_of,
    shapes_of_condition,
    spread,
)
from cvae_keras.systems.cvae.defaults import RATE, compile_for_fit, compiled_by_fit, completed
from cvae_keras.systems.cvae.networks import (
    ArrayDecoder,
    ArrayReader,
    DirectHeads,
    FeatureNetwork,
    kind_of,
)
from cvae_keras.systems.cvae.parts import (
    check_layer,
    in_unit,
    kind_and_scale,
    make_likelihood,
    make_posterior,
    make_prior,
)
from cvae_keras.systems.cvae.report import report
from cvae_keras.systems.cvae.sampler import Sampler
from cvae_keras.training.batches import refusals

OTHERS = 8  # latent dimensions of arrays that are no vectors of real numbers
DRAWN = 50_000  # rows decoded at once
MEASURED = 20  # batches of a data set from which units are measured


@keras.saving.register_keras_serializable("cvae_keras")
class CVAE(ELBOModel):
    """p(x | c) of your own data: draws with their noise, intervals, and log p.

    `loss = -E_q(z | x, c)[log p(x | z, c)] + beta * KL(q(z | x, c) || p(z | c))`

    Either shapes are given, `x_shape` and `c_shape`, or the columns of a DataFrame, `target` and
    `given`. Real-valued arrays are standardized by mean and scale of the training rows of the first
    `fit`, and what is drawn has the unit of the data.

    To stop when the validation loss no longer falls, and to keep the best weights, pass
    `callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=10, restore_best_weights=True)]`
    and a `validation_split` to `fit`. A model that was not compiled does so by itself, with AdamW
    and a learning rate that falls to 0, for at most 100 epochs, on a tenth of the rows.

    Args:
        x_shape: shape of one example of x; or a dictionary of name -> shape. `(features,)` is a
            vector, `(points, channels)` curves, `(height, width, channels)` an image.
        c_shape: the same of the condition, or None. A last axis of K classes may come as class
            numbers.
        latent_dim: number of latent dimensions; of categories for the posterior "categorical".
            None is one for each real-valued entry of vectors, and 8 for all other arrays. With
            that many or more, a "gaussian" posterior and a "flow" prior, the model starts with
            z = x for these entries: the prior learns their distribution from the first step.
        posterior: "gaussian", "flow", "categorical" (summed exactly), or a `Posterior`; a
            `FreeTablePosterior` needs the number of each row as input "index".
        prior: "standard", "conditional", "flow", "categorical", or a `Prior`. None is "flow" with a
            condition, "standard" without, and "categorical" for that posterior.
        likelihood: "normal", "laplace", "bernoulli", "categorical", "poisson", a `Likelihood`, or
            a dictionary of these by name. "normal" and "laplace" have a noise scale for each entry,
            which depends on z and c; `Normal("learned")` has one for each entry alone, and
            `Normal(0.1)` a fixed one in the unit of x.
        bounds: `(low, high)` of real-valued x, or a dictionary of these by name: a logit-normal,
            whose samples never leave them; with None or infinity for one end a log-normal.
        link: of two bounds: "logit", or "probit", by which what is uniform between them, like
            parameters under a uniform prior, becomes exactly normal.
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
        latent_dim=None,
        posterior="gaussian",
        prior=None,
        likelihood="normal",
        bounds=None,
        link="logit",
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
            x_shape, likelihood = shapes_of(target), target
        width, dropout = check_count("width", width), check_fraction("dropout", dropout)
        check_choice("link", link, LINKS)
        if not isinstance(masks, (bool, np.bool_)):
            raise ValueError(f"masks must be True or False, got {shown(masks)}: choose one.")
        single, shapes = by_name("x", x_shape)
        if isinstance(categorical, str) or not set(categorical) <= set(shapes):
            raise ValueError(
                f"categorical must be a list of names among {shown(sorted(shapes))}, got "
                f"{shown(categorical)}: correct it."
            )
        likelihoods = spread("likelihood", likelihood, shapes)
        likelihoods = {name: make_likelihood(name, spec) for name, spec in likelihoods.items()}
        limits = spread("bounds", bounds, shapes, optional=True)
        kinds = {name: kind_and_scale(each) for name, each in likelihoods.items()}
        variables = {
            name: Variable(
                name, shape, kinds[name][0], (labels or {}).get(name), limits[name], link
            )
            for name, shape in shapes.items()
        }
        x_arrays = Arrays("x", variables, single)
        networks = {name: kind_of(name, shape, network) for name, shape in shapes.items()}
        direct = [n for n, each in variables.items() if each.real and networks[n] == "dense"]
        entries = sum(math.prod(shapes[name]) for name in direct)
        if latent_dim is None:
            latent_dim = entries + (OTHERS if len(direct) < len(shapes) else 0)
        latent_dim = check_count("latent_dim", latent_dim)
        c_single, c_names = shapes_of_condition(c_shape, given, target)
        flow = prior == "flow" or (prior is None and c_names is not None)
        if posterior != "gaussian" or not flow or entries > latent_dim:
            direct = []
        reads = {"width": width, "depth": depth}
        x_reader = _reader("x_network", x_network, shapes, network)
        condition = None
        if c_names is not None:
            c_reader = _reader("c_network", c_network, c_names, network)
            one = "c" if c_single and c_network is not None else None
            condition = FeatureNetwork(c_reader, single=one, dropout=dropout, seed=seed, **reads)
        one = "x" if single and x_network is not None else None
        encoder = FeatureNetwork(x_reader, single=one, **reads)
        if direct:
            encoder = DirectHeads(encoder, direct, latent_dim, entries)
        made = make_posterior(posterior, encoder, latent_dim, heads=not direct)
        decoder = ArrayDecoder(
            shapes,
            networks,
            {name: scale for name, (_, scale) in kinds.items()},
            check_layer("decoder_network", decoder_network),
            direct=direct,
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
        rows = made.examples if isinstance(made, FreeTablePosterior) else None
        frame = target is not None
        self.data = Data(x_arrays, c_names, c_single, given, frame, bool(masks), rows, categorical)
        self.latent_dim = latent_dim
        config = {
            "x_shape": None if target is not None else x_shape,
            "c_shape": c_shape,
            "latent_dim": latent_dim,
            "posterior": posterior,
            "prior": prior,
            "likelihood": "normal" if target is not None else likelihood,
            "bounds": bounds,
            "link": link,
            "target": target,
            "network": network,
            "x_network": x_network,
            "c_network": c_network,
            "decoder_network": decoder_network,
            "width": width,
            "depth": depth,
            "dropout": dropout,
            "masks": bool(masks),
            "seed": seed,
        }
        self.config = {name: _serialized(value) for name, value in config.items()}
        if self.data.is_known:
            self._build()

    def _build(self):
        with refusals():  # of the user's own networks
            self(self.data.example())

    # -- the objective --------------------------------------------------------------------------
    def split(self, inputs):
        return self.data.split(inputs)

    # -- data -----------------------------------------------------------------------------------
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
        inputs = self.data.pair(inputs)
        self._discover(inputs)
        x, c, masks = self.data.check(inputs)
        rows = len(next(iter(x.values())))
        self.data.measure(x, c, masks, check_sample_weight(sample_weight, rows))

    def _discover(self, inputs):
        """Find what the columns of a frame hold, at the first `fit`, and build on it."""
        if self.data.discover(inputs):
            self._build()

    def check_inputs(self, inputs):
        """Arrays as the model reads them: standardized, by the keys `x:name` and `c:name`."""
        return self.data.standardize(inputs)

    def check_condition(self, c):
        """Conditions as the model reads them: standardized, by name."""
        return self.data.standardize_condition(c)

    def check_batch(self, inputs):
        """Refuse a batch that the model cannot read."""
        self.data.check_batch(inputs)

    def _checked(self, x, y=None, sample_weight=None):
        return super()._checked(*self.data.paired(x, y), sample_weight)

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
            kwargs: further arguments of `keras.Model.fit`. If the model was not compiled, what is
                not named is AdamW, ten steps in one call, at most 100 epochs, early stopping on a
                tenth of the rows, and batches of 128. The learning rate falls along half a cosine,
                `1e-3 * (1 + cos(pi * epoch / epochs)) / 2`; callbacks that set the rate replace
                this. Since it depends on the epoch alone, a training that continues from
                `initial_epoch` or `BackupAndRestore` has the rate that it would have had. A second
                `fit`, also of a loaded model, does all this again, until `compile` is called.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: data that do not fit.
            RunError: the loss became NaN or infinite.
        """
        x, y = self.data.paired(x, y)
        arrays = isinstance(x, dict)
        if arrays:
            self._discover(x)
        own = compiled_by_fit(self)
        if own:
            args, kwargs = (), completed(args, kwargs, arrays, validation_data)
        if not self.compiled:
            compile_for_fit(self)
        if not self.data.measured:
            x = self._adapt_to(x, y, sample_weight, validation_data, args, kwargs)
        data = {"sample_weight": sample_weight, "validation_data": validation_data}
        history = super().fit(x, y, *args, **data, **kwargs)
        if own:
            self.optimizer.learning_rate = RATE  # which has fallen
        return history

    def _adapt_to(self, x, y, sample_weight, validation_data, args, kwargs):
        """`adapt` to the training rows of `fit`; returns the data, none of them consumed."""
        if isinstance(x, dict):
            found, c, masks = self.data.check(x)
            rows = len(next(iter(found.values())))
            weights = check_sample_weight(y[WEIGHTS] if y else sample_weight, rows)
            rows = training_rows(rows, validation_data, args, kwargs)
            parts = ({n: a[:rows] for n, a in side.items()} for side in (found, c, masks))
            self.data.measure(*parts, None if weights is None else weights[:rows])
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
            found, c, masks = self.data.check(joined)
            self.data.measure(found, c, masks, None)
        return x

    def _on_batch(self, method, x, y=None, sample_weight=None, **kwargs):
        """A first step measures the units on its batch, as the first `fit` does on its rows."""
        x, y = self.data.paired(x, y)
        if method == "train_on_batch" and self.compiled and not self.data.measured:
            self.adapt(x, sample_weight)
        return super()._on_batch(method, x, y, sample_weight, **kwargs)

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
        drawn = self.data.x.restore(self.draw(c, n_samples, seed, noise, batch_size))
        if not self.data.has_target:
            return drawn
        return self.data.to_frame(drawn, c, n_samples)

    def predict(self, x=None, *args, n_samples=100, seed=0, **kwargs):
        """The mean of p(x | c), and of classes the most likely one; or the reconstruction of x.

        Args:
            x: the condition, as for `sample`. A dictionary with the key "x", and batches of these,
                are reconstructed instead: the mean of p(x | z, c) at the mean of q(z | x, c), of
                classes probabilities.
            args: further positional arguments of `keras.Model.predict`, of a reconstruction.
            n_samples: latent samples over which p(x | z, c) is averaged.
            seed: integer.
            kwargs: further arguments of `keras.Model.predict`, of a reconstruction. With a
                condition `batch_size` is the number of conditions decoded at once.

        Returns:
            `(batch, *x_shape)`, class numbers `(batch, ...)`, or a dictionary of these by name; a
            frame with labels if the model has a target.

        Raises:
            ValueError: data that do not fit.
        """
        if not self.data.is_condition(x):
            return self.data.x.restore(super().predict(x, *args, **kwargs))
        kwargs |= dict(zip(("batch_size", "verbose"), args, strict=False))
        batch_size, _ = kwargs.pop("batch_size", None), kwargs.pop("verbose", None)
        if kwargs or len(args) > 2:
            raise ValueError(
                f"predict got {shown(sorted(kwargs) or args)}, which a condition does not need: "
                f"leave it out."
            )
        return self._mean(x, n_samples, seed, batch_size)

    def _mean(self, c, n_samples, seed, batch_size):
        """The mean of p(x | c), as `predict` returns it."""
        drawn = self.data.x.in_units(self.draw(c, n_samples, seed, False, batch_size))
        means = {name: values.mean(axis=0) for name, values in drawn.items()}
        if self.data.has_target:
            frame = self.data.to_frame({name: mean[None] for name, mean in means.items()}, c, 1)
            return frame.droplevel("draw") if self.data.c is not None else frame
        for name, variable in self.data.x.variables_by_name.items():
            if variable.kind == "classes":
                means[name] = means[name].argmax(axis=-1)
        return self.data.x.as_given(means)

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
        drawn = self.data.x.in_units(self.draw(c, n_samples, seed, noise=True))
        kinds = {name: self.data.x.variables_by_name[name].kind for name in drawn}
        methods = {"count": "inverted_cdf", "bit": "inverted_cdf"}  # no number between two counts
        found = {
            name: np.quantile(values, ends, axis=0, method=methods.get(kinds[name], "linear"))
            for name, values in drawn.items()
            if kinds[name] != "classes"
        }
        if not found:
            raise ValueError("interval needs an array of numbers, and x holds classes: use sample.")
        if not self.data.has_target:
            return self.data.x.as_given(found)
        import pandas as pd

        columns = {
            (name, end): values[number].reshape(-1)
            for name, values in found.items()
            for number, end in enumerate(("low", "high"))
        }
        frame = pd.DataFrame(columns)
        return frame.set_axis(c.index) if is_frame(c) else frame

    def draw(self, c, n_samples, seed, noise, batch_size=None):
        """Standardized draws of x, by name: as `sample`, without the units of the data."""
        n_samples = check_count("n_samples", n_samples)
        rows = max(1, DRAWN // n_samples) if batch_size is None else batch_size
        return super().sample(c, n_samples, seed, rows, noise)

    def report(self, x, c=None, n_samples=200, confidence=0.99, seed=0):
        """Check on new examples whether draws may be trusted, print it in words, and return it.

        Ranks, coverage and TARP of `cvae_keras.metrics.calibration_report`, and warnings of a
        latent that is not used, of a posterior wider than the prior, and of a validation loss far
        above the training loss.

        Args:
            x: x of examples that the model was not trained on; or all of their data, as for `fit`.
            c: their condition, if x does not hold it.
            n_samples: draws of each example.
            confidence: of the bands that say what chance alone does.
            seed: integer.

        Returns:
            `CalibrationReport`; `cvae_keras.plots.plot_calibration` draws it.

        Raises:
            ValueError: data that do not fit.

        Example:
            ```python
            report = model.report(x_test, c_test)
            ```
        """
        whole = is_frame(x) or (isinstance(x, dict) and "x" in x)
        inputs = self.data.pair(x) if whole and c is None else {"x": x, "c": c}
        given = inputs.get("c") if isinstance(inputs, dict) else None
        checked = self.check_inputs({k: v for k, v in inputs.items() if v is not None})
        found = report(self, checked, given, n_samples, confidence, seed)
        print(found)
        return found

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
        rows, size, found = len(next(iter(inputs.values()))), DRAWN // self.latent_dim, []
        for start in range(0, rows, max(1, size)):
            part = {n: ops.convert_to_tensor(a[start : start + size]) for n, a in inputs.items()}
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
        self.data.check_known()
        sampler = Sampler(self)
        sampler(sampler.example())
        return sampler.export(filepath, format, input_signature=[sampler.signature()], **kwargs)

    def get_config(self):
        config = {
            **_serialized(self.config),
            "beta": float(self.term_weights["beta"]),
            "name": self.name,
        }
        config["given"] = self.data.given
        variables = self.data.x.variables_by_name.items()
        config["categorical"] = list(self.data.categorical)
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


def _reader(argument, layer, shapes, network):
    """The user's layer that reads the arrays of a side, or an `ArrayReader`."""
    if check_layer(argument, layer) is not None:
        return layer
    return ArrayReader({name: kind_of(name, shape, network) for name, shape in shapes.items()})
