"""The multimodal table: which rows it has, what it runs, and what it keeps."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.experiments import multimodal as jobs
from cvae_keras.experiments import multimodal as table

TINY = {"steps": 200, "batch": 32, "test": 20, "K": 5}


JOBS_OF = jobs.jobs_of


def tiny_jobs(quick, seed):
    found = JOBS_OF(True, seed)
    small = {"hidden": (8,), "epochs": 1, **TINY}
    del small["steps"]
    return [replace(found[0], **TINY)] + [replace(job, **small) for job in (found[1], found[-1])]


class Coin:
    """A classifier that costs nothing."""

    def __init__(self, images, labels, epochs):
        assert set(np.unique(images)) == {0, 1} and len(images) == len(labels)

    def accuracy(self, images, labels):
        assert set(np.unique(images)) <= {0, 1} and len(images) == len(labels)
        return 0.5


def test_all_rows_are_asked_for():
    full = jobs.jobs_of()
    assert len({job.name for job in full}) == len(full) == 9
    gaussian = [job for job in full if job.data == "gaussian"]
    assert {dim for job in gaussian for dim in job.dims} <= set(range(2, 9))
    assert {(job.task, job.prior) for job in full if job.data == "mnist"} == {
        (task, prior) for task in jobs.TASKS for prior in jobs.PRIORS
    }
    assert all(job.K == 1000 for job in full)


@pytest.mark.long
def test_table_is_written_and_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "jobs_of", tiny_jobs)
    monkeypatch.setattr(table, "ImageClassifier", Coin)
    table.images_of.cache_clear()
    result = CliRunner().invoke(main, ["table", "multimodal", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "multimodal.csv")
    assert len(frame) == 8 + 2 and list(frame["given"][:2]) == ["nothing", "a"]
    assert np.isfinite(frame["log_p"]).all() and frame["judged"][8:].between(0, 1).all()
    assert (frame["gap_per_dim"][:8] < 2 * frame["gap_se"][:8]).all()
    assert (tmp_path / "multimodal.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "multimodal.json").read_text())["config"]["jobs"]
    written = (tmp_path / "multimodal.md").read_bytes()
    for name in ("run_gaussian", "run_images", "ImageClassifier"):
        monkeypatch.setattr(table, name, None)  # nothing is run again
    table.images_of.cache_clear()
    table.run_table(tmp_path, quick=True)
    assert (tmp_path / "multimodal.md").read_bytes() == written


def test_bad_folder_and_data_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    arguments = ["table", "multimodal", "--out", str(tmp_path / "file")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and "cannot be made" in result.stderr
    assert result.stderr.count("\n") == 1
