"""Pruning: who is stopped is known from the scores, and a pruned trial is never the best."""

import keras
import numpy as np
import pytest
from search_case import Bowl

from cvae_keras import search
from cvae_keras.search.pruning import EARLIER, MedianRule
from cvae_keras.search.run import read_settings

pytestmark = pytest.mark.usefixtures("eager")


class Trained(Bowl):
    """A bowl whose trials train, an epoch a step, on nothing; a score does not change with it."""

    def build(self, hp):
        model = super().build(hp)
        model.compile("sgd", "mse")
        return model

    def fit(self, hp, model, **options):
        none = np.zeros((1, 1))
        return model.fit(none, none, validation_data=(none, none), verbose=0, **options)

    def score(self, model):
        return {"score": float(np.log2(self.width) ** 2)}


def run(folder, **options):
    options = {
        "strategy": "random",
        "trials": 9,
        "epochs": 3,
        "prune": True,
        "patience": 9,
        **options,
    }
    return search.run(Trained(), folder=folder, **options)


@pytest.mark.parametrize(("direction", "behind"), [("min", [3.1, np.nan]), ("max", [2.9, np.nan])])
def test_a_score_is_compared_with_the_median(direction, behind):
    rule = MedianRule(None, 10, [1.0, 2.0, 3.0, 4.0, 5.0], direction)
    assert [rule.is_behind(score) for score in behind] == [True, True]
    assert not rule.is_behind(3.0) and not rule.is_behind(6.0 - behind[0])
    assert not MedianRule(None, 10, [1.0] * (EARLIER - 1), "min").is_behind(9.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "run_eagerly", property(lambda m: True, lambda m, value: None))
        folder = tmp_path_factory.mktemp("search") / "whole"
        return folder, run(folder)


def test_trials_worse_than_the_median_of_those_before_are_pruned(whole):
    folder, rows = whole
    square = np.log2(rows["width"]) ** 2
    np.testing.assert_allclose(rows["rung_score"], square, rtol=1e-5)
    behind = [n >= EARLIER and square[n] > square[:n].median() for n in range(len(rows))]
    assert 0 < sum(behind) < len(rows)
    assert (rows["status"] == "pruned").tolist() == behind
    assert rows["score"].isna().tolist() == behind
    assert rows["epochs"].tolist() == [1 if each else 3 for each in behind]
    assert f"{sum(behind)} pruned" in (folder / "summary.md").read_text()
    assert read_settings(folder)["prune"]


def test_a_pruned_trial_is_never_the_best(tmp_path, monkeypatch):
    """Even if the others became worse afterwards than it was when it was stopped."""
    monkeypatch.setattr(MedianRule, "is_behind", lambda rule, score: len(rule.earlier) == 3)
    worse = iter(range(100))
    monkeypatch.setattr(Trained, "score", lambda *_: {"score": float(100 + next(worse))})
    monkeypatch.setattr(MedianRule, "on_epoch_end", _compare_with_zero)
    rows = run(tmp_path, trials=5)
    assert rows["status"].tolist() == ["completed"] * 3 + ["pruned"] + ["completed"]
    assert rows["score"].idxmin() == 0 and rows.loc[3, "rung_score"] == 0.0
    assert '"trial": 0' in (tmp_path / "best.json").read_text()


def _compare_with_zero(rule, epoch, logs=None):
    if epoch + 1 == rule.rung:
        rule.rung_score, rule.pruned = 0.0, rule.is_behind(0.0)
        rule.model.stop_training = rule.pruned


def test_a_search_with_pruning_goes_on_as_if_it_had_not_been_killed(tmp_path):
    same = ["trial", "status", "width", "kind", "rung_score", "epochs"]
    rows = run(tmp_path, strategy="bayesian")
    assert (rows["status"] == "pruned").any()
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if "pruned" in line)
    assert number + 2 < len(lines)
    (tmp_path / "journal.jsonl").write_text("".join(lines[: number + 2]))
    again = run(tmp_path, strategy="bayesian", resume=True)
    assert rows[same].equals(again[same])


def test_what_prunes_itself_or_trains_often_is_refused(tmp_path):
    for options in ({"strategy": "hyperband", "trials": None}, {"executions": 2}):
        with pytest.raises(ValueError, match="prune needs trials of one training"):
            run(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
