"""Data sets of the missing-data experiments, with rows in or near [0, 1], and random masks."""

import warnings

import numpy as np

from cvae_keras.checks import check_choice, check_count, check_fraction, check_generator, merged
from cvae_keras.data.arrays import read_arrays
from cvae_keras.data.columns import Columns
from cvae_keras.data.frames import numeric_frame
from cvae_keras.data.images import load_images
from cvae_keras.files import check_archive, expand, regular_file

NAMES = ("mnist", "fashion_mnist", "digits", "artificial_2", "artificial_10")


WITH_PATH = ("artificial", "mnist", "fashion_mnist")
#: The arrays of an HDF5 file: training rows, the mask of their observed entries, test rows.
ARRAYS = (
    ("train_y", "train_mask", "test_y_true"),
    ("train_data", None, "test_data"),
    ("train_x", None, "test_x"),
)


def draw_mask(shape, ratio, seed):
    """A mask of entries missing completely at random: 0 with probability `ratio`, else 1.

    Args:
        shape: `(rows, features)`.
        ratio: expected share of missing entries, in [0, 1).
        seed: of the draw.

    Returns:
        float32 array of that shape, 1 where observed.

    Raises:
        ValueError: ratio is outside [0, 1).

    Example:
        >>> round(float(draw_mask((1000, 20), 0.3, seed=0).mean()), 1)
        0.7
    """
    check_fraction("ratio", ratio)
    return (check_generator("seed", seed).random(shape) >= ratio).astype("float32")


def draw_mar_mask(x, ratio, seed, observed=0.3):
    """A mask of entries missing at random: whether they are depends on other, observed columns.

    A share of the columns is always observed. In each other column

    `p(missing) = sigmoid(w . u + b)`,

    u the standardized values of the observed columns, w random such that w . u has variance 1, and
    b such that the expected share of missing entries of the column is `ratio`.

    Args:
        x: complete data, `(rows, columns)`, at least 2 columns.
        ratio: expected share of missing entries in the columns that are not always observed, in
            [0, 1).
        seed: of the columns, the weights and the draw.
        observed: share of the columns that are always observed, at least 1 and not all.

    Returns:
        float32 array of x's shape, 1 where observed.

    Raises:
        ValueError: ratio is outside [0, 1), or x has a single column.

    Source: the mechanism of Muzellec et al., "Missing data imputation using optimal transport",
    2020, section 5.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(1000, 10))
        >>> mask = draw_mar_mask(x, 0.4, seed=0)
        >>> int((mask == 1).all(axis=0).sum()), round(float(1 - mask.mean()), 2)  # 0.7 * 0.4
        (3, 0.28)
    """
    from scipy.optimize import brentq
    from scipy.special import expit

    check_fraction("ratio", ratio)
    rng, (rows, columns) = check_generator("seed", seed), np.shape(x)
    if columns < 2:
        raise ValueError("x has a single column: give at least 2, one of which is observed.")
    given = rng.permutation(columns)[: int(np.clip(round(observed * columns), 1, columns - 1))]
    u = x[:, given] - x[:, given].mean(axis=0)
    u = u / np.maximum(u.std(axis=0), 1e-12)
    logits = u @ rng.normal(size=(len(given), columns))
    logits = logits / np.maximum(logits.std(axis=0), 1e-12)
    mask = np.ones((rows, columns), "float32")
    for j in np.setdiff1d(np.arange(columns), given) if ratio else ():
        b = brentq(lambda b, j=j: expit(logits[:, j] + b).mean() - ratio, -50.0, 50.0)
        mask[:, j] = rng.random(rows) >= expit(logits[:, j] + b)
    return mask


def artificial(latent_dim, rows, features=100, width=50, seed=0):
    """Data of a random decoder: z ~ N(0, I), two hidden ReLU layers with random weights.

    Args:
        latent_dim: width of z.
        rows: number of rows.
        features: number of columns.
        width: units of the hidden layers.
        seed: of weights and latents.

    Returns:
        float32 `(rows, features)`, each column of mean 0 and variance 1.

    Source: the synthetic data of Zadeh et al., "Variational Auto-Decoder", 2019, section 4.

    Example:
        >>> artificial(2, 500).shape
        (500, 100)
    """
    rng = check_generator("seed", seed)
    sizes = {"latent_dim": latent_dim, "rows": rows, "features": features, "width": width}
    for name, size in sizes.items():
        check_count(name, size)
    sizes = [latent_dim, width, width, features]
    kernels = [rng.normal(size=pair) for pair in zip(sizes, sizes[1:], strict=False)]
    biases = [rng.normal(size=size) for size in sizes[1:]]
    h = rng.normal(size=(rows, latent_dim))
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        h = h @ kernel / np.sqrt(len(kernel)) + bias
        h = np.maximum(h, 0.0) if number < 2 else h
    return ((h - h.mean(axis=0)) / np.maximum(h.std(axis=0), 1e-6)).astype("float32")


