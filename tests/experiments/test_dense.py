"""Configurations, measuring against the optimum, runs that resume, and the table."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from model_checks import KillAt, Killed

from cvae_keras.experiments.dense import run as testbed_run
from cvae_keras.experiments.dense import table
from cvae_keras.experiments.dense.table import verdict
from cvae_keras.files import RESULTS
from cvae_keras.systems.dense import config as testbed

pytestmark = pytest.mark.usefixtures("eager")
SMALL = {"latent_dim": 3, "enc_layers": [8], "dec_layers": [8], "epochs": 2, "steps": 4}
SMALL |= {"batch_size": 16, "betas": [0.5]}


def small(name="baseline", **changes):
    return testbed.read_config(name) | SMALL | changes


@pytest.mark.parametrize("name", testbed.shipped_configs())
def test_shipped_configurations_train(name):
    config = small(name)
    _, source, history = testbed.train(config, beta=0.5)
    assert np.all(np.isfinite(history["loss"])) and len(history["loss"]) == 2
    needed = testbed.read_config(name)["latent_dim"]
    factors = np.linalg.matrix_rank(getattr(source.data, "covariance", np.eye(source.data.dim)))
    assert needed >= 4 * min(factors, 2) and needed >= factors


def test_a_killed_run_continues_and_a_finished_one_is_kept(tmp_path, monkeypatch):
    config = small(epochs=3)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(config))
    whole = testbed_run.run_config(path, tmp_path / "whole")
    train = testbed_run.train

    def killed(config, beta, callbacks):
        return train(config, beta, [KillAt(2), *callbacks])

    monkeypatch.setattr(testbed_run, "train", killed)
    with pytest.raises(Killed):
        testbed_run.run_config(path, tmp_path / "killed")
    monkeypatch.setattr(testbed_run, "train", train)
    rest = testbed_run.run_config(path, tmp_path / "killed")
    pd.testing.assert_frame_equal(whole, rest)
    logs = [pd.read_csv(tmp_path / name / "training.csv") for name in ("whole", "killed")]
    pd.testing.assert_frame_equal(*logs)
    assert logs[0]["epoch"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    names = ["beta", "epoch", "known", "rate", "distortion"]
    names += ["kl_0", "kl_1", "kl_2", "distortion_0", "distortion_1"]
    assert logs[0].columns.tolist() == names
    kl = logs[0][["kl_0", "kl_1", "kl_2"]].sum(axis=1)
    np.testing.assert_allclose(kl, logs[0]["rate"], rtol=1e-3, atol=1e-5)
    files = {file.name for file in (tmp_path / "whole").iterdir()}
    assert {"model_beta_0.5.keras", "figure.png", "measured.csv", "manifest.json"} <= files
    before = (tmp_path / "whole" / "model_beta_0.5.keras").read_bytes()
    testbed_run.run_config(path, tmp_path / "whole")
    assert (tmp_path / "whole" / "model_beta_0.5.keras").read_bytes() == before
    path.write_text(json.dumps(config | {"seed": 1}))
    with pytest.raises(ValueError, match="holds a run of another configuration"):
        testbed_run.run_config(path, tmp_path / "whole")


@pytest.mark.long
def test_table_covers_what_was_asked_and_keeps_what_it_has(tmp_path, monkeypatch):
    jobs = table.jobs_of()
    assert len(jobs) == 31 and len(set(jobs)) == len({job.name for job in jobs}) == 31
    assert sum(job.experiment.label == "independent, 2" for job in jobs) == 20
    real = table.experiment_config

    def tiny(experiment, quick=False, seed=0):
        return real(experiment, quick, seed) | SMALL

    monkeypatch.setattr(table, "experiment_config", tiny)
    monkeypatch.setattr(table, "jobs_of", lambda quick, seed: JOBS)
    text = table.run_table(tmp_path, quick=True)
    frame = pd.read_csv(tmp_path / "testbed.csv", dtype={"pattern": str})
    rows = frame[frame["experiment"] == "independent, 2"]
    assert rows["pattern"].fillna("").tolist() == ["", "", "", "01", "10"]
    assert len(frame) == 5 + 9 and frame["gap"].min() > -0.05
    assert not frame.drop(columns="pattern").duplicated().any()  # each row stands once
    kinds = frame["experiment"].map({"independent, 2": False}).fillna(True).astype(bool)
    about = pd.DataFrame({"missing": kinds, "warm_up": True, "baseline": ~kinds})
    assert verdict(frame, about) in text and (tmp_path / "testbed.png").exists()
    config = json.loads((tmp_path / "testbed.json").read_text())["config"]
    assert config["experiments"]["independent, 2"]["data"]["dim"] == 2
    monkeypatch.setattr(table, "train", None)  # would fail if anything were trained again
    assert table.run_table(tmp_path, quick=True) == text
    assert table.run_table(tmp_path, quick=True, part=(1, 2)) is None
    with pytest.raises(ValueError, match="part must be i/n"):
        table.run_table(tmp_path, part=(3, 2))
    with pytest.raises(ValueError, match="processes must be a positive integer"):
        table.run_table(tmp_path, processes=0)


JOBS = [table.Job(table.EXPERIMENTS[number], 0.5, 0, quick=True) for number in (0, 6)]


def test_what_is_committed_is_the_table_of_the_committed_runs(tmp_path, monkeypatch):
    """Each row once, all digits as they are; nothing is trained."""
    monkeypatch.setattr(table, "train", None)
    shutil.copytree(RESULTS / "testbed_runs", tmp_path / "testbed_runs")
    text = table.run_table(tmp_path)
    assert text == (RESULTS / "testbed.md").read_text()
    assert (tmp_path / "testbed.csv").read_text() == (RESULTS / "testbed.csv").read_text()
    printed = [line for line in text.splitlines() if line.startswith("|")]
    assert len(set(printed)) == len(printed) == 2 + 219


def test_verdict_counts():
    row = {"experiment": "independent, 2", "beta": 1.0, "seed": 0, "known": 0, "pattern": ""}
    row |= {"rate": 1.0, "rate_exact": 1.0, "distortion": 0.5, "distortion_exact": 0.5}
    row |= {"objective": 1.5, "objective_exact": 1.5, "objective_se": 0.001, "gap": 0.0, "wrong": 0}
    far = row | {"seed": 1, "objective": 1.6, "gap": 1 / 15, "wrong": 1}
    below = row | {"experiment": "x", "objective": 1.4, "gap": -1 / 15, "wrong": np.nan}
    left_out = far | {"experiment": "y"}
    complete = {"missing": False, "warm_up": True, "baseline": True}
    about = [complete, complete, {"missing": True, "warm_up": True, "baseline": False}]
    about.append({"missing": False, "warm_up": False, "baseline": False})
    text = verdict(pd.DataFrame([row, far, below, left_out]), pd.DataFrame(about))
    assert "within 1 % of the optimum: 1 of 2 rows" in text
    assert "right in every pattern: 1 of 2 rows" in text
    assert "not below the optimum (by 3 standard errors): 2 of 3 rows" in text
    assert "baseline: all rows so in 1 of 2 seeds" in text
