"""Networks over dictionaries of modalities: the default ones, and how a user's own are called.

Every network is called with one dictionary of float32 tensors by name, `(batch, *shape)` each, and
beside each modality that may be missing its mask, `name_mask` `(batch, 1)`:

- an encoder gets all modalities and returns `(mean, log_var)`, each `(batch, latent_dim)`;
- a prior network gets the conditioning modalities and returns the same;
- a decoder gets the conditioning modalities and `z` `(batch, latent_dim)`, and returns the
  parameter of the likelihood, of the main modality's shape: means, or logits.
"""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.networks import tile
from cvae_keras.systems.multimodal.modalities import MASK
from cvae_keras.systems.multimodal.units import Unit

LOG_VAR = 40.0  # bound of the log-variances that networks return: their exponential is finite


class _FusedNetwork(CompositeLayer):
    """Dense layers on the concatenation of all inputs, with gates and a linear skip connection.

    `h_0 = [all inputs, flattened]`, `h <- act(W h + b) * (1 + V g)`, `output = A h + B h_0 + a`

    g holds which modalities are missing, and in a decoder the conditions that are vectors too,
    labels for instance. The skip connection B makes linear Gaussian data easy to learn; the gates V
    let the network compute a different function for each set of missing modalities and for each
    label. Both start at zero.

    Args:
        outputs: list of the units of each output.
        hidden: units of each hidden layer.
        kernel_initializer: of the output layers.
    """

    def __init__(self, outputs, hidden=(512, 512), kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = check_hidden(hidden)
        dense, inner = keras.layers.Dense, {"dtype": self.dtype_policy}
        self.hidden = [dense(units, activation="relu", **inner) for units in self.units]
        zeros = {"kernel_initializer": "zeros", "use_bias": False}
        self.gates = [dense(units, **zeros, **inner) for units in self.units]
        last = {"kernel_initializer": kernel_initializer, "dtype": "float32"}
        self.outputs = [dense(units, **last) for units in outputs]
        self.around = [dense(units, **{**last, **zeros}) for units in outputs]

    def gate_names(self, inputs):
        """Names of the inputs that the gates read."""
        return [name for name in sorted(inputs) if name.endswith(MASK)]

    def fuse(self, inputs):
        """The outputs, as a list."""
        flat = [
            ops.reshape(inputs[k], (-1, math.prod(inputs[k].shape[1:]))) for k in sorted(inputs)
        ]
        gates = [
            1.0 - inputs[k] if k.endswith(MASK) else inputs[k] for k in self.gate_names(inputs)
        ]
        start = h = ops.concatenate(flat, axis=-1)
        pattern = ops.concatenate(gates, axis=-1) if gates else None
        for layer, gate in zip(self.hidden, self.gates, strict=True):
            h = layer(h) if pattern is None else layer(h) * (1.0 + gate(pattern))
        return [
            output(h) + around(start)
            for output, around in zip(self.outputs, self.around, strict=True)
        ]


def check_hidden(hidden):
    """Return the units of the hidden layers as a list of integers.

    Args:
        hidden: list, tuple or NumPy array of positive integers.

    Returns:
        List of integers.

    Raises:
        ValueError: it is something else.

    Example:
        >>> from cvae_keras.systems.multimodal.networks import check_hidden
        >>> check_hidden((512, 512))
        [512, 512]
    """
    hidden = hidden.tolist() if isinstance(hidden, np.ndarray) else hidden
    if not isinstance(hidden, (list, tuple)):
        raise ValueError(
            f"hidden must be a list of units, got {hidden!r}: give for instance [512]."
        )
    return [check_count("hidden", units) for units in hidden]


@keras.saving.register_keras_serializable("cvae_keras")
class FusedEncoder(_FusedNetwork):
    """The default encoder and prior network: dense layers on all modalities, concatenated.

    `h_0 = [all modalities]`, `h <- relu(W h + b) * (1 + V missing)`, and mean and log-variance are
    `A h + B h_0 + a`

    Args:
        latent_dim: number of latent dimensions.
        hidden: units of each hidden layer.
        kernel_initializer: of the output layers; "zeros" for a prior that starts as N(0, I).

    Call arguments:
        inputs: dictionary of tensors, see the module.

    Returns:
        `(mean, log_var)`, each `(batch, latent_dim)`.

    Raises:
        ValueError: a count that is not a positive integer.

    Source: the gates are the scaling of FiLM, Perez et al., "FiLM: visual reasoning with a general
    conditioning layer", 2018, eq. 2.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal import FusedEncoder
        >>> mean, log_var = FusedEncoder(10)({"image": np.zeros((5, 28, 28), "float32")})
        >>> tuple(mean.shape), tuple(log_var.shape)
        ((5, 10), (5, 10))
    """

    def __init__(
        self, latent_dim, hidden=(512, 512), kernel_initializer="glorot_uniform", **kwargs
    ):
        latent_dim = check_count("latent_dim", latent_dim)
        super().__init__([latent_dim, latent_dim], hidden, kernel_initializer, **kwargs)
        self.latent_dim = latent_dim

    def call(self, inputs):
        return tuple(self.fuse(inputs))

    def get_config(self):
        config = {"latent_dim": self.latent_dim, "hidden": list(self.units)}
        init = keras.initializers.serialize(self.outputs[0].kernel_initializer)
        return {**super().get_config(), **config, "kernel_initializer": init}


@keras.saving.register_keras_serializable("cvae_keras")
class FusedDecoder(_FusedNetwork):
    """The default decoder: dense layers on z and the conditioning modalities, concatenated.

    `h_0 = [z, conditions]`, `h <- relu(W h + b) * (1 + V [missing, vectors])`,
    `output = A h + B h_0 + a`

    Args:
        shape: shape of the main modality.
        hidden: units of each hidden layer.

    Call arguments:
        inputs: dictionary of tensors, see the module.

    Returns:
        `(batch, *shape)`, without an activation: means, or logits.

    Raises:
        ValueError: a count that is not a positive integer.

    Source: as for `FusedEncoder`.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal import FusedDecoder
        >>> tuple(FusedDecoder((28, 28))({"z": np.zeros((5, 10), "float32")}).shape)
        (5, 28, 28)
    """

    def __init__(self, shape, hidden=(512, 512), **kwargs):
        shape = tuple(check_count("shape", size) for size in shape)
        super().__init__([math.prod(shape)], hidden, **kwargs)
        self.shape = shape

    def gate_names(self, inputs):
        return [name for name in sorted(inputs) if name != "z" and len(inputs[name].shape) == 2]

    def call(self, inputs):
        return ops.reshape(self.fuse(inputs)[0], (-1, *self.shape))

    def get_config(self):
        return {**super().get_config(), "shape": list(self.shape), "hidden": list(self.units)}


def input_names(network):
    """Names of the inputs of a functional Keras model, or None for any other layer.

    Args:
        network: a Keras layer or model.

    Returns:
        List of names, or None.

    Example:
        >>> from cvae_keras.systems.multimodal.networks import FusedEncoder, input_names
        >>> input_names(FusedEncoder(10)) is None
        True
    """
    inputs = getattr(network, "inputs", None)
    if not inputs:
        return None
    named = network.input
    return sorted(named) if isinstance(named, dict) else [tensor.name for tensor in inputs]


def input_shapes(encoder):
    """Shapes of all modalities, from the inputs of a functional encoder.

    Args:
        encoder: a functional Keras model whose inputs have the names of the modalities.

    Returns:
        Dictionary of name -> shape of one example.

    Raises:
        ValueError: encoder is not a functional model.

    Example:
        >>> import keras
        >>> from cvae_keras.systems.multimodal.networks import input_shapes
        >>> image = keras.Input((8, 8), name="image")
        >>> input_shapes(keras.Model({"image": image}, keras.layers.Flatten()(image)))
        {'image': (8, 8)}
    """
    if input_names(encoder) is None:
        raise ValueError(
            "input_dims must be given, unless encoder is a functional Keras model whose inputs "
            "have the names of the modalities: give the shape of one example of each."
        )
    named = encoder.input
    tensors = named if isinstance(named, dict) else {each.name: each for each in encoder.inputs}
    return {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}


class _Adapter(CompositeLayer):
    """Base of the layers that call a network over a dictionary, and check what it returns.

    Args:
        network: a Keras layer or model over a dictionary, see the module.
        shape: shape of each output, without the batch.

    Raises:
        ValueError: an input of the network that does not exist, or outputs of another shape.
        TypeError: network is not a Keras layer.
    """

    argument = None  # of `MultimodalCVAE`, which the messages name
    nested = ("network",)

    def __init__(self, network, shape, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})  # the network has its own precision
        if not isinstance(network, keras.layers.Layer):
            raise TypeError(
                f"{self.argument} must be a Keras layer or model, got {type(network).__name__}: "
                f"give one that is called with a dictionary of arrays by name."
            )
        self.network, self.shape = network, tuple(shape)

    def run(self, inputs):
        """Call the network with those inputs that it has."""
        names = input_names(self.network)
        if names is not None:
            if unknown := sorted(set(names) - set(inputs)):
                raise ValueError(
                    f"{self.argument} has inputs {unknown} that do not exist: name its inputs "
                    f"among {sorted(inputs)}."
                )
            inputs = {name: inputs[name] for name in names}
        return self.network(inputs)

    def check_outputs(self, outputs, count):
        """The outputs in float32, if there are `count` tensors `(batch, *shape)`."""
        several = isinstance(outputs, (tuple, list))
        parts = list(outputs) if several else [outputs]
        shapes = [tuple(getattr(part, "shape", (None,))[1:]) for part in parts]
        if several != (count > 1) or shapes != [self.shape] * count:
            wanted = "a pair (mean, log_var), each" if count > 1 else "an array"
            parts = keras.tree.flatten(outputs)
            got = ", ".join(_shape_text(getattr(part, "shape", (None,))[1:]) for part in parts)
            raise ValueError(
                f"{self.argument} must return {wanted} {_shape_text(self.shape)}, got "
                f"{len(parts)} of shape {got}: change its last layers."
            )
        mean, *log_var = (ops.cast(part, "float32") for part in parts)
        return mean, *(ops.clip(part, -LOG_VAR, LOG_VAR) for part in log_var)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "shape": list(self.shape)}


