"""The default networks of a `CVAE`: how named arrays are read, and how they are generated."""

import math

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count
from cvae_keras.parts.layers import CompositeLayer, Dropout
from cvae_keras.parts.networks import GatedMLP, tile

KINDS = ("dense", "conv1d", "conv2d")
CONVOLUTIONS = {"conv1d": keras.layers.Conv1D, "conv2d": keras.layers.Conv2D}
LOG_NOISE = math.log(0.01)  # before training, of arrays that z carries, relative to their scales
TRANSPOSED = {"conv1d": keras.layers.Conv1DTranspose, "conv2d": keras.layers.Conv2DTranspose}


def kind_of(name, shape, network=None):
    """The kind of network that reads and generates an array: "dense", "conv1d" or "conv2d".

    Args:
        name: of the array, for the message.
        shape: of one example: `(features,)`, `(points, channels)` or `(height, width, channels)`.
        network: None to choose by the shape; or one of the three, where the shape allows it.

    Raises:
        ValueError: an unknown network, or convolutions over a shape of another rank.

    Example:
        >>> kind_of("x", (28, 28, 1)), kind_of("y", (5,))
        ('conv2d', 'dense')
    """
    by_rank = {2: "conv1d", 3: "conv2d"}.get(len(shape), "dense")
    if network is None:
        return by_rank
    check_choice("network", network, KINDS)
    if network not in ("dense", by_rank):
        wants = {"conv1d": "(points, channels)", "conv2d": "(height, width, channels)"}[network]
        raise ValueError(
            f"network {network!r} reads arrays of shape {wants}, but {name!r} has shape "
            f"{tuple(shape)}: reshape it, or choose 'dense'."
        )
    return network


@keras.saving.register_keras_serializable("cvae_keras")
class ArrayReader(CompositeLayer):
    """Features of named arrays: vectors as they are, curves and images through convolutions.

    Three convolutions of stride 2 with SiLU between them, over points or over height and width.

    Args:
        kinds: dictionary of name -> "dense", "conv1d" or "conv2d".
        filters: filters of each convolution.

    Call arguments:
        arrays: dictionary of tensors `(batch, ...)` by name.

    Returns:
        `(batch, features)`, those of all arrays, flattened and concatenated.

    Example:
        >>> import numpy as np
        >>> reader = ArrayReader({"age": "dense", "curve": "conv1d"})
        >>> arrays = {"age": np.zeros((5, 1)), "curve": np.zeros((5, 48, 2))}
        >>> tuple(reader(arrays).shape)
        (5, 385)
    """

    def __init__(self, kinds, filters=(32, 64, 64), **kwargs):
        super().__init__(**kwargs)
        self.kinds, self.filters = dict(kinds), [check_count("filters", f) for f in filters]
        more = {"kernel_size": 5, "strides": 2, "padding": "same", "activation": "silu"}
        self.stacks = {
            name: [CONVOLUTIONS[kind](f, **more) for f in self.filters]
            for name, kind in self.kinds.items()
            if kind != "dense"
        }

    def call(self, arrays):
        found = []
        for name in self.kinds:
            h = arrays[name]
            for layer in self.stacks.get(name, ()):
                h = layer(h)
            found.append(ops.reshape(h, (-1, math.prod(h.shape[1:]))))
        return ops.concatenate(found, axis=-1)

    def get_config(self):
        return {**super().get_config(), "kinds": self.kinds, "filters": self.filters}


