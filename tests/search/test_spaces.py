"""The hypermodels of the systems: their scores have known answers, and their trials run."""

import keras
import keras_tuner
import numpy as np
import pytest

from cvae_keras import search
from cvae_keras.search.oracles import grid_cells

SMALL = {
    "sinusoid": {"examples": 100, "batch_size": 50, "curves": 3, "width": 8, "depth": 1},
    "testbed": {"steps": 2},
    "compression": {},
    "vad": {"rows": 100},
    "multimodal": {"batch_size": 600},
}
NAMES = {
    "sinusoid": {"beta", "wx", "wy", "latent_dim", "learning_rate", "prior", "min_scale"},
    "testbed": {"beta", "latent_dim", "width", "gated", "learning_rate"},
    "compression": {"beta", "flow_length", "width", "learning_rate"},
    "vad": {"beta", "latent_dim", "width", "net_lr", "latent_lr"},
    "multimodal": {"beta", "latent_dim", "width", "prior", "learning_rate"},
}


def test_older_names_stay():
    assert search.TestbedHyperModel is search.DenseHyperModel
    assert search.VADHyperModel is search.AutoDecoderHyperModel


def test_the_best_elbo_of_the_dense_system_is_known():
    hypermodel = search.DenseHyperModel("baseline")
    # independent, variance 1, beta 1: D = 1/2 and R = ln(2)/2 for each of the unknown dimensions
    assert hypermodel.best == pytest.approx(-(0.5 + 0.5 * np.log(2)))  # of 2, on average 1


@pytest.mark.parametrize("name", SMALL)
def test_a_system_is_built_trained_scored_and_searched(name, tmp_path, eager):
    hypermodel = search.HYPERMODELS[name](**SMALL[name])
    rows = search.run(hypermodel, folder=tmp_path, strategy="random", trials=1, epochs=1)
    assert NAMES[name] <= set(rows) and rows["status"].tolist() == ["completed"]
    assert np.isfinite(rows[hypermodel.objective.name]).all()
    keras.saving.load_model(tmp_path / "best.keras")
    assert len(grid_cells(hypermodel.grid())) == {"sinusoid": 48}.get(name, 18)


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


def test_what_a_system_refuses():
    with pytest.raises(ValueError, match="examples must be a positive integer"):
        search.SinusoidHyperModel(examples=0)
    with pytest.raises(ValueError, match="has no grid of its own"):
        search.SystemHyperModel().grid()
