"""The closed form of the sinusoid tasks against known answers."""

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.truth.sinusoid import fit_phase, solutions

OTHER = SinusoidTask([("sin", 7, 2), ("cos", 3, 9)])
ALIASED = SinusoidTask([("sin", 40, 11), ("cos", 3, 90)], points=15)  # faster than its sampling
MINUS = SinusoidTask([("sin", 5, -3), ("cos", 4, 8)])
ALL = [TASKS["data_1"], TASKS["data_2"], OTHER, ALIASED, MINUS]


def test_fit_phase_recovers_phase_and_speed():
    rng = np.random.default_rng(0)
    phi, omega = rng.uniform(-np.pi, np.pi, (20, 30)), rng.uniform(0.01, 3.0, (20, 30))
    v = np.cos(phi[..., None] + omega[..., None] * (np.arange(50) - 24.5))
    got_phi, got_omega = fit_phase(v)
    assert got_phi.shape == (20, 30)
    assert np.all(got_omega >= 0)
    np.testing.assert_allclose(got_omega, omega, atol=1e-9)
    np.testing.assert_allclose(np.cos(got_phi - phi), 1, atol=1e-12)


@pytest.mark.parametrize("value", [1.0, -1.0, 0.0, 1 - 1e-7, 0.3])
def test_fit_phase_survives_constant_curves(value):
    curve = np.full(50, value, np.float32)
    phi, omega = fit_phase(curve)
    fitted = np.cos(phi + omega * (np.arange(50) - 24.5))
    np.testing.assert_allclose(fitted, curve, atol=1e-6)


def test_fit_phase_survives_slow_float32_curves():
    rng = np.random.default_rng(1)
    phi, omega = rng.uniform(-0.05, 0.05, 300), 10 ** rng.uniform(-7, -2, 300)
    phi[:150] += np.pi / 2
    v = np.cos(phi[:, None] + omega[:, None] * (np.arange(50) - 24.5)).astype(np.float32)
    got, speed = fit_phase(v)
    fitted = np.cos(got[:, None] + speed[:, None] * (np.arange(50) - 24.5))
    np.testing.assert_allclose(fitted, v, atol=1e-6)


@pytest.mark.parametrize("task", ALL, ids=str)
def test_truth_is_listed_and_every_solution_solves(task):
    x, y = task.sample(300, seed=3)
    for one_x, one_y in zip(x, y, strict=True):
        found, weights = task.solutions(one_y)
        assert np.abs(found - one_x).max(axis=(1, 2)).min() < 1e-4
        assert np.abs(task.forward(found) - one_y).max() < 1e-5
        assert weights.sum() == pytest.approx(1)
        assert np.all(np.diff(weights) <= 0)
        ends = task.ends(found)
        assert ends.min() > task.box[0] - 2e-5 and ends.max() < task.box[1] + 2e-5
        assert np.all(ends[:, [0, 2]] <= ends[:, [1, 3]] + 2e-5)


@pytest.mark.parametrize("task", ALL, ids=str)
def test_constant_ramps_are_solved(task):
    level = np.array([[0.31, 0.31, 0.52, 0.52], [0.6, 0.6, 0.2, 0.2], [0.7, 0.7000001, 0.4, 0.4]])
    for ends in level:
        x = task.ramps(ends)
        found, _ = task.solutions(task.forward(x).astype(np.float32))
        assert np.abs(found - x).max(axis=(1, 2)).min() < 1e-4


def test_average_number_of_solutions():
    for name, mean, most in [("data_1", 1.30, 2), ("data_2", 2.54, 9)]:
        _, y = TASKS[name].sample(2000, seed=5)
        counts = np.array([len(TASKS[name].solutions(one)[1]) for one in y])
        assert counts.mean() == pytest.approx(mean, abs=0.06)
        assert counts.min() == 1 and counts.max() <= most


@pytest.mark.parametrize("task", ALL[:4], ids=str)
def test_no_solution_is_missed_by_search_from_many_starts(task):
    """Gauss-Newton on the raw curves, from many draws of the prior, finds nothing unlisted."""
    rng = np.random.default_rng(2)
    found, every = 0, (task.points - 1) // 7  # 8 points are enough to find, all to be accepted
    few = SinusoidTask(task.functions, points=8, box=task.box)
    for index in range(6):
        y = task.sample(1, seed=[7, index])[1][0].astype(np.float64)
        seen = y[::every]
        listed = task.ends(task.solutions(y)[0])
        ends = task.draw_ends(3000, rng)
        for _ in range(25):  # numerical derivative, 4 ramp ends at once, no use of the phases
            base = few.forward(few.ramps(ends)).reshape(len(ends), -1)
            shifted = [
                few.forward(few.ramps(ends + 1e-6 * axis)).reshape(len(ends), -1)
                for axis in np.eye(4)
            ]
            slope = (np.stack(shifted, axis=-1) - base[..., None]) / 1e-6
            normal = slope.transpose(0, 2, 1) @ slope + 1e-6 * np.eye(4)
            right = slope.transpose(0, 2, 1) @ (seen.reshape(-1) - base)[..., None]
            ends = ends + np.clip(np.linalg.solve(normal, right)[..., 0], -0.1, 0.1)
        error = np.abs(task.forward(task.ramps(ends)) - y).max(axis=(1, 2))
        low, high = task.box
        valid = (error < 1e-5) & np.all((ends > low) & (ends < high), axis=1)
        valid &= (ends[:, 0] < ends[:, 1]) & (ends[:, 2] < ends[:, 3])
        found += valid.sum()
        if valid.any():
            distance = np.abs(ends[valid][:, None] - listed).max(axis=2).min(axis=1)
            assert distance.max() < 1e-3
    assert found > 0


def test_weights_agree_with_rejection_sampling():
    """Draws of the prior that reach y within a tolerance fall on the modes by their weights."""
    task = SinusoidTask([("sin", 5, 3), ("cos", 4, 8)], points=5)
    rng = np.random.default_rng(4)
    for seed in range(100):  # a y with two modes, apart and of unequal weight
        modes, weights = task.solutions(task.sample(1, seed=seed)[1][0])
        if len(modes) == 2 and weights[0] > 0.7 and np.abs(modes[0] - modes[1]).max() > 0.3:
            break
    y, counts = task.forward(modes[0]), np.zeros(2)
    for _ in range(8):
        x = task.ramps(task.draw_ends(250_000, rng))
        x = x[np.abs(task.forward(x) - y).max(axis=(1, 2)) < 0.12]
        distance = np.abs(x[:, None] - modes).max(axis=(2, 3))
        counts += np.bincount(np.argmin(distance, axis=1), minlength=2)
    assert counts.sum() > 200
    error = 4 * np.sqrt(weights[0] * weights[1] / counts.sum()) + 0.02
    assert counts[0] / counts.sum() == pytest.approx(weights[0], abs=error)


def test_curves_off_the_model_have_no_solution():
    y = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    ends, weights = solutions(TASKS["data_1"].functions, y)
    assert ends.shape == (0, 4) and weights.shape == (0,)
    found, weights = TASKS["data_1"].solutions(y)
    assert found.shape == (0, 50, 2) and weights.shape == (0,)


def test_bad_shapes_say_so():
    with pytest.raises(ValueError, match="y has shape .* give one example of shape"):
        solutions(TASKS["data_1"].functions, np.zeros((3, 50, 2)))
    with pytest.raises(ValueError, match="curve has shape .* at least 3 points"):
        fit_phase(np.zeros(2))
