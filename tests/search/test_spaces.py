"""The hypermodels of the systems: their scores have known answers, and their trials run."""

import json
import shutil

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
from tensorflow.python.framework import ops as tf_ops

from cvae_keras import search
from cvae_keras.data.sinusoid import TASKS
from cvae_keras.experiments.sinusoid.cases import CASES, Job, case_config, searched_case
from cvae_keras.experiments.sinusoid.searches import on_test, run_table
from cvae_keras.files import open_folder, write_json
from cvae_keras.metrics.modes import combine, exact_sampling_floor, posterior_score
from cvae_keras.search.oracles import grid_cells
from cvae_keras.systems.auto_decoder.laplace import laplace_bound
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.training.backends import forgets_graphs

SMALL = {
    "sinusoid": {"examples": 100, "batch_size": 50, "curves": 3},
    "testbed": {"steps": 2},
    "compression": {},
    "vad": {"rows": 100},
    "multimodal": {"batch_size": 600},
}
NAMES = {
    "sinusoid": {"beta", "wx", "wy", "latent_dim", "learning_rate", "prior"},
    "testbed": {"beta", "latent_dim", "width", "gated", "learning_rate"},
    "compression": {"beta", "flow_length", "width", "learning_rate"},
    "vad": {"beta", "latent_dim", "width", "net_lr", "latent_lr"},
    "multimodal": {"beta", "latent_dim", "width", "prior", "learning_rate"},
}


def draws(task, y, weigh, n=2000, seed=0):
    """n draws among the exact solutions of each y, with chances that `weigh` makes of theirs."""
    rng, samples = np.random.default_rng(seed), []
    for one in y:
        solutions, weights = task.solutions(one)
        chances = weigh(np.asarray(weights))
        samples.append(solutions[rng.choice(len(weights), n, p=chances / chances.sum())])
    return np.stack(samples, axis=1)


# -- scores -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["data_1", "data_2"])
def test_the_posterior_score_is_best_for_the_exact_posterior(name):
    task = TASKS[name]
    _, y = task.sample(30, seed=1)
    y = np.stack([one for one in y if len(task.solutions(one)[1]) > 1][:8])
    exact = posterior_score(task, draws(task, y, lambda w: w), y)["score"]
    assert 0 <= exact < 0.05  # what 2,000 draws leave to chance
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.005, size=(2000, *y.shape))
    worse = {
        "most likely only": draws(task, y, lambda w: (w == w.max()).astype(float)),
        "equal weights": draws(task, y, np.ones_like),
        "too sure": draws(task, y, np.square),
        "off the solutions": draws(task, y, lambda w: w) + noise,
        "the prior": np.stack([task.sample(len(y), seed)[0] for seed in range(100)]),
        "the mean": np.repeat(draws(task, y, lambda w: w).mean(axis=0)[None], 2, axis=0),
    }
    for kind, samples in worse.items():
        assert posterior_score(task, samples, y)["score"] > exact + 0.01, kind


def test_the_posterior_score_is_the_sum_of_its_parts():
    task = TASKS["data_1"]
    _, y = task.sample(5, seed=0)
    floor = exact_sampling_floor(task, y, 50, seed=0)
    parts = [floor[name] for name in ("residual", "recall", "total_variation")]
    score = posterior_score(task, draws(task, y, lambda w: w, 50), y)
    assert score["score"] == combine(*[score[n] for n in ("residual", "recall", "total_variation")])
    assert combine(*parts) == pytest.approx(parts[0] + 1 - parts[1] + parts[2])


