"""The objective, written once, and the Keras model that trains on it.

    ELBO(x | c) = E_q(z|x,c) [ log p(x | z, c) ] - beta * KL( q(z | x, c) || p(z | c) )

Convention for every number in this project: **sum** over event dimensions and over latent
dimensions, **mean** over the batch, in **nats**. `elbo` below is the one place where it is written.
"""

import math
import operator
import re
from collections import Counter
from numbers import Real

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import (
    check_arrays,
    check_count,
    check_fraction,
    check_sample_weight,
    check_seed,
    check_weight,
    shown,
)
from cvae_keras.parts.adapters import PlainDecoder, reads_one
from cvae_keras.parts.agreement import (
    bounded,
    check_decoded,
    check_latents,
    check_mask,
    check_model_arrays,
    check_support,
)
from cvae_keras.parts.distributions import kl_divergence
from cvae_keras.parts.layers import SavesRandomState, zero_missing
from cvae_keras.parts.likelihoods import Likelihood
from cvae_keras.parts.posteriors import Posterior
from cvae_keras.parts.priors import Prior
from cvae_keras.training.backends import ReplicaSeedGenerator, own_shards, process, replicas
from cvae_keras.training.batches import (
    Batches,
    FollowEpoch,
    ShuffledBatches,
    finite,
    refusals,
)
from cvae_keras.training.checkpoint import Checkpoint
from cvae_keras.training.finite import StopIfNotFinite, check_loss

ACTIVE_NATS = 0.01
SAVED = "weights"  # key of the names of a saved model's weights
#: What may follow y in `keras.Model.fit` without a name.
FIT_ARGUMENTS = ("batch_size", "epochs", "verbose", "callbacks", "validation_split")
#: slot -> its class; the decoder and the condition are any layers
PARTS = {
    "posterior": Posterior,
    "prior": Prior,
    "decoder": keras.layers.Layer,
    "likelihood": Likelihood,
    "condition": keras.layers.Layer,
}
WEIGHTS = "sample_weight"  # key of the weights among the targets: without targets Keras drops them


class EpochMeans(keras.metrics.Metric):
    """Weighted means over the examples of an epoch: each term, and the KL of each dimension.

    All sums are one vector, because on small models a variable per term costs more than the term.
    The logs get the mean of each term, `kl` and `active_units`; `kl_per_dim` returns the vector.

    Args:
        names: of the terms, `(batch,)` each.
        dims: number of latent dimensions.

    Example:
        >>> means = EpochMeans(["elbo"], 2)
        >>> means.update_state({"elbo": np.array([-3.0]), "kl": np.array([[1.0, 0.0]])})
        >>> float(means.result()["elbo"]), means.kl_per_dim().tolist()
        (-3.0, [1.0, 0.0])
    """

    def __init__(self, names, dims, name="means", **kwargs):
        super().__init__(name=name, **kwargs)
        self.names = list(names)
        self.total = self.add_weight(shape=(len(self.names) + dims,), initializer="zeros")
        self.examples = self.add_weight(shape=(), initializer="zeros", name="examples")

    def update_state(self, terms, sample_weight=None):
        columns = [ops.cast(terms[name], self.dtype)[:, None] for name in self.names]
        columns = ops.concatenate([*columns, ops.cast(terms["kl"], self.dtype)], axis=1)
        if sample_weight is None:
            weights = ops.ones_like(columns[:, 0])
        else:
            weights = ops.cast(sample_weight, self.dtype)
        self.total.assign_add(ops.sum(columns * weights[:, None], axis=0))
        self.examples.assign_add(ops.sum(weights))

    def vector(self):
        """The means so far: those of the terms in order, then the KL of each dimension."""
        examples = ops.convert_to_tensor(self.examples)
        return self.total / ops.where(examples > 0, examples, 1.0)

    def kl_per_dim(self):
        """`mean_i KL(q(z_j | x_i) || p(z_j))` of the last epoch or `evaluate`: NumPy, nats."""
        return ops.convert_to_numpy(self.vector()[len(self.names) :])

    def result(self):
        means, terms = self.vector(), len(self.names)
        active = ops.sum(ops.cast(means[terms:] > ACTIVE_NATS, self.dtype))
        logs = {name: means[number] for number, name in enumerate(self.names)}
        return {**logs, "kl": ops.sum(means[terms:]), "active_units": active}

    def save_own_variables(self, store):
        """Saves nothing: each epoch begins at 0."""

    def load_own_variables(self, store):
        """Loads nothing, whatever an older file holds."""


