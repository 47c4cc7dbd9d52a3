"""The sinusoid tasks, and the shipped data sets: drawn from their seeds, written and read."""

import json
from pathlib import Path

import numpy as np
import pytest

from cvae_keras.data import sinusoid
from cvae_keras.data.sinusoid import (
    SPLITS,
    TASKS,
    SinusoidTask,
    changed,
    generate,
    load,
    write,
)

ROOT = Path(__file__).resolve().parents[2]
TASK = TASKS["data_1"]


def test_sample_is_what_the_equations_say():
    x, y = SinusoidTask([("sin", 7, 2), ("cos", 3, 9)]).sample(100, seed=0)
    assert x.shape == y.shape == (100, 50, 2)
    assert x.dtype == y.dtype == np.float32
    assert np.all(np.diff(x[..., 0], axis=1) <= 0) and np.all(np.diff(x[..., 1], axis=1) >= 0)
    assert x.min() >= np.float32(0.1) and x.max() <= 1
    np.testing.assert_allclose(y[..., 0], np.sin(7 * x[..., 0] + 2 * x[..., 1]), atol=2e-6)
    np.testing.assert_allclose(y[..., 1], np.cos(3 * x[..., 0] + 9 * x[..., 1]), atol=2e-6)


def test_sample_depends_on_the_seed_only():
    first, again, other = TASK.sample(10, 0), TASK.sample(10, 0), TASK.sample(10, 1)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_draw_ends_follows_the_prior():
    ends = TASK.draw_ends(200_000, np.random.default_rng(0))
    # lo ~ U(0.1, 1): mean 0.55; hi ~ U(lo, 1): mean 0.775
    np.testing.assert_allclose(ends.mean(axis=0), [0.55, 0.775, 0.55, 0.775], atol=3e-3)
    share = (ends[:, 1] - ends[:, 0]) / (1 - ends[:, 0])
    assert share.std() == pytest.approx(12**-0.5, abs=2e-3)
    assert np.corrcoef(ends.T)[0, 2] == pytest.approx(0, abs=0.01)


def test_ends_inverts_ramps_and_is_least_squares():
    ends = TASK.draw_ends(20, np.random.default_rng(0)).reshape(4, 5, 4)
    x = TASK.ramps(ends)
    assert x.shape == (4, 5, 50, 2)
    np.testing.assert_allclose(TASK.ends(x), ends, atol=1e-12)
    noisy = x + np.random.default_rng(1).normal(size=x.shape)
    slope, start = np.polyfit(np.arange(50), noisy[0, 0, :, 0], 1)
    np.testing.assert_allclose(TASK.ends(noisy)[0, 0, :2], [start + 49 * slope, start])


def test_forward_keeps_the_dtype():
    x, _ = TASK.sample(3, seed=0)
    assert TASK.forward(x).dtype == np.float32
    assert TASK.forward(x.astype(np.float64)).dtype == np.float64
    assert TASK.forward(np.zeros((50, 2), int)).dtype == np.float64


def test_config_round_trip():
    for task in [TASK, SinusoidTask([("cos", -1.5, 2), ("sin", 3, 1)], points=20, box=(0, 2))]:
        again = SinusoidTask.from_config(json.loads(json.dumps(task.get_config())))
        assert again == task and hash(again) == hash(task) and repr(again) == repr(task)
        assert eval(repr(task)) == task
    assert TASKS["data_1"] != TASKS["data_2"]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"functions": [("sin", 5, 3)]}, ValueError, "functions is .* give two triples"),
        ({"functions": 3}, TypeError, "functions is 3; give two triples"),
        ({"functions": [("tan", 5, 3), ("cos", 4, 8)]}, ValueError, "functions names 'tan'"),
        ({"functions": [("sin", "5", 3), ("cos", 4, 8)]}, TypeError, "give two numbers"),
        ({"functions": [("sin", np.nan, 3), ("cos", 4, 8)]}, ValueError, "give finite numbers"),
        ({"functions": [("sin", 2, 4), ("cos", 4, 8)]}, ValueError, "singular system"),
        ({"functions": [("sin", 0, 0), ("cos", 4, 8)]}, ValueError, "singular system"),
        ({"points": 4}, ValueError, "points is 4; give at least 5"),
        ({"points": 5.5}, TypeError, "points is 5.5; give a whole number"),
        ({"box": (1.0, 0.1)}, ValueError, "box is .* 0 <= low < high"),
        ({"box": (-0.1, 1.0)}, ValueError, "box is .* 0 <= low < high"),
        ({"box": 3}, ValueError, "box is 3; give"),
    ],
)
def test_bad_tasks_say_so(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        SinusoidTask(**{"functions": [("sin", 5, 3), ("cos", 4, 8)], **arguments})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: TASK.forward(np.zeros((3, 49, 2))), "x has shape .* give"),
        (lambda: TASK.forward(np.full((50, 2), np.nan)), "x holds NaN or infinity"),
        (lambda: TASK.solutions(np.zeros((3, 50, 2))), "y has shape .* give one example"),
        (lambda: TASK.solutions(np.full((50, 2), np.nan)), "y holds NaN or infinity"),
        (lambda: TASK.solutions(np.full((50, 2), 1.5)), r"y reaches 1.5; .* within \[-1, 1\]"),
        (lambda: TASK.check_curves(np.zeros((3, 2, 50))), "y has shape"),
        (lambda: TASK.check_curves(np.zeros((1, 1, 50, 2))), "y has shape"),
        (lambda: TASK.check_curves(np.full((1, 50, 2), np.inf)), "y holds NaN or infinity"),
        (lambda: TASK.check_curves(np.full((1, 50, 2), -1.1)), "y reaches -1.1"),
        (lambda: TASK.ramps(np.zeros(3)), "ends has shape"),
        (lambda: TASK.sample(-1, 0), "n is -1"),
    ],
)
def test_bad_arguments_say_so(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_check_curves_returns_its_argument():
    _, y = TASK.sample(3, seed=0)
    assert np.array_equal(TASK.check_curves(y), y) and TASK.check_curves(y).dtype == np.float32
    assert TASK.check_curves(np.full((50, 2), 1 + 1e-7)).shape == (50, 2)
    with pytest.raises(TypeError, match="y is not an array of numbers"):
        TASK.check_curves([[["a", "b"]]])


# -- the shipped data sets -------------------------------------------------------------------------
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
    monkeypatch.setattr(sinusoid, "ROOT", tmp_path)
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


def test_write_replaces_what_differs_as_a_whole(tmp_path, monkeypatch):
    paths = write("data_1", tmp_path)
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    paths[1].unlink()
    paths[1].symlink_to(mine)
    assert changed("data_1", tmp_path) == [paths[1]]

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("cvae_keras.files.os.fsync", full)
        with pytest.raises(ValueError, match="No space left on device"):
            write("data_1", tmp_path, force=True)
    assert changed("data_1", tmp_path) == [paths[1]] and mine.read_bytes() == b"mine"
    write("data_1", tmp_path, force=True)
    assert changed("data_1", tmp_path) == [] and mine.read_bytes() == b"mine"
    paths[0].unlink()
    paths[0].mkdir()
    with pytest.raises(ValueError, match="train.npy is a folder, a device or a pipe"):
        write("data_1", tmp_path, force=True)


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
