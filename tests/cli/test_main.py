"""The command line: help, bad input refused in one sentence, and what commands write."""

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pandas as pd
import pytest
from click.testing import CliRunner
from tqdm import tqdm

from cvae_keras.checks import RunError
from cvae_keras.cli.main import main
from cvae_keras.cli.options import JsonFile, Part
from cvae_keras.cli.search import search as search_group
from cvae_keras.cli.terminal import COLUMNS, show_table
from cvae_keras.data.sinusoid import SinusoidTask

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["", "data", "table", "table sinusoid", "table testbed", "testbed", "solve"]
COMMANDS += ["table multimodal", "table embedding", "solve sinusoid", "sample", "demo"]
COMMANDS += ["quick", "collapse", "impute", "table inference"]
COMMANDS += ["convert-testbed", "search", "table search", "table imputation"]
SYSTEMS = ("sinusoid", "testbed", "compression", "vad", "multimodal")
COMMANDS += [f"search {name}" for name in SYSTEMS]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def solved(monkeypatch):
    """A stand-in for `cvae_keras.experiments.sinusoid.solved`, which records its calls."""
    for name in ("table", "quick"):  # they read the real one
        importlib.import_module(f"cvae_keras.experiments.sinusoid.{name}")
    real = importlib.import_module("cvae_keras.experiments.sinusoid.solved")
    module, calls = ModuleType("cvae_keras.experiments.sinusoid.solved"), []

    def train(task, folder, model="mixture", seed=0, epochs=None, force=False):
        calls.append(("train", task, folder, model, seed, epochs))
        return folder / "model.keras"

    def run_solved(folder, models_folder, tasks=(1, 2), n_curves=1000, quick=False):
        calls.append(("run_solved", folder, models_folder, tasks, n_curves, quick))
        return "| solved |"

    module.train, module.run_solved = train, run_solved
    module.model_name = real.model_name
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0 and result.stdout.startswith("Usage: ")


