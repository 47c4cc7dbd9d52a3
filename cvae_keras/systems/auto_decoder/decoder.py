"""The decoder of an auto-decoder: dense layers with a Jacobian in closed form."""

from functools import partial

import keras
from keras import ops

from cvae_keras.checks import check_choice, check_count, check_fraction, check_seed, shown
from cvae_keras.parts.layers import SavesRandomState
from cvae_keras.training.backends import ReplicaSeedGenerator, compiled

#: name -> (function of h, its derivative from h and the function's value)
ACTIVATIONS = {
    "relu": (ops.relu, lambda h, a: ops.cast(h > 0, h.dtype)),
    "linear": (lambda h: h, lambda h, a: ops.ones_like(h)),
    "tanh": (ops.tanh, lambda h, a: 1.0 - ops.square(a)),
    "silu": (ops.silu, lambda h, a: ops.sigmoid(h) * (1.0 - a) + a),
}


def check_hidden(hidden):
    """Check the units of hidden layers.

    Args:
        hidden: positive integers of Python or NumPy: a list, a tuple or an array; may be empty.

    Returns:
        Tuple of int.

    Raises:
        ValueError: it is something else.

    Example:
        >>> check_hidden([200, 100])
        (200, 100)
    """
    if not hasattr(hidden, "__iter__") or isinstance(hidden, (str, dict)):
        raise ValueError(
            f"hidden must be a list of positive integers, got {shown(hidden)}: write [200]."
        )
    return tuple(check_count("hidden", units) for units in hidden)


