"""MNIST, Fashion-MNIST and scikit-learn's digits, as rows of pixels from 0 to 255 (digits: 16)."""

import gzip
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cvae_keras.checks import check_choice

NAMES = ("mnist", "fashion_mnist", "digits")
FASHION = "fashion-mnist"
#: The classes of Fashion-MNIST.
GARMENTS = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
FILES = {"train": "train", "test": "t10k"}


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
        parts = _mnist(Path(folder)) if name == "mnist" else _fashion(Path(folder) / FASHION)
    else:
        import keras

        parts = getattr(keras.datasets, name).load_data()
    return tuple((x.reshape(len(x), -1), y.astype("int64")) for x, y in parts)


def _mnist(folder):
    path = folder / "mnist.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = [(file[f"x_{part}"], file[f"y_{part}"]) for part in FILES]
    except (OSError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is absent or damaged: put Keras's mnist.npz there.") from error
    return _checked(parts, path)


def _fashion(folder):
    parts = []
    for prefix in FILES.values():
        paths = [folder / f"{prefix}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
        try:
            images, labels = (gzip.decompress(path.read_bytes()) for path in paths)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"{paths[0]} or its labels are absent or damaged: put the four .gz files there."
            ) from error
        pixels = np.frombuffer(images, "uint8", offset=16)
        if pixels.size % 784:
            raise ValueError(f"{paths[0]} does not hold images of 28 x 28: replace it.")
        parts.append((pixels.reshape(-1, 784), np.frombuffer(labels, "uint8", offset=8)))
    return _checked(parts, folder)


def _checked(parts, path):
    for (x, y), count in zip(parts, (60_000, 10_000), strict=True):
        if len(x) != count or len(y) != count or x[0].size != 784:
            raise ValueError(
                f"{path} holds {len(x)} images and {len(y)} labels, but {count} are expected: "
                f"replace it."
            )
    return parts