def elbo(log_likelihood, kl, beta=1.0):
    """The evidence lower bound of each example, in nats.

    `elbo[i] = log_likelihood[i] - beta * sum_j kl[i, j]`

    Args:
        log_likelihood: `(batch,)`, E_q[log p(x | z, c)], already summed over the event dimensions.
        kl: `(batch, latent_dim)`, KL of each latent dimension.
        beta: weight of the KL term; 1 gives the bound on log p(x | c) itself.

    Returns:
        `(batch,)`. The training loss is minus its mean over the batch.

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, eq. 3; beta: Higgins et
    al., "beta-VAE", 2017, eq. 4.

    Example:
        >>> np.array(elbo(np.array([-1.0]), np.array([[0.25, 0.5]]))).tolist()
        [-1.75]
    """
    return log_likelihood - beta * ops.sum(kl, axis=-1)


@keras.saving.register_keras_serializable("cvae_keras")
class ELBOModel(SavesRandomState, keras.Model):
    """A conditional VAE made of four parts and trained on `elbo`.

    Args:
        posterior: q(z | x, c), from `cvae_keras.parts.posteriors`.
        prior: p(z | c), from `cvae_keras.parts.priors`.
        decoder: a layer `decoder(z, c)`; z is `(samples, batch, latent_dim)`, and what it returns
            starts with `(samples, batch)`: a tensor, or a dictionary with "mean" and "log_scale".
            A Keras layer or model of one tensor becomes a `PlainDecoder`.
        likelihood: p(x | z, c), from `cvae_keras.parts.likelihoods`.
        condition: None, or a layer that is called once with c; the parts get its output instead.
        beta: weight of the KL term, not negative. It is a variable of the model, not a constant of
            its graph: change it with `set_term_weight`, or over training with `WeightSchedule`.
        seed: seed of the posterior samples. Its state is saved with the model.

    Call arguments:
        inputs: dictionary of `x` `(batch, ...)`, and where the parts use them `c` `(batch, ...)`,
            or a dictionary of such; `mask`, of x's shape, 1 where x is observed and 0 where it is
            missing, and x may be anything, also NaN; and `index` `(batch, 1)` for a free table.

    Returns:
        Dictionary of tensors, one row per example: `log_likelihood` `(batch,)`, `kl`
        `(batch, latent_dim)`, and further terms of the subclass. The logs hold the loss and the
        epoch's means of `elbo`, `reconstruction`, `kl` and the subclass's terms, all in nats, and
        `active_units`, the number of latent dimensions with a mean KL above 0.01 nats; the KL of
        each dimension is `model.means.kl_per_dim()`.

    Raises:
        ValueError: parts that do not fit each other, a negative weight, bad arrays in `fit`.
        TypeError: a part of another class.

    A subclass fills the slots in its `__init__`, states its arguments in `get_config`, and where it
    has terms of its own overrides `extra_terms` (computes them) and `loss_per_example` (weighs
    them). The parts of a model without an `__init__` of its own are saved with it.

    Source: active units: Burda et al., "Importance Weighted Autoencoders", 2016, counted here by
    their KL.

    Example:
        ```python
        model.compile(keras.optimizers.Adam(1e-3))
        history = model.fit({"x": x, "c": c}, batch_size=250, epochs=3)
        history.history["elbo"], model.means.kl_per_dim()
        x_hat = model.predict({"x": x, "c": c})                 # reconstructions
        draws = model.sample(c, n_samples=100)                  # (100, batch, ...)
        ```
    """

    #: What the mode "auto" of a callback that monitors one of these logs stands for.
    modes = {"elbo": "max", "reconstruction": "min"}

    def __init__(
        self, posterior, prior, decoder, likelihood, condition=None, beta=1.0, seed=0, **kwargs
    ):
        super().__init__(dtype="float32", **kwargs)  # the parts choose their own precision
        parts = dict(zip(PARTS, (posterior, prior, decoder, likelihood, condition), strict=True))
        for name, part in parts.items():
            if not isinstance(part, PARTS[name]) and not (name == "condition" and part is None):
                raise TypeError(
                    f"{name} must be a {PARTS[name].__module__.split('.')[0]} "
                    f"{PARTS[name].__name__}, got {type(part).__name__}: give one."
                )
        if posterior.family != prior.family:
            raise ValueError(
                f"posterior is {posterior.family} but prior is {prior.family}: use a prior of the "
                f"posterior's family, so that their KL exists."
            )
        self.posterior = posterior
        self.prior = prior
        self.decoder = PlainDecoder(decoder) if reads_one(decoder) else decoder
        self.likelihood = likelihood
        self.condition = condition
        self.seed = check_seed("seed", seed)
        self.seed_generator = ReplicaSeedGenerator(self.seed)
        self.input_shapes = None
        self.term_weights = {}
        self.add_term_weight("beta", beta)
        self.means = EpochMeans(self.term_names(), posterior.kl_dims)

    # -- weights of the terms -------------------------------------------------------------------
    def add_term_weight(self, name, value):
        """Create a non-trainable scalar that weighs one term of the objective."""
        weight = self.add_weight(shape=(), initializer="zeros", trainable=False, name=name)
        self.term_weights[name] = weight
        self.set_term_weight(name, value)

    def set_term_weight(self, name, value):
        """Set the weight `name` (for instance "beta") to a number that is not negative."""
        if name not in self.term_weights:
            raise ValueError(
                f"weight {name!r} is unknown: choose among {sorted(self.term_weights)}."
            )
        self.term_weights[name].assign(check_weight(name, value))

    # -- the objective --------------------------------------------------------------------------
    def term_names(self):
        """Names of the scalar metrics reported each epoch, beside the rate."""
        return ["elbo", "reconstruction"]

    def call(self, inputs, training=None):
        x, c, mask = self.split(inputs)
        # `training` is passed explicitly: on JAX, Keras does not pass it to a model's layers
        h = self.read(c, training)
        p = self.prior(h, training=training)
        q = self.infer(inputs, h, training)
        check_latents(q, p)
        z, log_q = q.points(self.seed_generator)  # (S, B, L)
        q, x_hat, log_p = self.decode_points(inputs, h, p, q, z, training)
        w = q.weights(z)  # (S, B), sums to 1
        terms = {"log_likelihood": ops.sum(w * log_p, axis=0), "kl": kl_divergence(q, p, z, log_q)}
        terms.update(self.extra_terms(x, c, mask, x_hat, w))
        return terms

    def build(self, input_shape=None):
        """Nothing to build: the parts do so in their first call, whose shapes are saved."""
        self.input_shapes = input_shape

    def split(self, inputs):
        """The arrays of a batch as x, c and mask, None where it has none; missing x become 0."""
        x, c, mask = inputs["x"], inputs.get("c"), inputs.get("mask")
        check_mask(x, mask)
        return zero_missing(x, mask), c, mask

    def read(self, c, training=None):
        """What the parts see of the condition c."""
        return c if self.condition is None else self.condition(c, training=training)

    def infer(self, inputs, h, training=None):
        """The distribution q(z | x, c), or q(z | index) of a free table."""
        x, _, mask = self.split(inputs)
        x = x if self.posterior.reads == "x" else inputs[self.posterior.reads]
        return self.posterior(x, h, mask=mask, training=training)

    def decode_points(self, inputs, h, p, q, z, training=None):
        """Decode points z of q; the posterior may update q by what they are worth.

        Args:
            inputs: the arrays of a batch.
            h: the condition, as the parts see it.
            p: p(z | c).
            q: q(z | x, c), from `infer`.
            z: its points, `(samples, batch, latent_dim)`.
            training: as in `call`.

        Returns:
            `(q, x_hat, log_p)`: the updated q, what the decoder returned, and log p(x | z, c)
            `(samples, batch)`.
        """
        x, _, mask = self.split(inputs)
        x_hat = self.decoder(z, h, training=training)
        check_decoded(self.likelihood, x, x_hat, z)
        log_p = self.likelihood.log_prob(x, x_hat, mask)
        return self.posterior.update(q, p, log_p, self.term_weights["beta"]), x_hat, log_p

    def extra_terms(self, x, c, mask, x_hat, w):
        """Further terms, `(batch,)` each, as a dictionary; none by default."""
        return {}

    def loss_per_example(self, terms):
        """The loss of each example, `(batch,)`, from the terms of a batch."""
        return -elbo(terms["log_likelihood"], terms["kl"], self.term_weights["beta"])

    def objective(self, terms, sample_weight=None):
        """The scalar to minimize: the mean of `loss_per_example`, each multiplied by its weight."""
        losses = self.loss_per_example(terms)
        return ops.mean(losses if sample_weight is None else losses * sample_weight)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        sample_weight = _weights(y, sample_weight)
        terms = y_pred  # what `call` returned
        log_p = terms["log_likelihood"]
        scores = {"elbo": elbo(log_p, terms["kl"]), "reconstruction": -log_p}
        if sample_weight is not None:
            sample_weight = ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        self.means.update_state({**terms, **scores}, sample_weight)
        return self.objective(terms, sample_weight) / replicas()

    # -- use ------------------------------------------------------------------------------------
    def reconstruction(self, inputs):
        """The mean of p(x | z, c) at the mean of q(z | x, c), `(batch, ...)`, without noise.

        A categorical latent is summed over: `sum_k q(k | x, c) E[x | k, c]`.
        """
        x, c, _ = self.split(inputs)
        h = self.read(c)
        q = self.infer(inputs, h)
        if self.posterior.family != "categorical":
            z = ops.expand_dims(q.mean, 0)
            x_hat = self.decoder(z, h)
            check_decoded(self.likelihood, x, x_hat, z)
            return keras.tree.map_structure(operator.itemgetter(0), self.likelihood.mean(x_hat))
        z, _ = q.points()
        q, x_hat, _ = self.decode_points(inputs, h, self.prior(h), q, z)
        weights = q.weights(z)

        def expectation(mean):
            w = ops.reshape(weights, (*mean.shape[:1], -1, *(1,) * (len(mean.shape) - 2)))
            return ops.sum(w * mean, axis=0)

        return keras.tree.map_structure(expectation, self.likelihood.mean(x_hat))

    def predict_step(self, *args):
        """Keras's hook: called with (data), on JAX with ((variables), data)."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(args[-1])
        if len(args) == 1:
            return self.reconstruction(inputs)
        trainable, non_trainable = args[0]
        values = [*zip(self.trainable_variables, trainable, strict=True)]
        values += zip(self.non_trainable_variables, non_trainable, strict=True)
        with keras.StatelessScope(state_mapping=values):
            return self.reconstruction(inputs), non_trainable

    def sample(self, c=None, n_samples=1, seed=None, batch_size=1000, noise=False):
        """Draw x from the model: z ~ p(z | c), then the mean of p(x | z, c), or a draw from it.

        The mean is the default, because the five systems are judged by it: curves, images and
        embeddings without noise. `cvae_keras.CVAE` draws with noise unless told otherwise.

        Args:
            c: condition, `(batch, ...)`, or a dictionary of such arrays where the model reads that;
                None for a model without a condition.
            n_samples: samples of each condition.
            seed: integer; the same seed gives the same samples. None continues the model's own
                random state.
            batch_size: conditions decoded at once, which bounds the memory.
            noise: whether x is drawn from p(x | z, c), and not its mean.

        Returns:
            NumPy array `(n_samples, batch, ...)`, float32; `(n_samples, ...)` without a condition.

        Raises:
            ValueError: c is refused by `check_condition`, or n_samples is not a positive integer.
        """
        c, n_samples = self.check_condition(c), check_count("n_samples", n_samples)
        batch_size = check_count("batch_size", batch_size)
        generator = self.generator(seed)
        if c is None:
            h = self.read(None)
            z = self.prior(h).sample(1, batch=n_samples, seed=generator)
            x = self._decoded(z, h, noise, generator)
            return keras.tree.map_structure(operator.itemgetter(0), x)
        parts = []
        rows = len(keras.tree.flatten(c)[0])
        for start in range(0, rows, batch_size):
            part = slice(start, min(start + batch_size, rows))
            batch = keras.tree.map_structure(operator.itemgetter(part), c)
            h = self.read(keras.tree.map_structure(ops.convert_to_tensor, batch))
            z = self.prior(h).sample(n_samples, batch=part.stop - start, seed=generator)
            parts.append(self._decoded(z, h, noise, generator))
        return keras.tree.map_structure(lambda *each: np.concatenate(each, axis=1), *parts)

    def _decoded(self, z, h, noise, generator):
        """x of latents z, as NumPy arrays: a draw from p(x | z, c), or its mean."""
        x_hat = self.decoder(z, h)
        x = self.likelihood.sample(x_hat, generator) if noise else self.likelihood.mean(x_hat)
        return keras.tree.map_structure(ops.convert_to_numpy, x)

    def generator(self, seed=None):
        """A `SeedGenerator` of this seed; the model's own for None."""
        if seed is None:
            return self.seed_generator
        return keras.random.SeedGenerator(check_seed("seed", seed))

    def check_condition(self, c):
        """Refuse a condition that the model cannot read; a subclass checks more than NaN."""
        if isinstance(c, dict):
            return check_arrays(c)
        return None if c is None else check_arrays({"c": c})["c"]

    def check_inputs(self, inputs):
        """Refuse arrays that the model cannot train on, see `check_model_arrays`."""
        if "index" in inputs and np.ndim(inputs["index"]) == 1:
            inputs = {**inputs, "index": np.asarray(inputs["index"])[:, None]}
        self.posterior.check_inputs(inputs)
        return check_model_arrays(inputs, self.likelihood)

    def check_batch(self, inputs):
        """Refuse one of the batches in which data come; a subclass checks more than the support.

        Args:
            inputs: dictionary of NumPy arrays. Weights of the model cannot be read here: JAX has
                none while it trains.

        Raises:
            ValueError: x holds what the likelihood has no density for.
        """
        if "x" in inputs:
            check_support(self.likelihood, inputs["x"], inputs.get("mask"))

    def fit(self, x=None, y=None, *args, sample_weight=None, validation_data=None, **kwargs):
        """Train as `keras.Model.fit` does, on a dictionary of arrays or on batches of them.

        Args:
            x: dictionary of arrays, which are checked first; or `Batches`, a `tf.data.Dataset` or
                a `PyDataset` of dictionaries. In several processes, see `training.process`, the
                batches of a dictionary are shared among them; a last incomplete one is left out.
            y: not used; x and c belong into the dictionary.
            sample_weight: `(examples,)`, with which the losses are multiplied, as Keras does.
            validation_data: a dictionary, `(dictionary, None, sample_weight)`, or batches.
            args: further positional arguments of `keras.Model.fit`.
            kwargs: further arguments of `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: bad arrays, a batch with NaN or infinity, targets y, class weights, or
                weights that do not fit.
            RunError: the loss became NaN or infinite, see `StopIfNotFinite`.
        """
        _check_no_class_weight(kwargs.pop("class_weight", None))
        kwargs |= dict(zip(FIT_ARGUMENTS, args, strict=False))
        _check_numbers(**kwargs)
        if process()[1] > 1:
            x = self._shard(x, kwargs)
        callbacks = [StopIfNotFinite(), *keras.tree.flatten(kwargs.pop("callbacks", None) or [])]
        if isinstance(x, Batches):
            kwargs["shuffle"] = False  # the batches have an order, which a resumed training repeats
            callbacks.insert(0, FollowEpoch(x))
        if hasattr(x, "element_spec") or hasattr(x, "__next__"):
            kwargs.setdefault("shuffle", False)  # Keras cannot, and warns that it does not
        self._set_modes(callbacks)
        callbacks.sort(key=lambda callback: isinstance(callback, Checkpoint))  # these go last
        for callback in callbacks:
            if isinstance(callback, Checkpoint):
                callback.watch(callbacks)
        ours = isinstance(x, Batches)
        x, y = self._checked(x, y, sample_weight)
        if y is not None and not y[WEIGHTS].any():
            raise ValueError("sample_weight is 0 for all rows, so that nothing would be trained.")
        if isinstance(validation_data, (tuple, list)):
            validation_data = self._checked(*validation_data)
        elif validation_data is not None:
            validation_data, _ = self._checked(validation_data)
        self._check_compiled("fit")
        self._build_optimizer()
        kwargs |= {"validation_data": validation_data, "callbacks": callbacks}
        with refusals(), own_shards(ours):
            return super().fit(x, y, **kwargs)

    def _shard(self, x, kwargs):
        """The batches of one of several processes that train this model."""
        if isinstance(x, dict):
            batch_size = kwargs.pop("batch_size", None) or 32
            return ShuffledBatches(self.check_inputs(x), batch_size, self.seed, process())
        if isinstance(x, Batches) and x.shard != process():
            raise ValueError(
                f"x has the shard {x.shard}, but this is process {process()[0]} of "
                f"{process()[1]}: create the batches with shard=cvae_keras.training.process()."
            )
        return x

    def _check_compiled(self, method):
        if not self.compiled:
            raise ValueError(
                f"the model is not compiled: call compile(keras.optimizers.Adam(1e-3)) before "
                f"{method}."
            )
        if self.loss is not None:
            raise ValueError(
                f"compile got loss={shown(self.loss)}, which would not be used: leave it out; the "
                f"loss is minus the ELBO, and set_term_weight weighs its terms."
            )
        if self._compile_metrics is not None:
            raise ValueError(
                "compile got metrics, which compare targets with predictions, and there are no "
                "targets: leave them out; the logs hold the ELBO and its terms."
            )

    def _build_optimizer(self):
        """Create the optimizer's variables.

        Those that TensorFlow finds while it traces a training step make it trace the step twice,
        which takes most of the time of a first step. With several replicas Keras creates them.
        """
        strategy = getattr(self, "distribute_strategy", None)
        if self.input_shapes is not None and getattr(strategy, "num_replicas_in_sync", 1) == 1:
            self.optimizer.build(self.trainable_variables)

    def _set_modes(self, callbacks):
        """Resolve the mode "auto" of callbacks; Keras can do so for compiled metrics only."""
        for callback in keras.tree.flatten(callbacks or []):
            log = str(getattr(callback, "monitor", "")).removeprefix("val_")
            if getattr(callback, "mode", None) == "auto" and log in self.modes:
                callback.mode = self.modes[log]

    def evaluate(self, x=None, y=None, *args, sample_weight=None, **kwargs):
        """As `keras.Model.evaluate`; x, y and sample_weight as for `fit`."""
        _check_numbers(**kwargs | dict(zip(("batch_size",), args, strict=False)))
        x, y = self._checked(x, y, sample_weight)
        self._check_compiled("evaluate")
        with refusals():
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        """The reconstruction of x, as `keras.Model.predict` returns it: NumPy `(batch, ...)`."""
        _check_numbers(**kwargs | dict(zip(("batch_size",), args, strict=False)))
        with refusals():
            return super().predict(self._checked(x)[0], *args, **kwargs)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, **kwargs):
        """One step, as `keras.Model.train_on_batch`; x, y and sample_weight as for `fit`.

        Raises:
            ValueError: as `fit` does.
            RunError: the loss is NaN or infinite; the weights may be so too from then on.
        """
        _check_no_class_weight(class_weight)
        return self._on_batch("train_on_batch", x, y, sample_weight, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        """As `keras.Model.test_on_batch`; arguments and errors as of `train_on_batch`."""
        return self._on_batch("test_on_batch", x, y, sample_weight, **kwargs)

    def predict_on_batch(self, x):
        """As `predict`."""
        return self.predict(x, verbose=0)

    def _on_batch(self, method, x, y=None, sample_weight=None, **kwargs):
        if not isinstance(x, dict):
            raise ValueError(
                f"x must be a dictionary of arrays, got {type(x).__name__}: {method} takes one "
                f"batch; give several to fit or evaluate."
            )
        x, y = self._checked(x, y, sample_weight)
        self._check_compiled(method)
        if method == "train_on_batch":
            self._build_optimizer()
        with refusals():
            logs = getattr(super(), method)(x, y, **kwargs)
        check_loss(logs["loss"] if isinstance(logs, dict) else np.ravel(logs)[0], f"in {method}")
        return logs

    # -- saving ---------------------------------------------------------------------------------
    def get_config(self):
        """The parts, serialized; a subclass with an `__init__` of its own states its arguments."""
        if type(self).__init__ is not ELBOModel.__init__:
            raise NotImplementedError(
                f"{type(self).__name__} has an __init__ of its own and no get_config: return its "
                f"arguments there, so that a saved model can be loaded."
            )
        parts = {name: getattr(self, name) for name in PARTS}
        weights = [id(each) for part in parts.values() if part for each in part.weights]
        if len(set(weights)) < len(weights):
            raise ValueError(
                "two parts of the model share weights, and would not after loading: put what they "
                "share into `condition`."
            )
        config = {
            name: part and keras.saving.serialize_keras_object(part) for name, part in parts.items()
        }
        beta = float(self.term_weights["beta"])
        return {**config, "beta": beta, "seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """A model of this configuration; parts that are serialized in it are made first."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in PARTS
            if isinstance(config.get(name), dict) and "class_name" in config[name]
        }
        return super().from_config({**config, **parts})

    def get_build_config(self):
        """The shapes of the arrays of the first call, from which a load builds the parts."""
        return None if self.input_shapes is None else {"inputs": self.input_shapes}

    def build_from_config(self, config):
        if config.get("inputs"):
            self(_zeros(config["inputs"]))

    def save_own_variables(self, store):
        super().save_own_variables(store)
        names = "\n".join(_plain(weight.path) for weight in self.weights)
        store[SAVED] = np.frombuffer(names.encode(), "uint8")

    def load_own_variables(self, store):
        """Refuses a file with weights that this model does not have."""
        store = {name: store[name] for name in store.keys()}
        names = store.pop(SAVED, None)
        if names is None and self.input_shapes is None:
            raise ValueError(
                f"{type(self).__name__} has not been called, so that the weights of its parts do "
                f"not exist yet: call it once, at the end of its __init__ or before load_weights."
            )
        if names is not None:
            saved = bytes(np.asarray(names, "uint8")).decode().split("\n")
            lost = Counter(saved) - Counter(_plain(each.path) for each in self.weights)
            if lost and len(saved) > len(self.weights):
                raise ValueError(
                    f"the file holds {len(saved)} weights and the model {len(self.weights)}: it "
                    f"lacks {', '.join(lost)}; call it on arrays like those it was trained on "
                    f"before its weights are loaded."
                )
        super().load_own_variables(store)

    def _checked(self, x, y=None, sample_weight=None):
        """Data as Keras reads them, and their weights as its targets, or None."""
        sample_weight = _weights(y, sample_weight)
        if isinstance(x, dict):
            x = self.check_inputs(x)
            examples = len(keras.tree.flatten(x)[0])
            weights = check_sample_weight(sample_weight, examples)
            return x, None if weights is None else {WEIGHTS: weights}
        if x is None or isinstance(x, (list, tuple)) or hasattr(x, "__array__"):
            raise ValueError(
                f"x must be a dictionary of arrays, or batches of such, got {type(x).__name__}: "
                f"give for instance {{'x': x}}."
            )
        if sample_weight is not None:
            raise ValueError(
                "sample_weight is for dictionaries of arrays: batches bring theirs as "
                "(dictionary, None, sample_weight)."
            )
        checks = type(self).check_batch is not ELBOModel.check_batch or bounded(self.likelihood)
        return finite(x, self.check_batch if checks else None), None


def _zeros(shapes):
    """An example of arrays of these shapes, which may be nested in dictionaries."""
    if isinstance(shapes, dict):
        return {name: _zeros(each) for name, each in shapes.items()}
    return ops.zeros((1, *(size or 1 for size in shapes[1:])))


def _plain(path):
    """The path of a weight without what differs between two models of one configuration."""
    return "/".join(re.sub(r"_\d+$", "", name) for name in path.split("/")[1:]) or path


def training_rows(rows, validation_data, args, kwargs):
    """How many rows `fit` trains on: all, or those before its `validation_split`.

    Args:
        rows: number of examples.
        validation_data: of `fit`; if it is given, Keras does not split.
        args: positional arguments of `fit` after y.
        kwargs: its named arguments.

    Returns:
        Number of rows.

    Example:
        >>> training_rows(100, None, (), {"validation_split": 0.1})
        90
    """
    share = {**dict(zip(FIT_ARGUMENTS, args, strict=False)), **kwargs}.get("validation_split", 0.0)
    if validation_data is None and isinstance(share, Real) and 0 < share < 1:
        return math.floor(rows * (1.0 - share))  # as Keras does, which refuses 0
    return rows


def _check_no_class_weight(class_weight):
    if class_weight is not None:
        raise ValueError("class_weight needs targets, and there are none: use sample_weight.")


def _weights(y, sample_weight):
    """The weights of examples, which may stand among the targets; refuses all other targets."""
    if y is None:
        return sample_weight
    if not isinstance(y, dict) or set(y) != {WEIGHTS}:
        raise ValueError("targets y are not used: give x and c in one dictionary of arrays.")
    return y[WEIGHTS]


def _check_numbers(epochs=1, initial_epoch=0, validation_split=0.0, **options):
    """Refuse arguments of `fit`, `evaluate` and `predict` that Keras would not explain."""
    check_count("epochs", epochs, least=0)
    check_count("initial_epoch", initial_epoch, least=0)
    check_fraction("validation_split", validation_split)
    for name in ("batch_size", "steps_per_epoch", "validation_steps", "validation_batch_size"):
        if options.get(name) is not None:
            check_count(name, options[name])
