"""Conditions beside several samples of z."""

from keras import ops


def tile(c, samples):
    """Repeat c `(batch, ...)` for each of the S samples of z: `(S * batch, ...)`, sample first."""
    return ops.tile(c, (samples,) + (1,) * (len(c.shape) - 1))