@keras.saving.register_keras_serializable("cvae_keras")
class FeatureNetwork(CompositeLayer):
    """A reader of arrays, then gated dense blocks: the condition layer, and the encoder.

    Args:
        reader: layer called with the arrays of one side, or with the array itself if `single`;
            returns `(batch, features)`.
        width: units of the dense blocks.
        depth: number of dense blocks.
        single: None, or the name of the one array that the reader is called with.
        dropout: share of the features that are dropped in training.
        seed: of the dropout.

    Call arguments:
        arrays: dictionary of tensors `(batch, ...)` by name.
        c: features of the condition `(batch, n)`, which the dense blocks read as well, or None.
        mask: dictionary of masks by name, read as further features, or None.

    Returns:
        `(batch, width)`.

    Raises:
        ValueError: the reader returns something else.

    Example:
        >>> import numpy as np
        >>> network = FeatureNetwork(ArrayReader({"c": "dense"}), width=16, depth=1)
        >>> tuple(network({"c": np.zeros((5, 3), "float32")}).shape)
        (5, 16)
    """

    nested = ("reader",)

    def __init__(self, reader, width=128, depth=2, single=None, dropout=0.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.reader, self.width, self.depth, self.single = reader, width, depth, single
        self.rate, self.seed = dropout, seed
        self.body = GatedMLP(width, depth)
        self.dropout = Dropout(seed) if dropout else None
        if dropout:
            self.dropout.keep.assign(1.0 - dropout)

    def call(self, arrays, c=None, mask=None, training=None):
        features = self.reader(arrays if self.single is None else arrays[self.single])
        if len(features.shape) != 2:
            raise ValueError(
                f"a network must return features (batch, n), got shape {tuple(features.shape)}: "
                f"end it with keras.layers.Flatten()."
            )
        masks = [mask[name] for name in sorted(mask or {}) if mask[name] is not None]  # or Keras's
        masks = [ops.reshape(each, (-1, math.prod(each.shape[1:]))) for each in masks]
        more = [] if c is None else [c]
        h = self.body(ops.concatenate([features, *masks, *more], axis=-1))
        return h if self.dropout is None else self.dropout(h, training=training)

    def get_config(self):
        reader = keras.saving.serialize_keras_object(self.reader)
        config = {"reader": reader, "width": self.width, "depth": self.depth}
        config |= {"single": self.single, "dropout": self.rate, "seed": self.seed}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class DirectHeads(CompositeLayer):
    """An encoder whose mean starts as x itself: `mean = [x, 0] + f(x, c)`, f = 0 before training.

    With it and a decoder of the same kind, z is x with little noise before training, and the prior
    p(z | c), which may be of any shape, learns p(x | c) from the first step. An encoder that starts
    at random has to find that z is to carry x, and seldom does so completely.

    Args:
        network: a `FeatureNetwork`.
        direct: names of the arrays whose entries are the first dimensions of z.
        latent_dim: number of latent dimensions.
        entries: number of the entries of these arrays, at most latent_dim.

    Call arguments:
        arrays: dictionary of tensors `(batch, ...)` by name.
        c: features of the condition, or None.
        mask: dictionary of masks by name, or None.

    Returns:
        `(mean, log_var)`, each `(batch, latent_dim)`, float32.
    """

    nested = ("network",)

    def __init__(self, network, direct, latent_dim, entries, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.network, self.direct = network, list(direct)
        self.latent_dim, self.entries = latent_dim, entries
        zeros, rest = {"kernel_initializer": "zeros", "dtype": "float32"}, latent_dim - entries
        start = np.array([2 * LOG_NOISE] * entries + [0.0] * rest, "float32")
        self.start = start
        self.mean = keras.layers.Dense(latent_dim, **zeros)
        self.log_var = keras.layers.Dense(latent_dim, **zeros)
        self.rest = keras.layers.Dense(rest, dtype="float32") if rest else None

    def call(self, arrays, c=None, mask=None):
        h = self.network(arrays, c, mask=mask)
        flat = [ops.reshape(arrays[n], (-1, math.prod(arrays[n].shape[1:]))) for n in self.direct]
        if self.rest is not None:
            flat.append(self.rest(h))
        return ops.concatenate(flat, axis=-1) + self.mean(h), self.start + self.log_var(h)

    def get_config(self):
        config = {"network": keras.saving.serialize_keras_object(self.network)}
        config |= {"direct": self.direct, "latent_dim": self.latent_dim, "entries": self.entries}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("cvae_keras")
class ArrayDecoder(CompositeLayer):
    """Generates named arrays from z and the features of the condition: what their likelihoods take.

    Gated dense blocks on [z, h], which all arrays share, then for each array a dense layer, or
    transposed convolutions of stride 2 up to the size of the curve or image. Arrays in `direct`
    have a dimension of z for each entry, and their mean is `z + f(z, h)`, with f = 0 before
    training: see `DirectHeads`.

    Args:
        shapes: dictionary of name -> shape of one example.
        kinds: dictionary of name -> "dense", "conv1d" or "conv2d".
        scales: dictionary of name -> None if the likelihood takes one tensor; "decoder" if it takes
            a mean and a log-scale of each entry; "learned" if the log-scale of each entry is one
            trainable number.
        network: None for the dense blocks, or a layer from `(rows, n)` to `(rows, features)`.
        width: units of the dense blocks.
        depth: number of dense blocks.
        direct: names of arrays whose entries, in this order, are the first dimensions of z.

    Call arguments:
        z: `(samples, batch, latent_dim)`.
        c: features of the condition `(batch, n)`, or None.

    Returns:
        Dictionary by name: float32 `(samples, batch, *shape)`, or a dictionary with "mean" and
        "log_scale" of that shape.

    Example:
        >>> import numpy as np
        >>> decoder = ArrayDecoder({"x": (2,)}, {"x": "dense"}, {"x": "decoder"})
        >>> found = decoder(np.zeros((3, 5, 4), "float32"), np.zeros((5, 8), "float32"))
        >>> tuple(found["x"]["log_scale"].shape)
        (3, 5, 2)
    """

    nested = ("network",)

    def __init__(
        self, shapes, kinds, scales, network=None, width=128, depth=2, direct=(), **kwargs
    ):
        super().__init__(**kwargs)
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        self.kinds, self.scales, self.network = dict(kinds), dict(scales), network
        self.width, self.depth, self.direct = width, depth, list(direct)
        self.body = GatedMLP(width, depth) if network is None else network
        self.heads, self.log_scales, self.learned = {}, {}, {}
        for name, shape in self.shapes.items():
            near = name in self.direct
            start = keras.initializers.Constant(LOG_NOISE if near else 0.0)
            more = {"kernel_initializer": "zeros" if near else "glorot_uniform"}
            self.heads[name] = _Head(shape, self.kinds[name], dtype="float32", **more)
            if self.scales[name] == "decoder":
                more = {"kernel_initializer": "zeros", "bias_initializer": start}
                dense = keras.layers.Dense(math.prod(shape), dtype="float32", **more)
                self.log_scales[name] = dense
            if self.scales[name] == "learned":
                plain = name.replace("/", "_")  # Keras allows none in the name of a weight
                self.learned[name] = self.add_weight(shape, start, name=f"log_scale_{plain}")

    def call(self, z, c=None):
        if c is not None and z.shape[1] == 1:
            z = z + ops.zeros_like(c[:, :1])[None]  # one set of points for all of the batch
        samples, batch = ops.shape(z)[0], ops.shape(z)[1]
        h = ops.reshape(z, (-1, z.shape[-1]))
        if c is not None:
            h = ops.concatenate([h, ops.cast(tile(c, samples), h.dtype)], axis=-1)
        h = self.body(h)
        found, at = {}, {}
        for name in self.direct:
            first = sum(math.prod(self.shapes[other]) for other in at)
            at[name] = slice(first, first + math.prod(self.shapes[name]))
        for name, shape in self.shapes.items():
            whole = (samples, batch, *shape)
            x_hat = ops.reshape(self.heads[name](h), whole)
            if name in at:
                x_hat = x_hat + ops.reshape(z[..., at[name]], whole)
            found[name] = x_hat
            if name in self.log_scales:
                log_scale = ops.reshape(self.log_scales[name](h), whole)
                found[name] = {"mean": x_hat, "log_scale": log_scale}
            if name in self.learned:
                log_scale = ops.zeros_like(x_hat) + self.learned[name]
                found[name] = {"mean": x_hat, "log_scale": log_scale}
        return found

    def get_config(self):
        network = self.network and keras.saving.serialize_keras_object(self.network)
        config = {"shapes": {name: list(shape) for name, shape in self.shapes.items()}}
        config |= {"kinds": self.kinds, "scales": self.scales, "network": network}
        config |= {"width": self.width, "depth": self.depth, "direct": self.direct}
        return {**super().get_config(), **config}


class _Head(CompositeLayer):
    """From features to one array: a dense layer, or a dense layer and transposed convolutions."""

    def __init__(self, shape, kind, filters=(64, 32), kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.shape, self.kind = shape, kind
        if kind == "dense":
            more = {"kernel_initializer": kernel_initializer, "dtype": self.dtype_policy}
            self.dense = keras.layers.Dense(math.prod(shape), **more)
            return
        sizes = [-(-size // 4) for size in shape[:-1]]  # two strides of 2, rounded up
        self.small = (*sizes, filters[0])
        self.dense = keras.layers.Dense(math.prod(self.small), activation="silu")
        transposed, more = TRANSPOSED[kind], {"kernel_size": 5, "strides": 2, "padding": "same"}
        self.convolutions = [
            transposed(filters[1], activation="silu", **more),
            transposed(shape[-1], dtype=self.dtype_policy, **more),
        ]

    def call(self, h):
        h = self.dense(h)
        if self.kind == "dense":
            return h
        h = ops.reshape(h, (-1, *self.small))
        for layer in self.convolutions:
            h = layer(h)
        return h[(slice(None), *(slice(size) for size in self.shape[:-1]))]
