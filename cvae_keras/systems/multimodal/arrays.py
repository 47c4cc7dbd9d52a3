"""The precision in which the model reads numbers."""

EXACT = 2**24  # up to which float32 holds every whole number
LARGEST = 1e300  # squares and sums of what is below it, centered and scaled, are finite


def as_floats(values):
    """Numbers as float32 if it holds them exactly, else as float64.

    Args:
        values: NumPy array of floats, integers or booleans.

    Returns:
        float32 of float16, float32 and whole numbers to 2^24; float64 of all others.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.arrays import as_floats
        >>> as_floats(np.array([7])).dtype, as_floats(np.array([10**9])).dtype
        (dtype('float32'), dtype('float64'))
    """
    if values.dtype.kind == "f":
        return values.astype("float32" if values.dtype.itemsize <= 4 else "float64", copy=False)
    exact = values.dtype.kind == "b" or -EXACT <= values.min() <= values.max() <= EXACT
    return values.astype("float32" if exact else "float64")
