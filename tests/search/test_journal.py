"""A journal that was edited or cut is refused in one sentence, or read as far as it is whole."""

import json
import os

import keras_tuner
import numpy as np
import pytest

from cvae_keras import search
from cvae_keras.checks import RunError
from cvae_keras.search import journal as journal_module
from cvae_keras.search.journal import Journal
from cvae_keras.search.oracles import STRATEGIES

SPACE = search.choices(width=[0.5, 1.0], kind=["a", "b"])
OPEN = {"event": "open"}
START = {"event": "start", "trial": "0", "tuner": "t", "values": {"width": 0.5, "kind": "a"}}
END = {"event": "end", "trial": "0", "status": "COMPLETED", "metrics": {"score": 1.0}}


def oracle_of(path, strategy="random"):
    options = {"objective": keras_tuner.Objective("score", "min"), "hyperparameters": SPACE}
    return STRATEGIES[strategy](Journal(path), max_trials=4, tune_new_entries=False, **options)


def write(path, *events):
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


BAD = [
    {},
    {"event": "begin"},
    {"event": None},
    {"event": ["open"]},
    {"event": "lost"},
    {"event": "lost", "tuner": 3},
    {"event": "start"},
    {**START, "trial": 1},
    {**START, "trial": "7"},
    {**START, "values": None},
    {**START, "values": {}},
    {**START, "values": {"width": 0.5, "kind": "c"}},
    {**START, "values": {"width": "0.5", "kind": "a"}},
    {**START, "values": {"width": 0.7, "kind": "a"}},
    {**START, "values": {"width": 0.5, "kind": "a", "other": 1}},
    {**START, "tuner": None},
    {**END, "trial": "7"},
    {**END, "trial": None},
    {**END, "status": "DONE"},
    {**END, "status": 1},
    {**END, "metrics": {}},
    {**END, "metrics": {"score": "low"}},
    {**END, "metrics": {"score": True}},
    {**END, "metrics": [1.0]},
]


@pytest.mark.parametrize("strategy", ["random", "grid", "bayesian"])
def test_events_of_wrong_form_are_refused_by_file_and_line(strategy, tmp_path):
    path = tmp_path / "journal.jsonl"
    for bad in BAD:
        before = [OPEN, START] if bad.get("event") == "end" else [OPEN]
        content = write(path, *before, bad, OPEN).read_bytes()
        with pytest.raises(ValueError) as error:  # noqa: PT011
            oracle_of(path, strategy).replay()
        message = str(error.value)
        assert message.startswith(f"{path} is damaged in line {len(before) + 1} (")
        assert "\n" not in message and message.endswith(".")
        assert path.read_bytes() == content


def test_ranges_know_their_values():
    space = keras_tuner.HyperParameters()
    space.Float("rate", 0.1, 0.7, sampling="log")
    space.Int("depth", 1, 4)
    space.Boolean("gated")
    space.Fixed("fixed", 3)
    rate, depth, gated, fixed = space.space
    fits = journal_module._fits
    assert all(fits(rate, value) for value in (0.1, 0.7, 0.5)) and fits(depth, 4)
    assert not any(fits(rate, value) for value in (0.0, 0.71, np.nan, "0.5", None, True))
    assert not any(fits(depth, value) for value in (0, 5, 2.0, True, [2]))
    assert fits(gated, False) and not fits(gated, 0) and fits(fixed, 3) and not fits(fixed, 4)


@pytest.mark.parametrize(
    "content", [b"{\n{}\n", b"[]\n", b"\xff\n", b"1e999\n", b"[" * 10**5 + b"\n", b"\n", b"\x00\n"]
)
def test_lines_that_are_no_objects_are_refused(content, tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"journal.jsonl is damaged in line 1 \([^\n]*\.$"):
        Journal(path)
    assert path.read_bytes() == content


def test_links_folders_pipes_and_large_files_are_refused(tmp_path, monkeypatch):
    target = write(tmp_path / "target", OPEN)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in [("link", "is a link"), ("folder", "a folder"), ("pipe", "a pipe")]:
        with pytest.raises(ValueError, match=sentence):
            Journal(tmp_path / name)
    monkeypatch.setattr(journal_module, "LARGEST", 4)
    with pytest.raises(ValueError, match="larger than 4 bytes"):
        Journal(target)


def test_half_a_line_is_cut_off_by_the_first_event_and_not_before(tmp_path):
    path = write(tmp_path / "journal.jsonl", OPEN)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event": "sta')
    journal = Journal(path)
    assert journal.events == [OPEN] and path.read_bytes() == whole + b'{"event": "sta'
    journal.append(OPEN)
    assert path.read_bytes() == 2 * whole


def test_an_event_that_could_not_be_written_leaves_the_next_one_whole(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(OPEN)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            journal.append(START)
    journal.append({"event": "lost", "tuner": "t"})
    assert Journal(journal.path).events == [OPEN, {"event": "lost", "tuner": "t"}] == journal.events


def test_two_processes_do_not_write_to_one_journal(tmp_path):
    first, second = (Journal(tmp_path / "journal.jsonl") for _ in range(2))
    first.append(OPEN)
    with pytest.raises(RunError, match="changed by another process"):
        second.append(OPEN)
    assert Journal(first.path).events == [OPEN]


def test_results_of_a_trial_that_is_not_running_are_refused_and_the_lock_is_free(tmp_path):
    oracle = oracle_of(tmp_path / "journal.jsonl")
    oracle.replay()
    trial = oracle.create_trial("t")
    oracle.lose("t")
    for call in (lambda: oracle.update_trial(trial.trial_id, {"score": 1.0}), trial_end(oracle)):
        with pytest.raises(RunError, match="trial 0 is not running"):
            call()
    assert not journal_module.LOCKS[oracle].locked()
    assert oracle.create_trial("u").trial_id == trial.trial_id


def trial_end(oracle):
    trial = oracle.trials["0"]
    return lambda: oracle.end_trial(trial)
