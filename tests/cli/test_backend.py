"""The backend of Keras: chosen on the command line, or the one that is installed."""

import os
import sys

import keras
import pytest
from click.testing import CliRunner

import cvae_keras
from cvae_keras.cli import options
from cvae_keras.cli.main import main


def test_a_backend_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    other = "jax" if keras.backend.backend() != "jax" else "torch"
    result = CliRunner().invoke(main, ["--backend", other, "sample"])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(
        f"{other} is not installed: pip install 'cvae-keras[{other}]'."
    )


def test_the_command_runs_again_on_another_backend(monkeypatch):
    calls = []

    def execve(program, arguments, environment):
        calls.append((program, arguments, environment["KERAS_BACKEND"]))
        raise SystemExit(0)

    other = "jax" if keras.backend.backend() != "jax" else "torch"
    given = ["--backend", other, "sample", "--task", "1"]
    monkeypatch.setattr(options, "find_spec", lambda name: True)
    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(sys, "argv", ["cvae-keras", *given])
    assert CliRunner().invoke(main, given).exit_code == 0
    assert calls == [(sys.executable, [sys.executable, "-m", "cvae_keras", *given], other)]


def test_the_backend_that_runs_already_is_kept(monkeypatch):
    monkeypatch.setattr(os, "execve", None)
    result = CliRunner().invoke(main, ["--backend", keras.backend.backend(), "sample", "--help"])
    assert result.exit_code == 0 and result.stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (("tensorflow", "jax"), None),
        (("jax", "torch"), "jax"),
        (("torch",), "torch"),
        ((), ModuleNotFoundError),
    ],
)
def test_without_tensorflow_an_installed_backend_is_taken(installed, chosen, monkeypatch):
    monkeypatch.setattr(cvae_keras, "_find_spec", lambda name: name in installed)
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.delitem(sys.modules, "keras")
    if chosen is ModuleNotFoundError:
        with pytest.raises(chosen, match=r"^Keras needs a backend, and none .*\[jax\]' or .*\.$"):
            cvae_keras._choose_backend()
        return
    cvae_keras._choose_backend()
    assert (os.environ["KERAS_BACKEND"] or None) == chosen
