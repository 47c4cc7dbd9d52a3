"""Layers and models of one tensor, in the places of encoders and decoders."""

import inspect

import keras
from keras import ops

from cvae_keras.parts.layers import CompositeLayer, flat, join

OPTIONAL = {"training", "mask", "pattern"}  # those of Keras, and that of a `DenseStack`


def reads_one(layer):
    """Whether a layer is called with one input, beside the arguments of `OPTIONAL`.

    Args:
        layer: a Keras layer or model; anything else is no such layer.

    Returns:
        Boolean.

    Example:
        >>> reads_one(keras.layers.Dense(2))
        True
    """
    if not isinstance(layer, keras.layers.Layer):
        return False
    parameters = inspect.signature(layer.call).parameters.values()
    named = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    return len(set(named) - OPTIONAL) == 1


def reads_one_tensor(layer):
    """Whether the one input of a layer is certainly a tensor: it cannot read a dictionary.

    Args:
        layer: as for `reads_one`.

    Returns:
        True for a Sequential, a layer of Keras, a functional model of one input and the networks
        of `cvae_keras.parts`.

    Example:
        >>> reads_one_tensor(keras.Sequential([keras.layers.Dense(2)]))
        True
    """
    if not reads_one(layer) or isinstance(layer, keras.Sequential):
        return reads_one(layer)
    if isinstance(layer, keras.Model):
        return bool(getattr(layer, "inputs", None)) and isinstance(layer.input, keras.KerasTensor)
    return type(layer).__module__.startswith(("keras.", "cvae_keras.parts.networks"))


@keras.saving.register_keras_serializable("cvae_keras")
class PlainEncoder(CompositeLayer):
    """Calls a layer of one tensor as the network of a posterior.

    x alone is passed as it is, so that convolutions can read it; x, the condition and the mask are
    flattened and concatenated. `GaussianPosterior` wraps such layers itself.

    Args:
        network: a Keras layer or model that reads one tensor.

    Call arguments:
        x: `(batch, ...)`.
        c: `(batch, ...)`, a dictionary of such, or None.
        mask: of x's shape, or None.

    Returns:
        What the network returns; one tensor as `(batch, features)`.

    Raises:
        ValueError: a condition or a mask is given in some calls and not in others.

    Example:
        >>> import numpy as np
        >>> encoder = PlainEncoder(keras.Sequential([keras.layers.Dense(8)]))
        >>> tuple(encoder(np.zeros((5, 3)), np.zeros((5, 2, 2))).shape)
        (5, 8)
    """

    nested = ("network",)

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network, self.given = network, None

    def call(self, x, c=None, mask=None):
        given = [n for n, each in (("x", x), ("c", c), ("mask", mask)) if each is not None]
        self.given = self.given or given
        if given != self.given:
            raise ValueError(
                f"the posterior's network was built on {', '.join(self.given)} and is called with "
                f"{', '.join(given)}: give the same arrays in every call, a mask of ones if "
                f"nothing is missing."
            )
        alone = given == ["x"] and not isinstance(x, dict)
        features = self.network(x if alone else flat(x, c, mask))
        return features if isinstance(features, (tuple, list, dict)) else flat(features)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}


@keras.saving.register_keras_serializable("cvae_keras")
class PlainDecoder(CompositeLayer):
    """Calls a layer of one tensor as the decoder of an `ELBOModel`.

    It reads `[z, c]` with the axes of samples and examples as one; c is flattened. `ELBOModel`
    wraps such layers itself.

    Args:
        network: a Keras layer or model that reads one tensor.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: `(batch, ...)`, a dictionary of such, or None.

    Returns:
        What the network returns, `(samples, batch, ...)`, float32.

    Example:
        >>> import numpy as np
        >>> decoder = PlainDecoder(keras.Sequential([keras.layers.Dense(8)]))
        >>> tuple(decoder(np.zeros((2, 5, 3)), np.zeros((5, 4))).shape)
        (2, 5, 8)
    """

    nested = ("network",)

    def __init__(self, network, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def call(self, z, c=None):
        samples, read = ops.shape(z)[0], join(z, c)

        def unfold(x):
            x = ops.cast(x, "float32")
            return ops.reshape(x, (samples, -1, *x.shape[1:]))

        return keras.tree.map_structure(unfold, self.network(read))

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}
