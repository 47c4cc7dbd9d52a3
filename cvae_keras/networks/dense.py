"""Dense networks: plain or gated, and residual."""

import keras

from cvae_keras.checks import check_count


@keras.saving.register_keras_serializable("cvae_keras")
class DenseStack(keras.layers.Layer):
    """Dense layers one after the other, and if asked a gate on each, set by a pattern.

    `h <- act(W h + b) * (V relu(U pattern) + 1)`, the gate being 1 before training.

    A pattern (which values are known, say) changes *which function* of the values is right. Without
    a gate the layers must find products of pattern and values; with it they have them.

    Args:
        units: list of the units of each layer; activation: a Keras activation; batch_norm: whether
            batch normalisation stands before each activation; gated: whether there are gates.

    Call arguments:
        h: `(batch, features)`; pattern: `(batch, d)`, only used by the gates.

    Returns:
        `(batch, units[-1])`.

    Raises:
        ValueError: units is empty or holds something else than positive integers.

    Source: the gates are the scaling of FiLM, Perez et al., "FiLM: visual reasoning with a general
    conditioning layer", 2018, eq. 2.

    Example:
        >>> DenseStack([64, 32])(np.zeros((5, 10))).shape                        # (5, 32)
    """

    def __init__(self, units, activation="relu", batch_norm=False, gated=False, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(units, (list, tuple)) or len(units) == 0:
            raise ValueError(f"units must be a list with an entry a layer, got {units!r}: add one.")
        units = [check_count("units", width) for width in units]
        dense = keras.layers.Dense
        self.dense = [dense(width, use_bias=not batch_norm) for width in units]
        norm = keras.layers.BatchNormalization
        self.norms = [norm() for _ in units] if batch_norm else [None] * len(units)
        self.activation = keras.layers.Activation(activation)
        self.read = dense(units[0], activation="relu") if gated else None
        gates = {"kernel_initializer": "zeros", "bias_initializer": "ones"}
        self.gates = [dense(width, **gates) for width in units] if gated else [None] * len(units)

    def call(self, h, pattern=None):
        read = None if self.read is None else self.read(pattern)
        for dense, norm, gate in zip(self.dense, self.norms, self.gates, strict=True):
            h = dense(h) if norm is None else norm(dense(h))
            h = self.activation(h) if gate is None else self.activation(h) * gate(read)
        return h


@keras.saving.register_keras_serializable("cvae_keras")
class ResidualMLP(keras.layers.Layer):
    """Dense residual blocks: `h <- h + W2 act(W1 h)`.

    Args:
        width: units of every layer; depth: number of blocks; activation: a Keras activation.

    Returns:
        `(batch, width)`.

    Source: He et al., "Deep residual learning", 2016, with dense layers.

    Example:
        >>> ResidualMLP(64, 3)(np.zeros((5, 10))).shape                          # (5, 64)
    """

    def __init__(self, width, depth, activation="silu", **kwargs):
        super().__init__(**kwargs)
        self.enter = keras.layers.Dense(width)
        self.inner = [keras.layers.Dense(width, activation=activation) for _ in range(depth)]
        self.outer = [keras.layers.Dense(width) for _ in range(depth)]
        self.leave = keras.layers.Activation(activation)

    def call(self, h):
        h = self.enter(h)
        for inner, outer in zip(self.inner, self.outer, strict=True):
            h = h + outer(inner(h))
        return self.leave(h)