def load_rows(name, path=None, data_dir=None, train=10_000, test=2_000):
    """Training and test rows of a data set.

    Args:
        name: "mnist", "fashion_mnist", "digits", "artificial_2" or "artificial_10"; or "artificial"
            with `path`; or the path of a .csv file with a header, of which a random fifth is the
            test set.
        path: for "artificial", of an .npz file with the arrays "train" and "test", or one array
            "x", of which a random fifth is the test set; or for "artificial", "mnist" and
            "fashion_mnist" an HDF5 file in the layout of Zadeh et al., with or without its ending
            .h5: see `ARRAYS`. Other data sets take none.
        data_dir: folder of the image files.
        train: maximum number of training rows.
        test: maximum number of test rows.

    Returns:
        `(x_train, x_test)`, float32 `(rows, features)`, NaN where a value is missing: an empty cell
        of a .csv file, or NaN in an .npz file; see `observed_entries`. Pixels are divided by their
        largest value, columns of a .csv file are scaled such that the training rows lie in [0, 1].

    Raises:
        TypeError: a .csv file with a column of text; the message names it.
        ValueError: an unknown name, no path where one is needed, a path of another kind, a file
            without these arrays or with infinite numbers, a column without a number.

    Example:
        >>> x_train, x_test = load_rows("digits")
        >>> x_train.shape, x_test.shape
        ((1438, 64), (359, 64))
    """
    train, test = check_count("train", train), check_count("test", test)
    if name == "artificial" and path is None:
        raise ValueError(
            "artificial needs the path of an .npz file or of an HDF5 file: give --dataset-path."
        )
    path = None if path is None else expand(path)
    if path is not None and name not in WITH_PATH:
        raise ValueError(
            f"--dataset-path is for {', '.join(WITH_PATH)}, got {path} for {name}: leave it out."
        )
    if path is not None and (name != "artificial" or path.suffix != ".npz"):
        parts = _read_hdf5(path, 1.0 if name == "artificial" else 255.0)
    elif name == "artificial":
        parts = _read_npz(path)
    elif str(name).endswith(".csv"):
        parts = _read_csv(expand(name))
    elif check_choice("data set", name, NAMES) == "digits":
        from sklearn.datasets import load_digits

        parts = _split(load_digits().data.astype("float32") / 16.0)
    elif name.startswith("artificial_"):
        x = artificial(int(name.split("_")[1]), train + test)
        parts = x[:train], x[train:]
    else:
        (x_train, _), (x_test, _) = load_images(name, data_dir)
        parts = [x.reshape(len(x), -1).astype("float32") / 255.0 for x in (x_train, x_test)]
    return parts[0][:train], parts[1][:test]


def observed_entries(x):
    """What the models read of rows with missing entries.

    Args:
        x: `(rows, features)`, NaN where a value is missing.

    Returns:
        `(x, mask)`, float32: 0 where missing, and 1 where observed.

    Example:
        >>> x, mask = observed_entries(np.array([[np.nan, 2.0]]))
        >>> x.tolist(), mask.tolist()
        ([[0.0, 2.0]], [[0.0, 1.0]])
    """
    x = np.asarray(x, "float32")
    return np.nan_to_num(x, nan=0.0), (~np.isnan(x)).astype("float32")


