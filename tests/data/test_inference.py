"""The tasks of simulation-based inference: solutions, conserved quantities, closed forms."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from cvae_keras.data import simulators
from cvae_keras.data.inference import INFERENCE_TASKS, InferenceTask, load_reference

RATES = INFERENCE_TASKS["lotka_volterra"].draw_prior(300, seed=0)
CONTACTS = INFERENCE_TASKS["sir"].draw_prior(300, seed=0)


@pytest.mark.parametrize("name", INFERENCE_TASKS)
def test_every_task_draws_inside_its_bounds_and_repeats(name):
    task = INFERENCE_TASKS[name]
    theta = task.draw_prior(20_000, seed=1)
    low, high = task.bounds.T
    assert theta.shape == (20_000, task.dim) and ((theta > low) & (theta < high)).all()
    logs = np.log(theta) if task.prior == "log_normal" else theta
    if task.prior == "uniform":
        mean, deviation = np.add(low, high) / 2, (high - low) / math.sqrt(12)
    else:
        mean, deviation = np.array(task.first), np.array(task.second)
    np.testing.assert_allclose(logs.mean(axis=0), mean, atol=0.03 * deviation.max())
    np.testing.assert_allclose(logs.std(axis=0), deviation, rtol=0.03)
    first, again, other = (task.examples(200, seed=seed) for seed in (3, 3, 4))
    assert first["x"].shape == (200, task.dim) and first["c"].shape == (200, task.data_dim)
    assert all(np.array_equal(first[key], again[key]) for key in "xc")
    assert not np.array_equal(first["c"], other["c"]) and np.isfinite(first["c"]).all()


def test_two_moons_lie_on_half_circles_that_two_thetas_share():
    theta = np.tile([[0.3, 0.2]], (20_000, 1))
    for same in (theta, -theta[:, ::-1]):  # |t1 + t2| and t2 - t1 are equal
        x = INFERENCE_TASKS["two_moons"].simulate(same, seed=0)
        center = [0.25 - 0.5 / math.sqrt(2), -0.1 / math.sqrt(2)]
        radius = np.hypot(*(x - center).T)
        assert radius.mean() == pytest.approx(0.1, abs=5e-4)
        assert radius.std() == pytest.approx(0.01, abs=5e-4)
        assert (x[:, 0] > center[0]).all()
        np.testing.assert_allclose((x - center).mean(axis=0), [0.2 / math.pi, 0], atol=2e-3)


def test_gaussian_tasks_have_their_moments():
    theta = np.full((50_000, 2), 2.0)
    noise = INFERENCE_TASKS["gaussian_mixture"].simulate(theta, seed=0) - theta
    assert np.var(noise) == pytest.approx((1 + 0.01) / 2, rel=0.02)
    assert np.mean(noise**4) == pytest.approx(3 * (1 + 0.0001) / 2, rel=0.05)
    narrow = np.abs(noise).max(axis=1) < 0.25  # of both coordinates at once
    assert narrow.mean() == pytest.approx(0.5 * 0.9877 + 0.5 * 0.0390, abs=0.01)
    task = INFERENCE_TASKS["gaussian_linear"]
    theta = task.draw_prior(50_000, seed=0)
    x = task.simulate(theta, seed=1)
    assert np.var(x) == pytest.approx(0.2, rel=0.02)
    # the posterior of a Gaussian prior and a Gaussian of the same variance: N(x / 2, 0.05)
    assert np.var(theta - x / 2) == pytest.approx(0.05, rel=0.02)
    assert np.mean((theta - x / 2) * x) == pytest.approx(0, abs=2e-3)


def test_slcp_draws_have_their_covariance():
    theta = np.tile([[1.0, -2.0, 1.5, -0.8, 0.6]], (50_000, 1))
    x = INFERENCE_TASKS["slcp"].simulate(theta, seed=0).reshape(-1, 4, 2)
    np.testing.assert_allclose(x.mean(axis=0), np.tile([[1, -2]], (4, 1)), atol=0.04)
    covariance = math.tanh(0.6) * 1.5**2 * 0.8**2
    expected = [[1.5**4, covariance], [covariance, 0.8**4]]
    for draw in range(4):
        np.testing.assert_allclose(np.cov(x[:, draw].T), expected, rtol=0.05)
    assert abs(np.corrcoef(x[:, 0, 0], x[:, 1, 0])[0, 1]) < 0.02  # the draws are independent


def test_sir_keeps_its_conserved_quantities_and_counts():
    beta, gamma = CONTACTS.T[:, :, None]
    states = simulators.solve_sir(CONTACTS, simulators.DAYS)
    s, i, r = np.moveaxis(states, -1, 0)
    np.testing.assert_allclose(s + i + r, simulators.POPULATION)
    assert (s > 0).all() and (i > 0).all() and (r > -1e-6).all() and (np.diff(s) < 0).all()
    first_integral = s + i - gamma / beta * simulators.POPULATION * np.log(s)
    np.testing.assert_allclose(first_integral, first_integral[:, :1] + np.zeros(10), rtol=1e-5)
    tests = INFERENCE_TASKS["sir"].simulate(np.tile(CONTACTS[:1], (5000, 1)), seed=0)
    assert np.array_equal(tests, tests.round()) and tests.min() >= 0 and tests.max() <= 1000
    expected = i[0] / simulators.POPULATION * simulators.TESTED
    np.testing.assert_allclose(tests.mean(axis=0), expected, atol=1.0)


def test_lotka_volterra_keeps_its_conserved_quantity_and_has_log_normal_noise():
    a, b, c, d = RATES.T[:, :, None]
    x, y = np.moveaxis(simulators.solve_lotka_volterra(RATES, simulators.TIMES), -1, 0)
    conserved = d * x - c * np.log(x) + b * y - a * np.log(y)
    np.testing.assert_allclose(conserved, conserved[:, :1] + np.zeros(10), rtol=1e-4, atol=1e-4)
    counts = INFERENCE_TASKS["lotka_volterra"].simulate(np.tile(RATES[:1], (20_000, 1)), seed=0)
    logs = np.log(counts)
    solution = np.clip(np.concatenate([x[0], y[0]]), 1e-10, 1e4)
    np.testing.assert_allclose(logs.mean(axis=0), np.log(solution), atol=4e-3)
    np.testing.assert_allclose(logs.std(axis=0), 0.1, rtol=0.03)


@pytest.mark.parametrize("name", ["sir", "lotka_volterra"])
def test_solutions_agree_with_scipy(name):
    if name == "sir":
        theta, times, start = CONTACTS[:20], simulators.DAYS, [simulators.POPULATION - 1, 1.0]
        states = simulators.solve_sir(theta, times)[..., :2]
    else:
        theta, times, start = RATES[:20], simulators.TIMES, [30.0, 1.0]
        states = simulators.solve_lotka_volterra(theta, times)

    def slope(_, logs, row):
        first, second = np.exp(logs)
        if name == "sir":
            beta, gamma = row
            contacts = beta / simulators.POPULATION
            return [-contacts * second, contacts * first - gamma]
        a, b, c, d = row
        return [a - b * second, d * first - c]

    for row, state in zip(theta, states, strict=True):
        solution = solve_ivp(
            *(slope, (0, times[-1]), np.log(start)),
            **{"t_eval": times, "args": (row,), "method": "DOP853", "rtol": 1e-10, "atol": 1e-10},
        )
        np.testing.assert_allclose(np.log(state), solution.y.T, atol=2e-5)


@pytest.fixture
def reference(tmp_path):
    """Exact samples of the linear Gaussian task, in the format of the benchmark's files."""
    rng, task, arrays = np.random.default_rng(0), INFERENCE_TASKS["gaussian_linear"], {}
    for i in range(1, 6):
        x = arrays[f"observation_{i}"] = task.examples(1, seed=i)["c"]
        arrays[f"reference_{i}"] = rng.normal(x / 2, math.sqrt(0.05), (1000, 10))
    np.savez(tmp_path / "gaussian_linear.npz", **arrays)
    return tmp_path, arrays


