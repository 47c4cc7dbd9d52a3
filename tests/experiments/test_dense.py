"""Configurations, measuring against the optimum, runs that resume, and the table."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from model_checks import KillAt, Killed

from cvae_keras.data.conditions import Conditioned, known_patterns
from cvae_keras.data.gaussian import CorrelatedGaussian
from cvae_keras.data.manifolds import Manifold, SideBySide
from cvae_keras.experiments.dense import run as testbed_run
from cvae_keras.experiments.dense import table
from cvae_keras.experiments.dense.table import verdict
from cvae_keras.files import RESULTS
from cvae_keras.metrics.rate_distortion import average, encode, measure
from cvae_keras.parts.distributions import Gaussian
from cvae_keras.systems.dense import config as testbed
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.truth.gaussian import optimum

SMALL = {"latent_dim": 3, "enc_layers": [8], "dec_layers": [8], "epochs": 2, "steps": 20}
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


def test_all_configurations_of_the_issue_are_shipped():
    names = "baseline circles_moons_blobs correlated projected projected_with_mask"
    assert testbed.shipped_configs() == sorted([*names.split(), "swissroll", "swissroll_with_mask"])


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"epochs": 0}, "epochs of config must be a positive integer"),
        ({"betas": []}, "betas of config must be above 0"),
        ({"betas": 1.0}, "betas of config must be above 0"),
        ({"betas": [0.0]}, "betas of config must be above 0"),
        ({"learning_rate": -1}, "learning_rate of config must be above 0"),
        ({"seed": -1}, "seed of config"),
        ({"warm_up": 1.5}, "warm_up of config must be a share"),
        ({"typo": 1}, "unknown ones .'typo'."),
    ],
)
def test_bad_configurations_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        testbed.check_config(small() | changes)


def test_bad_files_and_data_are_refused(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("{")
    for name, sentence in [(path, "is not JSON"), (tmp_path / "none.json", "neither a file nor")]:
        with pytest.raises(ValueError, match=sentence):
            testbed.read_config(name)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="lacks the entries"):
        testbed.read_config(path)
    for data, sentence in [
        ({"kind": "other"}, "kind 'other' is unknown"),
        ({"kind": "independent", "dim": 2, "size": 3}, "does not take"),
        ({"kind": "independent"}, "does not take"),
        ({"kind": "side_by_side"}, "does not take"),
        ({"kind": "projected", "x_dim": 2, "projection_dim": 8, "rank": 5}, "rank must be"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            testbed.make_data(data)


def test_manifolds():
    data = SideBySide([Manifold(name) for name in ("circles", "moons", "blobs", "s_curve")])
    x = data.sample(20_000, seed=1)
    assert x.shape == (20_000, 9) and data.dim == 9 and x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=0.03)
    assert abs(np.corrcoef(x.T)[:2, 2:4]).max() < 0.03  # the parts are independent
    assert np.array_equal(x, data.sample(20_000, seed=1))
    for call, sentence in [
        (lambda: Manifold("other"), "unknown"),
        (lambda: Manifold("moons", noise=-1), "noise must be"),
        (lambda: SideBySide([]), "parts is empty"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            call()


class Linear:
    """A posterior and a decoder that are the optimum for two independent dimensions, by hand."""

    def __init__(self, variances, beta):
        self.kept = np.sqrt(np.maximum(0, 1 - beta / 2 / variances)).astype("float32")
        self.std = np.sqrt(variances).astype("float32")

    def posterior(self, x, c, mask=None):
        unknown = 1 - np.asarray(c)[:, 2:]
        mean = np.asarray(x) * unknown * self.kept / self.std
        log_var = np.log(1 - self.kept**2 * unknown)
        return Gaussian(keras.ops.convert_to_tensor(mean), keras.ops.convert_to_tensor(log_var))

    def decode(self, z, c):
        known, m = np.split(np.asarray(c), 2, axis=1)
        return keras.ops.convert_to_tensor(
            (known + (1 - m) * np.asarray(z) * self.kept * self.std).astype("float32")
        )


def test_measuring_the_best_model_gives_the_optimum(monkeypatch):
    variances, beta = np.array([2.0, 0.8]), 0.5
    source = Conditioned(
        testbed.make_data({"kind": "independent", "dim": 2, "variances": [2, 0.8]})
    )
    model, best = DenseCVAE(2, 2, [4], [4], beta=beta), Linear(variances, beta)
    monkeypatch.setattr(
        type(model.posterior), "__call__", lambda self, *a, **k: best.posterior(*a, **k)
    )
    monkeypatch.setattr(type(model.decoder), "__call__", lambda self, *a: best.decode(*a))
    rows = measure(model, source, known_patterns(2), n=200_000)
    for row, pattern in zip(rows, known_patterns(2), strict=True):
        exact = optimum(source.data.covariance, pattern, beta)
        assert row["active"] == row["active_exact"] == exact["active"]
        for name in ("rate", "distortion", "objective"):
            assert row[f"{name}_exact"] == pytest.approx(exact[name])
            assert row[name] == pytest.approx(exact[name], rel=0.01, abs=1e-6)
        assert abs(row["objective"] - exact["objective"]) <= 4 * row["objective_se"] + 1e-6
    merged = average(rows)
    assert merged["examples"] == 200_000
    assert merged["rate"] == pytest.approx(np.mean([row["rate"] for row in rows]))


def test_missing_values_are_not_scored_and_the_optimum_knows_it():
    data = CorrelatedGaussian(3, seed=0)
    source = Conditioned(data, mask_percentage=50)
    model = DenseCVAE(3, 4, [8], [8], masked=True)
    arrays = source.examples(500, seed=0)
    errors, kl, mean = encode(model, arrays)
    assert errors.shape == (500, 3) and kl.shape == mean.shape == (500, 4)
    assert np.all(errors[arrays["mask"] == 0] == 0) and np.any(errors[arrays["mask"] == 1] > 0)
    row = measure(model, source, known_patterns(3)[:1], n=4000)[0]
    full = optimum(data.covariance, [False] * 3, beta=1.0)
    assert 0.3 * full["objective"] < row["objective_exact"] < 0.7 * full["objective"]
    assert row["objective"] > row["objective_exact"]


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
