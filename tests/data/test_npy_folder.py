"""Folders of .npy files: order, ids, bad files named before training, training from them."""

import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.data.npy_folder import NpyFolder


@pytest.fixture
def tree(tmp_path):
    x = np.random.default_rng(0).normal(size=(12, 2, 3)).astype("float32")
    for number, example in enumerate(x):
        path = tmp_path / "tree" / f"part_{number % 3}" / "deep" / f"{number:02d}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, example)
    return tmp_path / "tree", x


def test_rows_and_ids(tree):
    path, x = tree
    folder = NpyFolder(path)
    assert folder.shape == (12, 6) and folder.ids[0] == "part_0/deep/00.npy"
    numbers = [int(name[-6:-4]) for name in folder.ids]
    assert np.array_equal(folder[[5, 2]], x[numbers].reshape(12, 6)[[5, 2]])
    assert folder[2:4].shape == (2, 6)


def spoil(path):
    files = sorted(path.rglob("*.npy"))
    files[0].write_bytes(b"no array")
    files[1].write_bytes(files[1].read_bytes()[:-4])  # truncated
    np.save(files[2], np.zeros((3, 2), "float32"))
    np.save(files[3], np.full((2, 3), np.nan))
    np.save(files[4], np.array([["a"] * 3] * 2))
    files[5].unlink()
    files[5].symlink_to(path / "gone")
    return [file.relative_to(path).as_posix() for file in files[:6]]


def test_bad_files_are_named_before_training(tree):
    path, _ = tree
    bad = spoil(path)
    with pytest.raises(ValueError, match=f"6 files that cannot be read, {bad[0]}: "):
        CompressionVAE(str(path)).train()
    with pytest.warns(UserWarning, match="6 of 12 files were left out"):
        folder = NpyFolder(path, on_error="skip")
    assert sorted(folder.skipped) == bad and len(folder) == 6


def test_shape_is_that_of_most_files(tree):
    path, _ = tree
    np.save(path / "a.npy", np.zeros(5))
    with pytest.raises(ValueError, match=r"a.npy: has shape \(5,\), not \(2, 3\)"):
        NpyFolder(path)


def test_a_file_that_changes_later_is_named(tree):
    path, _ = tree
    folder = NpyFolder(path)
    (path / folder.ids[3]).unlink()
    with pytest.raises(ValueError, match=f"{folder.ids[3]} cannot be read any more"):
        folder[[3]]


def test_no_folder_and_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="which is not a folder"):
        NpyFolder(tmp_path / "absent")
    with pytest.raises(ValueError, match="holds no .npy file"):
        NpyFolder(tmp_path)
    with pytest.raises(ValueError, match="on_error"):
        NpyFolder(tmp_path, on_error="ignore")


def test_training_from_a_folder_is_as_from_the_array(tree, in_tmp):
    path, _ = tree
    options = {"cells_encoder": [8], "iaf_flow_length": 1, "num_steps": 3, "verbose": False}
    embedder = CompressionVAE(str(path), **options)
    embedder.train()
    z = embedder.embed(str(path))
    assert embedder.ids_ == NpyFolder(path).ids and z.shape == (12, 2)
    assert np.array_equal(z, CompressionVAE(**options).fit_transform(NpyFolder(path)[:]))