def test_reference_samples_are_read(reference):
    folder, _ = reference
    pairs = load_reference(folder, "gaussian_linear")
    assert len(pairs) == 5
    for observation, samples in pairs:
        assert observation.shape == (10,) and samples.shape == (1000, 10)
        np.testing.assert_allclose(samples.mean(axis=0), observation / 2, atol=0.03)


def test_bad_input_is_refused(reference, monkeypatch):
    monkeypatch.setattr(simulators, "HALVINGS", 3)
    folder, arrays = reference
    task = INFERENCE_TASKS["two_moons"]
    for call, sentence in [
        (lambda: load_reference(folder, "other"), "task 'other' is unknown"),
        (lambda: load_reference(folder, "two_moons"), "two_moons.npz"),
        (lambda: task.simulate(np.zeros((5, 3))), r"needs \(n, 2\)"),
        (lambda: task.simulate(np.full((5, 2), 1.5)), "outside the prior of two_moons"),
        (lambda: task.simulate(np.full((5, 2), np.nan)), "outside the prior"),
        (lambda: task.draw_prior(0), "n must be a positive integer"),
        (lambda: InferenceTask("a", "gamma", (0,), (1,), task.simulator, 2), "prior 'gamma'"),
        (lambda: InferenceTask("a", "normal", (0,), (1, 1), task.simulator, 2), "one number per"),
        (
            lambda: simulators.solve_lotka_volterra(np.full((1, 4), 1e4), simulators.TIMES),
            "give smaller rates",
        ),
    ]:
        with pytest.raises(ValueError, match=sentence):
            call()
    for key, array, sentence in [
        ("reference_2", np.zeros((5, 9)), "reference_2 in .* needs"),
        ("observation_3", np.full((1, 10), np.nan), "NaN or infinity"),
        ("reference_5", None, "lacks the array 'reference_5'"),
    ]:
        changed = {**arrays, key: array}
        changed = {name: value for name, value in changed.items() if value is not None}
        np.savez(folder / "gaussian_linear.npz", **changed)
        with pytest.raises(ValueError, match=sentence):
            load_reference(folder, "gaussian_linear")
