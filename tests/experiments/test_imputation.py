"""The imputation table: what is hidden, how a row is scored, and that it is written and resumed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer

from cvae_keras.experiments.auto_decoder import contests
from cvae_keras.experiments.auto_decoder import imputation as table
from cvae_keras.experiments.auto_decoder.network_imputer import NetworkImputer
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.miwae import MIWAE


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
    assert (
        made == 2 * ["mean", "KNN", "iterative", "VAD"] and "| cancer | MCAR | 0.2 | VAD |" in text
    )
    assert table.run_table(tmp_path, quick=True) == text and len(made) == 8
    assert len(pd.read_csv(tmp_path / "imputation.csv")) == 8
    assert "| mean | 2.5 | 0 | 2 |" in text  # four equal errors on two tables
    assert "| mean | 2 | 0.5 | 1 | 2 | 1 |" in text


def _frame(errors):
    """Rows of `(data, seed)` -> method -> rmse."""
    lines = [
        (data, "MCAR", 0.2, method, seed, rmse, 2.0)
        for (data, seed), found in errors.items()
        for method, rmse in found.items()
    ]
    names = ["data", "mechanism", "share", "method", "seed", "rmse", "seconds"]
    return pd.DataFrame(lines, columns=names)


def test_ranks_are_over_the_contests_in_which_all_methods_were_run():
    frame = _frame({
        ("wine", 0): {"KNN": 1.0, "VAD": 2.0, "mean": 3.0},
        ("wine", 1): {"KNN": 3.0, "VAD": 1.0, "mean": 4.0},
        ("wine", 2): {"KNN": 1.0, "VAD": 5.0},
        ("cancer", 0): {"KNN": 1.0, "VAD": 2.0, "mean": 3.0},
        ("letter", 0): {"KNN": 1.0, "VAD": 2.0},
    })  # fmt: skip
    ranks = contests.average_ranks(frame).set_index("method")
    assert ranks["average rank"].to_dict() == {"KNN": 1.5, "VAD": 1.5, "mean": 3.0}
    assert ranks["firsts"].to_dict() == {"KNN": 1, "VAD": 1, "mean": 0}  # one contest each
    assert set(ranks["contests"]) == {2}
    short = table.summary(frame).set_index(["data", "method"])
    assert short.loc[("wine", "mean"), ["rmse", "masks"]].tolist() == [3.5, 2]
    assert short.loc[("wine", "KNN"), "rmse_std"] == pytest.approx(np.std([1, 3, 1], ddof=1))


def test_a_rival_is_compared_on_the_masks_that_both_have():
    names = ["wine", "cancer", "letter", "spam", "digits", "diabetes"]
    errors = {(name, 0): {"VAD": 1.0, "KNN": 2.0 + i} for i, name in enumerate(names)}
    errors[("wine", 1)] = {"VAD": 100.0}  # a mask that KNN lacks
    errors[("digits", 0)]["mean"] = 0.5
    found = contests.rivals_of("VAD", _frame(errors)).set_index("rival")
    knn = found.loc["KNN"]
    assert knn[["contests", "lower", "tables"]].tolist() == [6, 1.0, 6]
    assert knn["ratio"] == pytest.approx((1 / np.prod(np.arange(2.0, 8.0))) ** (1 / 6))
    assert knn["p"] == pytest.approx(2 / 2**6)  # all of one sign
    assert found.loc["mean", ["contests", "lower", "ratio", "p"]].tolist() == [1, 0.0, 2.0, 1.0]


def test_contests_on_one_table_are_one_number_of_the_test():
    frame = _frame({(name, 0): {"VAD": 1.0, "KNN": 2.0} for name in ("wine", "cancer")})
    more = [frame.assign(share=share) for share in (0.2, 0.5, 0.7)]
    found = contests.rivals_of("VAD", pd.concat(more))
    assert found[["contests", "tables"]].iloc[0].tolist() == [6, 2]
    assert found["p"].item() == pytest.approx(0.5)


def test_older_files_are_of_the_share_that_their_table_had():
    for data, share in (("letter", 0.2), ("gaussian AR", 0.5)):
        job = table.Job(data, "KNN")
        old = {name: value for name, value in job.config().items() if name != "share"}
        assert job.share == share and job.upgrade(old) == job.config()
    names = {job.name for job in table.jobs_of(table.TABLES, range(5))}
    assert len(names) == len(table.jobs_of(table.TABLES, range(5)))


@pytest.mark.long
@pytest.mark.parametrize(("kind", "place"), [(MaskedVAE, "given"), (MIWAE, "mask")])
def test_a_network_fills_what_other_columns_know(kind, place):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(192, 1)) * [1.0, -2.0, 50.0, 3.0] + [0, 5, 100, 0]
    incomplete = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    filled = NetworkImputer(kind, place, epochs=40).fit_transform(incomplete)
    seen = ~np.isnan(incomplete)
    assert np.array_equal(filled[seen], x[seen])
    gap = ((filled - x) / x.std(axis=0))[~seen]
    assert np.sqrt(np.mean(gap**2)) < 0.6  # 1 for the mean
