"""Each command, killed at seeded moments and started again, ends as if it had not been killed."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data.sinusoid import TASKS
from cvae_keras.experiments import multimodal
from cvae_keras.experiments.auto_decoder import table as auto_decoder
from cvae_keras.experiments.dense import table as dense
from cvae_keras.experiments.sinusoid import cases, solved
from cvae_keras.experiments.sinusoid import table as sinusoid
from cvae_keras.systems.dense.config import read_config

pytestmark = pytest.mark.usefixtures("eager")
PARTS, MOMENTS = 10, 2  # each part has this many moments, the first of which is inside a write
VAD = {"latent_dim": 2, "hidden": [4], "epochs": 3, "train_rows": 64, "test_rows": 8}
DENSE = {"latent_dim": 2, "enc_layers": [4], "dec_layers": [4], "epochs": 3, "steps": 2}
DENSE |= {"batch_size": 8, "betas": [0.5, 1.0]}
TIMES = ("seconds", "minutes", "ms_per_row", "examples_per_cpu_second", "seconds_of_training")


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it, and nothing is written after it."""


class Killer:
    """Counts training steps and writes, and kills at one of them; a write is then half done."""

    def __init__(self, monkeypatch, moment=None):
        self.moment, self.kinds = moment, []
        for name in ("fsync", "replace", "unlink"):
            monkeypatch.setattr(os, name, self.watched("write", getattr(os, name)))
        step = keras.callbacks.CallbackList.on_train_batch_end
        monkeypatch.setattr(
            keras.callbacks.CallbackList, "on_train_batch_end", self.watched("step", step)
        )

    @property
    def dead(self):
        return self.moment is not None and len(self.kinds) > self.moment

    def die(self):
        raise Killed

    def watched(self, kind, function):
        def call(*arguments, **options):
            if self.dead:
                raise Killed
            self.kinds.append(kind)
            if self.dead:
                if function.__name__ == "fsync" and stat.S_ISREG(os.fstat(arguments[0]).st_mode):
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
                self.die()
            return function(*arguments, **options)

        return call


class ByTheSystem(Killer):
    """The same with a real SIGKILL, which ends this process."""

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)


def run(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output.splitlines()[-1]
    return result


def without_times(value):
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not k.endswith(TIMES)}
        return {k: without_times(v) for k, v in kept.items()}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def arrays_of(path):
    """All variables in a `.keras` file."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(
                lambda name, item: (
                    found.__setitem__(name, item[()].tobytes())
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return found


def contents(folder):
    """What each file holds, wall times aside."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name, kind = str(path.relative_to(folder)), path.suffix
        if kind == ".json":
            found[name] = without_times(json.loads(path.read_text()))
        elif kind == ".csv":
            frame = pd.read_csv(path)
            frame = frame[[column for column in frame if not column.endswith(TIMES)]]
            found[name] = frame.to_csv()
        elif kind == ".keras":
            found[name] = arrays_of(path)
        elif kind == ".npz":
            with np.load(path, allow_pickle=False) as file:
                found[name] = {key: file[key].tobytes() for key in file.files}
        elif not path.name.startswith(".partial"):
            found[name] = kind
    return found


def dense_run(folder, monkeypatch):
    config = folder.parent / "mine.json"
    config.write_text(json.dumps(read_config("baseline") | DENSE))
    run("testbed", "--config", config, "--out", folder)


def solve(folder, monkeypatch):
    kind, _ = solved.MODELS["mixture"]
    options = {"categories": 3, "width": 8, "depth": 1, "order": 2}
    recipe = solved.Recipe(options, 3, 8, 2e-3, 10.0, steps=2)
    monkeypatch.setitem(solved.MODELS, "mixture", (kind, {1: recipe}))
    monkeypatch.setattr(solved, "run_solved", lambda *args: "")
    done = folder / "models" / "sinusoid_1_manifest.json"
    if not done.exists() or list((folder / "models").glob(".*.npz")):
        run("solve", "sinusoid", "--task", 1, "--out", folder)


def vad(folder, monkeypatch):
    if not (folder / "g" / "config_0.json").exists():
        options = folder.parent / "options.json"
        options.write_text(json.dumps({k: [v] for k, v in {**VAD, "schedule": "plateau"}.items()}))
        run("vad", "grid", "g", "--options", options, "--out", folder)
    if not (folder / "g" / "train_0.json").exists() or list((folder / "g").glob(".*.npz")):
        run("vad", "train", "digits", "g", 0, "--out", folder)


def table_vad(folder, monkeypatch):
    monkeypatch.setattr(auto_decoder, "QUICK", VAD)
    monkeypatch.setattr(auto_decoder, "OPTIONS", {})
    monkeypatch.setattr(
        auto_decoder, "jobs_of", lambda name, *a: auto_decoder.JOBS_OF(name, *a)[0:12:5]
    )
    monkeypatch.setattr(auto_decoder, "write", lambda folder, frame, absent: "")
    run("table", "vad", "--quick", "--data", "digits", "--out", folder)


