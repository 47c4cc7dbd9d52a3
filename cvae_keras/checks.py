"""Input validation: bad input is refused in one sentence, before anything is trained on it."""

import reprlib
import warnings

import numpy as np

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 8
INT32 = 2**31 - 1
FLOAT32 = float(np.finfo("float32").max)


def check_arrays(arrays):
    """Check a dictionary of arrays that share their first axis.

    Args:
        arrays: name -> array `(batch, ...)` of numbers.

    Returns:
        The same dictionary with float32 NumPy arrays.

    Raises:
        TypeError: an entry is not numeric.
        ValueError: an entry is empty, holds NaN, infinity or a number beyond the range of float32,
            or differs from the others in length.

    Warns:
        UserWarning: distinct values become equal in float32.

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
        if not np.isfinite(array).all():
            raise ValueError(
                f"{name} holds NaN or infinity: remove those examples, or pass a mask of the "
                f"missing entries."
            )
        if array.dtype.kind == "f" and np.abs(array).max() > np.finfo("float32").max:
            raise ValueError(
                f"{name} holds {np.abs(array).max():.3g}, beyond the range of float32: rescale it."
            )
        checked[name] = array.astype("float32", copy=False)
        columns = merged(array, checked[name])
        if columns:
            warnings.warn(
                f"{name} holds distinct values in {len(columns)} of its columns (the first is "
                f"{columns[0]}) that become equal in float32: subtract the mean of each column "
                f"from it, in float64.",
                stacklevel=3,
            )
    lengths = {name: len(array) for name, array in checked.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"the arrays must have the same length, got {lengths}: give one row per example."
        )
    return checked


def check_rows(arrays, features):
    """Check the arrays of a model of rows: `x`, and what has its shape.

    Args:
        arrays: name -> array `(batch, features)`, `x` among them; `mask` holds 1 where x is
            observed and 0 where it is missing.
        features: width of x.

    Returns:
        The same dictionary with float32 NumPy arrays.

    Raises:
        TypeError: an entry is not numeric.
        ValueError: x is absent, an array has another shape, or the mask another value.

    Example:
        >>> sorted(check_rows({"x": [[1.0, 2.0]], "mask": [[1, 0]]}, features=2))
        ['mask', 'x']
    """
    if "x" not in arrays:
        raise ValueError(f"the inputs must hold 'x', got {sorted(arrays)}: add it.")
    arrays = check_arrays(arrays)
    shape = arrays["x"].shape
    if shape[1:] != (features,):
        raise ValueError(f"x has shape {shape}: the model expects (batch, {features}).")
    for name, array in arrays.items():
        if array.shape != shape:
            raise ValueError(
                f"{name} must have the shape of x, {shape}, got {array.shape}: pair them up."
            )
    if "mask" in arrays and not np.isin(arrays["mask"], (0, 1)).all():
        raise ValueError(
            "mask must hold 1 where x is observed and 0 where it is missing: build it with "
            "`~np.isnan(x)`."
        )
    return arrays


def check_numbers(name, value):
    """Check an array of finite numbers of any shape.

    Args:
        name: of the argument, for the message.
        value: what it got.

    Returns:
        NumPy array; float64 unless it had a floating type.

    Raises:
        TypeError: it does not hold numbers.
        ValueError: it holds NaN or infinity.

    Example:
        >>> check_numbers("draws", [[1, 2]]).dtype
        dtype('float64')
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}: convert it first.")
    array = array if array.dtype.kind == "f" else array.astype(float)
    bad = array.size - np.isfinite(array).sum()
    if bad:
        raise ValueError(
            f"{name} holds NaN or infinity in {bad:,} of {array.size:,} entries: leave those "
            f"examples out, and say so."
        )
    return array


COMPARED = 4096  # rows in which `merged` counts distinct values
MERGED = 0.01  # share of the distinct values of a column that may become equal


