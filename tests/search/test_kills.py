"""A search killed at any write goes on in the middle of a trial, bit for bit."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvae_keras import search
from cvae_keras.checks import RunError
from cvae_keras.search import report, tuner
from cvae_keras.systems.dense.model import DenseCVAE

X = np.random.default_rng(0).standard_normal((24, 2)).astype("float32")
PARTS = 5  # a search killed at each fifth write, from the first, the second and so on


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it."""


class Tiny(search.SystemHyperModel):
    """A `DenseCVAE` on few rows; a rate of 1e30 diverges."""

    def __init__(self, rates=(1e-2, 1e-1)):
        super().__init__(rates=list(rates))
        arrays = {"x": X, "c": np.zeros((24, 4), "float32")}
        self.arrays = {name: array[:16] for name, array in arrays.items()}
        self.held_out = {name: array[16:] for name, array in arrays.items()}
        self.batch_size = 16

    def build(self, hp):
        options = {"enc_layers": [2], "dec_layers": [2], "gated": False}
        model = DenseCVAE(2, latent_dim=1, seed=self.seed, **options)
        model.compile(keras.optimizers.SGD(hp.Choice("rate", self.rates)))
        return model

    def score(self, model):
        return self.evaluate(model, "elbo")

    def grid(self):
        return search.choices(rate=self.rates)


class Kill:
    """Counts the calls that change what the disk holds, and raises at one of them and all after."""

    def __init__(self, monkeypatch, at):
        self.at, self.count = at, 0
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            monkeypatch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, function):
        def call(first, *args, **options):
            if function.__name__ != "unlink" or first.exists():
                self.count += 1
            if self.count >= self.at:
                raise Killed
            return function(first, *args, **options)

        return call


@pytest.fixture(autouse=True)
def quick(monkeypatch, eager):
    """No figures, which take most of the time."""
    monkeypatch.setattr(keras.backend, "clear_session", lambda: None)
    for name in ("best_so_far", "marginals", "parallel", "weighted_loss"):
        monkeypatch.setattr(report, f"plot_{name}", lambda *args: Figure((1, 1)))


def run(folder, model=None, **options):
    return search.run(
        model or Tiny(), folder=folder, strategy="grid", epochs=2, patience=1, **options
    )


def results(folder):
    """All that a search leaves, but for seconds; and its folder of trials is empty."""
    assert not list((folder / "trials").iterdir())
    best = json.loads((folder / "best.json").read_text())
    best["manifest"] = best["manifest"]["config"]
    rows = pd.read_csv(folder / "trials.csv").drop(columns="seconds").to_csv()
    weights = keras.saving.load_model(folder / "best.keras").get_weights()
    return rows, best, [weight.tolist() for weight in weights]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    kept = keras.Model.run_eagerly
    keras.Model.run_eagerly = property(lambda model: True, kept.fset)
    try:
        run(folder := tmp_path_factory.mktemp("whole"))
    finally:
        keras.Model.run_eagerly = kept
    return results(folder)


def killed_at(number, folder, whole):
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill = Kill(monkeypatch, number)
        try:
            run(folder)
        except Killed:
            pass
        else:
            return kill.count
    held = (folder / "search.json").exists()
    run(folder, resume=held)
    assert results(folder) == whole
    return None


def test_killed_at_some_writes_and_resumed(tmp_path, whole):
    for number in (15, 24, 50):  # of 67: between two checkpoints, in the journal, the best model
        assert killed_at(number, tmp_path / str(number), whole) is None


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=pytest.mark.thorough if part else pytest.mark.long)
        for part in range(PARTS)
    ],
)
def test_killed_at_each_write_and_resumed(tmp_path, whole, part):
    number = part + 1
    while killed_at(number, tmp_path / str(number), whole) is None:
        number += PARTS
    assert number > 40


def test_a_killed_trial_goes_on_from_its_last_epoch(tmp_path, monkeypatch):
    run(tmp_path / "whole", Tiny([1e-2]), executions=2)
    epochs = []

    class Count(Tiny):
        def fit(self, hp, model, callbacks, **options):
            seen = keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: epochs.append(epoch) or die(len(epochs))
            )
            return super().fit(hp, model, callbacks=[seen, *callbacks], **options)

        def get_config(self):
            return {**super().get_config(), "class": "Tiny"}

    def die(count):
        if count == 4:  # the second epoch of the second training
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "killed", Count([1e-2]), executions=2)
    held = [tmp_path / "killed" / "trials" / f"0.{number}.npz" for number in range(2)]
    states = [json.loads(bytes(np.load(path)["state"])) for path in held]
    monkeypatch.setattr(tuner, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    rows = run(tmp_path / "killed", Count([1e-2]), executions=2, resume=True)
    spent = sum(sum(state["history"]["seconds"]) for state in states)
    assert rows["seconds"].tolist() == [pytest.approx(spent)] and spent > 0
    assert epochs == [0, 1, 0, 1, 1]
    assert results(tmp_path / "killed") == results(tmp_path / "whole")


def test_a_loss_that_is_not_finite_is_a_trial_that_diverged(tmp_path):
    rows = run(tmp_path, Tiny([1e30, 1e-2]))
    assert rows["status"].tolist() == ["diverged", "completed"]
    assert rows["epochs"].tolist() == [1, 2] and np.isnan(rows["elbo"][0])
    assert not (tmp_path / "errors").exists()
    with pytest.raises(RunError, match=r"^no trial gave a result \(1 diverged\): .*\.$"):
        run(tmp_path / "all", Tiny([1e30]))
    assert not (tmp_path / "all" / "best.keras").exists()
