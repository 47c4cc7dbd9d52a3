"""Images: read from a folder of the user's, and refused if damaged or of another shape."""

import gzip

import numpy as np
import pytest

from cvae_keras.data.images import load_images


def idx(array):
    """An IDX file, gzipped: two zeros, the type (8: uint8), the axes, their lengths, data."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(head + array.tobytes(), compresslevel=0)


def images(n):
    rng = np.random.default_rng(n)
    return rng.integers(0, 9, (n, 28, 28)).astype("uint8"), rng.integers(0, 9, n).astype("uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (x, y), (x_test, y_test) = images(60_000), images(10_000)
    arrays = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
    np.savez(folder / "mnist.npz", **arrays)
    (folder / "fashion-mnist").mkdir()
    names = [
        f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
    ]
    for name, array in zip(names, arrays.values(), strict=True):
        (folder / "fashion-mnist" / f"{name}-ubyte.gz").write_bytes(idx(array))
    return folder


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_images_are_read_from_files(name, folder, monkeypatch):
    monkeypatch.setenv("CVAE_KERAS_DATA", str(folder))
    for (x, y), n in zip(load_images(name), (60_000, 10_000), strict=True):
        expected = images(n)
        assert np.array_equal(x, expected[0].reshape(n, 784)) and np.array_equal(y, expected[1])


def test_digits_need_no_file(tmp_path):
    (x, y), (x_test, y_test) = load_images("digits", tmp_path)
    assert x.shape == (1500, 64) and x_test.shape == (297, 64) and x.max() == 16
    assert len(y) == 1500 and len(y_test) == 297


def test_what_is_absent_damaged_or_short_is_refused(tmp_path, folder):
    with pytest.raises(ValueError, match="name 'cifar' is unknown"):
        load_images("cifar")
    for name in ("mnist", "fashion_mnist"):
        with pytest.raises(ValueError, match="absent or damaged"):
            load_images(name, tmp_path)
    (tmp_path / "mnist.npz").write_bytes((folder / "mnist.npz").read_bytes()[:5000])
    (tmp_path / "fashion-mnist").mkdir()
    for path in (folder / "fashion-mnist").iterdir():
        (tmp_path / "fashion-mnist" / path.name).write_bytes(path.read_bytes()[:-500])
    for name in ("mnist", "fashion_mnist"):
        with pytest.raises(ValueError, match="absent or damaged"):
            load_images(name, tmp_path)
    np.savez(tmp_path / "mnist.npz", **{n: np.zeros((2, 28, 28)) for n in ("x_train", "x_test")},
             y_train=np.zeros(2), y_test=np.zeros(2))  # fmt: skip
    with pytest.raises(ValueError, match="2 images"):
        load_images("mnist", tmp_path)
