"""The objective, written once, and the Keras model that trains on it.

    ELBO(x | c) = E_q(z|x,c) [ log p(x | z, c) ] - beta * KL( q(z | x, c) || p(z | c) )

Convention for every number in this project: **sum** over event dimensions and over latent
dimensions, **mean** over the batch, in **nats**. `elbo` below is the one place where it is written.
"""

from operator import itemgetter

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_arrays, check_count, check_weight
from cvae_keras.parts.layers import SavesRandomState
from cvae_keras.training.backends import replicas
from cvae_keras.training.batches import Batches, FollowEpoch

ACTIVE_NATS = 0.01


class EpochMeans(keras.metrics.Metric):
    """Means of the terms over the examples of an epoch, and the rate of each latent dimension.

    `kl_per_dim[j] = mean_i KL(q(z_j | x_i) || p(z_j))`; `kl` is its sum, and `active_units` counts
    the dimensions above 0.01 nats. All sums are one vector, because on small models a metric for
    each term costs more than the term.

    Args:
        names: of the terms, one number an example each; dims: number of latent dimensions.

    Returns:
        `result()` is a dictionary: the mean of each term; `kl` (nats), `kl_per_dim` `(dims,)`
        (nats), `active_units`. The progress bar shows the mean of `kl_per_dim`; `History` keeps
        the whole vector.

    Source: active units are those of Burda et al., "Importance Weighted Autoencoders", 2016,
    counted here by their KL.

    Example:
        >>> means = EpochMeans(["elbo"], 2)
        >>> means.update_state({"elbo": np.array([-3.0]), "kl": np.array([[1.0, 0.0]])})
        >>> float(means.result()["elbo"]), float(means.result()["active_units"])
        (-3.0, 1.0)
    """

    def __init__(self, names, dims, name="means", **kwargs):
        super().__init__(name=name, **kwargs)
        self.names = list(names)
        self.total = self.add_weight(shape=(len(self.names) + dims,), initializer="zeros")
        self.examples = self.add_weight(shape=(), initializer="zeros", name="examples")

    def update_state(self, terms, sample_weight=None):
        columns = [ops.cast(terms[name], self.dtype)[:, None] for name in self.names]
        columns = ops.concatenate([*columns, ops.cast(terms["kl"], self.dtype)], axis=1)
        self.total.assign_add(ops.sum(columns, axis=0))
        self.examples.assign_add(ops.cast(ops.shape(columns)[0], self.dtype))

    def result(self):
        means = self.total / ops.maximum(self.examples, 1.0)
        result = {name: means[number] for number, name in enumerate(self.names)}
        per_dim = means[len(self.names) :]
        active = ops.sum(ops.cast(per_dim > ACTIVE_NATS, self.dtype))
        return {**result, "kl": ops.sum(per_dim), "kl_per_dim": per_dim, "active_units": active}

    def save_own_variables(self, store):
        """Nothing: each epoch begins at 0."""

    def load_own_variables(self, store):
        """Nothing, whatever an older file holds."""


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
        >>> elbo(np.array([-1.0]), np.array([[0.25, 0.5]]))   # -> [-1.75]
    """
    return log_likelihood - beta * ops.sum(kl, axis=-1)


class ELBOModel(SavesRandomState, keras.Model):
    """A conditional VAE made of four parts and trained on `elbo`.

    Args:
        posterior: q(z | x, c), a part from `cvae_keras.parts.posteriors`.
        prior: p(z | c), a part from `cvae_keras.parts.priors`.
        decoder: a layer `decoder(z, c)`; z is `(samples, batch, latent_dim)`, and what it returns
            starts with `(samples, batch)`: a tensor, or a dictionary with "mean" and "log_scale".
        likelihood: p(x | z, c), a part from `cvae_keras.parts.likelihoods`.
        condition: None, or a layer that reads c once; what it returns takes c's place in the parts.
        beta: weight of the KL term, not negative. It is a variable of the model, not a constant of
            its graph: change it with `set_term_weight`, or over training with `WeightSchedule`.
        seed: seed of the posterior samples. Its state is saved with the model.

    Call arguments:
        inputs: dictionary of `x` `(batch, ...)`, and where the parts use them `c` `(batch, ...)`
            and `mask`, of x's shape, 1 where x is observed and 0 where it is missing.

    Returns:
        Dictionary of tensors, one row an example: `log_likelihood` `(batch,)`, `kl`
        `(batch, latent_dim)`, and any further terms of the subclass.

    Raises:
        ValueError: parts that do not fit each other, a negative weight, bad arrays in `fit`.

    A subclass fills the slots in its `__init__`, states its arguments in `get_config`, and where it
    has terms of its own overrides `extra_terms` (computes them) and `objective` (weighs them).

    Example:
        >>> model.compile(keras.optimizers.Adam(1e-3))
        >>> history = model.fit({"x": x, "c": c}, batch_size=250, epochs=3)
        >>> history.history["elbo"], history.history["kl_per_dim"][-1]
    """

    def __init__(
        self, posterior, prior, decoder, likelihood, condition=None, beta=1.0, seed=0, **kwargs
    ):
        super().__init__(dtype="float32", **kwargs)  # the parts choose their own precision
        if posterior.family != prior.family:
            raise ValueError(
                f"posterior is {posterior.family} but prior is {prior.family}: use a prior of the "
                f"posterior's family, so that their KL exists."
            )
        self.posterior = posterior
        self.prior = prior
        self.decoder = decoder
        self.likelihood = likelihood
        self.condition = condition
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
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
        # `training` is handed on by hand: on jax, Keras does not tell the layers of a model itself
        h = self.read(c, training)
        p = self.prior(h, training=training)
        q = self.infer(inputs, h, training)
        z = self.posterior.points(q, p, self.seed_generator)  # (S, B, L)
        x_hat = self.decoder(z, h, training=training)
        log_p = self.likelihood.log_prob(x, x_hat, mask)  # (S, B)
        w = self.posterior.weigh(q, p, log_p, self.term_weights["beta"])  # (S, B), sums to 1
        kl = self.posterior.kl(q, self.prior.at_points(p, z), z, w)
        terms = {"log_likelihood": ops.sum(w * log_p, axis=0), "kl": kl}
        terms.update(self.extra_terms(x, c, mask, x_hat, w))
        return terms

    def build(self, input_shape=None):
        """Nothing to do: the parts build themselves when they are first called."""

    def split(self, inputs):
        """The arrays of a batch as x, c and mask, None where it has none."""
        return inputs["x"], inputs.get("c"), inputs.get("mask")

    def read(self, c, training=None):
        """What the parts see of the condition c."""
        return c if self.condition is None else self.condition(c, training=training)

    def infer(self, inputs, h, training=None):
        """Parameters of q(z | x, c); a posterior that reads something else overrides this."""
        x, _, mask = self.split(inputs)
        return self.posterior(x, h, mask=mask, training=training)

    def extra_terms(self, x, c, mask, x_hat, w):
        """Further terms, `(batch,)` each, as a dictionary; none by default."""
        return {}

    def objective(self, terms):
        """The scalar to minimise, from the terms of a batch."""
        values = elbo(terms["log_likelihood"], terms["kl"], self.term_weights["beta"])
        return -ops.mean(values)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        terms = y_pred  # what `call` returned
        log_p = terms["log_likelihood"]
        scores = {"elbo": elbo(log_p, terms["kl"]), "reconstruction": -log_p}
        self.means.update_state({**terms, **scores})
        return self.objective(terms) / replicas()

    # -- use ------------------------------------------------------------------------------------
    def sample(self, c, n_samples=1, seed=None, batch_size=1000):
        """Draw x from the model: z ~ p(z | c), then the mean of p(x | z, c).

        Args:
            c: condition, `(batch, ...)`, or a dictionary of such arrays where the model reads that.
            n_samples: samples of each condition.
            seed: integer; the same seed gives the same samples. None continues the model's own
                random state.
            batch_size: conditions decoded at once, which bounds the memory.

        Returns:
            NumPy array `(n_samples, batch, ...)`, float32.

        Raises:
            ValueError: c is refused by `check_condition`, or n_samples is not a positive integer.
        """
        c, n_samples = self.check_condition(c), check_count("n_samples", n_samples)
        generator = self.seed_generator if seed is None else keras.random.SeedGenerator(seed)
        parts = []
        rows = len(keras.tree.flatten(c)[0])
        for start in range(0, rows, batch_size):
            part = slice(start, min(start + batch_size, rows))
            batch = keras.tree.map_structure(itemgetter(part), c)
            h = self.read(keras.tree.map_structure(ops.convert_to_tensor, batch))
            z = self.prior.sample(self.prior(h), part.stop - start, n_samples, generator)
            parts.append(ops.convert_to_numpy(self.likelihood.mean(self.decoder(z, h))))
        return np.concatenate(parts, axis=1)

    def check_condition(self, c):
        """Refuse a condition that the model cannot read; a subclass knows more than NaN."""
        return check_arrays({"c": c})["c"]

    def check_inputs(self, inputs):
        """Refuse arrays that the model cannot train on; a subclass knows more than NaN."""
        return check_arrays(inputs)

    def fit(self, x=None, *args, **kwargs):
        """Train as `keras.Model.fit` does; dictionaries of NumPy arrays are checked first."""
        if isinstance(x, dict):
            x = self.check_inputs(x)
        if isinstance(x, Batches):
            kwargs["shuffle"] = False  # theirs is the order, or a resumed training sees another one
            kwargs["callbacks"] = [
                FollowEpoch(x),
                *keras.tree.flatten(kwargs.get("callbacks") or []),
            ]
        valid = kwargs.get("validation_data")
        if isinstance(valid, Batches):
            kwargs["validation_data"] = valid.pipeline()
        x = x.pipeline() if isinstance(x, Batches) else x
        return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        """As `keras.Model.evaluate`; dictionaries of NumPy arrays are checked first."""
        if isinstance(x, dict):
            x = self.check_inputs(x)
        x = x.pipeline() if isinstance(x, Batches) else x
        return super().evaluate(x, *args, **kwargs)