@keras.saving.register_keras_serializable("cvae_keras")
class DenseDecoder(SavesRandomState, keras.layers.Layer):
    """Dense layers from z to x, each `activation(dropout(W norm(h) + b))`; the last is linear.

    Args:
        latent_dim: width of z.
        features: width of x.
        hidden: units of each hidden layer; without hidden layers the decoder is linear.
        activation: "relu", "linear", "tanh" or "silu", of the hidden layers.
        layer_norm: whether each layer normalizes its input.
        dropout: share of hidden units left out in training, in [0, 1).
        skip: whether a linear map of z is added to the output. The last of the other layers then
            starts at 0, and only has to learn the deviation from linearity.
        noise: whether each feature has a learned noise scale. The output is then a dictionary of
            "mean" and "log_scale", as `Normal(scale="decoder")` expects it.
        seed: of the dropout; its state is saved.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: not used.

    Returns:
        `(samples, batch, features)`, float32; or the dictionary, with log_scale `(features,)`.

    Raises:
        ValueError: an unknown activation, widths that are not positive, dropout outside [0, 1).

    Source: the layers are those of `FFLayer` in the code of Zadeh et al., 2019.

    Example:
        >>> tuple(DenseDecoder(50, 784, hidden=(200, 200))(ops.zeros((1, 32, 50))).shape)
        (1, 32, 784)
    """

    def __init__(
        self,
        latent_dim,
        features,
        hidden=(200, 200),
        activation="relu",
        layer_norm=False,
        dropout=0.0,
        skip=False,
        noise=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("activation", activation, ACTIVATIONS)
        self.latent_dim = latent_dim = check_count("latent_dim", latent_dim)
        self.features = features = check_count("features", features)
        hidden = check_hidden(hidden)
        widths = [*hidden, features]
        dropout = check_fraction("dropout", dropout)
        self.activations = [activation] * (len(widths) - 1) + ["linear"]
        self.dropout, self.noise = dropout, noise
        self.seed_generator = ReplicaSeedGenerator(check_seed("seed", seed))
        read = [latent_dim, *widths[:-1]]
        self.norms = [keras.layers.LayerNormalization() for _ in widths] if layer_norm else []
        self.layers = [keras.layers.Dense(w, kernel_initializer="he_uniform") for w in widths[:-1]]
        start = "zeros" if skip and hidden else "glorot_uniform"
        self.layers.append(keras.layers.Dense(features, kernel_initializer=start))
        self.skip = keras.layers.Dense(features, use_bias=False) if skip else None
        for number, width in enumerate(read):
            for part in [*self.norms[number : number + 1], self.layers[number]]:
                part.build((None, width))
        if skip:
            self.skip.build((None, latent_dim))
        self.log_scale = self.add_weight((features,), "zeros", name="log_scale") if noise else None
        self.graphs = {}

    def call(self, z, c=None, training=None):
        h = z
        for number, layer in enumerate(self.layers):
            h = layer(self.norms[number](h) if self.norms else h)
            if training and self.dropout and layer is not self.layers[-1]:
                h = keras.random.dropout(h, self.dropout, seed=self.seed_generator)
            h = ACTIVATIONS[self.activations[number]][0](h)
        h = ops.cast(h if self.skip is None else h + self.skip(z), "float32")
        return {"mean": h, "log_scale": self.log_scale} if self.noise else h

    # -- with derivatives in z, the weights fixed -----------------------------------------------
    def trace(self, z):
        """Decode z, and keep the intermediate values that the derivatives need.

        Args:
            z: `(batch, latent_dim)`.

        Returns:
            `(x_hat, steps)`: `(batch, features)`, and a `(norm, kernel, slope)` per layer.

        Example:
            >>> decoder = DenseDecoder(2, 3, hidden=(4,))
            >>> x_hat, steps = decoder.trace(ops.zeros((5, 2)))
            >>> tuple(x_hat.shape), tuple(decoder.jacobian(steps).shape)
            ((5, 3), (5, 2, 3))
        """
        h, steps = z, []
        for number, layer in enumerate(self.layers):
            norm = None
            if self.norms:
                part = self.norms[number]
                centered = h - ops.mean(h, axis=-1, keepdims=True)
                scale = ops.rsqrt(ops.mean(ops.square(centered), -1, keepdims=True) + part.epsilon)
                norm = (centered * scale, scale, ops.stop_gradient(part.gamma))
                h = norm[0] * norm[2] + ops.stop_gradient(part.beta)
            kernel = ops.stop_gradient(layer.kernel)
            h = ops.matmul(h, kernel) + ops.stop_gradient(layer.bias)
            function, derivative = ACTIVATIONS[self.activations[number]]
            a = function(h)
            last = layer is self.layers[-1]
            steps.append((norm, kernel, None if last else derivative(h, a)))
            h = a
        return (h if self.skip is None else h + ops.matmul(z, self._skip_kernel())), steps

    def pull_back(self, steps, g):
        """The gradient of `sum(g * x_hat)` in z, `(batch, latent_dim)`.

        Args:
            steps: from `trace`.
            g: `(batch, features)`.
        """
        added = 0.0 if self.skip is None else ops.matmul(g, ops.transpose(self._skip_kernel()))
        for norm, kernel, slope in reversed(steps):
            g = ops.matmul(g if slope is None else g * slope, ops.transpose(kernel))
            if norm:
                g = _through_norm(g * norm[2], *norm[:2])
        return g + added

    def jacobian(self, steps):
        """d x_hat / d z at the traced z, `(batch, latent_dim, features)`; batch 1 if linear.

        Args:
            steps: from `trace`.
        """
        t = ops.eye(self.latent_dim)[None]
        for norm, kernel, slope in steps:
            if norm:
                t = _through_norm(t, norm[0][:, None], norm[1][:, None]) * norm[2]
            t = ops.matmul(t, kernel)
            if slope is not None:
                t = t * slope[:, None]
        return t if self.skip is None else t + self._skip_kernel()

    def compiled(self, function, *first, key=None):
        """The function with these first arguments as a TensorFlow graph, made once for each key."""
        name = (function.__name__, key)
        if name not in self.graphs:
            self.graphs[name] = compiled(partial(function, *first))
        return self.graphs[name]

    def _skip_kernel(self):
        return ops.stop_gradient(self.skip.kernel)


def _through_norm(t, n, scale):
    """A tangent through `n = (h - mean h) * scale`, or a gradient: the Jacobian is symmetric."""
    return scale * (t - ops.mean(t, -1, keepdims=True) - n * ops.mean(n * t, -1, keepdims=True))
