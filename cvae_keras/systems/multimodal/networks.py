"""Networks over dictionaries of modalities: the default ones, and how one's own are called.

Every network is called with one dictionary of float32 tensors by name, `(batch, *shape)` each, and
`name_mask` `(batch, 1)` beside each modality that may be missing:

- an encoder gets all modalities and returns `(mean, log_var)`, each `(batch, latent_dim)`;
- a prior network gets the conditioning ones and returns the same;
- a decoder gets the conditioning ones and `z` `(batch, latent_dim)`, and returns what the
  likelihood reads, of the main modality's shape: means, or logits.
"""

import math

import keras
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.networks import tile
from cvae_keras.systems.multimodal.modalities import MASK


class _Fused(keras.layers.Layer):
    """Dense layers over all modalities side by side, and a linear way around them.

    `h_0 = [all, flattened]`, `h <- act(W h + b) * (1 + V g)`, outputs `A h + B h_0 + a`

    g says which modalities are missing, and in a decoder holds the conditions that are vectors too,
    labels for instance. The linear way makes Gaussian data easy, the gates make the network another
    one for each pattern of what is there, and for each label; both start out of the way.

    Args:
        outputs: units of each output; hidden: units of each layer; kernel_initializer: of the
            outputs.
    """

    def __init__(
        self, outputs, hidden=(512, 512), kernel_initializer="glorot_uniform", activation="relu"
    ):
        super().__init__()
        dense = keras.layers.Dense
        hidden = [check_count("hidden", units) for units in hidden]
        self.hidden = [dense(units, activation=activation) for units in hidden]
        self.gates = [dense(units, kernel_initializer="zeros", use_bias=False) for units in hidden]
        last = {"kernel_initializer": kernel_initializer, "dtype": "float32"}
        self.outputs = [dense(units, **last) for units in outputs]
        around = {**last, "kernel_initializer": "zeros", "use_bias": False}
        self.around = [dense(units, **around) for units in outputs]

    def build(self, inputs_shape=None):
        """Nothing to do: the layers build themselves when they are first called."""

    def gates_of(self, inputs):
        """Names of the inputs that the gates read."""
        return [name for name in sorted(inputs) if name.endswith(MASK)]

    def fuse(self, inputs):
        """The outputs, as a list."""
        flat = [
            ops.reshape(inputs[k], (-1, math.prod(inputs[k].shape[1:]))) for k in sorted(inputs)
        ]
        gates = [1.0 - inputs[k] if k.endswith(MASK) else inputs[k] for k in self.gates_of(inputs)]
        start = h = ops.concatenate(flat, axis=-1)
        pattern = ops.concatenate(gates, axis=-1) if gates else None
        for layer, gate in zip(self.hidden, self.gates, strict=True):
            h = layer(h) if pattern is None else layer(h) * (1.0 + gate(pattern))
        return [
            output(h) + around(start)
            for output, around in zip(self.outputs, self.around, strict=True)
        ]


@keras.saving.register_keras_serializable("cvae_keras")
class FusedEncoder(_Fused):
    """The default encoder and prior network: all modalities side by side, then dense layers.

    Args:
        latent_dim; hidden: units of each layer; kernel_initializer: of the last layers, "zeros"
            for a prior that starts as N(0, I).

    Call arguments:
        inputs: dictionary of tensors, see above.

    Returns:
        `(mean, log_var)`, each `(batch, latent_dim)`.

    Example:
        >>> mean, log_var = FusedEncoder(10)({"image": np.zeros((5, 28, 28))})     # (5, 10) each
    """

    def __init__(self, latent_dim, hidden=(512, 512), kernel_initializer="glorot_uniform"):
        super().__init__([latent_dim, latent_dim], hidden, kernel_initializer)

    def call(self, inputs):
        return tuple(self.fuse(inputs))


@keras.saving.register_keras_serializable("cvae_keras")
class FusedDecoder(_Fused):
    """The default decoder: z and the conditioning modalities side by side, then dense layers.

    Args:
        shape: of the main modality; hidden: units of each layer.

    Call arguments:
        inputs: dictionary of tensors, see above.

    Returns:
        `(batch, *shape)`, not squashed: means, or logits.

    Example:
        >>> FusedDecoder((28, 28))({"z": np.zeros((5, 10))}).shape               # (5, 28, 28)
    """

    def __init__(self, shape, hidden=(512, 512)):
        super().__init__([math.prod(shape)], hidden)
        self.shape = tuple(shape)

    def gates_of(self, inputs):
        return [name for name in sorted(inputs) if name != "z" and len(inputs[name].shape) == 2]

    def call(self, inputs):
        return ops.reshape(self.fuse(inputs)[0], (-1, *self.shape))