def merged(before, after):
    """The columns in which values that were distinct have become equal.

    Values count as distinct if they differ by more than the rounding of a few operations. A
    hundredth of them, in at most 4,096 rows evenly spaced, may become equal, as happens by chance.

    Args:
        before: numbers `(batch, ...)`, NaN where they are missing.
        after: the same after a cast to another type, or after scaling and a cast.

    Returns:
        List of the numbers of the columns, all axes but the first flattened.

    Example:
        >>> x = 1e10 + np.arange(100.0)[:, None]
        >>> merged(x, x.astype("float32")), merged(x, (x - 1e10).astype("float32"))
        ([0], [])
    """
    before, after = np.asarray(before), np.asarray(after)
    if (
        before is after
        or not len(before)
        or (before.dtype.kind != "f" and before.dtype.itemsize < 4)
    ):
        return []
    step = -(-len(before) // COMPARED)
    before, after = (np.sort(x[::step].reshape(-1, x[0].size), axis=0) for x in (before, after))
    with np.errstate(over="ignore"):
        gaps = before[1:] > before[:-1]
        if before.dtype.kind == "f":
            size = np.maximum(np.abs(before[1:]), np.abs(before[:-1]))
            gaps = before[1:] - before[:-1] > 4 * np.finfo(before.dtype).eps * size
    distinct, left = 1 + gaps.sum(axis=0), 1 + (after[1:] > after[:-1]).sum(axis=0)
    return np.flatnonzero(left < (1 - MERGED) * distinct).tolist()


def shown(value):
    """A value as errors show it: its `repr` on one line, abbreviated if it is long.

    Args:
        value: anything.

    Returns:
        String.

    Example:
        >>> shown("x" * 1000) == "'" + "x" * 37 + "..." + "x" * 38 + "'"
        True
    """
    return " ".join(_SHORT.repr(value).split())


def check_choice(name, value, choices):
    """Check that a value is one of several.

    Args:
        name: of the argument, for the message.
        value: what it got.
        choices: the values that are allowed, which can be sorted.

    Returns:
        `value`.

    Raises:
        ValueError: it is not among `choices`; the message lists them.

    Example:
        >>> check_choice("prior", "standard", ["standard", "conditional"])
        'standard'
    """
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):
        raise ValueError(f"{name} {shown(value)} is unknown: choose among {sorted(choices)}.")
    return value


def check_count(name, value, most=None, least=1):
    """Check that a value is a whole number of at least 1.

    Args:
        name: of the argument, for the message.
        value: what it got, a Python or NumPy integer.
        most: the largest that is allowed; None for that of int32.
        least: the least that is allowed, 1 or 0.

    Returns:
        `value` as an int.

    Raises:
        ValueError: it is not a whole number, is below 1, or above `most`.

    Example:
        >>> check_count("latent_dim", 4)
        4
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        kind = "a positive integer" if least else "a whole number >= 0"
        raise ValueError(f"{name} must be {kind}, got {shown(value)}: choose {least} or more.")
    most = INT32 if most is None else most
    if value > most:
        raise ValueError(f"{name} must be at most {most:,}, got {shown(value)}: choose less.")
    return int(value)


def check_units(name, value, least=1):
    """Check the units of layers.

    Args:
        name: of the argument, for the message.
        value: what it got: a list, tuple or array of positive integers.
        least: how many layers there must be.

    Returns:
        List of int.

    Raises:
        ValueError: it is something else.

    Example:
        >>> check_units("hidden", (64, 32))
        [64, 32]
    """
    if (
        not isinstance(value, (list, tuple, np.ndarray))
        or np.ndim(value) != 1
        or len(value) < least
    ):
        raise ValueError(
            f"{name} must be a list of positive integers, one a layer, got {shown(value)}: give "
            f"for instance [64]."
        )
    return [check_count(name, units) for units in value]


def _number(value):
    """A number of Python, NumPy or a backend as a float; NaN for a boolean and all else."""
    if isinstance(value, (bool, np.bool_, str)) or not hasattr(value, "__float__"):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # several numbers, or too large
        return np.nan


def check_part(part):
    """Check which share of some work is meant.

    Args:
        part: (i, n), the i-th of n shares.

    Returns:
        `part`.

    Raises:
        ValueError: 1 <= i <= n does not hold.

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


