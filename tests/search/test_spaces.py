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


def space_of(hypermodel):
    hp = keras_tuner.HyperParameters()
    hypermodel.build(hp)
    return {each.name: each for each in hp.space}


def test_the_grid_of_the_deep_network_lies_in_the_space_of_its_searches():
    hypermodel = search.SinusoidHyperModel(**SMALL["sinusoid"])
    space = space_of(hypermodel)
    for cell in grid_cells(hypermodel.grid()):
        assert set(cell) == set(space)
        for name, value in cell.items():
            hp = space[name]
            assert value in hp.values if name == "prior" else hp.min_value <= value <= hp.max_value
    assert space["wy"].min_value / space["wx"].max_value <= 0.01


def test_the_original_network_is_searched_as_before(tmp_path, eager):
    options = {"examples": 100, "curves": 3}
    hypermodel = search.SinusoidHyperModel(network="original", **options)
    older = {"class": "SinusoidHyperModel", "data": "data_1", "loss": "l1_mean", **options}
    assert hypermodel.get_config() == {**older, "precision": "float32", "batch_size": 50}
    space = space_of(hypermodel)
    assert (space["latent_dim"].min_value, space["latent_dim"].max_value) == (2, 128)
    assert len(grid_cells(hypermodel.grid())) == 144 and "min_scale" not in space
    cell = search.choices(latent_dim=[2])
    rows = search.run(hypermodel, cell, folder=tmp_path, strategy="grid", epochs=1)
    assert rows["status"].tolist() == ["completed"]


@pytest.mark.long
def test_the_rate_rises_and_falls_and_the_noise_falls_within_a_trial(eager):
    options = {**SMALL["sinusoid"], "examples": 200}
    hypermodel, rates, scales = search.SinusoidHyperModel(**options), [], []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            adam = self.model.optimizer
            rates.append(float(adam.learning_rate * adam.schedule(adam.iterations)))
            scales.append(float(self.model.term_weights["min_scale"]))

    hp = keras_tuner.HyperParameters()
    hp.values |= {"min_scale": 0.025, "learning_rate": 0.004}
    hypermodel.fit(hp, hypermodel.build(hp), epochs=4, callbacks=[Watch()])  # of 4 steps each
    np.testing.assert_allclose(rates, [0.002, 0.004, 0.002, 0.0], atol=1e-9)
    np.testing.assert_allclose(scales, [0.1, 0.1, 0.1 * 0.25 ** (0.8 / 1.8), 0.025], rtol=1e-5)


def test_what_a_system_refuses():
    with pytest.raises(ValueError, match="'ramps' is the loss of the deep network"):
        search.SinusoidHyperModel(loss="mse")
    with pytest.raises(ValueError, match="'ramps' is the loss of the deep network"):
        search.SinusoidHyperModel(network="original", loss="ramps")
    with pytest.raises(ValueError, match="network"):
        search.SinusoidHyperModel(network="wide")
    with pytest.raises(ValueError, match="examples must be a positive integer"):
        search.SinusoidHyperModel(examples=0)
    with pytest.raises(ValueError, match="has no grid of its own"):
        search.SystemHyperModel().grid()
