"""The table of searches, and the test case that their winner becomes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from cvae_keras import search
from cvae_keras.data.sinusoid import TASKS
from cvae_keras.experiments.sinusoid.cases import CASES, Job, case_config, searched_case
from cvae_keras.experiments.sinusoid.searches import on_test, run_table, strategies
from cvae_keras.files import open_folder, write_json
from cvae_keras.systems.sinusoid.model import SinusoidCVAE

SMALL = {
    "sinusoid": {"examples": 100, "batch_size": 50, "curves": 3},
    "testbed": {"steps": 2},
    "compression": {},
    "vad": {"rows": 100},
    "multimodal": {"batch_size": 600},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two searches of task 1 as they lie on disk, and the rows of a test-case table."""
    tmp_path = tmp_path_factory.mktemp("searches")
    for strategy, score, beta in (("bayesian", 0.5, 0.3), ("random", 0.9, 0.7)):
        folder = open_folder(tmp_path / f"search_sinusoid_1_{strategy}_0")
        fixed = search.SinusoidHyperModel(**SMALL["sinusoid"], network="original").get_config()
        values = {"beta": beta, "latent_dim": 3, "learning_rate": 0.002, "prior": "conditional"}
        best = {"trial": 0, "score": score, "hyperparameters": values}
        write_json(folder / "best.json", best | {"manifest": {"config": {"hypermodel": fixed}}})
        SinusoidCVAE(TASKS["data_1"], latent_dim=3).save(folder / "best.keras")
        trials = {"trial": [0, 1], "status": ["completed", "diverged"], "seconds": [60.0, 60.0]}
        pd.DataFrame(trials).to_csv(folder / "trials.csv", index=False)
    for label, recall in (("1", 0.25), ("2", 0.5)):
        row = {"residual": 0.1, "recall": recall, "total_variation": 1.0}
        config = {"label": label, "examples": 100_000, "epochs": 30}
        path = open_folder(tmp_path / "sinusoid_rows") / f"data_1_{label}_original.json"
        write_json(path, {"row": row, "manifest": {"config": config, "seconds": 1.0}})
    return tmp_path


@pytest.fixture
def searches(written, tmp_path):
    """A copy of them."""
    return shutil.copytree(written, tmp_path / "searches")


def test_the_winner_of_the_searches_is_a_row_of_the_test_cases(searches):
    case = searched_case("data_1", searches)
    assert (case.beta, case.wx, case.wy, case.latent, case.lr) == (0.3, 0.5, 0.5, 3, 0.002)
    assert (case.loss, case.batch, case.epochs, case.prior) == ("l1_mean", 50, 25, "conditional")
    config = case_config("data_1", case, "elbo", False, "float32", 0)
    assert (config["data"], config["prior"]) == ("data_1", "conditional")
    assert config["schedule"] == "half cosine"
    assert searched_case("data_2", searches) is None
    plain = case_config("data_1", CASES["data_1"][0], "elbo", False, "float32", 0)
    old = {key: plain[key] for key in plain if key not in ("prior", "schedule", "version")}
    assert plain["data"] == "data_1" and Job.upgrade(old) == plain  # rows that are saved stay valid


def test_the_table_of_searches(searches):
    run_table(searches, 1)
    rows = pd.read_csv(searches / "search_sinusoid_1.csv").set_index("strategy")
    np.testing.assert_allclose(rows["published_row"], 0.1 + 0.5 + 1.0)
    better = rows["better_than_random"]
    assert str(better["bayesian"]) == "True" and pd.isna(better["random"])
    assert (rows["score_on_test"] > 1.9).all() and not rows["better_than_published"].any()
    assert rows["diverged"].tolist() == [1, 1] and rows["minutes"].tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="holds no rows of data_2"):
        run_table(searches, 2)


def test_searches_of_the_deep_network_are_listed_beside_those_of_the_original(searches):
    old = searches / "search_sinusoid_1_bayesian_0"
    deep = shutil.copytree(old, searches / "search_sinusoid_conv_1_bayesian_0")
    best = json.loads((deep / "best.json").read_text())
    fixed = search.SinusoidHyperModel(**SMALL["sinusoid"]).get_config()
    write_json(deep / "best.json", {**best, "manifest": {"config": {"hypermodel": fixed}}})
    text = run_table(searches, 1)
    rows = pd.read_csv(searches / "search_sinusoid_1.csv")
    assert rows["network"].tolist() == ["original", "original", "deep"]
    assert rows["better_than_random"].isna().tolist() == [False, True, True]  # none of its network
    assert "| deep | bayesian | 1 | 2 | 2 | 0.5 |  |" in text  # one seed has no deviation
    shutil.move(deep, searches / "search_sinusoid_1_own_7")  # the table of cases is of the original
    write_json(
        searches / "search_sinusoid_1_own_7" / "best.json",
        {**best, "score": 0.1} | {"manifest": {"config": {"hypermodel": fixed}}},
    )
    assert searched_case("data_1", searches).loss == "l1_mean"


def test_strategies_are_compared_over_the_seeds():
    rows = pd.DataFrame(
        [
            {"network": "deep", "strategy": strategy, "seed": seed, "trials": 30, "score": score}
            for strategy, first in (("bayesian", 0.2), ("random", 0.4), ("grid", 0.1))
            for seed, score in enumerate(first + 0.01 * np.arange(5) ** 2)
        ]
    ).assign(minutes=10.0, score_on_test=0.5)
    rows.loc[rows["strategy"] == "bayesian", "score"] -= 0.001 * np.arange(5)  # no ties
    rows.loc[rows["strategy"] == "grid", "trials"] = 48
    found = strategies(rows).set_index("strategy")
    assert found["pairs"].to_dict() == {"bayesian": 5, "grid": 0, "random": 0}
    assert found.loc["bayesian", "p"] == pytest.approx(1 / 32) and found["p"].isna().sum() == 2
    np.testing.assert_allclose(found.loc["random", "score_mean"], 0.46)
    np.testing.assert_allclose(
        found.loc["random", "score_std"], np.std([0, 1, 4, 9, 16], ddof=1) / 100
    )
    assert found["score_on_test_std"].tolist() == [0.0] * 3
    reverse = rows.replace({"strategy": {"bayesian": "random", "random": "bayesian"}})
    assert strategies(reverse).set_index("strategy").loc["bayesian", "p"] == 1.0


def test_the_table_keeps_what_models_that_are_not_shipped_gave(searches):
    text = run_table(searches, 1)
    folder = searches / "search_sinusoid_1_random_0"
    (folder / "best.keras").unlink()
    assert run_table(searches, 1) == text
    assert on_test(folder, "data_1")["samples"].shape[:2] == (100, 3)
    best = json.loads((folder / "best.json").read_text())
    write_json(folder / "best.json", {**best, "trial": 1})  # the search went on
    with pytest.raises(ValueError, match="holds no best.keras"):
        run_table(searches, 1)
