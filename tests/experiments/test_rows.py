"""The loop of the tables: what is saved is not run again, parts and processes share the rest."""

import json
import os
import shutil
from functools import partial

import keras
import pytest
from rows_case import Square, run

from cvae_keras.experiments import compression, multimodal
from cvae_keras.experiments.auto_decoder import imputation
from cvae_keras.experiments.auto_decoder import table as auto_decoder
from cvae_keras.experiments.rows import run_jobs
from cvae_keras.experiments.sinusoid import searches
from cvae_keras.experiments.sinusoid import table as sinusoid
from cvae_keras.files import RESULTS, claim, write_json

JOBS = [Square(number) for number in range(4)]


def numbers(log):
    return [int(line.split()[0]) for line in log.read_text().splitlines()]


def test_rows_are_run_once_in_order_and_kept_with_their_manifest(tmp_path):
    log, seen = tmp_path / "log", []
    one = partial(run, log=log)
    results = run_jobs(JOBS, one, tmp_path / "rows", done=lambda job, row: seen.append((job, row)))
    assert [job for job, _ in results] == JOBS and results == seen
    assert [result["square"] for _, result in results] == [0, 1, 4, 9]
    saved = json.loads((tmp_path / "rows" / "square_3.json").read_text())
    assert saved["manifest"]["config"] == {"number": 3, "version": 2}
    assert saved["manifest"]["seconds"] == 1.2
    assert run_jobs(JOBS, one, tmp_path / "rows") == results and numbers(log) == [0, 1, 2, 3]
    (tmp_path / "rows" / "square_2.json").unlink()
    assert run_jobs(JOBS, one, tmp_path / "rows") == results and numbers(log) == [0, 1, 2, 3, 2]


def test_a_row_is_found_by_its_configuration_not_by_its_label(tmp_path):
    one = partial(run, log=tmp_path / "log")
    claim(tmp_path, "rows")
    about = {"config": {"number": 5}, "seconds": 1.0}
    write_json(tmp_path / "square_5.json", {"square": 25, "manifest": about})
    ((_, result),) = run_jobs([Square(5, "another label")], one, tmp_path)
    assert result["square"] == 25 and not (tmp_path / "log").exists()  # of version 1
    about = {"config": {"number": 6}, "seconds": 1.0}
    write_json(tmp_path / "square_5.json", {"square": 36, "manifest": about})
    ((_, result),) = run_jobs([Square(5)], one, tmp_path)
    assert result["square"] == 25 and numbers(tmp_path / "log") == [5]


def test_parts_share_the_rows(tmp_path):
    one = partial(run, log=tmp_path / "log")
    first = run_jobs(JOBS, one, tmp_path / "rows", part=(1, 2))
    assert numbers(tmp_path / "log") == [0, 2]
    assert [result is None for _, result in first] == [False, True, False, True]
    both = run_jobs(JOBS, one, tmp_path / "rows", part=(2, 2))
    assert numbers(tmp_path / "log") == [0, 2, 1, 3] and all(result for _, result in both)


@pytest.mark.long
def test_processes_share_the_rows_and_those_done_survive_an_error(tmp_path):
    one = partial(run, log=tmp_path / "log")
    with pytest.raises(ValueError, match="number -1 is negative"):
        run_jobs([*JOBS, Square(-1)], one, tmp_path / "rows", processes=2)
    assert [job.saved(tmp_path / "rows")["square"] for job in JOBS] == [0, 1, 4, 9]
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(numbers(tmp_path / "log")) == [0, 1, 2, 3]
    assert str(os.getpid()) not in {process for _, process, _ in lines}
    assert {threads for _, _, threads in lines} == {"1"}


@pytest.mark.long
def test_a_process_that_is_killed_is_reported(tmp_path):
    one = partial(run, log=tmp_path / "log")
    with pytest.raises(ValueError, match="a process was killed before its row was done"):
        run_jobs([Square(13), Square(8)], one, tmp_path / "rows", processes=2)


def test_bad_parts_and_processes_are_refused(tmp_path):
    one = partial(run, log=tmp_path / "log")
    with pytest.raises(ValueError, match="part must be i/n with 1 <= i <= n"):
        run_jobs(JOBS, one, tmp_path / "rows", part=(3, 2))
    with pytest.raises(ValueError, match="processes must be a positive integer"):
        run_jobs(JOBS, one, tmp_path / "rows", processes=0)
    assert not any(tmp_path.iterdir())


def cases(folder):
    return sinusoid.jobs_of(folder, precision="mixed_bfloat16")


TABLES = {
    "sinusoid_test_cases": lambda folder: sinusoid.write_tables(folder, cases(folder)),
    "sinusoid_2_test_cases": lambda folder: sinusoid.write_tables(folder, cases(folder)),
    "search_sinusoid_1": lambda folder: searches.run_table(folder, 1),
    "embedding": compression.run_table,
    "embedding_seeds": compression.run_seeds,
    "multimodal": multimodal.run_table,
    "vad": auto_decoder.write_saved,  # some rows are missing
    "imputation": imputation.write_saved,
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A copy of the committed rows and searches, without the tables."""
    folder = claim(tmp_path_factory.mktemp("results"), "results")
    for path in RESULTS.iterdir():
        if path.is_dir() and path.name.endswith("_rows") or path.name.startswith("search_"):
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_committed_rows_give_the_committed_table(name, results, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", None)  # nothing is trained
    TABLES[name](results)
    for ending in (".csv", ".md"):
        written = (results / name).with_suffix(ending).read_text()
        assert written == (RESULTS / name).with_suffix(ending).read_text()
