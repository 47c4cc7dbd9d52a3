"""Tables: rows that are run once, their units, files, and trainings that survive a kill."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.experiments.rows import run_jobs
from cvae_keras.experiments.sinusoid import cases as sinusoid_cases
from cvae_keras.experiments.sinusoid import solved as sinusoid_solved
from cvae_keras.experiments.sinusoid import table as sinusoid
from cvae_keras.experiments.sinusoid.cases import (
    CASES,
    Job,
    case_config,
    dead_entries,
    in_table_units,
    run_case,
)
from cvae_keras.files import MARKER, RESULTS, write_json
from cvae_keras.systems.saved import load_model
from cvae_keras.systems.sinusoid.model import SinusoidCVAE

pytestmark = pytest.mark.usefixtures("eager")


def tiny_job(reduction="original", **changes):
    case = replace(CASES["data_1"][3], latent=2, batch=50, **changes)
    return Job("data_1", case, reduction, quick=True)


def tiny_config(**changes):
    config = case_config("data_1", CASES["data_1"][3], "original", True, "float32", seed=0)
    return {**config, "latent": 2, "examples": 100, "batch": 50, "epochs": 1, **changes}


@pytest.fixture(scope="module")
def data():
    sizes = {"train": 150, "validation": 50, "score": 2}
    return {split: TASKS["data_1"].sample(n, seed=n) for split, n in sizes.items()}


def test_a_row_is_trained_once_and_again_when_its_setting_changes(data, tmp_path, monkeypatch):
    trained = []

    def train_case(config, *rest):
        trained.append(config["beta"])
        return original(config, *rest)

    original = sinusoid_cases.train_case
    monkeypatch.setattr(sinusoid_cases, "train_case", train_case)
    monkeypatch.setattr(sinusoid_cases, "examples", lambda name: data)

    def run(job):
        ((_, result),) = run_jobs([job], run_case, tmp_path)
        return result["row"], result["history"]

    job = tiny_job()
    row, history = run(job)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".keras", ".png"}
    assert not list(tmp_path.glob(".*.npz"))  # the checkpoint
    saved = json.loads((tmp_path / "data_1_4_original.json").read_text())
    assert saved["row"] == row and saved["manifest"]["config"] == job.config()
    assert all(isinstance(value, float) for value in row.values())
    # the row agrees with the model that was saved beside it
    model = load_model(tmp_path / "data_1_4_original.keras")
    x, y = data["validation"]
    loss = model.evaluate({"x": x, "c": y}, batch_size=50, verbose=0, return_dict=True)["loss"]
    assert row["validation_loss"] == pytest.approx(loss, rel=0.05)
    assert row["kl"] == pytest.approx(50 * row["kl_nats"])
    assert row["x_loss"] == pytest.approx(history["x_loss"][-1] / 100)
    again, same_history = run(tiny_job())
    assert again == row and same_history == history and trained == [1]
    changed, _ = run(tiny_job(beta=0.5))
    assert changed != row and trained == [1, 0.5]


NETWORK = ["encoder_reads", "inner_activation"]


def save_older(job, folder, version, dropped):
    """Write a row as an older version did."""
    config = {name: value for name, value in job.config().items() if name not in dropped}
    config |= {} if version == 1 else {"version": version}
    row = dict.fromkeys(job.holds["row"], 1.0)
    write_json(job.path(folder), {"row": row, "manifest": {"config": config, "seconds": 1.0}})


def test_rows_of_version_1_are_still_recognized(tmp_path):
    """They say nothing of prior and schedule, of which there was no choice."""
    plain = tiny_job("elbo")
    searched = tiny_job("elbo", prior="conditional", schedule="half cosine")
    for job, dropped in [(plain, ["prior", "schedule"]), (searched, [])]:
        save_older(job, tmp_path, 1, [*dropped, "version", *NETWORK])
        assert job.saved(tmp_path) and job.config()["version"] == 3
        assert not (searched if job is plain else plain).saved(tmp_path)


@pytest.mark.parametrize(("reduction", "found"), [("elbo", True), ("original", False)])
def test_older_rows_of_the_originals_reduction_are_of_another_network(reduction, found, tmp_path):
    job = tiny_job(reduction)
    save_older(job, tmp_path, 2, NETWORK)
    assert bool(job.saved(tmp_path)) == found


def test_the_rows_of_the_originals_reduction_are_of_the_originals_network():
    config = tiny_config(encoder_reads="x", inner_activation="linear")
    assert config == tiny_config()
    model, _ = sinusoid_cases.train_case(config, TASKS["data_1"].sample(100, seed=0))
    assert model.get_config()["encoder_reads"] == "x" and not model.options["y_gradient"]
    assert model.get_config()["inner_activation"] == "linear"


def test_both_tasks_have_the_same_settings():
    settings = [
        [replace(case, label="", published=None) for case in CASES[name]]
        for name in ("data_1", "data_2")
    ]
    assert settings[0] == settings[1] and len(settings[0]) == 12
    labels = [case.label for case in CASES["data_2"]]
    assert labels[3] == "L1 1/0.5/0.5" and labels[6] == "MSE 1/0.5/0.5" and len(set(labels)) == 12


def test_the_committed_rows_of_the_elbo_are_found():
    saved = []
    for name, cases in CASES.items():
        for case in cases:
            job = Job(name, case, "elbo", precision="mixed_bfloat16")
            saved.append((name, bool(job.saved(RESULTS / sinusoid.FOLDER))))
    assert saved.count(("data_1", True)) == 12 and saved.count(("data_2", True)) >= 3


def test_only_the_quick_profile_shortens_a_row():
    case = CASES["data_1"][3]
    full = case_config("data_1", case, "elbo", False, "float32", seed=0)
    quick = case_config("data_1", case, "elbo", True, "float32", seed=0)
    assert (full["examples"], full["epochs"]) == (100_000, 30)
    assert (quick["examples"], quick["epochs"]) == (20_000, 2)
    assert "published" not in full and json.loads(json.dumps(full)) == full


@pytest.mark.parametrize(
    ("reduction", "loss", "expected"),
    [
        ("elbo", "l1_mean", (2.0, 30.0, 40.0)),
        ("original", "l1_mean", (500.0, 0.3, 0.4)),
        ("original", "mse", (500.0, 0.3, 0.4)),
        ("original", "l1_sum", (500.0, 7500.0, 10_000.0)),
    ],
)
def test_units_of_the_table(reduction, loss, expected):
    config = tiny_config(reduction=reduction, loss=loss, batch=250)
    found = in_table_units(config, {"kl": 2.0, "x_loss": 30.0, "y_loss": 40.0, "loss": 0.0})
    assert tuple(found.values()) == pytest.approx(expected)
    assert list(found) == ["kl", "x_loss", "y_loss"]


def test_published_figures_stand_beside_the_originals_reduction_only():
    saved = {"row": {"kl": 1.0}, "history": {"x_loss": [9.0, 6.0, 5.85, 4.0]}}
    saved["manifest"] = {"config": {"encoder_reads": "x"}}
    rows = [sinusoid.as_row(tiny_job(reduction), saved) for reduction in ("original", "elbo")]
    assert rows[0]["epoch_reaching_published_x"] == 3  # 5.85 / 100 entries
    assert np.isnan(rows[1]["epoch_reaching_published_x"])
    names = [f"published_{name}" for name in ("kl", "x_loss", "y_loss", "test")]
    assert [rows[0][name] for name in names] == [4e-6, 0.0585, 0.1382, 0.0977]
    assert all(np.isnan(rows[1][name]) for name in names)


def test_rows_are_sorted_by_their_agreement_with_the_published_figures():
    published = {"published_x_loss": 1.0, "published_y_loss": 2.0}
    rows = [
        {"row": "a", "x_loss": 1.14, "y_loss": 1.71, **published},
        {"row": "b", "x_loss": 1.16, "y_loss": 2.0, **published},
        {"row": "c", "x_loss": 1.0, "y_loss": 1.69, **published},
        {"row": "d", "x_loss": 1.0, "y_loss": 2.0, **dict.fromkeys(published, np.nan)},
    ]
    assert sinusoid.agreement(pd.DataFrame(rows)) == {"within": "a", "beyond": "b, c"}
    assert sinusoid.agreement(pd.DataFrame(rows[3:])) == {"within": "none", "beyond": "none"}


def test_entries_that_relu_holds_at_zero_are_counted():
    model = SinusoidCVAE(TASKS["data_1"], latent_dim=2)
    x, y = TASKS["data_1"].sample(20, seed=0)
    last = model.decoder.convolutions[-1]
    last.bias.assign([10.0, -1e4])  # x0 alive at every point, x1 dead at every point
    assert dead_entries(model, x, y) == 50
    last.bias.assign([10.0, 10.0])
    assert dead_entries(model, x, y) == 0


def test_a_table_says_which_rows_are_missing(tmp_path):
    folder, jobs = tmp_path / "sinusoid_rows", [tiny_job("original"), tiny_job("elbo")]
    folder.mkdir()
    assert sinusoid.write_tables(tmp_path, jobs) == {}
    for number, job in enumerate(jobs, 1):
        row = dict.fromkeys(("kl", "kl_nats", "precision", *job.holds["row"]), 0.0)
        saved = {"row": row, "history": {"x_loss": [1.0]}}
        write_json(job.path(folder), saved | {"manifest": {"config": job.config(), "seconds": 1.0}})
        title = sinusoid.write_tables(tmp_path, jobs)["data_1"].splitlines()[0]
        assert ("1 of 2 rows so far" in title) == (number == 1)


def row_of(job, **measured):
    """A row of the table with a KL of -1e-6 nats, as rounding may leave it."""
    names = ("residual", "precision", "recall", "total_variation")
    row = {"kl_nats": -1e-6, **dict.fromkeys(names, 0.5), **measured}
    setting = {name: job.config()[name] for name in sinusoid.SETTING[1:]}
    return {"row": job.case.label, "reduction": job.reduction, **setting, **row}


def test_a_page_has_a_line_for_each_row_run_or_not():
    jobs = [tiny_job("original"), tiny_job("elbo")]
    page = sinusoid.page(pd.DataFrame([row_of(jobs[0])]), jobs)
    assert page.loc[0].tolist()[:7] == ["4", "l1_mean", "1", "0.5", "0.5", "2", "original"]
    assert page.loc[0].tolist()[7:] == ["0.00", "0.500", "0.500", "0.500", "0.500"]
    assert page.loc[1].tolist()[6:] == ["elbo"] + ["not run"] * 5


def test_the_reductions_are_compared_where_both_are_run():
    before, after = tiny_job("original"), tiny_job("elbo")
    lone, costless = tiny_job("original", label="5"), tiny_job("elbo", label="1", wy=0)
    rows = [row_of(before), row_of(lone), row_of(costless)]
    assert "both reductions yet" in sinusoid.compared(pd.DataFrame(rows))
    rows.append(row_of(after, residual=0.4, precision=0.25))
    text = sinusoid.compared(pd.DataFrame(rows))
    assert "lower residual in 1 of 1,\n  higher precision in 0 of 1, at most 0.250" in text
    assert "below 0.01 nats in 1 of the 1 settings" in text and "not run on this task" in text
    rows.append(row_of(tiny_job("elbo", label="searched, flow prior", wy=0.01)))
    assert "wy / wx = 0.020" in sinusoid.compared(pd.DataFrame(rows))


@pytest.mark.parametrize("name", sinusoid.FILES.values())
def test_the_committed_table_is_one_page_wide(name):
    lines = (RESULTS / name).with_suffix(".md").read_text().splitlines()
    assert max(len(line) for line in lines) <= 115
    assert not [line for line in lines if "-0.0" in line or "523556" in line]


@pytest.mark.parametrize("part", [(0, 2), (3, 2), (1, 0)])
def test_impossible_parts_are_refused(part, tmp_path):
    with pytest.raises(ValueError, match="part must be i/n with 1 <= i <= n"):
        sinusoid.run_table(tmp_path, part=part)
    assert not any(tmp_path.iterdir())


#: of each model, small enough to train in seconds
TINY = {
    "mixture": {"categories": 3, "width": 8, "depth": 1, "order": 2},
    "conv": {**sinusoid_solved.DEEP, "width": 8, "depth": 1},
    "small": {**sinusoid_solved.DEEP, "width": 8, "depth": 1},
}
OWN = SinusoidTask([("sin", 2, 1), ("cos", 1, 3)])


@pytest.fixture
def tiny_recipe(monkeypatch):
    for model, options in TINY.items():
        kind, recipes = sinusoid_solved.MODELS[model]
        scales = recipes[1].scales
        recipe = sinusoid_solved.Recipe(options, 2, 8, 2e-3, 10.0, scales, steps=3)
        monkeypatch.setitem(sinusoid_solved.MODELS, model, (kind, {1: recipe, 2: recipe}))


def weights(path):
    return [weight.numpy() for weight in load_model(path).weights]


@pytest.mark.parametrize("model", ["mixture", pytest.param("conv", marks=pytest.mark.long)])
def test_a_killed_solve_resumes_where_it_was(model, tiny_recipe, tmp_path, monkeypatch):
    name = sinusoid_solved.model_name(model, 1)
    whole = sinusoid_solved.train(1, tmp_path / "whole", model)
    assert whole == tmp_path / "whole" / f"{name}.keras"
    names = {f"{name}{end}" for end in (".keras", "_training.csv", "_manifest.json")}
    assert {path.name for path in Path(tmp_path / "whole").iterdir()} == names | {MARKER}

    class Killed(Exception):
        pass

    def kill(self, epoch, logs=None):
        if epoch == 1:
            raise Killed
        begin(self, epoch, logs)

    begin = sinusoid_solved.Checkpoint.on_epoch_begin
    monkeypatch.setattr(sinusoid_solved.Checkpoint, "on_epoch_begin", kill)
    with pytest.raises(Killed):
        sinusoid_solved.train(1, tmp_path / "killed", model)
    assert not (tmp_path / "killed" / f"{name}.keras").exists()
    monkeypatch.setattr(sinusoid_solved.Checkpoint, "on_epoch_begin", begin)
    resumed = sinusoid_solved.train(1, tmp_path / "killed", model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # an optimizer that cannot be restored warns
        load_model(resumed)
    pairs = zip(weights(resumed), weights(whole), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    logs = [pd.read_csv(path.with_name(f"{name}_training.csv")) for path in (whole, resumed)]
    assert list(logs[1]["epoch"]) == [0, 1]
    pd.testing.assert_frame_equal(
        logs[0].drop(columns=["seconds", "cpu_seconds"]),
        logs[1].drop(columns=["seconds", "cpu_seconds"]),
    )
    with pytest.raises(ValueError, match=f"{name}.keras is there: give --force"):
        sinusoid_solved.train(1, tmp_path / "killed", model)
    saved = json.loads(resumed.with_name(f"{name}_manifest.json").read_text())
    assert saved["config"]["epochs"] == 2 and saved["config"]["depth"] == 1
    assert {path.name for path in resumed.parent.iterdir()} == names | {MARKER}


@pytest.mark.long
def test_a_model_of_ones_own_functions_is_trained_and_scored(tiny_recipe, tmp_path):
    for model in ("mixture", "conv"):
        sinusoid_solved.train(OWN, tmp_path / "models", model, epochs=1)
    text = sinusoid_solved.run_solved(tmp_path, tmp_path / "models", [OWN], n_curves=5)
    table = pd.read_csv(tmp_path / "sinusoid_solved_sin_2_1_cos_1_3.csv")
    assert list(table["model"]) == ["mixture"] * 3 + ["conv"] * 2 + ["exact"]
    assert list(table["samples"][:3]) == ["prior", "refined", "prior, systematic"]
    assert np.isfinite(table["residual"].dropna()).all() and "Bishop" in text
    with pytest.raises(ValueError, match="holds no model of these tasks: train one"):
        sinusoid_solved.run_solved(tmp_path, tmp_path / "models", [1], n_curves=5)


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(ValueError, match="task must be 1, 2 or a SinusoidTask, got 3"):
        sinusoid_solved.train(3, tmp_path)
    assert not any(tmp_path.iterdir())
