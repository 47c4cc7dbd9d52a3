"""The measures, on samples whose scores are known."""

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.metrics import exact_sampling_floor, mode_weights, score_samples
from cvae_keras.metrics.modes import combine, posterior_score

TASK = TASKS["data_2"]


@pytest.mark.parametrize(("name", "variation"), [("data_1", 0.010), ("data_2", 0.031)])
def test_exact_draws_score_best(name, variation):
    _, y = TASKS[name].sample(500, seed=0)
    score = exact_sampling_floor(TASKS[name], y, n_samples=100, seed=1)
    assert score["precision"] == 1 and score["accepted"] == 1
    assert score["recall"] > 0.99
    assert score["total_variation"] == pytest.approx(variation, abs=0.003)
    assert score["residual"] < 2e-6


def test_one_mode_only_scores_its_weight():
    """Samples that all sit on the heaviest mode: recall and total variation are known."""
    _, y = TASK.sample(100, seed=2)
    solved = [TASK.solutions(one) for one in y]
    samples = np.stack([modes[0] for modes, _ in solved])[None].repeat(10, axis=0)
    score = score_samples(TASK, samples, y, hit=1e-3, min_weight=0)
    count = np.array([len(weights) for _, weights in solved])
    assert score["precision"] == 1
    assert score["solutions"] == pytest.approx(count.mean())
    assert score["recall"] == pytest.approx(100 / count.sum())
    heaviest = np.array([weights[0] for _, weights in solved])
    assert score["total_variation"] == pytest.approx(np.mean(1 - heaviest))


def test_misses_and_acceptance():
    x, y = TASKS["data_1"].sample(40, seed=0)
    samples = np.stack([x, x + 0.5, x + 0.5, x + 0.5])
    score = score_samples(TASKS["data_1"], samples, y)
    assert score["precision"] == 0.25
    residual = np.abs(TASKS["data_1"].forward(samples) - y)
    assert score["residual"] == pytest.approx(residual.mean(), rel=1e-5)
    assert score["residual_rms"] == pytest.approx(np.sqrt((residual**2).mean()), rel=1e-5)
    accepted = np.zeros((4, 40), bool)
    accepted[0] = True
    score = score_samples(TASKS["data_1"], samples, y, accepted)
    assert score["precision"] == 1 and score["accepted"] == 0.25 and score["residual"] < 1e-6
    nothing = score_samples(TASKS["data_1"], samples, y, np.zeros((4, 40), bool))
    assert np.isnan(nothing["precision"]) and np.isnan(nothing["residual"])
    assert nothing["recall"] == 0 and nothing["total_variation"] == pytest.approx(1)


def test_hit_is_the_rms_distance():
    x, y = TASKS["data_1"].sample(20, seed=0)
    for shift, precision in [(0.019, 1.0), (0.021, 0.0)]:
        alone = [i for i in range(20) if len(TASKS["data_1"].solutions(y[i])[1]) == 1]
        score = score_samples(TASKS["data_1"], x[None, alone] + shift, y[alone])
        assert score["precision"] == precision


def test_curves_without_solution_count_as_misses():
    x, y = TASKS["data_1"].sample(4, seed=0)
    y[0] = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    score = score_samples(TASKS["data_1"], x[None], y)
    assert score["precision"] == 0.75 and score["recall"] <= 1
    with pytest.raises(ValueError, match=r"y\[0\] has no exact solution"):
        exact_sampling_floor(TASKS["data_1"], y, 10, seed=0)


def test_mode_weights_are_calibrated_for_exact_draws():
    _, y = TASK.sample(300, seed=0)
    rng = np.random.default_rng(0)
    solved = [TASK.solutions(one) for one in y]
    draws = [modes[rng.choice(len(modes), 100, p=weights)] for modes, weights in solved]
    weights, frequencies, examples = mode_weights(TASK, np.stack(draws, axis=1), y)
    assert weights.shape == frequencies.shape == examples.shape
    np.testing.assert_allclose(np.bincount(examples, weights), 1)
    np.testing.assert_allclose(np.bincount(examples, frequencies), 1)
    assert np.abs(frequencies - weights).mean() < 0.03
    assert np.polyfit(weights, frequencies, 1) == pytest.approx([1, 0], abs=0.02)


def test_bad_input_says_so():
    x, y = TASKS["data_1"].sample(4, seed=0)
    with pytest.raises(ValueError, match="samples and y have shapes"):
        score_samples(TASKS["data_1"], x, y)
    with pytest.raises(ValueError, match="samples holds NaN"):
        score_samples(TASKS["data_1"], x[None] * np.nan, y)
    with pytest.raises(ValueError, match="accepted is float64 of shape"):
        score_samples(TASKS["data_1"], x[None], y, np.ones((1, 4)))
    with pytest.raises(ValueError, match="y has shape"):
        exact_sampling_floor(TASKS["data_1"], y[0], 10, seed=0)


def draws(task, y, weigh, n=2000, seed=0):
    """n draws among the exact solutions of each y, with chances that `weigh` makes of theirs."""
    rng, samples = np.random.default_rng(seed), []
    for one in y:
        solutions, weights = task.solutions(one)
        chances = weigh(np.asarray(weights))
        samples.append(solutions[rng.choice(len(weights), n, p=chances / chances.sum())])
    return np.stack(samples, axis=1)


@pytest.mark.parametrize("name", ["data_1", "data_2"])
def test_the_posterior_score_is_best_for_the_exact_posterior(name):
    task = TASKS[name]
    _, y = task.sample(30, seed=1)
    y = np.stack([one for one in y if len(task.solutions(one)[1]) > 1][:8])
    exact = posterior_score(task, draws(task, y, lambda w: w), y)["score"]
    assert 0 <= exact < 0.05  # what 2,000 draws leave to chance
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.005, size=(2000, *y.shape))
    worse = {
        "most likely only": draws(task, y, lambda w: (w == w.max()).astype(float)),
        "equal weights": draws(task, y, np.ones_like),
        "too sure": draws(task, y, np.square),
        "off the solutions": draws(task, y, lambda w: w) + noise,
        "the prior": np.stack([task.sample(len(y), seed)[0] for seed in range(100)]),
        "the mean": np.repeat(draws(task, y, lambda w: w).mean(axis=0)[None], 2, axis=0),
    }
    for kind, samples in worse.items():
        assert posterior_score(task, samples, y)["score"] > exact + 0.01, kind


def test_the_posterior_score_is_the_sum_of_its_parts():
    task = TASKS["data_1"]
    _, y = task.sample(5, seed=0)
    floor = exact_sampling_floor(task, y, 50, seed=0)
    parts = [floor[name] for name in ("residual", "recall", "total_variation")]
    score = posterior_score(task, draws(task, y, lambda w: w, 50), y)
    assert score["score"] == combine(*[score[n] for n in ("residual", "recall", "total_variation")])
    assert combine(*parts) == pytest.approx(parts[0] + 1 - parts[1] + parts[2])