def input_names(network):
    """Names of the inputs of a functional Keras model, or None for any other layer.

    Example:
        >>> input_names(FusedEncoder(10))                                          # None
    """
    inputs = getattr(network, "inputs", None)
    if not inputs:
        return None
    named = network.input
    return sorted(named) if isinstance(named, dict) else [tensor.name for tensor in inputs]


@keras.saving.register_keras_serializable("cvae_keras")
class Called(CompositeLayer):
    """A network over a dictionary in a slot of `ELBOModel`; what it returns is checked.

    Args:
        network: layer or model of a dictionary, see above. role: "encoder", "decoder" or
            "prior_network", for the sentence. shape: what it must return, `(latent_dim,)` twice or
            the main modality's. main: name of the modality that an encoder reads beside c.

    Raises:
        ValueError: an input that is no modality, or an output of another shape.
        TypeError: network is no Keras layer.

    Example:
        >>> Called(FusedEncoder(10), "encoder", (10,), main="image")
    """

    def __init__(self, network, role, shape, main=None):
        super().__init__(dtype="float32")  # the network chooses its own precision
        if not isinstance(network, keras.layers.Layer):
            raise TypeError(
                f"{role} must be a Keras layer or model, got {type(network).__name__}: give one "
                f"that is called with a dictionary of arrays by name."
            )
        self.network, self.role, self.shape, self.main = network, role, tuple(shape), main
        if role == "decoder":  # of the main modality, see `MultimodalCVAE.adapt`
            fixed = {"shape": self.shape, "trainable": False}
            self.shift = self.add_weight(initializer="zeros", name="shift", **fixed)
            self.scale = self.add_weight(initializer="ones", name="scale", **fixed)

    def build(self, *shapes, **more):
        """Nothing to do: the network builds itself when it is first called."""

    def call(self, x, c=None, mask=None):
        if self.role == "prior_network":
            return self.pair(self.run(x))
        if self.role == "encoder":
            return self.pair(self.run({self.main: x, **c}))
        samples, z = ops.shape(x)[0], ops.reshape(x, (-1, x.shape[-1]))
        given = {name: tile(value, samples) for name, value in c.items()}
        x_hat = self.run({"z": z, **given})
        if not hasattr(x_hat, "shape") or tuple(x_hat.shape[1:]) != self.shape:
            self.refuse(f"an array {self._text()}", x_hat)
        x_hat = ops.cast(x_hat, "float32") * self.scale + self.shift
        return ops.reshape(x_hat, (samples, -1, *self.shape))

    def run(self, inputs):
        """Call the network with those of the inputs that it has."""
        names = input_names(self.network)
        if names is not None:
            if unknown := sorted(set(names) - set(inputs)):
                raise ValueError(
                    f"{self.role} has inputs {unknown} that do not exist: name its inputs among "
                    f"{sorted(inputs)}."
                )
            inputs = {name: inputs[name] for name in names}
        return self.network(inputs)

    def pair(self, output):
        """mean and log_var, in float32."""
        if not isinstance(output, (tuple, list)) or len(output) != 2:
            self.refuse(f"a pair (mean, log_var), each {self._text()}", output)
        if any(tuple(part.shape[1:]) != self.shape for part in output):
            self.refuse(f"a pair (mean, log_var), each {self._text()}", output)
        return tuple(ops.cast(part, "float32") for part in output)

    def _text(self):
        return "(" + ", ".join(str(size) for size in ("batch", *self.shape)) + ")"

    def refuse(self, wanted, output):
        """Say what was wanted and what came."""
        parts = keras.tree.flatten(output)
        got = [("batch", *getattr(part, "shape", ())[1:]) for part in parts]
        got = ", ".join("(" + ", ".join(str(size) for size in shape) + ")" for shape in got)
        raise ValueError(
            f"{self.role} must return {wanted}, got {len(parts)} of shape {got}: change its last "
            f"layers."
        )
