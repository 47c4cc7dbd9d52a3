"""What a search does to a folder: nothing to files of others, whatever they are named."""

import json

import keras
import pytest
from search_case import Bowl

from cvae_keras import search
from cvae_keras.checks import RunError
from cvae_keras.files import MARKER
from cvae_keras.search.tuner import trial_seed


@pytest.fixture(autouse=True)
def keep_session(monkeypatch):
    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)


def run(folder, model=None, **options):
    options = {"strategy": "grid", "trials": 1, "epochs": 1, **options}
    return search.run(model or Bowl(), folder=folder, **options)


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


FOREIGN = ["journal.jsonl", "trials.csv", "best.keras", "trials/0.keras", "summary.md", "notes.txt"]


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_others_is_refused_before_anything_is_touched(name, resume, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"event": "open"}\n{"half')
    before = content(tmp_path)
    with pytest.raises(ValueError, match="was not written by cvae_keras"):
        run(tmp_path, resume=resume)
    assert content(tmp_path) == before


def test_files_of_others_in_a_search_are_kept(tmp_path):
    (tmp_path / "mine").mkdir()
    run(tmp_path / "search", trials=2)
    for name in ("notes.txt", "trials/mine.keras", "trials/7.keras"):
        (tmp_path / "search" / name).write_text("mine")
    run(tmp_path / "search", trials=2, resume=True)
    for name in ("notes.txt", "trials/mine.keras", "trials/7.keras"):
        assert (tmp_path / "search" / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["trials", "errors"])
def test_links_out_of_the_folder_are_not_followed(name, tmp_path):
    run(tmp_path / "search")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "0.keras").write_text("mine")
    if (tmp_path / "search" / name).exists():
        (tmp_path / "search" / name).rmdir()
    (tmp_path / "search" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=f"{name} is a link: remove it"):
        run(tmp_path / "search", resume=True)
    assert content(tmp_path / "mine") == {"0.keras": b"mine"}


def test_a_search_of_an_older_version_has_no_marker_and_goes_on(tmp_path):
    before = run(tmp_path)
    (tmp_path / MARKER).unlink()
    again = run(tmp_path, resume=True)
    assert (tmp_path / MARKER).is_file() and again["score"].tolist() == before["score"].tolist()


SETTINGS = {"strategy": "grid", "hypermodel": {"class": "Bowl"}, "epochs": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "[" * 10**5,
        '{"config": []}',
        '{"config": {"hypermodel": "Bowl"}}',
        json.dumps({"config": {**SETTINGS, "epochs": "1"}}),
        json.dumps({"config": {**SETTINGS, "seed": None}}),
    ],
)
def test_damaged_settings_are_one_sentence(text, tmp_path):
    run(tmp_path)
    (tmp_path / "search.json").write_text(text)
    before = content(tmp_path)
    for resume in (True, False):
        with pytest.raises(ValueError, match=r"search\.json [^\n]*: restore it[^\n]*\.$"):
            run(tmp_path, resume=resume)
    assert content(tmp_path) == before


def test_settings_that_were_edited_are_refused(tmp_path):
    run(tmp_path)
    held = json.loads((tmp_path / "search.json").read_text())
    for change in ({"epochs": 2}, {"unknown": 1}, {"hypermodel": {"class": "Bowl"}}, {"space": 3}):
        edited = {**held, "config": {**held["config"], **change}}
        (tmp_path / "search.json").write_text(json.dumps(edited))
        with pytest.raises(ValueError, match="holds a search with"):
            run(tmp_path, resume=True)


# -- seeds -----------------------------------------------------------------------------------------
def test_seeds_are_as_they_were_and_have_no_limit_below_2_to_the_32():
    assert trial_seed(42_949, 0) == 4_294_900_000 and trial_seed(42_950, 0) == 32_704
    assert 0 <= trial_seed(2**32 - 1, 999, 9) < 2**32


@pytest.mark.parametrize("seed", [42_950, 2**31, 2**32 - 1])
@pytest.mark.parametrize("strategy", ["random", "bayesian", "grid"])
def test_a_search_with_a_large_seed(strategy, seed, tmp_path):
    rows = run(tmp_path, seed=seed, strategy=strategy, trials=4)
    assert (rows["status"] == "completed").all()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", None, True, float("nan")])
def test_other_seeds_are_refused(seed, tmp_path):
    with pytest.raises(ValueError, match=r"^seed must be an integer in \[0, 2\^32\), got"):
        run(tmp_path / "new", seed=seed)
    assert not (tmp_path / "new").exists()


# -- what goes wrong while a search runs -----------------------------------------------------------
def test_a_search_without_any_result_is_an_error(tmp_path):
    model = Bowl()
    model.fail = [0.5]
    with pytest.raises(RunError, match=r"no trial gave a result \(1 failed\)"):
        run(tmp_path / "failed", model)
    with pytest.raises(RunError, match=r"no trial gave a result \(1 diverged\)"):
        run(tmp_path / "diverged", Bowl(diverge=[0.5]))
    model.fail = [0.5, 1.0]
    with pytest.raises(RunError, match="three trials one after the other failed"):
        run(tmp_path / "three", model, trials=4)


@pytest.mark.parametrize("name", ["SinusoidHyperModel", "DenseHyperModel", "CompressionHyperModel"])
def test_hypermodels_check_their_counts(name):
    for value in (0, -5, 1.5, "8", True):
        with pytest.raises(ValueError, match=r"^batch_size must be a positive integer, got"):
            getattr(search, name)(batch_size=value)
