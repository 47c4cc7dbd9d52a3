"""A model on disk: whole whenever the process is killed, and nothing of others is touched."""

import json
import os
import zipfile
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.checks import RunError
from cvae_keras.files import MARKER
from cvae_keras.systems.compression import storage
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.saved import load_model
from cvae_keras.training import Checkpoint, FusedAdam

pytestmark = pytest.mark.usefixtures("in_tmp", "eager")
X = np.random.default_rng(0).normal(size=(40, 3))
TINY = {"cells_encoder": [4], "iaf_flow_length": 1, "num_steps": 4, "verbose": False}
PARAMETERS = {
    "dim_latent": 2,
    "iaf_flow_length": 1,
    "cells_encoder": [4],
    "initializer": "orthogonal",
    "feature_normalization": True,
    "components": 0.95,
    "beta": 1.0,
    "neighbors": 7,
    "neighbor_weight": None,
}
ROW = {"loss": 1.0, "val_loss": 2.0, "val_elbo": -2.0, "val_kl": 0.5, "lr": 0.1}


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it."""


@cache
def model_of(seed):
    """An untrained model, which no test changes."""
    keras.utils.set_random_seed(seed)
    model = CompressionModel(3, 2, 1, [4], seed=seed)
    model.compile(FusedAdam())
    model.optimizer.build(model.trainable_variables)
    return model


def same(model, other):
    weights = zip(model.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in weights)


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def older(folder, about=None):
    """A folder as older versions wrote it: no marker, no further member."""
    folder.mkdir(exist_ok=True)
    model_of(0).save(folder / "model.keras")
    about = {"format": storage.FORMAT, "parameters": PARAMETERS} if about is None else about
    about = {"training": {"history": [ROW]}, **about}
    (folder / "compression.json").write_text(json.dumps(about))
    return folder


def die_at(patch, number):
    """The call of this number that changes the disk raises, and all that follow."""
    count = [0]

    def counted(function):
        def call(first, *args, **options):
            count[0] += function.__name__ != "unlink" or first.exists()
            if count[0] >= number:
                raise Killed
            return function(first, *args, **options)

        return call

    for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
        patch.setattr(owner, name, counted(getattr(owner, name)))


# -- kills -----------------------------------------------------------------------------------------
@pytest.mark.long
@pytest.mark.parametrize("before", ["nothing", "older", "present"])
def test_killed_at_each_write_the_folder_holds_one_whole_model(before, tmp_path):
    for number in range(1, 99):
        folder = tmp_path / str(number)
        if before == "older":
            older(folder)
        elif before == "present":
            storage.save(folder, model_of(0), PARAMETERS, {"history": [ROW]})
        with pytest.MonkeyPatch.context() as patch:
            die_at(patch, number)
            try:
                storage.save(folder, model_of(1), PARAMETERS, {"history": [ROW] * 2})
            except Killed:
                killed = True
            else:
                killed = False
        if before != "nothing" or storage.holds_model(folder):
            model, parameters, training = storage.load(folder)
            assert parameters == PARAMETERS
            assert same(model, model_of(len(training["history"]) - 1))
        storage.save(folder, model_of(2), PARAMETERS, {"history": []})  # it is not refused
        if not killed:
            break
    assert number > 6


@pytest.mark.parametrize("number", [1, 2, 3])
def test_temp_killed_while_it_is_removed_is_used_again(number, tmp_path):
    storage.save("temp", model_of(0), PARAMETERS, {"history": []})
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, number)
        try:
            storage.remove("temp")
        except Killed:
            assert number < 3
    CompressionVAE(X, **TINY).train()
    assert sorted(content(tmp_path / "temp")) == [MARKER, "compression.json", "model.keras"]


def test_keras_ignores_the_further_member():
    storage.save("kept", model_of(1), PARAMETERS, {"history": [ROW]})
    with zipfile.ZipFile("kept/model.keras") as archive:
        assert json.loads(archive.read("compression.json"))["parameters"] == PARAMETERS
    assert np.array_equal(
        load_model("kept/model.keras").get_weights()[1], model_of(1).get_weights()[1]
    )


# -- what is believed ------------------------------------------------------------------------------
def test_the_member_is_believed_and_the_file_is_a_copy():
    storage.save("kept", model_of(1), PARAMETERS, {"history": [ROW]})
    for text in ("", "{", '{"format": 1}'):
        Path("kept/compression.json").write_text(text)
        assert storage.load("kept")[1:] == (PARAMETERS, {"history": [ROW]})
    Path("kept", MARKER).unlink()  # as where hidden files were not copied
    Path("kept/compression.json").unlink()
    assert storage.load("kept")[1:] == (PARAMETERS, {"history": [ROW]})


def test_a_folder_of_an_older_version_is_read_and_goes_on(tmp_path):
    storage.load(older(tmp_path / "kept"))
    first = {name: value for name, value in PARAMETERS.items() if name != "components"}
    about = {"format": storage.FORMAT, "parameters": first}
    assert storage.load(older(tmp_path / "first", about))[1] == first
    CompressionVAE(X, logdir="kept", **TINY).train()
    assert sorted(content(tmp_path / "kept")) == [MARKER, "compression.json", "model.keras"]
    assert len(storage.load("kept")[2]["history"]) > 1


def changed(**values):
    return {"format": storage.FORMAT, "parameters": {**PARAMETERS, **values}}


BAD = [
    {"format": storage.FORMAT},
    {"format": storage.FORMAT, "parameters": []},
    {"format": storage.FORMAT, "parameters": {}},
    {"format": "cvae_keras.CompressionVAE 2", "parameters": PARAMETERS},
    {**changed(), "more": 1},
    {**changed(), "training": []},
    {**changed(), "training": {}},
    {**changed(), "training": {"history": {}}},
    {**changed(), "training": {"history": [1]}},
    {**changed(), "training": {"history": [{"loss": "1"}]}},
    {**changed(), "training": {"history": [{"loss": None}]}},
    {**changed(), "training": {"history": [{"loss": float("nan")}]}},
    {**changed(), "training": {"history": [{"loss": [1.0]}]}},
    changed(unknown=1),
    changed(dim_latent=5),
    changed(dim_latent=2.0),
    changed(dim_latent=True),
    changed(iaf_flow_length=2),
    changed(iaf_flow_length=float("inf")),
    changed(iaf_flow_length=None),
    changed(cells_encoder=4),
    changed(cells_encoder=[0]),
    changed(cells_encoder=["4"]),
    changed(initializer=None),
    changed(feature_normalization="image"),
    changed(feature_normalization=1),
    changed(components=2),
    changed(components="0.9"),
    changed(beta=-1),
    changed(beta=float("nan")),
    changed(beta=None),
    changed(beta=10**400),
    changed(neighbors=1.5),
    changed(neighbors=-1),
    changed(neighbor_weight="a"),
]


@pytest.mark.parametrize("about", BAD)
def test_damaged_entries_are_one_sentence(about, tmp_path):
    folder = older(tmp_path / "kept", about)
    before = content(folder)
    for call in (
        lambda: storage.load(folder),
        lambda: CompressionVAE(X, logdir=str(folder), **TINY).train(),
        lambda: CompressionVAE(logdir=str(folder), **TINY).embed(X),
    ):
        if "beta" in about.get("parameters", {}) and about["parameters"]["beta"] == 10**400:
            break  # finite, and not of float32: the model's own affair
        with pytest.raises(ValueError, match=r"compression\.json[^\n]*\.$"):
            call()
    assert content(folder) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 10**5, "\x00", '{"format"'])
def test_damaged_json_is_one_sentence(text, tmp_path):
    folder = older(tmp_path / "kept")
    (folder / "compression.json").write_text(text)
    with pytest.raises(ValueError, match=r"compression\.json[^\n]*\.$"):
        CompressionVAE(X, logdir=str(folder), **TINY).train()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_model_is_one_sentence(share):
    storage.save("kept", model_of(0), PARAMETERS, {"history": []})
    data = Path("kept/model.keras").read_bytes()
    Path("kept/model.keras").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"model\.keras[^\n]*\.$"):
        CompressionVAE(X, logdir="kept", **TINY).train()


# -- files of others -------------------------------------------------------------------------------
@pytest.mark.parametrize("logdir", ["temp", "kept"])
@pytest.mark.parametrize("name", ["notes.txt", "model.keras", "tensorboard/events.out.tfevents.1"])
def test_a_folder_of_others_is_refused_before_anything_is_touched(logdir, name, tmp_path):
    path = tmp_path / logdir / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    before = content(tmp_path)
    embedder = CompressionVAE(X, logdir=logdir, tb_logging=True, **TINY)
    for call in (embedder.train, lambda: embedder.fit(X)):
        with pytest.raises(ValueError, match="was not written by|not written by CompressionVAE"):
            call()
    assert content(tmp_path) == before


def test_temp_keeps_the_model_when_an_argument_is_refused(tmp_path):
    CompressionVAE(X, **TINY).train()
    before = content(tmp_path)
    with pytest.raises(ValueError, match="dropout_keep_prob must"):
        CompressionVAE(X, **TINY).train(dropout_keep_prob=0)
    assert content(tmp_path) == before


def test_a_folder_of_something_else_of_ours_is_refused(tmp_path):
    (tmp_path / "kept").mkdir()
    marker = {"format": "cvae_keras folder 1", "content": "search"}
    (tmp_path / "kept" / MARKER).write_text(json.dumps(marker))
    with pytest.raises(ValueError, match="holds a search, not a CompressionVAE"):
        CompressionVAE(X, logdir="kept", **TINY).train()


def test_temp_keeps_the_logs_of_others(tmp_path):
    logs = tmp_path / "temp" / "tensorboard"
    CompressionVAE(X, tb_logging=True, **TINY).train()
    assert any("events" in name for name in content(logs))
    theirs = [logs / "train", logs / "CompressionVAE" / "other"]
    for folder in theirs:
        folder.mkdir(exist_ok=True)
    (theirs[0] / "events.out.tfevents.1").write_text("mine")
    (theirs[1] / "notes.txt").write_text("mine")
    CompressionVAE(X, **TINY).train()
    assert content(logs) == dict.fromkeys(
        ["CompressionVAE/other/notes.txt", "train/events.out.tfevents.1"], b"mine"
    )


@pytest.mark.parametrize("link", ["tensorboard", "tensorboard/CompressionVAE", "inner"])
def test_temp_does_not_delete_through_a_link(link, tmp_path):
    storage.save("temp", model_of(0), PARAMETERS, {"history": []})
    theirs = tmp_path / "theirs" / "CompressionVAE"
    theirs.mkdir(parents=True)
    (theirs / "events.out.tfevents.1").write_text("mine")
    path = Path("temp/tensorboard/CompressionVAE/inner" if link == "inner" else f"temp/{link}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(theirs.parent if link == "tensorboard" else theirs)
    CompressionVAE(X, **TINY).train()
    assert (theirs / "events.out.tfevents.1").read_text() == "mine" and path.is_symlink()


# -- training --------------------------------------------------------------------------------------
@pytest.mark.long
def test_fit_continues_from_a_checkpoint_bit_for_bit(tmp_path, monkeypatch):
    options = {**TINY, "num_steps": 40}
    whole = CompressionVAE(**options).fit(X)
    assert len(whole.history_) > 9
    checkpoint = lambda: Checkpoint(tmp_path / "row.npz", {"seed": 0})  # noqa: E731
    with monkeypatch.context() as patch:
        die_at(patch, 20)
        with pytest.raises(Killed):
            CompressionVAE(**options).fit(X, checkpoint=checkpoint())
    again = CompressionVAE(**options)
    z = again.fit_transform(X, checkpoint=checkpoint())
    assert again.history_ == whole.history_ and np.array_equal(z, whole.transform(X))
    after = CompressionVAE(**options).fit(X, checkpoint=checkpoint())  # no epoch is left
    assert after.history_ == whole.history_ and np.array_equal(z, after.transform(X))
    with pytest.raises(ValueError, match="checkpoint is for logdir 'temp', got 'kept'"):
        CompressionVAE(logdir="kept", **options).fit(X, checkpoint=checkpoint())


def test_a_training_that_diverges_leaves_the_model_as_it_was(tmp_path):
    embedder = CompressionVAE(X, logdir="kept", **TINY).train()
    z, history = embedder.embed(X), list(embedder.history_)
    before = content(tmp_path)
    with pytest.raises(RunError, match=r"^training diverged: [^\n]*\.$"):
        embedder.train(learning_rate=1e30, lr_scheduling=False)
    assert np.array_equal(embedder.embed(X), z) and embedder.history_ == history
    assert content(tmp_path) == before
