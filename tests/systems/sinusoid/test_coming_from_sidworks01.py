"""What a user of SidWorks01's project types, and finds here."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data.sinusoid import TASKS
from cvae_keras.systems.sinusoid.model import SinusoidCVAE


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_samples_of_the_scoring_curves_are_saved(tmp_path):
    path = tmp_path / "samples.npy"
    result = run("sample", "--task", 1, "--save", path)
    assert result.exit_code == 0, result.stderr
    drawn = np.load(path, allow_pickle=False)
    assert drawn.shape == (30, 50, 50, 2) and np.isfinite(drawn).all()
    again = run("sample", "--task", 1, "--save", path)
    assert again.exit_code == 2 and "give --force" in again.stderr
    assert run("sample", "--task", 1, "--save", tmp_path / "samples").exit_code == 2


@pytest.mark.parametrize(("reduction", "ratio"), [("elbo", 1.0), ("original", 8 * 50 * 2)])
def test_l1_sum_is_l1_mean_but_for_the_reduction_of_the_original(reduction, ratio):
    x, y = TASKS["data_1"].sample(8, seed=0)
    found = []
    for loss in ("l1_mean", "l1_sum"):
        options = {"wx": 1.0, "wy": 1.0, "beta": 0.0, "reduction": reduction}
        model = SinusoidCVAE(
            TASKS["data_1"], latent_dim=2, loss=loss, initializer="zeros", **options
        )
        terms = model({"x": x, "c": y})
        found.append(float(model.objective(terms)))
    assert found[1] == pytest.approx(ratio * found[0], rel=1e-5)


@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        ({"gamma": [1]}, "--grid names 'gamma', which is none of latent_dim, beta, wx, wy"),
        ({"beta": 1}, "--grid needs a list of values for beta, got 1"),
        ({"beta": []}, "--grid needs a list of values for beta"),
    ],
)
def test_a_grid_of_ones_own_is_checked(tmp_path, grid, sentence):
    path = tmp_path / "grid.json"
    path.write_text(json.dumps(grid))
    result = run("search", "sinusoid", "--task", 1, "--grid", path, "--out", tmp_path / "out")
    assert result.exit_code == 2 and sentence in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_grid_of_ones_own_is_searched(tmp_path, monkeypatch):
    asked = {}

    def stand_in(hypermodel, space, folder, **settings):
        asked.update(settings, space=space)

    monkeypatch.setattr("cvae_keras.search.run", stand_in)
    path = tmp_path / "grid.json"
    path.write_text(json.dumps({"beta": [0.5, 1.0], "wy": [0.1]}))
    arguments = ["search", "sinusoid", "--task", 1, "--grid", path]
    arguments += ["--network", "original", "--loss", "l1_sum"]
    assert run(*arguments, "--out", tmp_path / "out").exit_code == 0
    assert asked["strategy"] == "grid"
    assert {hp.name: hp.values for hp in asked["space"].space} == {"beta": [0.5, 1.0], "wy": [0.1]}