def check_sample_weight(sample_weight, examples):
    """Check the weights of examples.

    Args:
        sample_weight: `(examples,)` or `(examples, 1)` numbers that are not negative, or None.
        examples: how many there are.

    Returns:
        float32 NumPy array `(examples,)`, or None.

    Raises:
        ValueError: another shape, a negative number, NaN or infinity.

    Example:
        >>> check_sample_weight([1, 0, 2], 3).tolist()
        [1.0, 0.0, 2.0]
    """
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, "float32")
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight holds no numbers: give {examples} weights.") from error
    if weights.shape not in ((examples,), (examples, 1)):
        raise ValueError(
            f"sample_weight has shape {weights.shape}: give one number per example, ({examples},)."
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(
            "sample_weight holds NaN, infinity or negative numbers: give weights >= 0."
        )
    return weights.reshape(-1)


def check_seed(name, value):
    """Check a seed, and make it an integer that Keras and NumPy accept.

    Args:
        name: of the argument, for the message.
        value: an integer of Python or NumPy that is not negative; a `numpy.random.RandomState` or
            `Generator`, from which one is drawn; or None for a new one.

    Returns:
        An int in [0, 2^31).

    Raises:
        ValueError: it is something else, or lies outside that range.

    Example:
        >>> check_seed("seed", np.int64(3))
        3
    """
    if value is None:
        value = np.random.default_rng()
    if isinstance(value, np.random.Generator):
        value = value.integers(2**31)
    elif isinstance(value, np.random.RandomState):
        value = value.randint(2**31 - 1)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be an integer, got {shown(value)}: choose for instance 0.")
    if not 0 <= value < 2**31:
        raise ValueError(
            f"{name} must lie in [0, 2^31), got {shown(value)}: choose for instance 0."
        )
    return int(value)


def check_generator(name, value):
    """A random generator of NumPy for a seed.

    Args:
        name: of the argument, for the message.
        value: anything that `numpy.random.default_rng` takes, booleans excepted.

    Returns:
        `numpy.random.Generator`.

    Raises:
        ValueError: it is something else.

    Example:
        >>> bool(0 <= check_generator("seed", [0, 1]).random() < 1)
        True
    """
    try:
        if not isinstance(value, (bool, np.bool_)):
            return np.random.default_rng(value)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"{name} must be an integer >= 0, or a list of such, got {shown(value)}: choose 0, say."
    )


def check_share(name, value):
    """Check that a value is a number in (0, 1].

    Args:
        name: of the argument, for the message.
        value: what it got.

    Returns:
        `value` as a float.

    Raises:
        ValueError: it is not a number, or lies outside (0, 1].

    Example:
        >>> check_share("train_valid_split", 0.9)
        0.9
    """
    if not 0 < _number(value) <= 1:
        raise ValueError(f"{name} must lie in (0, 1], got {shown(value)}: choose for instance 0.9.")
    return float(value)


def check_fraction(name, value):
    """Check that a value is a number in [0, 1).

    Args:
        name: of the argument, for the message.
        value: what it got.

    Returns:
        `value` as a float.

    Raises:
        ValueError: it is not a number, or lies outside [0, 1).

    Example:
        >>> check_fraction("dropout", 0.2)
        0.2
    """
    if not 0 <= _number(value) < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {shown(value)}: choose for instance 0.1.")
    return float(value)


def check_weight(name, value):
    """Check that a value is a finite number that is not negative.

    Args:
        name: of the argument, for the message.
        value: what it got: a number, or a tensor of one number.

    Returns:
        `value` as a float.

    Raises:
        ValueError: it is no number, negative, NaN, or beyond the range of float32.

    Example:
        >>> check_weight("beta", 0.5)
        0.5
    """
    number = _number(value)
    if not 0 <= number <= FLOAT32:
        raise ValueError(
            f"{name} must be a finite number >= 0, got {shown(value)}: choose 0 or more."
        )
    return number


def check_positive(name, value):
    """Check that a value is a finite number above 0.

    Args:
        name: of the argument, for the message.
        value: what it got: a number, or a tensor of one number.

    Returns:
        `value` as a float.

    Raises:
        ValueError: it is no number, not above 0, NaN, or beyond the range of float32.

    Example:
        >>> check_positive("net_lr", 0.001)
        0.001
    """
    number = _number(value)
    if not 0 < number <= FLOAT32:
        raise ValueError(f"{name} must be above 0, got {shown(value)}: choose a number.")
    return number


def check_finite(name, value):
    """Check that a value is a finite number.

    Args:
        name: of the argument, for the message.
        value: what it got: a number, or a tensor of one number.

    Returns:
        `value` as a float.

    Raises:
        ValueError: it is no number, NaN, or beyond the range of float32.

    Example:
        >>> check_finite("log_var", -3.0)
        -3.0
    """
    number = _number(value)
    if not abs(number) <= FLOAT32:
        raise ValueError(f"{name} must be a finite number, got {shown(value)}: choose one.")
    return number


class RunError(ValueError):
    """Valid input, and still no result: training diverged, or a process that shared the work died.

    The command line ends with exit status 1 for it, and with 2 for every other ValueError.

    Example:
        ```python
        raise RunError("training diverged in epoch 3: choose a smaller learning rate.")
        ```
    """
