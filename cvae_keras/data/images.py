"""MNIST and Fashion-MNIST, from files of one's own or by Keras's download."""

import gzip
import os
from pathlib import Path

import numpy as np

from cvae_keras.checks import check_choice

NAMES = ("mnist", "fashion_mnist")
FASHION = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


def load_images(name, data_dir=None):
    """Read an image data set.

    Args:
        name: "mnist" or "fashion_mnist".
        data_dir: folder with `mnist.npz`, or with the four .gz files of Fashion-MNIST (there or in
            its `fashion-mnist`); by default the environment variable CVAE_KERAS_DATA, and where
            that is not set Keras downloads.

    Returns:
        x_train, y_train, x_test, y_test: uint8, images `(n, 28, 28)` and labels `(n,)`.

    Raises:
        ValueError: an unknown name, or no such file.

    Example:
        >>> x_train, y_train, x_test, y_test = load_images("mnist", "~/data")
    """
    check_choice("name", name, NAMES)
    data_dir = data_dir or os.environ.get("CVAE_KERAS_DATA")
    if data_dir is None:
        import keras

        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
        return x_train, y_train, x_test, y_test
    folder = Path(data_dir).expanduser()
    if name == "mnist":
        path = folder / "mnist.npz"
        if not path.is_file():
            raise ValueError(f"{path} is not there: put mnist.npz into {folder}.")
        with np.load(path, allow_pickle=False) as file:
            return tuple(file[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    folder = folder if (folder / FASHION[0]).is_file() else folder / "fashion-mnist"
    if missing := [file for file in FASHION if not (folder / file).is_file()]:
        raise ValueError(
            f"{folder / missing[0]} is not there: put the four .gz files into {folder}."
        )
    return tuple(_read_idx(folder / file) for file in FASHION)


def _read_idx(path):
    """An IDX file: two zeros, the type (8: uint8), the number of axes, their lengths, the data."""
    content = gzip.decompress(path.read_bytes())
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of bytes: download it anew.")
    shape = np.frombuffer(content, ">i4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
