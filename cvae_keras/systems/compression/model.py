"""CompressionVAE's model: an autoencoder with a flow posterior that also explains neighbours.

| slot | filled with |
|---|---|
| posterior | Gaussian, bent by an inverse autoregressive flow; dense encoder of x's components |
| prior | N(0, I) |
| condition | none |
| likelihood | Normal on standardised features, one learned scale |
| special | the term `gamma * log p(which row is my neighbour | z)`, from pairs of neighbours |
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.distributions import Flow, Gaussian, kl_divergence
from cvae_keras.parts.likelihoods import Normal
from cvae_keras.parts.networks import NormalizedMLP
from cvae_keras.parts.posteriors import IAFPosterior
from cvae_keras.parts.priors import StandardNormal
from cvae_keras.training.backends import compiled


@keras.saving.register_keras_serializable("cvae_keras")
class Components(keras.layers.Layer):
    """A fixed change from features to principal components and back.

    `h = x A` and `x = h A'`, with A of orthonormal columns, not trained

    An encoder behind it has a short first layer and a decoder a short last one, which is most of
    what a dense model of pictures computes; a Normal likelihood is still one of all features.

    Args:
        features: of x; components: columns of A, `axes`, which starts as the first of the identity.

    Call arguments:
        x: `(..., features)`.

    Returns:
        `(..., components)`; `expand` goes back.

    Example:
        >>> layer = Components(784, 100)
        >>> layer.axes.assign(principal_axes(x, 100)[0])
        >>> layer.expand(layer(x)).shape                                         # (batch, 784)
    """

    def __init__(self, features, components, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.axes = self.add_weight(
            shape=(features, components), initializer="identity", trainable=False, name="axes"
        )

    def call(self, x):
        return ops.matmul(x, self.axes)

    def expand(self, h):
        """From components to features: `(..., features)`."""
        return ops.matmul(h, ops.transpose(self.axes))


def neighbor_log_prob(z, log_scale):
    """Log-probability that each row picks its own neighbour among all rows of the batch.

    Rows r and r + n of the 2n rows are neighbours. Row i picks row j with probability
    `p(j | i) = k_ij / sum_(l != i) k_il`, `k_ij = 1 / (1 + |z_i - z_j|^2 / scale^2)`

    Args:
        z: `(2n, latent_dim)`; log_scale: log of the length at which the kernel has halved.

    Returns:
        `(2n,)`, in nats; a blind guess gives -log(2n - 1).

    Source: the Student kernel of van der Maaten and Hinton, "Visualizing data using t-SNE", 2008;
    the choice within a batch: Damrich et al., "From t-SNE to UMAP with contrastive learning",
    2023, eq. 8.

    Example:
        >>> neighbor_log_prob(np.array([[0.0], [9.0], [0.0], [9.0]]), 0.0)   # near 0, each
    """
    rows = ops.shape(z)[0]
    square = ops.sum(ops.square(z), axis=-1)
    distance = square[:, None] + square[None] - 2.0 * ops.matmul(z, ops.transpose(z))
    log_kernel = -ops.log1p(ops.maximum(distance, 0.0) * ops.exp(-2.0 * log_scale))
    log_kernel = log_kernel - 1e9 * ops.eye(rows)
    chosen = ops.diagonal(ops.roll(log_kernel, rows // 2, axis=1))
    return chosen - ops.logsumexp(log_kernel, axis=-1)


FEW = 3  # latent dimensions at most that start at the components
FAR = 5.0  # standard deviations of a component: outliers start no further out
ROWS = 64  # the rows that `encode` reads are filled up to a multiple of this


@keras.saving.register_keras_serializable("cvae_keras")
class RowDecoder(keras.layers.Layer):
    """The dense decoder of rows.

    Args:
        features: of x; widths: of the hidden layers; kernel_initializer: of all; components: a
            `Components` layer through which it writes, or None.

    Returns:
        `(samples, batch, features)`.

    Example:
        >>> RowDecoder(784, [256, 512])(np.zeros((1, 5, 2))).shape               # (1, 5, 784)
    """

    def __init__(
        self, features, widths, kernel_initializer="orthogonal", components=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.features, self.components = features, components
        self.hidden = NormalizedMLP(widths, kernel_initializer)
        written = features if components is None else components.axes.shape[1]
        self.mean = keras.layers.Dense(written, kernel_initializer=kernel_initializer)

    def build(self, z_shape, c_shape=None):
        """Nothing to do: the layers build themselves when they are first called."""

    def call(self, z, c=None):
        h = self.mean(self.hidden(ops.reshape(z, (-1, z.shape[-1]))))
        h = h if self.components is None else self.components.expand(h)
        return ops.reshape(h, (ops.shape(z)[0], -1, self.features))


@keras.saving.register_keras_serializable("cvae_keras")
class CompressionModel(ELBOModel):
    """The model inside `CompressionVAE`.

    `loss = -E_q[log p(x | z)] + beta * KL(q(z | x) || N(0, I)) - gamma * log p(neighbour | z)`

    The neighbours are part of what is observed, like x: both are explained by the same z, so the
    loss at beta = gamma = 1 is a bound on the log-probability of both together. Batches without
    neighbours have the plain ELBO of x.

    Args:
        features: numbers in a row of x; latent_dim; flow_length: steps of the flow.
        widths: hidden layers of the encoder, those of the decoder in reverse.
        beta, gamma: weights of the KL and of the neighbours.
        components: number of fixed axes through which encoder and decoder see x (see `Components`;
            set them with `start_at`), or None: they see the features.
        initializer: of the dense kernels, as Keras names it; seed: of posterior and dropout.

    Call arguments:
        inputs: dictionary of `x` `(batch, features)`, standardised, and if it is there `neighbor`,
            of the same shape: for each row a row near it.

    Returns:
        The terms of `ELBOModel`, and `neighbors` `(batch,)`, in nats: the mean of x picking its
        neighbour and of the neighbour picking x. `shift` and `scale` of the features, with which
        `encode` and `decode` go from raw rows and back, are weights of the model, and so saved.

    Example:
        >>> model = CompressionModel(784)
        >>> model.standardize_with(x.mean(axis=0), x.std(axis=0))
        >>> model.fit({"x": (x - x.mean(axis=0)) / x.std(axis=0)}, batch_size=256, epochs=10)
    """

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

    # -- standardisation ------------------------------------------------------------------------
    def standardize_with(self, shift, scale):
        """Set what is subtracted from raw x, and what it is then divided by, `(features,)`."""
        self.shift.assign(shift)
        self.scale.assign(scale)

    def start_at(self, axes, deviations):
        """Set the components; in 1 to 3 dimensions the first, whitened, are added to q's mean.

        A start at random leaves it to chance which classes are torn apart on the way to their
        places. Where there are more dimensions, nothing is in the way, and noise would be whitened.

        Args:
            axes: `(features, components)`; deviations: `(components,)`, standard deviation of x
                along each.

        Source: for t-SNE and UMAP: Kobak and Linderman, "Initialization is critical for preserving
        global data structure in both t-SNE and UMAP", 2021.

        Example:
            >>> model.start_at(*principal_axes(x, 100))
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
        x_hat = self.decoder(z[:, :n], training=training)  # neighbours are not decoded
        log_p = self.likelihood.log_prob(x, x_hat)
        kl = kl_divergence(q, p, z, log_q)
        terms = {"log_likelihood": log_p[0], "kl": kl[:n], "neighbors": ops.zeros_like(log_p[0])}
        if near is not None:
            both = ops.reshape(neighbor_log_prob(z[0], self.log_reach), (2, -1))
            terms["neighbors"] = ops.mean(both, axis=0)
        return terms

    def infer(self, inputs, h, training=None):
        x = inputs["x"]
        if self.components is None:
            return self.posterior(x, training=training)
        x = self.components(x)
        q = self.posterior(x, training=training)
        start = ops.clip(x[:, : self.latent_dim] * self.start, -FAR, FAR)
        base = q.base if isinstance(q, Flow) else q
        base = Gaussian(base.mean + ops.cast(start, "float32"), base.log_var)
        return Flow(base, q.flow, q.context) if isinstance(q, Flow) else base

    def term_names(self):
        return ["elbo", "reconstruction", "neighbors"]

    def losses(self, terms):
        return super().losses(terms) - self.term_weights["gamma"] * terms["neighbors"]

    # -- use ------------------------------------------------------------------------------------
    def encode(self, x):
        """The centre of q(z | x) of raw rows: NumPy `(batch, latent_dim)`."""
        rows = len(x)
        # A matrix product rounds the rows of an incomplete block in another way: fill it up, and
        # the embedding of a row does not depend on its place, nor on its neighbours.
        x = np.pad(x, [(0, -rows % ROWS), (0, 0)])
        return ops.convert_to_numpy(self._encode(ops.convert_to_tensor(x)))[:rows]

    def decode(self, z):
        """The mean of p(x | z) as raw rows: NumPy `(batch, features)`."""
        return ops.convert_to_numpy(self._decode(ops.convert_to_tensor(z)))

    def _centers(self, x):
        x = (x - self.shift) / self.scale
        return self.infer({"x": x}, None).mean

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
