"""The search: strategies find a known optimum, each trial is recorded, kills lose nothing."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
from search_case import Bowl

from cvae_keras import search
from cvae_keras.checks import RunError
from cvae_keras.search import workers
from cvae_keras.search.journal import Journal
from cvae_keras.search.oracles import STRATEGIES, grid_cells
from cvae_keras.search.run import claim
from cvae_keras.search.spaces.sinusoid import ORIGINAL_GRID
from cvae_keras.search.tuner import trial_seed

ROOT = Path(__file__).resolve().parents[2]
CHANCE = ["seconds"]  # what differs between two runs of the same search
TRIALS = {"random": 5, "bayesian": 6, "grid": None, "hyperband": None}


@pytest.fixture(autouse=True)
def keep_session(monkeypatch):
    """What `clear_session` frees is little here, and looking for it takes most of the time."""
    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)


def run(folder, strategy="random", model=None, **options):
    if TRIALS.get(strategy):
        options = {"trials": TRIALS[strategy], **options}
    return search.run(model or Bowl(), folder=folder, strategy=strategy, epochs=3, **options)


def start(folder, strategy, kill=0, *more, **environment):
    """Start `search_case.py`."""
    arguments = [folder, strategy, TRIALS[strategy] or 0, kill, *more]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, ROOT / "tests" / "search_case.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    pipe = subprocess.PIPE
    command = [str(part) for part in command]
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def process(folder, strategy, kill=0, *more):
    """Run `search_case.py` to its end, which may be that of a kill."""
    started = start(folder, strategy, kill, *more)
    out, error = started.communicate(timeout=300)
    return subprocess.CompletedProcess(started.args, started.returncode, out, error)


def make_oracle(strategy, path, seed=0):
    """An oracle over the space of `Bowl`, without models."""
    space = keras_tuner.HyperParameters()
    if strategy == "grid":
        space = Bowl().grid()
    else:
        space.Float("width", 0.25, 4.0, sampling="log")
        space.Choice("kind", ["a", "b"])
    options = {"max_epochs": 9} if strategy == "hyperband" else {"max_trials": 6}
    options |= {"num_initial_points": 3} if strategy == "bayesian" else {}
    options |= {"objective": Bowl.objective, "hyperparameters": space, "tune_new_entries": False}
    oracle = STRATEGIES[strategy](Journal(path), seed=seed, **options)
    oracle.replay()
    return oracle


def drive(oracle):
    """Run an oracle to its end; a trial with a width below 0.5 diverges. Returns its trials."""
    while (trial := oracle.create_trial("tuner0")).status != "STOPPED":
        values = trial.hyperparameters.values
        score = np.log2(values["width"]) ** 2 + (values["kind"] == "b")
        oracle.update_trial(trial.trial_id, {"score": score if values["width"] > 0.5 else np.nan})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return {i: (t.hyperparameters.values, t.status, t.score) for i, t in oracle.trials.items()}


def same_table(a, b, **options):
    a, b = a.drop(columns=CHANCE), b.drop(columns=CHANCE)
    pd.testing.assert_frame_equal(a, b, check_dtype=False, **options)


def read(folder):
    return pd.read_csv(Path(folder) / "trials.csv")


# -- strategies --------------------------------------------------------------------------------
@pytest.mark.parametrize("strategy", ["bayesian", "grid"])
def test_a_search_writes_its_results(strategy, tmp_path):
    rows = run(tmp_path, strategy)
    assert (rows["status"] == "completed").all() and rows["trial"].tolist() == list(range(6))
    expected = np.log2(rows["width"]) ** 2 + (rows["kind"] == "b") + 0.01 * rows["spread"]
    np.testing.assert_allclose(rows["score"], expected, atol=1e-6)
    names = {path.name for path in tmp_path.iterdir()}
    figures = {"best_so_far.png", "marginals.png", "parallel.png"}
    assert {"trials.csv", "summary.md", "best.keras", "best.json", *figures} <= names
    assert not list((tmp_path / "trials").iterdir())
    best = rows.loc[rows["score"].idxmin()]
    weights = keras.saving.load_model(tmp_path / "best.keras").get_weights()[0]
    assert np.abs(weights).sum() == pytest.approx(best["spread"])  # it is the best trial's model
    if strategy == "grid":
        cells = list(zip(rows["width"], rows["kind"], strict=True))
        assert cells == [(w, k) for w in (0.5, 1.0, 2.0) for k in "ab"]
        assert (best["width"], best["kind"]) == (1.0, "a")


def test_the_grid_of_sidworks01_has_144_cells():
    cells = grid_cells(search.choices(**ORIGINAL_GRID))
    assert len(cells) == 144 and len({tuple(cell.values()) for cell in cells}) == 144
    assert set(cells[0]) == {"beta", "wx", "wy", "latent_dim"}


def test_bayesian_finds_the_optimum_of_a_bowl(tmp_path):
    """Of 20 trials 7 are random; those guided are better, and the best of 5 seeds are near 0."""
    bests = []
    for seed in range(5):
        oracle = make_oracle("bayesian", tmp_path / str(seed), seed)
        oracle.max_trials, oracle.num_initial_points = 20, 7
        scores = [score for _, status, score in drive(oracle).values() if status == "COMPLETED"]
        assert np.median(scores[7:]) < np.median(scores[:7])
        bests.append(min(scores))
    assert np.median(bests) < 0.01


def test_bayesian_begins_with_each_choice_and_each_part_of_a_range(tmp_path):
    for seed in range(5):
        oracle = make_oracle("bayesian", tmp_path / str(seed), seed)
        oracle.max_trials = oracle.num_initial_points = 6
        values = [value for value, _, _ in drive(oracle).values()]
        assert [value["kind"] for value in values].count("a") == 3
        parts = np.floor(6 * (np.log2([value["width"] for value in values]) + 2) / 4)
        assert sorted(parts) == list(range(6))


def test_bayesian_looks_only_where_values_are(tmp_path):
    oracle = make_oracle("bayesian", tmp_path / "journal")
    points = np.random.default_rng(0).random((50, 2))
    snapped = oracle._snap(points)
    assert np.array_equal(snapped[:, 0], points[:, 0]) and set(snapped[:, 1]) == {0.25, 0.75}
    assert [oracle._values(p) for p in snapped] == [oracle._values(p) for p in points]


def test_bayesian_sees_the_ratio_of_two_weights(tmp_path):
    space, log = keras_tuner.HyperParameters(), {"sampling": "log"}
    space.Float("beta", 0.05, 8.0, **log)
    space.Float("wx", 0.1, 4.0, **log)
    space.Float("rate", 0.1, 4.0)
    options = {"objective": Bowl.objective, "hyperparameters": space, "tune_new_entries": False}
    options |= {"ratios": {"beta": "wx", "wx": "rate", "wy": "wx"}, "max_trials": 3}
    oracle = STRATEGIES["bayesian"](Journal(tmp_path / "journal"), **options)
    points = np.random.default_rng(0).random((20, 3))
    values = pd.DataFrame([oracle._values(point) for point in points])
    seen = oracle._seen(points)
    ratio = np.log(values["beta"] / values["wx"])
    slope = (seen[1:, 0] - seen[0, 0]) / (ratio[1:] - ratio[0])
    np.testing.assert_allclose(slope, 1 / np.log(8.0 / 0.05), rtol=1e-4)
    assert np.array_equal(seen[:, 1:], points[:, 1:])  # of no log scale, or not tuned: as they are


def test_bayesian_takes_few_values_each_once(tmp_path):
    rows = run(tmp_path, "bayesian", space=Bowl().grid(), trials=6)
    assert len(set(zip(rows["width"], rows["kind"], strict=True))) == 6


def test_only_the_space_is_tuned(tmp_path):
    rows = run(tmp_path, space=search.choices(width=[0.5, 1.0, 2.0]), trials=3)
    assert "kind" not in rows and sorted(rows["width"]) == [0.5, 1.0, 2.0]


def test_hyperband_goes_on_with_the_model_of_the_past_trial(tmp_path):
    rows = run(tmp_path, "hyperband")
    later = rows[rows["tuner/initial_epoch"] > 0]
    assert len(later)
    for _, row in later.iterrows():
        past = rows.iloc[int(row["tuner/trial_id"])]
        assert row["width"] == past["width"]
        assert row["spread"] == past["spread"]  # nothing is trained here: the weights are the same


def test_seeds_differ_between_trials_and_executions(tmp_path):
    seeds = {trial_seed(s, n, e) for s in range(5) for n in range(144) for e in range(3)}
    assert len(seeds) == 5 * 144 * 3
    rows = run(tmp_path, executions=2, trials=2)
    other = run(tmp_path / "other", seed=1, trials=2)
    both = pd.concat([rows, other])
    assert both["spread"].nunique() == 4 and both["width"].nunique() == 4


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_killed_at_any_event_goes_on_as_if_it_were_not(strategy, tmp_path):
    whole = drive(make_oracle(strategy, tmp_path / "whole"))
    lines = (tmp_path / "whole").read_text().splitlines(keepends=True)
    assert len(lines) == 1 + 2 * len(whole)
    assert any(status == "FAILED" for _, status, _ in whole.values()) or strategy == "grid"
    for kept in range(0, len(lines), 3 if strategy == "hyperband" else 1):
        path = tmp_path / str(kept)
        path.write_text("".join(lines[:kept]) + lines[kept][:10])  # half of the next line
        again = drive(make_oracle(strategy, path))
        assert str(again) == str(whole)  # as text, in which NaN equals NaN


# -- trials that go wrong -----------------------------------------------------------------------
def test_a_trial_that_diverged_is_recorded_as_such(tmp_path):
    rows = run(tmp_path, "grid", Bowl(diverge=[0.5, 1.0]))  # four in a row: no reason to stop
    assert rows["status"].tolist() == ["diverged"] * 4 + ["completed"] * 2
    assert rows["score"].isna().tolist() == [True] * 4 + [False] * 2
    assert rows["seed"].notna().all() and "4 diverged" in (tmp_path / "summary.md").read_text()


def test_a_trial_that_raised_is_recorded_and_run_again_by_resume(tmp_path):
    model = Bowl()
    model.fail = [1.0]  # as if the disk were full for two trials
    rows = run(tmp_path / "full", "grid", model)
    assert rows["status"].tolist() == ["completed"] * 2 + ["failed"] * 2 + ["completed"] * 2
    assert "no space left" in (tmp_path / "full" / "errors" / "2.txt").read_text()
    again = run(tmp_path / "full", "grid", resume=True)
    same_table(again, run(tmp_path / "whole", "grid"))


def test_three_trials_that_raise_in_a_row_stop_the_search(tmp_path):
    model = Bowl()
    model.fail = [0.5, 1.0]
    with pytest.raises(ValueError, match="the last with OSError: no space left"):
        run(tmp_path, "grid", model)
    assert len(read(tmp_path)) == 3
    same_table(run(tmp_path, "grid", resume=True), run(tmp_path / "whole", "grid"))


# -- kills --------------------------------------------------------------------------------------
@pytest.mark.long
def test_a_grid_killed_twice_ends_with_the_table_of_one_that_was_not(tmp_path):
    for trial in (2, 3):
        assert process(tmp_path / "killed", "grid", trial).returncode == -9
    events = Journal(tmp_path / "killed" / "journal.jsonl").events
    ended = [event["trial"] for event in events if event["event"] == "end"]
    assert ended == ["0", "1", "2"]  # 1 and 2: nothing is lost but the trial that ran
    same_table(run(tmp_path / "killed", "grid", resume=True), run(tmp_path / "whole", "grid"))


def test_a_journal_drops_half_a_line(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.append({"event": "end", "metrics": {"score": float("nan")}})
    with (tmp_path / "journal").open("a") as file:
        file.write('{"event": "sta')
    again = Journal(tmp_path / "journal")
    assert again.events == [{"event": "end", "metrics": {"score": None}}]
    again.append({"event": "open"})
    assert len(Journal(tmp_path / "journal").events) == 2
    (tmp_path / "journal").write_text("{\n{}\n")
    with pytest.raises(ValueError, match="damaged"):
        Journal(tmp_path / "journal")


def test_changed_settings_are_refused(tmp_path):
    run(tmp_path, trials=2)
    before = read(tmp_path)
    with pytest.raises(ValueError, match="holds a search: resume it"):
        run(tmp_path, trials=2)
    changes = [{"trials": 3}, {"seed": 1}, {"patience": 2}, {"model": Bowl(diverge=[9.0])}]
    for change in [*changes, {"space": Bowl().grid()}, {"strategy": "bayesian"}]:
        with pytest.raises(ValueError, match=f"holds a search with .*{[*change][0][:5]}") as error:
            run(tmp_path, resume=True, **{"trials": 2, **change})
        assert "epochs" not in str(error.value)  # what did not change is not shown
    same_table(run(tmp_path, trials=2, resume=True), before)


def test_a_search_that_names_its_hypermodel_as_it_was_named_can_be_resumed(tmp_path):
    held, now = ({"hypermodel": {"class": f"{name}HyperModel"}} for name in ("Testbed", "Dense"))
    claim(tmp_path, held, resume=False)
    claim(tmp_path, now, resume=True)
    with pytest.raises(ValueError, match="holds a search with .*DenseHyperModel"):
        claim(tmp_path, {"hypermodel": {"class": "Bowl"}}, resume=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"strategy": "annealing"}, "'annealing' is unknown"),
        ({"trials": 0}, "trials must be a positive integer"),
        ({"executions": 0}, "executions must be a positive integer"),
        ({"strategy": "hyperband", "trials": 3}, "hyperband decides"),
        ({"strategy": "hyperband", "executions": 2}, "hyperband decides"),
    ],
)
def test_bad_settings_are_refused(options, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        search.run(Bowl(), folder=tmp_path / "new", **options)


def test_what_has_no_grid_is_refused(tmp_path):
    space = keras_tuner.HyperParameters()
    space.Float("width", 0.25, 4.0)
    with pytest.raises(ValueError, match="width is a range without a step"):
        run(tmp_path, "grid", space=space)
    with pytest.raises(ValueError, match="names a value twice"):
        run(tmp_path, "grid", space=search.choices(width=[1.0, 1.0]))


# -- chief and workers --------------------------------------------------------------------------
@pytest.mark.long
def test_chief_and_two_workers_on_loopback_lose_and_double_nothing(tmp_path):
    chief = process(tmp_path / "two", "grid", 0, 2)
    assert chief.returncode == 0, chief.stderr[-2000:]
    events = Journal(tmp_path / "two" / "journal.jsonl").events
    assert {e["tuner"] for e in events if e["event"] == "start"} == {"tuner0", "tuner1"}
    ends = [event["trial"] for event in events if event["event"] == "end"]
    assert sorted(ends) == [str(number) for number in range(6)]
    # a float32 is what travels
    same_table(read(tmp_path / "two"), run(tmp_path / "one", "grid"), rtol=1e-6)


@pytest.mark.long
def test_the_trial_of_a_worker_killed_on_another_machine_is_run_by_another(tmp_path, monkeypatch):
    """The chief knows these workers by their calls alone. One stops without a word in a trial."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = {workers.ADDRESS: "127.0.0.1", workers.PORT: port}
    started = [
        start(tmp_path / "two", "grid", kill, **address, **{workers.WHO: f"tuner{number}"})
        for number, kill in enumerate((2, 0))  # the first is killed in its second trial
    ]
    for name, value in {**address, workers.WHO: workers.CHIEF}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(workers, "LOST", 15.0)
    rows = run(tmp_path / "two", "grid", resume=True)
    codes = [worker.wait(timeout=60) for worker in started]
    assert codes == [-signal.SIGKILL, 0], [worker.stderr.read() for worker in started]
    for name in address:
        monkeypatch.delenv(name)
    same_table(rows, run(tmp_path / "one", "grid"), rtol=1e-6)
    events = Journal(tmp_path / "two" / "journal.jsonl").events
    assert [event["tuner"] for event in events if event["event"] == "lost"] == ["tuner0"]


