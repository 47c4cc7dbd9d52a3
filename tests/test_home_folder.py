"""`~` is the home folder in every path that is taken: no folder of that name is made."""

import os

import click
import numpy as np
import pytest

from cvae_keras import files, load_model
from cvae_keras.cli import options
from cvae_keras.data import load_images
from cvae_keras.data.missing import load_rows
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.sinusoid import changed
from cvae_keras.search.run import read_settings
from cvae_keras.systems.dense.config import read_config
from cvae_keras.systems.saved import load_pretrained
from cvae_keras.training import Checkpoint


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


READ = [
    load_model,
    NpyFolder,
    read_config,
    read_settings,
    files.read_json,
    lambda path: load_rows(f"{path}.csv"),
    lambda path: load_rows("artificial", path),
    lambda path: load_images("mnist", path),
    lambda path: load_pretrained("sinusoid_1", path),
]


@pytest.mark.parametrize("read", READ)
def test_what_is_read_is_looked_for_at_home(read, home):
    with pytest.raises(ValueError, match=rf"({home}|config ~)/absent"):
        read("~/absent")
    with pytest.raises(ValueError, match=r"^~nobody_at_all/absent(\.csv)? begins with the home"):
        read("~nobody_at_all/absent")


def test_what_is_written_is_at_home(home):
    files.claim("~/claimed", "search")
    assert files.marked("~/claimed") == "search"
    files.write_json(files.open_folder("~/opened") / "a.json", {})
    files.write_json("~/opened/b.json", {})
    Checkpoint("~/checked/row.npz")
    np.save(home / "opened" / "0.npy", np.zeros(3))
    assert NpyFolder("~/opened").shape == (1, 3) and changed("data_1", "~/opened") == []
    assert files.saved_result("~/absent.json", {}) is None
    names = ["checked", "claimed", "opened"]
    assert sorted(os.listdir(home)) == names and os.listdir() == []


def test_options_of_commands(home):
    files.write_json("~/options.json", {"seed": 1})
    seen = []

    @click.command()
    @options.out("here")
    @options.data_dir("there")
    @click.option("--options", type=options.JsonFile())
    def command(**values):
        seen.append(values)

    command.main(["--out=~/a", "--data-dir=~", "--options=~/options.json"], standalone_mode=False)
    assert seen == [{"out": home / "a", "data_dir": home, "options": {"seed": 1}}]
    with pytest.raises(click.BadParameter, match="~nobody_at_all/a begins with the home"):
        command.main(["--out=~nobody_at_all/a"], standalone_mode=False)
