"""The model inside `CompressionVAE`: a VAE with a flow posterior that also predicts neighbors.

| slot | filled with |
|---|---|
| posterior | Gaussian, transformed by an inverse autoregressive flow; dense encoder |
| prior | N(0, I) |
| condition | none |
| likelihood | Normal on standardized features, one learned scale |
| special | the term `gamma * log p(neighbor | z)`, from pairs of neighbors |
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count, check_rows, check_seed, check_units, check_weight
from cvae_keras.data.rows import exponents, standardize
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.distributions import LOG_2PI, Flow, Gaussian, kl_divergence
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.likelihoods import Normal
from cvae_keras.parts.networks import NormalizedMLP
from cvae_keras.parts.posteriors import IAFPosterior
from cvae_keras.parts.priors import StandardNormal
from cvae_keras.training.backends import compiled


@keras.saving.register_keras_serializable("cvae_keras")
class Components(keras.layers.Layer):
    """A fixed linear map from features to principal components, and back.

    `h = x A` and `x = h A'`, with A of orthonormal columns, not trained

    It shortens the first layer of the encoder and the last one of the decoder, which are most of
    the computation of a dense model of images; the likelihood is still that of all features.

    Args:
        features: of x.
        components: columns of A, the weight `axes`, which starts with those of the identity.

    Call arguments:
        x: `(..., features)`.

    Returns:
        `(..., components)`; `expand` is the map back.

    Example:
        >>> import numpy as np
        >>> layer = Components(784, 100)
        >>> tuple(layer(np.zeros((5, 784))).shape)
        (5, 100)
    """

    def __init__(self, features, components, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        self.features, self.components = features, components
        self.axes = self.add_weight(
            shape=(features, components), initializer="identity", trainable=False, name="axes"
        )

    def call(self, x):
        return ops.matmul(x, self.axes)

    def expand(self, h):
        """From components `(..., components)` to features `(..., features)`."""
        return ops.matmul(h, ops.transpose(self.axes))

    def get_config(self):
        return {
            **super().get_config(),
            "features": self.features,
            "components": self.components,
        }


def neighbor_log_prob(z, log_scale):
    """Log-probability that each row picks its own neighbor among all rows of the batch.

    Rows r and r + n of the 2n rows are neighbors. Row i picks row j with probability
    `p(j | i) = k_ij / sum_(l != i) k_il`, `k_ij = 1 / (1 + |z_i - z_j|^2 / scale^2)`

    Args:
        z: `(2n, latent_dim)`.
        log_scale: log of the distance at which the kernel is 1/2, a scalar.

    Returns:
        `(2n,)`, in nats; chance level is -log(2n - 1).

    Source: the Student kernel of van der Maaten and Hinton, "Visualizing data using t-SNE", 2008;
    the choice within a batch: Damrich et al., "From t-SNE to UMAP with contrastive learning",
    2023, eq. 8.

    Example:
        >>> import numpy as np
        >>> z = np.array([[0.0], [9.0], [0.0], [9.0]], "float32")
        >>> [round(float(value), 2) for value in neighbor_log_prob(z, 0.0)]
        [-0.02, -0.02, -0.02, -0.02]
    """
    rows, z = ops.shape(z)[0], z * ops.exp(-log_scale)
    square = ops.sum(ops.square(z), axis=-1)
    inverse = (square + 1.0)[:, None] + square[None] + ops.matmul(z, ops.transpose(-2.0 * z))
    kernel = (1.0 - ops.eye(rows)) * ops.reciprocal(ops.maximum(inverse, 1.0))
    chosen = ops.sum(ops.square(z - ops.roll(z, rows // 2, axis=0)), axis=-1)
    return -ops.log1p(chosen) - ops.log(ops.sum(kernel, axis=-1))


FEW = 3  # latent dimensions at most that start at the components
FAR = 5.0  # standard deviations of a component at most, for outliers
ROWS = 64  # `encode` pads its rows to a multiple of this
WIDE = 16.0  # times its scale beyond which a shift costs digits in float32
LOW, LOWER, POWER, DOUBLE = range(4)  # rows of the weight `fine`


@keras.saving.register_keras_serializable("cvae_keras")
class RowDecoder(CompositeLayer):
    """The dense decoder of rows.

    Args:
        features: of x.
        widths: of the hidden layers.
        kernel_initializer: of all dense layers.
        components: a `Components` layer whose `expand` follows the last dense layer, or None.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: ignored.

    Returns:
        `(samples, batch, features)`.

    Example:
        >>> import numpy as np
        >>> tuple(RowDecoder(784, [256, 512])(np.zeros((1, 5, 2))).shape)
        (1, 5, 784)
    """

    nested = ("components",)

    def __init__(
        self, features, widths, kernel_initializer="orthogonal", components=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.features, self.components, self.widths = features, components, list(widths)
        self.kernel_initializer = kernel_initializer
        self.hidden = NormalizedMLP(widths, kernel_initializer)
        written = features if components is None else components.axes.shape[1]
        self.mean = keras.layers.Dense(written, kernel_initializer=kernel_initializer)

    def call(self, z, c=None):
        h = self.written(z)
        return h if self.components is None else self.components.expand(h)

    def written(self, z):
        """What the last dense layer returns: features, or components of them."""
        h = self.mean(self.hidden(ops.reshape(z, (-1, z.shape[-1]))))
        return ops.reshape(h, (ops.shape(z)[0], -1, h.shape[-1]))

    def get_config(self):
        return {
            **super().get_config(),
            "features": self.features,
            "widths": self.widths,
            "kernel_initializer": self.kernel_initializer,
            "components": keras.saving.serialize_keras_object(self.components),
        }


@keras.saving.register_keras_serializable("cvae_keras")
class CompressionModel(ELBOModel):
    """The model inside `CompressionVAE`.

    `loss = -E_q[log p(x | z)] + beta * KL(q(z | x) || N(0, I)) - gamma * log p(neighbor | z)`

    Which row is the neighbor is observed, like x, and both are predicted from the same z: the loss
    at beta = gamma = 1 is a bound on the negative log-probability of both together. For batches
    without neighbors it is that of the plain ELBO of x.

    Args:
        features: numbers in a row of x.
        latent_dim: dimensions of z.
        flow_length: steps of the flow; 0 for none.
        widths: of the encoder's hidden layers, reversed in the decoder.
        beta: weight of the KL.
        gamma: weight of the neighbors.
        components: number of fixed axes between x and the networks (see `Components`; set them with
            `start_at`), or None: the networks read the features.
        initializer: of the dense kernels, as Keras names it.
        seed: of posterior and dropout.

    Call arguments:
        inputs: dictionary of `x` `(batch, features)`, standardized, and optionally `neighbor`, of
            the same shape: for each row a row near it. In batches, a model with components also
            takes those of x and of the neighbor, `components` and `neighbor`
            `(batch, components)`, and `rest` `(batch, 1)`, the square of what they leave of x:
            `log p(x | z)` needs no more, because the axes are orthonormal.

    Returns:
        The terms of `ELBOModel`, and `neighbors` `(batch,)`, in nats: the mean of the
        log-probabilities that x picks its neighbor and that the neighbor picks x.

    The weights `shift` and `scale` of the features, with which `encode` reads and `decode` returns
    rows in their own units, are saved with the model.

    Example:
        ```python
        shift, scale = x.mean(axis=0), x.std(axis=0)
        model = CompressionModel(784)
        model.standardize_with(shift, scale)
        model.compile("adam")
        model.fit({"x": (x - shift) / scale}, batch_size=256, epochs=10)
        z = model.encode(x)
        ```
    """

    modes = {**ELBOModel.modes, "neighbors": "max"}

    def __init__(
        self,
        features,
        latent_dim=2,
        flow_length=5,
        widths=(512, 256),
        beta=1.0,
        gamma=0.0,
        components=None,
        initializer="orthogonal",
        seed=0,
        **kwargs,
    ):
        counts = {"features": features, "latent_dim": latent_dim}
        features, latent_dim = (check_count(name, value) for name, value in counts.items())
        components = None if components is None else check_count("components", components)
        if components is not None and components < latent_dim:
            raise ValueError(
                f"components must be at least latent_dim, got {components} for {latent_dim}: "
                f"raise it, or give None."
            )
        widths = tuple(check_units("widths", widths, least=0))
        gamma = check_weight("gamma", gamma)
        seed = check_seed("seed", seed)
        axes = None if components is None else Components(features, components)
        super().__init__(
            posterior=IAFPosterior(
                NormalizedMLP(widths, initializer, seed=seed), latent_dim, flow_length
            ),
            prior=StandardNormal(latent_dim),
            decoder=RowDecoder(features, widths[::-1], initializer, axes),
            likelihood=Normal("learned"),
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.features, self.latent_dim, self.flow_length = features, latent_dim, int(flow_length)
        self.widths, self.initializer = widths, initializer
        self.components = axes
        self.add_term_weight("gamma", gamma)
        fixed = {"shape": (features,), "trainable": False}
        self.shift = self.add_weight(initializer="zeros", name="shift", **fixed)
        self.scale = self.add_weight(initializer="ones", name="scale", **fixed)
        self.start = self.add_weight(
            shape=(latent_dim,), initializer="zeros", trainable=False, name="start"
        )
        self.log_reach = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(-2.0),
            trainable=gamma > 0,
            name="log_reach",
        )
        # the digits and the exponents of shift and scale that float32 does not hold
        self.fine = self.add_weight(
            shape=(4, features), initializer="zeros", trainable=False, name="fine"
        )
        self({"x": ops.zeros((2, features))})  # builds the weights
        self._encode, self._decode = compiled(self._centers), compiled(self._means)
        self._decode_standardized = compiled(self._standardized)

    # -- standardization ------------------------------------------------------------------------
    def standardize_with(self, shift, scale):
        """Set what is subtracted from raw x, and what it is then divided by.

        The shift is kept in the precision of float64, in several weights of float32.

        Args:
            shift: `(features,)`, finite.
            scale: `(features,)`, finite and positive.

        Raises:
            ValueError: another shape, a scale that is not positive, NaN or infinity.
        """
        try:
            shift, scale = np.broadcast_arrays(shift, scale, np.empty(self.features))[:2]
        except ValueError as error:
            raise ValueError(
                f"shift and scale have shapes {np.shape(shift)} and {np.shape(scale)}: give "
                f"{self.features} numbers each."
            ) from error
        shift, scale = np.array(shift, "float64"), np.array(scale, "float64")
        power = exponents(scale)
        with np.errstate(over="ignore", invalid="ignore"):
            fine = np.zeros((4, self.features))
            rest = np.ldexp(shift, -power)
            fine[DOUBLE] = (np.abs(rest) > WIDE * np.ldexp(scale, -power)) | (power != 0)
            near = rest.astype("float32")
            for row in (LOW, LOWER):
                rest = rest - (near if row == LOW else fine[row - 1])
                fine[row] = rest.astype("float32")
        fine[POWER] = power
        if not (np.isfinite(near).all() and np.isfinite(scale).all() and (scale > 0).all()):
            raise ValueError(
                "shift and scale must be finite, with scale > 0 and shift below 1e38 scales: give "
                "the mean and the standard deviation of each feature, 1 for a constant one."
            )
        self.shift.assign(near)
        self.scale.assign(np.ldexp(scale, -power).astype("float32"))
        self.fine.assign(fine.astype("float32"))

    def shift_and_scale(self):
        """What `standardize_with` set: NumPy float64 `(features,)` each."""
        weights = (self.shift, self.scale, self.fine)
        shift, scale, fine = (ops.convert_to_numpy(each).astype("float64") for each in weights)
        power = fine[POWER].astype(int)
        return np.ldexp(shift + (fine[LOW] + fine[LOWER]), power), np.ldexp(scale, power)

    def load_own_variables(self, store):
        """Of files written before the weight `fine` existed, that weight stays 0."""
        names = [name for name in store.keys() if name != "seed_state"]
        variables = [*self._trainable_variables, *self._non_trainable_variables]
        if len(names) != len(variables) - 1:
            return super().load_own_variables(store)
        self.fine.assign(np.zeros((4, self.features)))
        older = {name: store[name] for name in (*names, "seed_state")}
        last = next(i for i, each in enumerate(variables) if each is self.fine)
        after = {str(i): older[str(i - 1)] for i in range(last + 1, len(variables))}
        return super().load_own_variables({**older, **after, str(last): self.fine})

    def start_at(self, axes, deviations):
        """Set the components; in 1 to 3 dimensions the first, whitened, are added to q's mean.

        With a random start, classes that pass each other on the way to their places can split.
        With more dimensions they hardly meet, and whitening would amplify components of noise.

        Args:
            axes: `(features, components)`.
            deviations: `(components,)`, standard deviation of x along each axis.

        Source: for t-SNE and UMAP: Kobak and Linderman, "Initialization is critical for preserving
        global data structure in both t-SNE and UMAP", 2021.

        Example:
            ```python
            model = CompressionModel(784, components=100)
            model.start_at(*first_axes(fit_pca(x), 100))
            ```
        """
        self.components.axes.assign(axes)
        if self.latent_dim > FEW:
            return
        first = np.asarray(deviations, "float32")[: self.latent_dim]
        there = first > 1e-3 * first[0]  # no direction without spread
        self.start.assign(there / np.where(there, first, 1.0))

    def set_keep(self, keep):
        """Set the share of units that dropout keeps in training, in (0, 1]."""
        for dropout in self.posterior.network.dropouts:
            dropout.keep.assign(keep)
            if dropout.active != (keep < 1):
                dropout.active = keep < 1
                self.train_function = None  # the next training traces the network anew

    # -- the objective --------------------------------------------------------------------------
    def call(self, inputs, training=None):
        name = "components" if "components" in inputs else "x"
        x, near = inputs[name], inputs.get("neighbor")
        rows = x if near is None else ops.concatenate([x, near])
        n = ops.shape(x)[0]
        p, q = self.prior(None), self.infer({name: rows}, None, training)
        z, log_q = q.sample_and_log_prob(seed=self.seed_generator)  # (1, rows, latent_dim)
        log_p = self._log_likelihood(inputs, z[:, :n], training)  # neighbors are not decoded
        kl = kl_divergence(q, p, z, log_q)
        terms = {"log_likelihood": log_p[0], "kl": kl[:n], "neighbors": ops.zeros_like(log_p[0])}
        if near is not None:
            both = ops.reshape(neighbor_log_prob(z[0], self.log_reach), (2, -1))
            terms["neighbors"] = ops.mean(both, axis=0)
        return terms

    def _log_likelihood(self, inputs, z, training):
        """`log p(x | z)`, `(1, batch)`: of components, from the squares of two orthogonal parts."""
        if "components" not in inputs:
            return self.likelihood.log_prob(inputs["x"], self.decoder(z, training=training))
        mean, log_scale = self.likelihood.mean_and_log_scale(self.decoder.written(z))
        square = ops.sum(ops.square(inputs["components"] - mean), axis=-1) + inputs["rest"][:, 0]
        constant = self.features * (log_scale + 0.5 * LOG_2PI)
        return -0.5 * square * ops.exp(-2.0 * log_scale) - constant

    def infer(self, inputs, h=None, training=None):
        if self.components is None:
            return self.posterior(inputs["x"], training=training)
        x = inputs["components"] if "components" in inputs else self.components(inputs["x"])
        q = self.posterior(x, training=training)
        start = ops.clip(x[:, : self.latent_dim] * self.start, -FAR, FAR)
        base = q.base if isinstance(q, Flow) else q
        base = Gaussian(base.mean + ops.cast(start, "float32"), base.log_var)
        return Flow(base, q.flow, q.context) if isinstance(q, Flow) else base

    def check_inputs(self, inputs):
        return check_rows(inputs, self.features)

    def term_names(self):
        return ["elbo", "reconstruction", "neighbors"]

    def loss_per_example(self, terms):
        return super().loss_per_example(terms) - self.term_weights["gamma"] * terms["neighbors"]

    # -- use ------------------------------------------------------------------------------------
    def encode(self, x):
        """Embed rows: q's mean before the flow, transformed by the flow.

        Args:
            x: `(batch, features)`, in its own units, of any numeric type; the shift is subtracted
                in its precision, before the rounding to float32.

        Returns:
            NumPy float32 `(batch, latent_dim)`.

        Raises:
            ValueError: x is so far from the training data that the embedding would overflow.
        """
        rows, x = len(x), standardize(x, *self.shift_and_scale())
        # A matrix product rounds the rows of an incomplete block differently. With padding, the
        # embedding of a row depends neither on its position nor on the other rows.
        x = np.pad(x, [(0, -rows % ROWS), (0, 0)])
        z = ops.convert_to_numpy(self._encode(ops.convert_to_tensor(x)))[:rows]
        return _check_finite(z, "X")

    def decode(self, z):
        """Reconstruct rows in their own units: the mean of p(x | z).

        Args:
            z: `(batch, latent_dim)`, float32.

        Returns:
            NumPy `(batch, features)`: float64 if a feature is far from 0 (its shift more than 16
            times its scale) or of a scale beyond 1e30 or 1e-30, where float32 would cost digits;
            else float32.

        Raises:
            ValueError: z is so far from 0 that x would overflow.
        """
        z, (power, double) = ops.convert_to_tensor(z), ops.convert_to_numpy(self.fine)[POWER:]
        if not double.any():
            return _check_finite(ops.convert_to_numpy(self._decode(z)), "z")
        x = ops.convert_to_numpy(self._decode_standardized(z)).astype("float64")
        power, most = power.astype(int), np.finfo("float64").max
        shift, scale = (np.ldexp(part, -power) for part in self.shift_and_scale())
        with np.errstate(over="ignore"):
            return np.clip(np.ldexp(_check_finite(x, "z") * scale + shift, power), -most, most)

    def _centers(self, x):
        return self.infer({"x": x}).mean

    def _standardized(self, z):
        return self.decoder(z[None])[0]

    def _means(self, z):
        return self._standardized(z) * self.scale + self.shift

    def get_config(self):
        config = {name: float(weight) for name, weight in self.term_weights.items()}
        config |= {"features": self.features, "latent_dim": self.latent_dim}
        config |= {"flow_length": self.flow_length, "widths": list(self.widths)}
        components = None if self.components is None else self.components.axes.shape[1]
        config |= {"components": components, "initializer": self.initializer, "seed": self.seed}
        return {**config, "name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def _check_finite(values, name):
    """The values, or a ValueError that names the input they come from."""
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} is too far from the training data: the network overflows, so remove the rows "
            f"with large numbers."
        )
    return values