def test_a_chief_without_workers_says_so_and_ends(tmp_path, monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = {workers.ADDRESS: "127.0.0.1", workers.PORT: port}
    for name, value in {**address, workers.WHO: workers.CHIEF}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(workers, "SAY", 0.5)
    monkeypatch.setattr(workers, "ALONE", 2.0)
    with pytest.raises(RunError, match=r"^no worker was there for 2 s: start some, and resume"):
        run(tmp_path, "grid")
    assert f"Waiting for workers on 127.0.0.1:{port}, 1 s more." in capsys.readouterr().err


def test_workers_end_with_their_chief(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with workers.on_this_machine(command, 2) as processes:
        assert workers.role() == "chief" and set(processes) == {"tuner0", "tuner1"}
        assert all(process.poll() is None for process in processes.values())
    assert workers.role() == "alone"
    assert all(process.poll() is not None for process in processes.values())


def test_a_search_whose_workers_all_ended_says_so(tmp_path):
    with workers.on_this_machine([sys.executable, "-c", "pass"], 2) as processes:
        with pytest.raises(ValueError, match="all workers ended"):
            run(tmp_path, trials=2, processes=processes)


def test_the_trial_of_a_lost_worker_goes_to_another(tmp_path):
    oracle = make_oracle("grid", tmp_path / "journal")
    first, second = oracle.create_trial("tuner0"), oracle.create_trial("tuner1")
    oracle.lose("tuner0")
    assert oracle.create_trial("tuner1").trial_id == second.trial_id  # it still has one
    assert oracle.create_trial("tuner2").trial_id == first.trial_id
    again = make_oracle("grid", tmp_path / "journal")
    ids = {again.create_trial(name).trial_id for name in ("a", "b", "c")}
    assert ids == {"0", "1", "2"}
