"""Checks of what a user hands in: bad input is refused with one sentence, never trained on."""

from numbers import Real

import numpy as np


def check_arrays(arrays):
    """Check a dictionary of arrays that share their first axis.

    Args:
        arrays: name -> array `(batch, ...)` of numbers.

    Returns:
        The same dictionary with float32 NumPy arrays.

    Raises:
        TypeError: an entry is not numeric.
        ValueError: an entry is empty, holds NaN or infinity, or differs from the others in length.

    Example:
        >>> check_arrays({"x": [[1.0], [2.0]]})["x"].shape
        (2, 1)
    """
    checked = {}
    for name, value in arrays.items():
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}: convert it first.")
        if array.ndim < 2 or array.size == 0:
            raise ValueError(
                f"{name} must have shape (batch, ...) and not be empty, got {array.shape}: add the "
                f"missing axes."
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity here
            checked[name] = array.astype("float32", copy=False)
        if not np.isfinite(checked[name]).all():
            raise ValueError(
                f"{name} holds NaN or infinity: remove those examples, or give what is missing as "
                f"a mask."
            )
    lengths = {name: len(array) for name, array in checked.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arrays must have the same length, got {lengths}: pair them up.")
    return checked


def check_choice(name, value, choices):
    """Return `value` if it is one of `choices`.

    Raises:
        ValueError: it is not; the message lists the choices.

    Example:
        >>> check_choice("prior", "standard", ["standard", "conditional"])
        'standard'
    """
    if value not in choices:
        raise ValueError(f"{name} {value!r} is unknown: choose among {sorted(choices)}.")
    return value


def check_count(name, value):
    """Return `value` as an int if it is a whole number of at least 1.

    Raises:
        ValueError: it is not.

    Example:
        >>> check_count("latent_dim", 4)
        4
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}: choose 1 or more.")
    return int(value)


def check_part(part):
    """Return `part` if it is (i, n) with 1 <= i <= n: the i-th of n shares of some work.

    Raises:
        ValueError: it is not.

    Example:
        >>> check_part((1, 2))
        (1, 2)
    """
    index, parts = part
    if not 1 <= index <= parts:
        raise ValueError(
            f"part must be i/n with 1 <= i <= n, got {index}/{parts}: for instance 1/2."
        )
    return index, parts


def check_share(name, value):
    """Return `value` as a float if it is a number in (0, 1].

    Raises:
        ValueError: it is not.

    Example:
        >>> check_share("train_valid_split", 0.9)
        0.9
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value <= 1:
        raise ValueError(f"{name} must lie in (0, 1], got {value!r}: choose for instance 0.9.")
    return float(value)


def check_weight(name, value):
    """Return `value` as a float if it is a finite number that is not negative.

    Raises:
        ValueError: it is not.

    Example:
        >>> check_weight("beta", 0.5)
        0.5
    """
    number = float(value) if hasattr(value, "__float__") else np.nan
    if not 0 <= number < np.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}: choose 0 or more.")
    return number
