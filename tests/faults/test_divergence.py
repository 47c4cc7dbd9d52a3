"""A training that diverges ends with a sentence and exit status 1, and nothing of it is saved."""

import json

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from cvae_keras import DenseCVAE
from cvae_keras.checks import RunError
from cvae_keras.cli.main import main
from cvae_keras.data import as_inputs
from cvae_keras.systems.dense.config import read_config
from cvae_keras.training import ShuffledBatches

pytestmark = pytest.mark.usefixtures("eager")
VAD = {"latent_dim": 2, "hidden": [4], "epochs": 2, "train_rows": 64, "test_rows": 8}


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def diverged(result, folder):
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("cvae-keras: training diverged")
    files = {path.name for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in files if name.endswith((".keras", ".npz", ".partial"))]


def test_testbed(tmp_path):
    config = read_config("baseline") | {"learning_rate": 1e30, "epochs": 2, "betas": [0.5]}
    config |= {"latent_dim": 2, "enc_layers": [4], "dec_layers": [4], "steps": 3}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(config))
    diverged(run("testbed", "--config", path, "--out", tmp_path / "out"), tmp_path / "out")


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
def test_vad_train(tmp_path, schedule):
    options = {**VAD, "net_lr": 1e30, "schedule": schedule}
    path = tmp_path / "options.json"
    path.write_text(json.dumps({name: [value] for name, value in options.items()}))
    assert run("vad", "grid", "g", "--options", path, "--out", tmp_path).exit_code == 0
    diverged(run("vad", "train", "digits", "g", 0, "--out", tmp_path), tmp_path / "g")


def test_train_on_batch():
    model = DenseCVAE(2, latent_dim=1, enc_layers=[4], dec_layers=[4])
    model.compile(keras.optimizers.SGD(1e30))
    inputs = as_inputs(np.ones((8, 2)), known=np.zeros((8, 2)))
    with pytest.raises(RunError, match=r"^training diverged: the loss is \w+ in train_on_batch; "):
        for _ in range(5):
            model.train_on_batch(inputs)
    with pytest.raises(ValueError, match="^class_weight needs targets"):
        model.train_on_batch(inputs, class_weight={0: 1.0})
    with pytest.raises(
        ValueError, match="^x must be a dictionary of arrays, got ShuffledBatches: "
    ):
        model.train_on_batch(ShuffledBatches(inputs, 4))
