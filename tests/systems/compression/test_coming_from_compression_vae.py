"""The lines of maxfrenzel's CompressionVAE, typed as its users do, with the import changed."""

import os
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from cvae_keras import CompressionVAE
from cvae_keras.plots import plot_embedding
from cvae_keras.plots.style import class_colors
from cvae_keras.systems.compression.training import TrainingPlan

pytestmark = pytest.mark.usefixtures("home", "eager")
X = np.random.default_rng(0).normal(size=(60, 4))
Z = np.random.default_rng(1).normal(size=(40, 2))
CLASSES = np.arange(40) % 4
TINY = {"cells_encoder": [4], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
COPY = Path("kept/model.previous.keras")


@pytest.fixture
def home(in_tmp, monkeypatch):
    """An empty home folder, beside the working directory."""
    path = in_tmp / "home"
    path.mkdir()
    (in_tmp / "work").mkdir()
    monkeypatch.chdir(in_tmp / "work")
    monkeypatch.setenv("HOME", str(path))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("trained") / "model"
    return CompressionVAE(X, logdir=str(logdir), **TINY).train()


def stored(logdir="kept"):
    return CompressionVAE(logdir=logdir).embed(X)


# -- README ----------------------------------------------------------------------------------------
def test_the_lines_of_the_readme(home):
    embedder = CompressionVAE(X,
                              train_valid_split=0.99,
                              dim_latent=3,
                              iaf_flow_length=1,
                              cells_encoder=[8, 4],
                              initializer='lecun_normal',
                              batch_size=32,
                              batch_size_test=128,
                              logdir='~/mnist_16d',
                              feature_normalization=False,
                              tb_logging=True)  # fmt: skip
    embedder.train(learning_rate=1e-4,
                   num_steps=4,
                   dropout_keep_prob=0.6,
                   test_every=2,
                   lr_scheduling=False)  # fmt: skip
    z = embedder.embed(X)
    z_interp = np.expand_dims(0.5 * z[0] + 0.5 * z[1], axis=0)
    assert embedder.decode(z_interp).shape == (1, 4)
    assert (home / "mnist_16d" / "tensorboard").is_dir() and os.listdir() == []
    assert np.array_equal(CompressionVAE(logdir="~/mnist_16d").embed(X), z)
    embedder.save("~/copy")
    assert np.array_equal(CompressionVAE(logdir=str(home / "copy")).embed(X), z)


@pytest.mark.long
def test_folders_of_npy_files_in_the_home_folder(home):
    for name, rows in (("my_dataset", X[:50]), ("valid", X[50:])):
        (home / name / "class").mkdir(parents=True)
        for number, row in enumerate(rows):
            np.save(home / name / "class" / f"{number}.npy", row)
    embedder = CompressionVAE(X='~/my_dataset', X_valid="~/valid", **TINY).train()  # fmt: skip
    assert embedder.embed("~/my_dataset").shape == (50, 2)


def test_a_home_folder_of_nobody_is_one_sentence():
    with pytest.raises(ValueError, match=r"^~nobody_at_all/x begins with the home[^\n]*\.$"):
        CompressionVAE(X, logdir="~nobody_at_all/x", **TINY)
    assert os.listdir() == []


# -- train -----------------------------------------------------------------------------------------
def test_overwrite_continues_and_restart_starts_afresh(capsys):
    embedder = CompressionVAE(X, logdir="kept", **TINY).train()
    again = CompressionVAE(X, logdir="kept", **TINY)
    assert again.train(overwrite=True) is again and len(again.history_) == 4
    assert again.history_[:2] == embedder.history_ and not COPY.exists()
    with pytest.warns(UserWarning, match=r"dim_latent=2 \(not 3\)"):
        other = CompressionVAE(X, logdir="kept", **{**TINY, "dim_latent": 3})
    capsys.readouterr()
    other.train(restart=True)
    said = capsys.readouterr().out
    assert "replaces kept/model.keras" in said and "model.previous.keras keeps it" in said
    assert len(other.history_) == 2 and stored().shape == (60, 3) and not COPY.exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_restart_that_fails_leaves_the_old_model(error, monkeypatch):
    embedder = CompressionVAE(X, logdir="kept", **TINY).train()
    z, write = embedder.embed(X), CompressionVAE._save

    def fail(self):
        write(self)
        assert COPY.exists() and not np.array_equal(stored(), z)
        raise error("full")

    monkeypatch.setattr(CompressionVAE, "_save", fail)
    with pytest.raises(error):
        embedder.train(restart=True, learning_rate=1e-2)
    assert np.array_equal(embedder.embed(X), z) and np.array_equal(stored(), z)
    assert not COPY.exists()


def test_the_copy_of_a_killed_restart_is_kept_by_the_next():
    embedder = CompressionVAE(X, logdir="kept", **TINY).train()
    COPY.write_bytes(b"complete")  # as a kill leaves it
    monkey = pytest.MonkeyPatch()
    monkey.setattr(CompressionVAE, "_save", lambda self: (_ for _ in ()).throw(ValueError("full")))
    with pytest.raises(ValueError, match="full"):
        embedder.train(restart=True)
    monkey.undo()
    assert Path("kept/model.keras").read_bytes() == b"complete"


def test_num_steps_is_a_limit():
    embedder = CompressionVAE(X, **TINY).train(num_steps=5, test_every=2)
    assert int(embedder.model_.optimizer.iterations) == 4
    for limit in (1, 5, 29, 64, 65, 2000):
        for every in (None, 1, 2, 3, 10, 50):
            plan = TrainingPlan.choose(500, 50, steps=limit, steps_per_epoch=every)
            assert limit - plan.epochs < plan.steps == plan.epochs * plan.steps_per_epoch <= limit


@pytest.mark.parametrize(
    "options",
    [{"learning_rate": -1}, {"learning_rate": 0}, {"lr_scheduling_factor": 0}, {"num_steps": 0},
     {"checkpoint_every": 0}, {"test_every": 0}, {"lr_scheduling_min": -1}, {"overwrite": 2},
     {"restart": "yes"}],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_and_nothing_is_lost(options):
    embedder = CompressionVAE(X, **TINY).train()
    before = Path("temp/model.keras").read_bytes()
    for each in (embedder, CompressionVAE(X, **TINY)):
        with pytest.raises(ValueError, match=f"^{next(iter(options))}"):
            each.train(**options)
    assert Path("temp/model.keras").read_bytes() == before


# -- the constructor -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"X": "absent"}, "X is 'absent', which is not a folder"),
        ({"X": np.where(X > 2, np.nan, X)}, "NaN"),
        ({"X": [["a", "b"]]}, "^X must hold numbers, got dtype <U1"),
        ({"X": [[1, 2], [3]]}, "^X has rows of different lengths"),
        ({"X": X[0]}, "2D array"),
        ({"X": X, "X_valid": "absent"}, "'absent', which is not a folder"),
        ({"X": X, "X_valid": X[:, :2]}, "X_valid has 2 features but X has 4"),
    ],
)
def test_x_that_cannot_be_read_is_refused_at_once(options, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        CompressionVAE(**options)


def test_another_width_is_one_sentence(trained):
    sentence = r"^X has 3 features, but the model in logdir '[^\n]*' has 4: name another logdir\.$"
    with pytest.raises(ValueError, match=sentence):
        CompressionVAE(X[:, :3], logdir=trained.logdir)
    for call in (CompressionVAE.embed, CompressionVAE.score):
        with pytest.raises(ValueError, match=r"X has 3 features, but CompressionVAE"):
            call(CompressionVAE(logdir=trained.logdir), X[:, :3])


def test_restoring_warns_of_arguments_that_were_given(trained):
    assert CompressionVAE(X, logdir=trained.logdir).cells_encoder == [4]  # warnings are errors
    with pytest.warns(UserWarning, match=r"parameters win: cells_encoder=\[4\] \(not \[5\]\)\.$"):
        CompressionVAE(X, logdir=trained.logdir, cells_encoder=[5])


def test_batch_size_of_embed_and_decode(trained):
    z = trained.embed(X, batch_size=7)
    assert np.array_equal(z, trained.embed(X))
    np.testing.assert_allclose(trained.decode(z, batch_size=7), trained.decode(z), atol=1e-6)
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        trained.embed(X, batch_size=0)


# -- figures ---------------------------------------------------------------------------------------
def names(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def gray(figure):
    """How many points have no label."""
    return len(figure.axes[0].collections[0].get_offsets())


@pytest.mark.parametrize(
    ("labels", "categories", "expected"),
    [
        (list(map(int, CLASSES)), None, list("0123")),
        (CLASSES, list("abcd"), list("abcd")),
        (CLASSES, list("abcdef"), list("abcd")),
        (CLASSES + 1, list("abcd"), list("abcd")),
        (CLASSES + 7, list("abcd"), list("abcd")),
        (np.where(CLASSES == 1, 3, CLASSES) + 1, list("abcd"), list("acd")),
        (np.where(CLASSES > 1, -1, 1), ["no", "yes"], ["no", "yes"]),
        (CLASSES > 1, ["no", "yes"], ["no", "yes"]),
        (CLASSES > 1, None, ["False", "True"]),
        ([f"c{c}" for c in CLASSES], list("abcd"), ["c0", "c1", "c2", "c3"]),
        (CLASSES[:, None], None, list("0123")),
        (pd.Series(CLASSES, index=range(5, 45)), None, list("0123")),
        (pd.DataFrame({"y": CLASSES}), list("abcd"), list("abcd")),
        (pd.Series(list("abcd") * 10, dtype="category"), None, list("abcd")),
        (np.where(CLASSES == 3, np.nan, CLASSES), None, ["0", "1", "2", "no label"]),
        (np.where(CLASSES == 3, np.nan, CLASSES), list("abcd"), ["a", "b", "c", "no label"]),
        (["a", None, "b", np.nan] * 10, None, ["a", "b", "no label"]),
        (pd.Series([1, None] * 20, dtype="Int64"), None, ["1", "no label"]),
        ([None] * 40, None, ["no label"]),
    ],
)
def test_labels_of_every_kind(trained, labels, categories, expected):
    figure = trained.visualize(Z, labels, categories)
    assert names(figure) == expected
    missing = int(pd.isna(pd.Series(np.ravel(np.asarray(labels, object)))).sum())
    assert gray(figure) == missing


@pytest.mark.parametrize("measured", [Z[:, 0], np.arange(40), np.where(CLASSES, Z[:, 0], np.nan)])
def test_measurements_have_a_color_bar(trained, measured):
    figure = trained.visualize(Z, labels=measured)
    assert len(figure.axes) == 2 and figure.axes[0].get_legend() is None
    assert gray(figure) == np.isnan(measured).sum()


def test_many_classes_and_ticks(trained):
    figure = trained.visualize(Z, labels=np.arange(40) % 15)
    assert len({tuple(c) for c in figure.axes[0].collections[1].get_facecolors()}) == 15
    assert len(figure.axes[0].get_xticks()) and figure.axes[0].get_xlabel() == "z1"
    for count in (2, 10, 11, 20, 40):
        assert len(np.unique(np.round(class_colors(count), 2), axis=0)) == count
    text = names(plot_embedding(np.repeat(Z, 3, axis=0), [f"{i:03}" for i in range(120)]))
    assert len(text) == 51 and text[-1] == "and 70 more"
    with pytest.raises(ValueError, match="categories holds 2 names for labels from 0 to 3"):
        trained.visualize(Z, CLASSES, ["a", "b"])


def test_tiles_are_drawn_where_they_are_decoded(trained, monkeypatch):
    seen = []

    def decode(z):
        seen.append(z)
        return np.tile(z[:, :1], (1, 4))

    monkeypatch.setattr(trained, "decode", decode)
    figure = trained.visualize_latent_grid(
        xy_range=(-4.0, 4.0), grid_size=4, shape=(2, 2), clip=None, figsize=(6, 6)
    )
    assert sorted(set(seen[0][:, 0])) == sorted(set(seen[0][:, 1])) == [-3, -1, 1, 3]
    assert seen[0][0].tolist() == [-3, 3]  # the highest row first
    image = figure.axes[0].images[0]
    assert image.get_extent() == [-4, 4, -4, 4] and figure.get_size_inches().tolist() == [6, 6]
    row = image.get_array()[1]  # of pixels, 4 a tile: gap, two of the image, gap
    assert [row[i].tolist() for i in (1, 14)] == [[1, 1, 1], [0, 0, 0]]  # white is the lowest
    assert all(np.array_equal(row[i], row[0]) for i in (3, 4, 7, 8, 11, 12, 15))


@pytest.mark.parametrize(
    "options",
    [{"xy_range": (4, -4)}, {"xy_range": 4}, {"clip": (1, 1)}, {"clip": (0, np.nan)},
     {"figsize": (0, 1)}, {"figsize": "big"}, {"grid_size": 0}],
)  # fmt: skip
def test_numbers_of_a_grid(trained, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        trained.visualize_latent_grid(shape=(2, 2), **options)


def test_figures_are_written_into_the_home_folder(trained, home):
    trained.visualize(Z, filename="~/z.png")
    trained.visualize_latent_grid((-1, 1), 2, (2, 2), None, (3, 3), "~/grid.png")
    assert sorted(os.listdir(home)) == ["grid.png", "z.png"] and os.listdir() == []
    with pytest.raises(ValueError, match=r"filename absent/z\.png is in no folder that exists"):
        trained.visualize(Z, filename="absent/z.png")


def test_a_plot_is_displayed_in_a_script_and_quiet_without_a_display(trained, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.get_fignums()))
    assert isinstance(trained.visualize(Z), matplotlib.figure.Figure)
    assert shown == [] and plt.get_fignums() == []
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "tkagg")
    trained.visualize(Z)
    trained.visualize_latent_grid(grid_size=2, shape=(2, 2))
    trained.visualize(Z, filename="z.png")
    assert shown == [[1], [1, 2]]


def test_a_plot_is_displayed_once_in_a_notebook(trained, monkeypatch):
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "module://matplotlib_inline")
    figure = trained.visualize(Z)
    assert plt.get_fignums() == [1]  # which appears at the end of the cell,
    displayed = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    figure._ipython_display_()  # unless it is displayed before
    assert displayed == [figure] and plt.get_fignums() == []
    assert not hasattr(figure, "_ipython_display_")