def test_python_m_is_the_command_and_loads_only_click_beside_the_package_itself():
    """What `python -m cvae_keras tabel` does, and which modules it has loaded by then."""
    code = (
        "import runpy, sys, cvae_keras; package = set(sys.modules); sys.argv[1:] = ['tabel']\n"
        "try:\n"
        "    runpy.run_module('cvae_keras', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    print(*sorted(set(sys.modules) - package - set(sys.stdlib_module_names)))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("cvae-keras: No such command 'tabel'")
    assert len(result.stdout.splitlines()) == 1  # that of this test
    added = [name for name in result.stdout.split() if name.split(".")[0] != "click"]
    assert added and all(name.startswith("cvae_keras.cli") for name in added), added


def test_search_has_a_command_per_hypermodel():
    from cvae_keras.search import HYPERMODELS

    assert set(search_group.commands) == set(HYPERMODELS)


@pytest.mark.parametrize(
    ("alias", "command"),
    [
        ("dense", "testbed"),
        ("table dense", "table testbed"),
        ("table auto_decoder", "table vad"),
        ("table compression", "table embedding"),
        ("search auto_decoder", "search vad"),
        ("demo", "quick"),
        ("auto_decoder train", "vad train"),
    ],
)
def test_commands_are_found_by_the_name_of_the_system(alias, command):
    answers = [run(*name.split(), "--help").stdout.split("\n", 1)[1] for name in (alias, command)]
    assert answers[0] == answers[1] and "Usage" not in answers[0]


def test_search_of_compression_is_not_an_alias():
    assert "flow length" in run("search", "compression", "--help").stdout


def test_parts_are_pairs():
    assert Part().convert("2/3", None, None) == Part().convert((2, 3), None, None) == (2, 3)
    for value in ("2", "1/2/3", "a/b", ""):
        with pytest.raises(click.BadParameter, match="is not i/n; give for instance 1/2"):
            Part().convert(value, None, None)


def test_options_of_a_grid_are_a_json_object(tmp_path):
    path = tmp_path / "options.json"
    path.write_text('{"latent_dim": [2]}')
    assert JsonFile().convert(path, None, None) == {"latent_dim": [2]}
    for content, sentence in [("[2]", "does not hold a JSON object"), ("{", "is not JSON")]:
        path.write_text(content)
        result = run("vad", "grid", "g", "--options", path, "--out", tmp_path)
        assert result.exit_code == 2 and sentence in result.stderr
        assert result.stderr.count("\n") == 1 and list(tmp_path.iterdir()) == [path]
    result = run("vad", "grid", "g", "--options", tmp_path / "none.json")
    assert result.exit_code == 2 and "does not exist" in result.stderr


def test_entry_point_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, function = project["scripts"]["cvae-keras"].split(":")
    assert getattr(importlib.import_module(module), function) is main


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("nothing", 2, "No such command 'nothing'"),
        ("table nothing", 2, "No such command 'nothing'"),
        ("table sinusoid --data data_3", 2, "'data_3' is not one of"),
        ("table sinusoid --precision half", 2, "'half' is not one of"),
        ("table sinusoid --part 3", 2, "'3' is not i/n"),
        ("table sinusoid --quick --out TMP/new --part 3/2", 2, "got 3/2"),
        ("table sinusoid --quick --out FILE", 2, "folder .*file cannot be made"),
        ("solve sinusoid --task 3", 2, "'3' is not one of"),
        ("solve sinusoid --epochs 0", 2, "0 is not in the range"),
        ("solve sinusoid --seed -1", 2, "-1 is not in the range"),
        ("search sinusoid", 2, "Missing option '--task'"),
        ("search testbed --strategy annealing", 2, "'annealing' is not one of"),
        ("search testbed --strategy hyperband --trials 3 --out TMP/new", 2, "hyperband decides"),
        ("search testbed --config none --out TMP/new", 2, "config none is neither"),
        ("search testbed --trials 0", 2, "0 is not in the range"),
        ("search testbed --out FILE", 2, "folder .*file cannot be made"),
        ("sample", 2, "Missing option '--task'"),
        ("sample --task 3", 2, "'3' is not one of"),
        ("sample --task 1 --n 0", 2, "0 is not in the range"),
        ("sample --task 1 --out FILE/a.png", 2, "folder .*file cannot be made"),
        ("quick --out FILE", 2, "folder .*file cannot be made"),
        ("collapse --out FILE", 2, "folder .*file cannot be made"),
        ("collapse --task 3", 2, "'3' is not one of"),
        ("data --out FILE", 2, "cannot be written"),
    ],
)
def test_bad_input_gives_one_sentence(arguments, code, sentence, tmp_path, solved):
    (tmp_path / "file").write_text("mine")
    arguments = arguments.replace("FILE", str(tmp_path / "file")).replace("TMP", str(tmp_path))
    result = run(*arguments.split())
    assert result.exit_code == code and isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("cvae-keras: ") and result.stderr.count("\n") == 1
    assert re.search(sentence, result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_interrupt_says_that_work_can_be_resumed(monkeypatch, tmp_path):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("cvae_keras.data.sinusoid.write", interrupt)
    result = run("data", "--out", tmp_path)
    assert result.exit_code == 130 and "the same command continues" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ValueError("x must be\ntwo lines."), 2, "x must be two lines."),
        (TypeError("x must be a number."), 2, "x must be a number."),
        (click.ClickException("give --force."), 2, "give --force."),
        (RunError("training diverged."), 1, "training diverged."),
        (OSError(28, "No space left on device", "a.npz"), 1, "a.npz: No space left on device."),
        (MemoryError(), 1, "memory is exhausted: no more was given."),
        (EOFError("no data left"), 1, "a file or the input ended too early (no data left)."),
    ],
)
def test_exit_codes_tell_wrong_input_from_what_went_wrong(error, code, sentence, monkeypatch):
    def stop(*arguments):
        bar = tqdm(total=10, desc="training", leave=False)  # still open
        bar.update(3)
        raise error

    monkeypatch.setattr("cvae_keras.experiments.dense.run.run_config", stop)
    result = run("testbed", "--config", "baseline")
    assert result.exit_code == code and isinstance(result.exception, SystemExit)
    assert result.stderr.splitlines()[-1] == f"cvae-keras: {sentence}"
    assert "Traceback" not in result.stderr and "training:" in result.stderr


