"""Test-time refinement against the exact solutions."""

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.metrics import score_samples
from cvae_keras.systems.sinusoid.refine import fit_cosine, refine


def perturbed(task, x, scale, n_samples, seed=0):
    noise = np.random.default_rng(seed).normal(scale=scale, size=(n_samples, len(x), 4))
    return task.ramps(task.ends(x) + noise).astype(np.float32)


@pytest.mark.parametrize("name", ["data_1", "data_2"])
def test_perturbed_truths_come_back(name):
    task = TASKS[name]
    x, y = task.sample(200, seed=0)
    samples = perturbed(task, x, 0.003, 5)
    refined, ok = refine(task, samples, y)
    assert refined.shape == samples.shape and refined.dtype == np.float64 and ok.shape == (5, 200)
    assert ok.mean() > 0.98
    assert np.abs(task.forward(refined) - y)[ok].mean() < 1e-7
    assert np.mean(np.abs(refined - x)[ok].max(axis=(1, 2)) < 1e-4) > 0.99
    score = score_samples(task, refined, y, ok)
    assert score["precision"] > 0.9999 and score["residual"] < 1e-6


def test_noisy_curves_that_are_no_ramps_are_refined_too():
    task = SinusoidTask([("sin", 7, 2), ("cos", 3, 9)], points=40)
    x, y = task.sample(300, seed=0)
    refined, ok = refine(task, x + np.random.default_rng(0).normal(scale=0.05, size=x.shape), y)
    assert ok.mean() > 0.95
    assert np.all(np.abs(task.forward(refined) - y)[ok] < 1e-4)


def test_ok_means_what_it_says():
    task = TASKS["data_2"]
    x, y = task.sample(200, seed=1)
    refined, ok = refine(task, perturbed(task, x, 0.05, 10), y)
    ends = task.ends(refined)
    inside = np.all((ends > 0.1 - 2e-6) & (ends < 1 + 2e-6), axis=-1)
    ordered = np.all(ends[..., [0, 2]] <= ends[..., [1, 3]] + 2e-6, axis=-1)
    solved = np.abs(task.forward(refined) - y).max(axis=(-1, -2)) <= 1e-4
    assert np.array_equal(ok, inside & ordered & solved)
    assert 0 < ok.mean() < 1


@pytest.mark.parametrize("value", [0.0, 3.0, -50.0, 1e6, 3e38, 1e308])
@pytest.mark.parametrize("name", ["data_1", "data_2"])
def test_garbage_is_never_ok_nor_nan(name, value):
    _, y = TASKS[name].sample(50, seed=0)
    refined, ok = refine(TASKS[name], np.full((3, 50, 50, 2), value), y)
    assert np.all(np.isfinite(refined))
    if value != 0:
        assert not ok.any()


def test_curves_that_no_ramp_makes_are_never_ok():
    y = np.random.default_rng(0).uniform(-1, 1, (20, 50, 2))
    x, _ = TASKS["data_1"].sample(20, seed=0)
    refined, ok = refine(TASKS["data_1"], x, y)
    assert np.all(np.isfinite(refined)) and not ok.any()


def test_leading_shapes_and_chunks_agree():
    task = TASKS["data_1"]
    x, y = task.sample(30, seed=0)
    samples = perturbed(task, x, 0.01, 300)  # 9,000 samples: more than one chunk
    refined, ok = refine(task, samples, y)
    again, ok_again = refine(task, samples.reshape(3, 100, 30, 50, 2), y)
    assert np.array_equal(again.reshape(refined.shape), refined) and ok_again.shape == (3, 100, 30)
    alone, ok_alone = refine(task, samples[299], y)
    np.testing.assert_allclose(alone, refined[299], atol=1e-9)
    assert np.array_equal(ok_alone, ok[299])
    single, ok_single = refine(task, samples[:, 0], y[0])
    np.testing.assert_allclose(single, refined[:, 0], atol=1e-9)
    assert ok_single.shape == (300,)


def test_many_samples_are_refined_at_once():
    task = TASKS["data_2"]
    x, y = task.sample(200, seed=0)
    refined, ok = refine(task, perturbed(task, x, 0.001, 100), y)
    assert refined.shape == (100, 200, 50, 2) and ok.mean() > 0.9


def test_fit_cosine_reaches_the_least_squares_fit():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-20, 20, (500, 2))
    rise = np.linspace(0, 1, 50)
    v = np.cos(truth[:, :1] * (1 - rise) + truth[:, 1:] * rise)
    got = fit_cosine(truth + rng.uniform(-0.5, 0.5, truth.shape), v)
    assert np.mean(np.abs(got - truth).max(axis=1) < 1e-6) > 0.97


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"samples": np.zeros((4, 49, 2))}, "samples and y have shapes"),
        ({"samples": np.zeros((50, 2))}, "samples and y have shapes"),
        ({"samples": np.full((4, 50, 2), np.nan)}, "samples holds NaN"),
        ({"y": np.full((4, 50, 2), np.nan)}, "y holds NaN"),
        ({"y": np.full((4, 50, 2), 2.0)}, "y reaches 2"),
        ({"tol": 0}, "tol is 0; give a positive number"),
        ({"max_steps": 0}, "max_steps is 0; give a positive whole number"),
    ],
)
def test_bad_input_says_so(change, sentence):
    arguments = {"samples": np.zeros((4, 50, 2)), "y": np.zeros((4, 50, 2)), **change}
    with pytest.raises(ValueError, match=sentence):
        refine(TASKS["data_1"], **arguments)
