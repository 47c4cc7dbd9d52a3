"""The shipped data sets: drawn from their seeds, written and read."""

from pathlib import Path

import numpy as np
import pytest

from cvae_keras.data import sinusoid as sinusoid_files
from cvae_keras.data.sinusoid import SPLITS, TASKS, generate, load, write

ROOT = Path(__file__).resolve().parents[2]


def test_unknown_names_say_so():
    with pytest.raises(ValueError, match="name is 'data_3'; give one of data_1, data_2"):
        generate("data_3")
    with pytest.raises(ValueError, match="split is 'test'; give one of"):
        load("data_1", "test")


@pytest.mark.parametrize("name", ["data_1", "data_2"])
def test_shipped_data_is_regenerated_bit_for_bit(name, tmp_path):
    for path in write(name, tmp_path):
        assert path.read_bytes() == (ROOT / name / path.name).read_bytes()
    for split, ends in generate(name).items():
        assert ends.shape == (SPLITS[split], 4) and ends.dtype == np.float32


@pytest.mark.parametrize("name", ["data_1", "data_2"])
def test_load_gives_curves_of_the_task(name):
    x, y = load(name, "validation")
    assert x.shape == y.shape == (3000, 50, 2) and x.dtype == y.dtype == np.float32
    np.testing.assert_allclose(TASKS[name].forward(x), y, atol=2e-5)
    again = load(name, "validation", folder=ROOT)
    assert np.array_equal(x, again[0]) and np.array_equal(y, again[1])


def test_load_without_the_folder_draws_again(monkeypatch, tmp_path):
    x, y = load("data_1", "score")
    monkeypatch.setattr(sinusoid_files, "ROOT", tmp_path)
    again = load("data_1", "score")
    assert np.array_equal(x, again[0]) and np.array_equal(y, again[1])


def test_splits_differ():
    drawn = [ends[:50] for name in TASKS for ends in generate(name).values()]
    assert len({ends.tobytes() for ends in drawn}) == 6


def test_write_overwrites_nothing_unless_forced(tmp_path):
    path = write("data_1", tmp_path)[0]
    good = path.read_bytes()
    write("data_1", tmp_path)  # the same content again is fine
    path.write_bytes(b"mine")
    with pytest.raises(ValueError, match="train.npy exists with other content"):
        write("data_1", tmp_path)
    assert path.read_bytes() == b"mine"
    write("data_1", tmp_path, force=True)
    assert path.read_bytes() == good


def test_write_into_a_file_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        write("data_1", tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "absent, truncated or not a .npy file"),
        (b"", "absent, truncated or not a .npy file"),
        (b"not an array", "absent, truncated or not a .npy file"),
        (np.zeros((3, 5), np.float32), "has shape"),
        (np.full((3, 4), 0.5), "holds float64"),
        (np.full((3, 4), np.nan, np.float32), "holds ends that are not"),
        (np.array([[0.9, 0.2, 0.3, 0.8]], np.float32), "holds ends that are not"),
        (np.array([[0.2, 1.2, 0.3, 0.8]], np.float32), "holds ends that are not"),
    ],
)
def test_bad_files_say_so(content, sentence, tmp_path):
    path = tmp_path / "data_1" / "score.npy"
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(ValueError, match=f"score.npy.*{sentence}"):
        load("data_1", "score", folder=tmp_path)


def test_truncated_file_says_so(tmp_path):
    path = write("data_1", tmp_path)[2]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="absent, truncated or not a .npy file"):
        load("data_1", "score", folder=tmp_path)
