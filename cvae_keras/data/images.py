"""MNIST, Fashion-MNIST and scikit-learn's digits, as rows of pixels from 0 to 255 (digits: 16)."""

import gzip
import math
import os
import zlib

import numpy as np

from cvae_keras.checks import check_choice
from cvae_keras.data.arrays import read_arrays
from cvae_keras.files import expand, regular_file

NAMES = ("mnist", "fashion_mnist", "digits")
FASHION = "fashion-mnist"
#: The classes of Fashion-MNIST.
GARMENTS = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
FILES = {"train": "train", "test": "t10k"}
COUNTS = (60_000, 10_000)


def load_images(name, folder=None):
    """Load a data set of images and their classes.

    Args:
        name: "mnist" or "fashion_mnist" (60,000 training and 10,000 test images of 28 x 28), or
            "digits" (1,500 and 297 of scikit-learn's, 8 x 8, which need no file).
        folder: the folder of `mnist.npz` and of `fashion-mnist/` with its four .gz files; by
            default that of the environment variable CVAE_KERAS_DATA, and if that is not set, Keras
            downloads the files.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x uint8 `(examples, pixels)`, y int64 `(examples,)`.

    Raises:
        ValueError: name is unknown, or a file is absent, damaged or of another shape.

    Example:
        >>> from cvae_keras.data import load_images
        >>> (x, y), (x_test, y_test) = load_images("digits")
        >>> x.shape, x_test.shape
        ((1500, 64), (297, 64))
    """
    check_choice("name", name, NAMES)
    folder = folder or os.environ.get("CVAE_KERAS_DATA")
    if name == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        x = x.astype("uint8")
        return (x[:1500], y[:1500]), (x[1500:], y[1500:])
    if folder is not None:
        parts = _mnist(expand(folder)) if name == "mnist" else _fashion(expand(folder) / FASHION)
    else:
        import keras

        parts = getattr(keras.datasets, name).load_data()
    return tuple((x.reshape(len(x), -1), y.astype("int64")) for x, y in parts)


def _mnist(folder):
    path = folder / "mnist.npz"
    names = [f"{kind}_{part}" for part in FILES for kind in "xy"]
    try:
        held = read_arrays(path, names)
    except ValueError as error:
        raise ValueError(f"{path} is absent or damaged: put Keras's mnist.npz there.") from error
    return _checked([(held[f"x_{part}"], held[f"y_{part}"]) for part in FILES], path)


def _fashion(folder):
    parts = []
    for prefix, count in zip(FILES.values(), COUNTS, strict=True):
        images = _read_idx(folder / f"{prefix}-images-idx3-ubyte.gz", (count, 28, 28))
        labels = _read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", (count,))
        parts.append((images, labels))
    return _checked(parts, folder)


def _read_idx(path, shape):
    """The bytes of a .gz file in the IDX format, which begins with 8, the dimensions and sizes."""
    head = np.array([0x800 + len(shape), *shape], ">u4").tobytes()
    size = math.prod(shape)
    try:
        with gzip.open(regular_file(path, "a .gz file")) as file:
            content = file.read(len(head) + size + 1)  # no more, whatever it unpacks to
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is absent or damaged: put the four .gz files there.") from error
    if len(content) != len(head) + size or not content.startswith(head):
        raise ValueError(f"{path} does not hold bytes of shape {shape}: replace it.")
    return np.frombuffer(content, "uint8", offset=len(head)).reshape(shape)


def _checked(parts, path):
    for (x, y), count in zip(parts, COUNTS, strict=True):
        if x.shape[:1] != (count,) or y.shape != (count,) or x[0].shape != (28, 28):
            raise ValueError(
                f"{path} holds {len(x) if x.ndim else 0} images and labels of shape {y.shape}, "
                f"but {count} of 28 x 28 are expected: replace it."
            )
        if x.dtype != np.uint8 or y.dtype.kind not in "iu" or y.min() < 0 or y.max() > 9:
            raise ValueError(
                f"{path} must hold pixels of type uint8 and labels from 0 to 9: replace it."
            )
    return parts
