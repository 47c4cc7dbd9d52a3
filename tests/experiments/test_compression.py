"""The embedding table: what it keeps, what it does not run again, and the table of seeds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.experiments import compression as embedding


@pytest.fixture
def components(monkeypatch):
    """Every method is PCA of so many dimensions; each fit is counted."""
    from sklearn.decomposition import PCA

    fits = []

    def make(job):
        fits.append(job)
        return PCA(job.dimensions, random_state=job.seed)

    monkeypatch.setattr(embedding, "make", make)
    return fits


def test_full_table_has_every_method_on_both_data_sets():
    rows = embedding.jobs_of()
    assert len({job.path(Path(".")) for job in rows}) == len(rows) == 11
    two = {(job.data, job.method) for job in rows if job.dimensions == 2}
    assert two == {(d, m) for d in ("mnist", "fashion_mnist") for m in embedding.METHODS}


def test_rows_are_kept_and_not_run_again(tmp_path, components):
    result = CliRunner().invoke(main, ["table", "embedding", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "embedding.csv")
    assert len(components) == len(frame) == len(embedding.jobs_of(quick=True))
    assert frame["5-NN"].between(0.3, 1).all() and frame["trust"].between(0.5, 1).all()
    wide = frame["dim"] == 8
    assert frame[wide]["5-NN"].min() > frame[~wide]["5-NN"].max()
    written = (tmp_path / "embedding.md").read_bytes()
    embedding.run_table(tmp_path, quick=True)
    assert len(components) == len(frame) and (tmp_path / "embedding.md").read_bytes() == written


def test_seeds_have_a_table_of_their_own(tmp_path, components):
    command = ["table", "embedding", "--quick", "--seeds", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert [job.seed for job in components] == [0, 1, 2]
    frame = pd.read_csv(tmp_path / "embedding_seeds.csv")
    assert list(frame["seed"]) == [0, 1, 2] and not (tmp_path / "embedding.csv").exists()
    text = embedding.run_seeds(tmp_path, quick=True, seeds=2)
    assert len(components) == 3 and f"mean {np.mean(frame['5-NN'][:2]):.3f}" in text
