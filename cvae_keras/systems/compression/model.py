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

from cvae_keras.checks import check_rows
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.distributions import Flow, Gaussian, kl_divergence
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
    rows = ops.shape(z)[0]
    square = ops.sum(ops.square(z), axis=-1)
    distance = square[:, None] + square[None] - 2.0 * ops.matmul(z, ops.transpose(z))
    log_kernel = -ops.log1p(ops.maximum(distance, 0.0) * ops.exp(-2.0 * log_scale))
    log_kernel = log_kernel - 1e9 * ops.eye(rows)
    chosen = ops.diagonal(ops.roll(log_kernel, rows // 2, axis=1))
    return chosen - ops.logsumexp(log_kernel, axis=-1)


FEW = 3  # latent dimensions at most that start at the components
FAR = 5.0  # standard deviations of a component at most, for outliers
ROWS = 64  # `encode` pads its rows to a multiple of this


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
        h = self.mean(self.hidden(ops.reshape(z, (-1, z.shape[-1]))))
        h = h if self.components is None else self.components.expand(h)
        return ops.reshape(h, (ops.shape(z)[0], -1, self.features))

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
            the same shape: for each row a row near it.

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
        self.features, self.latent_dim, self.flow_length = features, latent_dim, flow_length
        self.widths, self.initializer = tuple(widths), initializer
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
        self({"x": ops.zeros((2, features))})  # builds the weights
        self._encode, self._decode = compiled(self._centers), compiled(self._means)

    # -- standardization ------------------------------------------------------------------------
    def standardize_with(self, shift, scale):
        """Set what is subtracted from raw x, and what it is then divided by, `(features,)`."""
        self.shift.assign(shift)
        self.scale.assign(scale)

    def shift_and_scale(self):
        """What `standardize_with` set: NumPy float32 `(features,)` each."""
        return ops.convert_to_numpy(self.shift), ops.convert_to_numpy(self.scale)

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

    # -- the objective --------------------------------------------------------------------------
    def call(self, inputs, training=None):
        x, near = inputs["x"], inputs.get("neighbor")
        rows = x if near is None else ops.concatenate([x, near])
        n = ops.shape(x)[0]
        p, q = self.prior(None), self.infer({"x": rows}, None, training)
        z, log_q = q.sample_and_log_prob(seed=self.seed_generator)  # (1, rows, latent_dim)
        x_hat = self.decoder(z[:, :n], training=training)  # neighbors are not decoded
        log_p = self.likelihood.log_prob(x, x_hat)
        kl = kl_divergence(q, p, z, log_q)
        terms = {"log_likelihood": log_p[0], "kl": kl[:n], "neighbors": ops.zeros_like(log_p[0])}
        if near is not None:
            both = ops.reshape(neighbor_log_prob(z[0], self.log_reach), (2, -1))
            terms["neighbors"] = ops.mean(both, axis=0)
        return terms

    def infer(self, inputs, h=None, training=None):
        x = inputs["x"]
        if self.components is None:
            return self.posterior(x, training=training)
        x = self.components(x)
        q = self.posterior(x, training=training)
        start = ops.clip(x[:, : self.latent_dim] * self.start, -FAR, FAR)
        base = q.base if isinstance(q, Flow) else q
        base = Gaussian(base.mean + ops.cast(start, "float32"), base.log_var)
        return Flow(base, q.flow, q.context) if isinstance(q, Flow) else base

    def check_inputs(self, inputs):
        return check_rows(inputs, self.features)

    def term_names(self):
        return ["elbo", "reconstruction", "neighbors"]

    def losses(self, terms):
        return super().losses(terms) - self.term_weights["gamma"] * terms["neighbors"]

    # -- use ------------------------------------------------------------------------------------
    def encode(self, x):
        """Embed rows: q's mean before the flow, transformed by the flow.

        Args:
            x: `(batch, features)`, in its own units, of any numeric type; float64 is centered
                before it is rounded to float32.

        Returns:
            NumPy float32 `(batch, latent_dim)`.
        """
        rows, (shift, scale) = len(x), self.shift_and_scale()
        x = (np.asarray(x) - shift).astype("float32", copy=False) / scale
        # A matrix product rounds the rows of an incomplete block differently. With padding, the
        # embedding of a row depends neither on its position nor on the other rows.
        x = np.pad(x, [(0, -rows % ROWS), (0, 0)])
        return ops.convert_to_numpy(self._encode(ops.convert_to_tensor(x)))[:rows]

    def decode(self, z):
        """Reconstruct rows in their own units: the mean of p(x | z).

        Args:
            z: `(batch, latent_dim)`, float32.

        Returns:
            NumPy float32 `(batch, features)`.
        """
        return ops.convert_to_numpy(self._decode(ops.convert_to_tensor(z)))

    def _centers(self, x):
        return self.infer({"x": x}).mean

    def _means(self, z):
        return self.decoder(z[None])[0] * self.scale + self.shift

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