@pytest.mark.long
def test_a_reader_that_closes_the_pipe_ends_the_command():
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "cvae_keras", "--help"]
    result = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert result.stderr == ""


def test_data_writes_what_is_shipped(tmp_path):
    result = run("data", "--out", tmp_path)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 8
    for line in result.stdout.splitlines():
        path = Path(line)
        assert path.read_bytes() == (ROOT / path.relative_to(tmp_path)).read_bytes()


def test_data_overwrites_only_with_force(tmp_path):
    path = tmp_path / "data_1" / "README.md"
    path.parent.mkdir()
    path.write_text("mine")
    result = run("data", "--out", tmp_path)
    assert result.exit_code == 2 and "give --force to replace" in result.stderr
    assert path.read_text() == "mine"
    result = run("data", "--out", tmp_path, "--force")
    assert result.exit_code == 0 and result.stdout.startswith(f"Replaces {path}\n")
    assert path.read_text() != "mine"


def test_solve_trains_and_reports(tmp_path, solved):
    models = tmp_path / "models"
    assert run("solve", "sinusoid", "--task", 1, "--out", tmp_path).exit_code == 0
    both = ("run_solved", tmp_path, models, [1, 2], 1000, False)
    assert solved == [("train", 1, models, "mixture", 0, None), both]
    more = ["--epochs", 2, "--seed", 7, "--model", "conv"]
    result = run("solve", "sinusoid", "--out", tmp_path, *more)
    assert result.exit_code == 0 and "| solved |" in result.stdout
    assert solved[2:] == [("train", task, models, "conv", 7, 2) for task in (1, 2)] + [both]


def test_solve_takes_functions(tmp_path, solved):
    own = SinusoidTask([("sin", 7, 2), ("cos", 3, 9)])
    given = ["solve", "sinusoid", "--out", tmp_path, "--functions", "sin,7,2 cos,3,9"]
    assert run(*given).exit_code == 0
    assert solved[0][:2] == ("train", own) and solved[1][3] == [own]
    for functions in ("sin,7", "tan,1,2 cos,3,9", "sin,1,2 cos,2,4", "sin,x,2 cos,3,9", ""):
        result = run(*given[:-1], functions)
        assert result.exit_code == 2 and "is not as 'sin,7,2 cos,3,9'" in result.stderr, functions
    assert run(*given, "--task", 1).exit_code == 2


def test_table_shows_each_table_once(monkeypatch, tmp_path):
    calls = []

    def run_table(folder, quick, data, precision, seed, part):
        calls.append((folder, quick, data, precision, seed, part))
        _example_table().to_csv(folder / "sinusoid_test_cases.csv", index=False)
        return {"data_1": ""}

    monkeypatch.setattr("cvae_keras.experiments.sinusoid.table.run_table", run_table)
    arguments = ["table", "sinusoid", "--quick", "--out", tmp_path, "--data", "data_1"]
    result = run(*arguments, "--data", "data_1")
    assert result.exit_code == 0 and "sinusoid_test_cases.md" in result.stdout
    assert calls == [(tmp_path, True, ["data_1"], "float32", 0, (1, 1))]
    assert run(*arguments, "--part", "2/2").exit_code == 0 and calls[1][-1] == (2, 2)


def test_table_fits_a_terminal(tmp_path, capsys):
    _example_table().to_csv(tmp_path / "example.csv", index=False)
    show_table(tmp_path / "example")
    lines = capsys.readouterr().out.splitlines()[:-1]  # the last one names the files
    assert len(lines) == 5 and max(len(line) for line in lines) <= 120


def _example_table():
    row = dict.fromkeys(COLUMNS, 0.00012345) | {"row": "9 as listed", "reduction": "original"}
    row |= {"loss": "l1_mean", "beta": 1.0, "wx": 0.65, "wy": 0.72, "latent": 100, "kl": 494324.1}
    return pd.DataFrame([row, row])