@keras.saving.register_keras_serializable("cvae_keras")
class EncoderAdapter(_Adapter):
    """Calls an encoder over a dictionary as the network of a `GaussianPosterior`.

    Args:
        network: a Keras layer or model over all modalities, see the module.
        shape: `(latent_dim,)`.
        main: name of the main modality.

    Call arguments:
        x: the main modality, `(batch, *shape)`.
        c: dictionary of the conditioning modalities and masks.
        mask: None.

    Returns:
        `(mean, log_var)`, each float32 `(batch, latent_dim)`.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.networks import EncoderAdapter, FusedEncoder
        >>> encoder = EncoderAdapter(FusedEncoder(10), (10,), main="image")
        >>> mean, log_var = encoder(np.zeros((5, 8), "float32"), {})
        >>> tuple(mean.shape)
        (5, 10)
    """

    argument = "encoder"

    def __init__(self, network, shape, main, **kwargs):
        super().__init__(network, shape, **kwargs)
        self.main = main

    def call(self, x, c=None, mask=None):
        return self.check_outputs(self.run({self.main: x, **c}), 2)

    def get_config(self):
        return {**super().get_config(), "main": self.main}


@keras.saving.register_keras_serializable("cvae_keras")
class PriorNetworkAdapter(_Adapter):
    """Calls a prior network over a dictionary as the network of a `ConditionalNormal`.

    Args:
        network: a Keras layer or model over the conditioning modalities, see the module.
        shape: `(latent_dim,)`.

    Call arguments:
        c: dictionary of the conditioning modalities and masks.

    Returns:
        `(mean, log_var)`, as `EncoderAdapter` does.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.networks import FusedEncoder, PriorNetworkAdapter
        >>> prior_network = PriorNetworkAdapter(FusedEncoder(10), (10,))
        >>> tuple(prior_network({"label": np.zeros((5, 3), "float32")})[0].shape)
        (5, 10)
    """

    argument = "prior_network"

    def call(self, c):
        return self.check_outputs(self.run(c), 2)


