"""The figure of a collapsed CVAE: what was trained, scored and kept."""

import json

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.experiments.sinusoid.cases import CASES, case_config
from cvae_keras.experiments.sinusoid.collapse import LEAST, clearest, run_collapse
from cvae_keras.files import RESULTS


def test_both_models_are_scored_on_the_same_curves(eager, tmp_path):
    config = case_config("data_1", CASES["data_1"][3], "original", True, "float32", seed=0)
    config |= {"latent": 2, "examples": 100, "batch": 50, "epochs": 1}
    content = run_collapse(tmp_path, 1, config, curves=4, n_samples=20)
    assert json.loads((tmp_path / "sinusoid_collapse.json").read_text()) == content
    assert (tmp_path / "sinusoid_collapse.png").read_bytes().startswith(b"\x89PNG")
    rows, solutions = content["rows"], content["solutions"]
    assert [row["model"] for row in rows] == ["collapsed", "solver"]
    assert rows[0]["solutions"] == rows[1]["solutions"] and rows[0]["precision"] < 0.1
    assert rows[1]["precision"] > 0.9
    assert sum(solutions["exact"]) == pytest.approx(1.0)
    assert sum(solutions["solver"]) == pytest.approx(1.0, abs=0.2)
    assert content["manifest"]["config"]["epochs"] == 1


def test_the_clearest_curves_have_most_solutions_and_no_faint_one():
    task = TASKS["data_2"]
    _, y = task.sample(50, seed=3)
    chosen = clearest(task, y)
    all_weights = [task.solutions(each)[1] for each in y]
    most = max(len(weights) for weights in all_weights if weights.min() >= LEAST)
    assert all_weights[chosen].min() >= LEAST and len(all_weights[chosen]) >= min(4, most)


def test_the_committed_figure_is_of_a_collapsed_model():
    content = json.loads((RESULTS / "sinusoid_collapse.json").read_text())
    collapsed, solver = content["rows"]
    assert abs(collapsed["kl"]) < 1e-3 and collapsed["precision"] < 0.01 < 0.98 < solver["recall"]
    exact, sampled = (np.array(content["solutions"][name]) for name in ("exact", "solver"))
    assert len(exact) == 5  # as the README says
    assert np.abs(exact - sampled).max() < 0.1
    config = content["manifest"]["config"]
    assert (config["reduction"], config["encoder_reads"], config["epochs"]) == ("original", "x", 6)