def table_testbed(folder, monkeypatch):
    one = dense.EXPERIMENTS[0]
    monkeypatch.setattr(dense, "jobs_of", lambda quick, seed: [dense.Job(one, b) for b in (0.5, 1)])
    kept = dense.experiment_config
    monkeypatch.setattr(dense, "experiment_config", lambda *a: kept(*a) | DENSE)
    measure = dense.measure_by_count
    monkeypatch.setattr(
        dense, "measure_by_count", lambda model, source, n: measure(model, source, 50)
    )
    run("table", "testbed", "--quick", "--processes", 1, "--out", folder)


def table_sinusoid(folder, monkeypatch):
    sizes = {"train": 150, "validation": 50, "score": 2}
    data = {split: TASKS["data_1"].sample(n, seed=n) for split, n in sizes.items()}
    kept = cases.case_config

    def small(*arguments):
        return kept(*arguments) | {"latent": 2, "examples": 100, "batch": 50, "epochs": 3}

    monkeypatch.setattr(cases, "examples", lambda name: data)
    monkeypatch.setattr(cases, "case_config", small)
    monkeypatch.setattr(sinusoid, "CASES", {"data_1": cases.CASES["data_1"][3:4]})
    monkeypatch.setattr(cases, "dead_entries", lambda *arguments: 0.0)
    run("table", "sinusoid", "--quick", "--data", "data_1", "--out", folder)


class Coin:
    def __init__(self, images, labels, epochs):
        pass

    def accuracy(self, images, labels):
        return 0.5


def table_multimodal(folder, monkeypatch):
    from dataclasses import replace

    first, *_, last = multimodal.JOBS_OF(True, 0)
    small = {"batch": 32, "test": 20, "K": 2}
    monkeypatch.setattr(multimodal, "EPOCH", 2)
    jobs = [replace(first, steps=6, **small)]
    jobs += [replace(last, epochs=3, hidden=(4,), **{**small, "batch": 500})]
    monkeypatch.setattr(multimodal, "jobs_of", lambda quick, seed: jobs)
    monkeypatch.setattr(multimodal, "ImageClassifier", Coin)
    monkeypatch.setattr(multimodal, "plot_multimodal", lambda *a: pd.DataFrame([1]).plot().figure)
    run("table", "multimodal", "--quick", "--out", folder)


auto_decoder.JOBS_OF, multimodal.JOBS_OF = auto_decoder.jobs_of, multimodal.jobs_of
COMMANDS = [dense_run, solve, vad, table_vad, table_testbed, table_sinusoid, table_multimodal]


@pytest.fixture(scope="module", params=COMMANDS, ids=lambda command: command.__name__)
def whole(request, tmp_path_factory):
    """A command, what it writes when nothing kills it, and the kinds of its moments."""
    folder = tmp_path_factory.mktemp(request.param.__name__) / "whole"
    eager = property(lambda model: True, keras.Model.run_eagerly.fset)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "run_eagerly", eager)
        killer = Killer(patch)
        request.param(folder, patch)
    return request.param, contents(folder), np.array(killer.kinds)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=pytest.mark.thorough if part else pytest.mark.long)
        for part in range(PARTS)
    ],
)
def test_killed_anywhere_it_ends_the_same(whole, part, tmp_path):
    command, expected, kinds = whole
    rng = np.random.default_rng(part)
    moments = {int(rng.choice(np.flatnonzero(kinds == "write")))}
    moments |= set(rng.choice(len(kinds), MOMENTS - 1, replace=False).tolist())
    for moment in sorted(moments):
        folder = tmp_path / f"killed_{moment}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            Killer(patch, moment)
            command(folder, patch)
        with pytest.MonkeyPatch.context() as patch:
            command(folder, patch)
        found = contents(folder)
        assert found.keys() == expected.keys(), (moment, kinds[moment])
        for name in expected:
            assert found[name] == expected[name], (moment, kinds[moment], name)


def in_a_process(command, folder, moment=None):
    """Run a command in a process of its own; the kinds of its moments, or None if it was killed."""
    root = Path(__file__).resolve().parents[2]
    threads = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    arguments = [command.__name__, folder, *([] if moment is None else [moment])]
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        env={**os.environ, **threads, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if moment is not None:
        assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
        return None
    assert done.returncode == 0, done.stderr[-2000:]
    return np.array(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("command", [dense_run, solve, vad])
def test_a_killed_process_ends_the_same(command, tmp_path):
    kinds = in_a_process(command, tmp_path / "whole")
    rng = np.random.default_rng(len(command.__name__))
    steps = np.flatnonzero(kinds == "step")
    inside = steps[1] + np.flatnonzero(kinds[steps[1] :] == "write")
    moment = rng.choice(inside if command is vad else steps[1:])  # one of them inside a write
    in_a_process(command, tmp_path / "killed", int(moment))
    in_a_process(command, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def main_of_process(name, folder, moment=None):
    """Run a command, in a process that kills itself at a moment, and print its moments."""
    with pytest.MonkeyPatch.context() as patch:
        eager = property(lambda model: True, keras.Model.run_eagerly.fset)
        patch.setattr(keras.Model, "run_eagerly", eager)
        killer = ByTheSystem(patch, None if moment is None else int(moment))
        {command.__name__: command for command in COMMANDS}[name](Path(folder), patch)
    print(json.dumps(killer.kinds))


if __name__ == "__main__":
    main_of_process(*sys.argv[1:])
