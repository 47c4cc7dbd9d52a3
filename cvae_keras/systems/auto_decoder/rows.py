"""Rows with missing entries as the auto-decoder and the VAE beside it read them."""

import numpy as np

from cvae_keras.checks import check_rows
from cvae_keras.data.frames import read_numbers

LARGEST = 1e15  # of a value whose square, summed over a row, is finite in float32


def read_rows(inputs, features):
    """Check rows x and the mask of their observed entries; x becomes 0 where it is missing.

    Args:
        inputs: dictionary that holds `x` `(batch, features)` and, unless all is observed, `mask` of
            the same shape, 1 where x is observed and 0 where it is missing: there x may be
            anything, also NaN. Other entries are left out. Frames are read as numbers.
        features: width of x.

    Returns:
        `(x, mask)`: float32 arrays; the mask is None if there is none.

    Raises:
        TypeError: text, categories or other objects.
        ValueError: what `check_rows` refuses, whole numbers of which float64 merges some, or
            observed entries so large that squares are infinite.

    Example:
        >>> x, mask = read_rows({"x": [[1.0, np.nan]], "mask": [[1, 0]]}, features=2)
        >>> x.tolist()
        [[1.0, 0.0]]
    """
    given = {k: read_numbers(k, inputs[k]) for k in ("x", "mask") if inputs.get(k) is not None}
    x, mask = given.get("x"), given.get("mask")
    if x is not None and mask is not None and mask.shape == x.shape:
        given["x"] = np.where(mask == 0, np.zeros((), x.dtype), x)
    arrays = check_rows(given, features)
    x, mask = arrays["x"], arrays.get("mask")
    if (largest := np.abs(x).max()) > LARGEST:
        raise ValueError(
            f"x holds {largest:.3g}, whose square is too large for float32: bring its columns to "
            f"a mean near 0 and a scale near 1 first."
        )
    return x, mask