@keras.saving.register_keras_serializable("cvae_keras")
class DecoderAdapter(_Adapter):
    """Calls a decoder over a dictionary as the decoder of an `ELBOModel`.

    What the network returns is standardized. The layer keeps the shift and the scale of the main
    modality, of its shape, 0 and 1 until `MultimodalCVAE.adapt` measures them; `Unit` reads them.

    Args:
        network: a Keras layer or model over z and the conditioning modalities, see the module.
        shape: shape of the main modality.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: dictionary of the conditioning modalities and masks, `(batch, ...)` each.

    Returns:
        float32 `(samples, batch, *shape)`.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.networks import DecoderAdapter, FusedDecoder
        >>> decoder = DecoderAdapter(FusedDecoder((8, 8)), (8, 8))
        >>> tuple(decoder(np.zeros((2, 5, 10), "float32"), {}).shape)
        (2, 5, 8, 8)
    """

    argument = "decoder"

    def __init__(self, network, shape, **kwargs):
        super().__init__(network, shape, **kwargs)
        fixed = {"shape": self.shape, "trainable": False}
        self.shift = self.add_weight(initializer="zeros", name="shift", **fixed)
        self.scale = self.add_weight(initializer="ones", name="scale", **fixed)
        self.low = self.add_weight(initializer="zeros", name="low", **fixed)
        self.exponent = self.add_weight(initializer="zeros", name="exponent", **fixed)

    @property
    def unit(self):
        """The `Unit` of the main modality."""
        return Unit(self.shift, self.scale, self.low, self.exponent)

    def load_own_variables(self, store):
        if "2" in store.keys():
            return super().load_own_variables(store)
        self.unit.load([store["0"], store["1"]])  # a file of an earlier version

    def call(self, z, c=None):
        samples, flat = ops.shape(z)[0], ops.reshape(z, (-1, z.shape[-1]))
        tiled = {name: tile(value, samples) for name, value in c.items()}
        (x_hat,) = self.check_outputs(self.run({"z": flat, **tiled}), 1)
        return ops.reshape(x_hat, (samples, -1, *self.shape))


def _shape_text(shape):
    return "(" + ", ".join(str(size) for size in ("batch", *shape)) + ")"
