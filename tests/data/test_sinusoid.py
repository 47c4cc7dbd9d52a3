"""The sinusoid tasks."""

import json

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS, SinusoidTask

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


def test_check_curves_returns_what_it_was_given():
    _, y = TASK.sample(3, seed=0)
    assert np.array_equal(TASK.check_curves(y), y) and TASK.check_curves(y).dtype == np.float32
    assert TASK.check_curves(np.full((50, 2), 1 + 1e-7)).shape == (50, 2)
    with pytest.raises(TypeError, match="y is not an array of numbers"):
        TASK.check_curves([[["a", "b"]]])