def _split(x):
    order = np.random.default_rng(0).permutation(len(x))
    x, kept = x[order], len(x) - max(1, len(x) // 5)
    return x[:kept], x[kept:]


def _read_npz(path):
    held = {name.removesuffix(".npy") for name in check_archive(path, "an .npz file")}
    if {"train", "test"} <= held:
        arrays = read_arrays(path, ["train", "test"])
        parts = [_as_float32(f"{name} in {path}", array) for name, array in arrays.items()]
        if parts[0].shape[1] != parts[1].shape[1]:
            shapes = [part.shape for part in parts]
            raise ValueError(f"train and test in {path} have shapes {shapes}: store equal columns.")
        return parts
    if "x" in held:
        return _split(_as_float32(f"x in {path}", read_arrays(path, ["x"])["x"]))
    raise ValueError(f"{path} holds {sorted(held)}: store 'train' and 'test', or 'x'.")


def _read_hdf5(path, scale):
    """Training and test rows of the HDF5 file of a path or of a prefix, divided by `scale`."""
    import h5py

    named = path if path.suffix == ".h5" else path.with_name(f"{path.name}.h5")
    regular_file(named, "an .npz file, an .h5 file or the latter's name without .h5")
    try:
        with h5py.File(named, "r") as file:
            held = {name for name in file if isinstance(file.get(name), h5py.Dataset)}
            for names in ARRAYS:
                if {name for name in names if name} <= held:
                    rows, mask, test = (name and file[name][()] for name in names)
                    break
            else:
                raise ValueError(
                    f"{named} holds {sorted(held)}: store 'train_data' and 'test_data', or "
                    f"'train_y', 'train_mask' and 'test_y_true'."
                )
    except OSError as error:
        raise ValueError(f"{named} cannot be read as an HDF5 file: write it again.") from error
    parts = [np.asarray(part) for part in (rows, test)]
    if any(part.dtype.kind not in "fiub" or part.ndim < 2 for part in parts):
        kinds = [f"{part.dtype} of shape {part.shape}" for part in parts]
        raise ValueError(f"{named} holds {kinds}: store numbers of shape (rows, features).")
    parts = [part.reshape(len(part), -1) for part in parts]
    if mask is not None:
        mask = np.asarray(mask).reshape(len(mask), -1)
        if mask.shape != parts[0].shape or not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"train_mask in {named} must hold 1 where train_y is observed and 0 elsewhere, got "
                f"shape {mask.shape} for {parts[0].shape}: store such a mask."
            )
        parts[0] = np.where(mask == 0, np.nan, parts[0])
    if parts[0].shape[1] != parts[1].shape[1]:
        shapes = [part.shape for part in parts]
        raise ValueError(f"{named} has training and test rows of shapes {shapes}: store the same.")
    return [_as_float32(f"{named}", part) / np.float32(scale) for part in parts]


def _as_float32(name, array):
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"{name} must hold numbers of shape (rows, features), got {array.dtype} of shape "
            f"{array.shape}: store such an array."
        )
    with np.errstate(over="ignore"):
        x = array.astype("float32")
    if np.isinf(x).any():
        raise ValueError(f"{name} holds infinity or numbers beyond float32: rescale its columns.")
    if columns := merged(array, x):
        warnings.warn(
            f"{name} holds distinct values in columns {columns} that become equal in float32: "
            f"subtract their means before you store it.",
            stacklevel=4,
        )
    return x


def read_frame(path, **options):
    """A .csv file as pandas reads it, if each column has a name of its own, and each row cells.

    Args:
        path: of the file.
        **options: of `pandas.read_csv`.

    Returns:
        DataFrame.

    Raises:
        ValueError: it is no such file, rows are longer than the header, or two names are equal.

    Example:
        ```python
        frame = read_frame("people.csv", dtype_backend="numpy_nullable")
        ```
    """
    import pandas as pd

    regular_file(path, "a .csv file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns that hold several types
            names = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            frame = pd.read_csv(path, index_col=False, **options)
    except (OSError, ValueError, OverflowError, MemoryError, Warning) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path} cannot be read as a .csv file in UTF-8 ({reason}): save it as such."
        ) from error
    if names.duplicated().any():
        raise ValueError(f"{path} has columns of the same name: name each column.")
    return frame


def _read_csv(path):
    frame = numeric_frame(str(path), read_frame(path))
    table = frame.to_numpy("float64")
    if len(table) < 2 or not table.shape[1]:
        raise ValueError(f"{path} has shape {table.shape}: name a file with two rows or more.")
    if np.isinf(table).any():
        names = list(frame.columns[np.isinf(table).any(axis=0)])
        raise ValueError(f"{path} holds infinity in columns {names}: leave these cells empty.")
    train, test = _split(table)
    columns = Columns(train)
    if columns.empty.any():
        names = list(frame.columns[columns.empty])
        raise ValueError(f"{path} has columns {names} without a number to train on: drop them.")
    outliers = [columns.outliers(part) for part in (train, test)]
    if (count := sum(part.sum(axis=0) for part in outliers)).any():
        found = {str(frame.columns[j]): int(count[j]) for j in np.flatnonzero(count)}
        warnings.warn(
            f"{path} holds gross outliers, {found}, which are left out as if they were missing: "
            f"correct these cells.",
            stacklevel=4,
        )
    ends = columns.standardize(np.stack([columns.low, columns.high]))
    span = np.where(columns.constant, 1.0, ends[1] - ends[0])
    return [
        ((np.where(far, np.nan, columns.standardize(part)) - ends[0]) / span).astype("float32")
        for part, far in zip((train, test), outliers, strict=True)
    ]
