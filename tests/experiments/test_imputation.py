"""The imputation table: what is hidden, how a row is scored, and that it is written and resumed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer

from cvae_keras.experiments.auto_decoder import imputation as table


class Oracle:
    """Fills missing cells with the truth, and draws it with noise of scale 1."""

    def __init__(self, x):
        self.x = x

    def fit_transform(self, incomplete):
        return self.x

    def sample(self, incomplete, n):
        return self.x + np.random.default_rng(0).normal(size=(n, *self.x.shape))


def test_error_and_coverage_of_an_oracle_and_of_the_mean():
    x, mask, covariance = table.load("gaussian AR", quick=True)
    row = table.run_row(Oracle(x), x, mask, covariance)
    assert row["rmse"] == row["over_best"] == 0 and row["covered"] == 1
    row = table.run_row(SimpleImputer(), x, mask, covariance)
    spread = np.where(mask, x, np.nan)
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean((x - np.nanmean(spread, 0))[~mask] ** 2)))
    assert row["over_best"] > 1.5 and "covered" not in row


def test_files_are_brought_to_the_unit_interval_and_found_in_both_places(tmp_path, monkeypatch):
    monkeypatch.delenv("CVAE_KERAS_DATA", raising=False)
    with pytest.raises(ValueError, match="name its folder with --data-dir"):
        table.load("letter")
    with pytest.raises(ValueError, match="neither letter.csv nor uci/letter.csv"):
        table.load("letter", data_dir=tmp_path)
    frame = pd.DataFrame({"a": np.arange(100), "b": 5, "c": -np.arange(100.0)})
    (tmp_path / "uci").mkdir()
    frame.to_csv(tmp_path / "uci" / "letter.csv", index=False)
    x, mask, covariance = table.load("letter", data_dir=tmp_path)
    assert x.min() == 0 and x.max() == 1 and covariance is None
    assert not x[:, 1].any() and 0.7 < mask.mean() < 0.9


def test_table_is_written_and_resumes(tmp_path, monkeypatch):
    made = []

    def make(method, seed):
        made.append(method)
        return SimpleImputer()

    monkeypatch.setattr(table, "make", make)
    text = table.run_table(tmp_path, quick=True)
    assert made == 2 * ["mean", "KNN", "iterative", "VAD"] and "| cancer | VAD |" in text
    assert table.run_table(tmp_path, quick=True) == text and len(made) == 8
    assert len(pd.read_csv(tmp_path / "imputation.csv")) == 8