def test_the_laplace_bound_of_a_linear_decoder_is_log_p():
    """x = W z + b + noise is Gaussian: log p of what is observed is known."""
    rng = np.random.default_rng(0)
    model = VariationalAutoDecoder(4, 10, 2, hidden=(), noise="learned", beta=0.3)
    kernel, bias, log_scale = rng.normal(size=(2, 4)), rng.normal(size=4), rng.normal(size=4) * 0.3
    model.decoder.layers[0].set_weights([kernel, bias])
    model.decoder.log_scale.assign(log_scale)
    x = rng.normal(size=(6, 4)).astype("float32") * 2
    mask = (rng.random(x.shape) > 0.3).astype("float32")
    covariance = kernel.T @ kernel + np.diag(np.exp(2 * log_scale))
    exact = []
    for row, seen in zip(x - bias, mask > 0, strict=True):
        part, d = covariance[np.ix_(seen, seen)], row[seen]
        quadratic = d @ np.linalg.solve(part, d) if seen.any() else 0.0
        exact.append(-0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * part)[1]))
    bound = laplace_bound(model, x, mask, n_samples=20_000)
    np.testing.assert_allclose(bound, exact, atol=0.05)
    model = VariationalAutoDecoder(4, 10, 2)
    with pytest.raises(ValueError, match="noise='learned'"):
        laplace_bound(model, x)


def test_older_names_stay():
    assert search.TestbedHyperModel is search.DenseHyperModel
    assert search.VADHyperModel is search.AutoDecoderHyperModel


def test_the_best_elbo_of_the_dense_system_is_known():
    hypermodel = search.DenseHyperModel("baseline")
    # independent, variance 1, beta 1: D = 1/2 and R = ln(2)/2 for each of the unknown dimensions
    assert hypermodel.best == pytest.approx(-(0.5 + 0.5 * np.log(2)))  # of 2, on average 1


# -- hypermodels --------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SMALL)
def test_a_system_is_built_trained_scored_and_searched(name, tmp_path, eager):
    hypermodel = search.HYPERMODELS[name](**SMALL[name])
    rows = search.run(hypermodel, folder=tmp_path, strategy="random", trials=1, epochs=1)
    assert NAMES[name] <= set(rows) and rows["status"].tolist() == ["completed"]
    assert np.isfinite(rows[hypermodel.objective.name]).all()
    keras.saving.load_model(tmp_path / "best.keras")
    assert len(grid_cells(hypermodel.grid())) == {"sinusoid": 144}.get(name, 18)


def test_the_score_does_not_depend_on_the_weights(monkeypatch):
    """Two models of the same weights of the network and others of the loss have the same score."""
    for name in SMALL:
        hypermodel, scores = search.HYPERMODELS[name](**SMALL[name]), []
        for beta in (0.2, 3.0):
            keras.utils.set_random_seed(0)
            hp = keras_tuner.HyperParameters()
            hp.values["beta"] = beta
            model = hypermodel.build(hp)
            model.run_eagerly = True
            scores.append(hypermodel.score(model)[hypermodel.objective.name])
        assert scores[0] == pytest.approx(scores[1], abs=1e-5), name


def test_graphs_of_past_trials_are_forgotten():
    """TensorFlow registers custom gradients for ever, each of which holds a graph."""
    registry = tf_ops.gradient_registry._registry
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    x, before = np.ones((4, 1)), set(registry)
    with forgets_graphs():
        model.fit(x, x, verbose=0)
        assert set(registry) - before
    assert set(registry) == before
    assert np.isfinite(model.predict(x, verbose=0)).all()


def test_what_a_system_refuses():
    with pytest.raises(ValueError, match="examples must be a positive integer"):
        search.SinusoidHyperModel(examples=0)
    with pytest.raises(ValueError, match="has no grid of its own"):
        search.SystemHyperModel().grid()


# -- tables -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two searches of task 1 as they lie on disk, and the rows of a test-case table."""
    tmp_path = tmp_path_factory.mktemp("searches")
    for strategy, score, beta in (("bayesian", 0.5, 0.3), ("random", 0.9, 0.7)):
        folder = open_folder(tmp_path / f"search_sinusoid_1_{strategy}_0")
        fixed = search.SinusoidHyperModel(**SMALL["sinusoid"]).get_config()
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
        write_json(path, {"row": row, "manifest": {"config": config}})
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
