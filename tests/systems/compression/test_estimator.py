"""CompressionVAE: its calls, what it keeps and deletes, and what scikit-learn asks of it."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from cvae_keras import CompressionVAE
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.systems.compression import training as training_module

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 2, "verbose": False}
WRITTEN = ["temp/.cvae_keras.json", "temp/compression.json", "temp/model.keras"]

pytestmark = pytest.mark.usefixtures("in_tmp")


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@parametrize_with_checks([CompressionVAE(**{**TINY, "num_steps": 1})])
def test_scikit_learn(estimator, check):
    check(estimator)


def test_components_are_used_where_there_are_enough_rows_and_saved(tmp_path):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 3)) @ rng.normal(size=(3, 20))).astype("float32")
    embedder = CompressionVAE(x, logdir=str(tmp_path / "kept"), **TINY)
    embedder.train()
    assert embedder.model_.components.axes.shape == (20, 8)  # 4 for each latent dimension
    again = CompressionVAE(logdir=str(tmp_path / "kept"), **TINY)
    assert np.array_equal(embedder.embed(x), again.embed(x))
    assert np.array_equal(embedder.decode(embedder.embed(x)), again.decode(again.embed(x)))
    whole = CompressionVAE(components=1.0, **TINY).fit(x)
    few = CompressionVAE(**TINY).fit(x[:60])
    assert whole.model_.components is None and few.model_.components is None
    with pytest.raises(ValueError, match="components must"):
        CompressionVAE(components=1.5, **TINY).fit(x)


# -- the methods of maxfrenzel's CompressionVAE ---------------------------------------------------
def test_methods_of_the_first_compression_vae(digits, tmp_path):
    X, y = digits
    embedder = CompressionVAE(
        X[:300], X_valid=X[300:400], train_valid_split=0.9, dim_latent=2, iaf_flow_length=2,
        cells_encoder=[32, 16], initializer="orthogonal", batch_size=64, batch_size_test=64,
        logdir="temp", feature_normalization=True, tb_logging=False,
    )  # fmt: skip
    trained = embedder.train(
        learning_rate=1e-2, num_steps=20, dropout_keep_prob=0.75, overwrite=False, test_every=5,
        lr_scheduling=True, lr_scheduling_steps=5, lr_scheduling_factor=5, lr_scheduling_min=1e-5,
        checkpoint_every=2000,
    )  # fmt: skip
    assert trained is embedder
    z = embedder.embed(X)
    assert z.shape == (len(X), 2) and z.dtype == np.float32
    assert embedder.decode(z).shape == X.shape
    embedder.visualize(z, labels=y, categories=list("abcdefghij"), filename="z.png")
    embedder.visualize_latent_grid(
        xy_range=(-2, 2), grid_size=4, shape=(8, 8), clip=(0, 16), filename="grid.png"
    )
    assert files(tmp_path) == ["grid.png", *WRITTEN, "z.png"]
    losses = [row["loss"] for row in embedder.history_]
    assert len(losses) == 4 and losses[-1] < losses[0]
    embedder.train(num_steps=10, test_every=5)
    assert len(embedder.history_) == 6


def test_tensorboard_is_written_when_asked_and_removed_with_the_model(digits, tmp_path):
    X = digits[0][:40]
    CompressionVAE(X, tb_logging=True, **TINY).train()
    assert any("tensorboard" in name for name in files(tmp_path))
    CompressionVAE(X, **TINY).train()
    assert files(tmp_path) == WRITTEN


def test_same_seed_same_embedding(digits):
    X = digits[0][:100]
    a, b = (CompressionVAE(**TINY, random_state=3).fit_transform(X) for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, CompressionVAE(**TINY, random_state=4).fit_transform(X))


def test_score_is_an_elbo_in_the_units_of_x():
    X = np.random.default_rng(0).normal(size=(60, 5)) @ np.diag([1.0, 2.0, 3.0, 4.0, 5.0])
    embedder = CompressionVAE(**TINY).fit(X)
    score = embedder.score(X)
    assert score == embedder.score(X)
    again = CompressionVAE(**TINY).fit(10 * X)
    assert score - again.score(10 * X) == pytest.approx(5 * np.log(10), abs=1e-3)
    x = ((X - np.asarray(embedder.model_.shift)) / np.asarray(embedder.model_.scale)).astype("f4")
    units = np.log(np.asarray(embedder.model_.scale)).sum()
    one, _ = importance_weighted_bound(embedder.model_, {"x": x}, 1, seed=0)
    assert score == pytest.approx(one.mean() - units, rel=1e-5)
    many, _ = importance_weighted_bound(embedder.model_, {"x": x}, 500, seed=0)
    assert many.mean() - units > score
    assert embedder.sample(5, seed=1).shape == (5, 5)
    assert np.array_equal(embedder.sample(n=5, seed=1), embedder.sample(n_samples=5, seed=1))


# -- scikit-learn ---------------------------------------------------------------------------------
@pytest.mark.long
def test_pipeline_grid_search_and_frames(digits, tmp_path):
    X, y = digits[0][:120], digits[1][:120]
    pipeline = make_pipeline(CompressionVAE(**TINY), LogisticRegression(max_iter=50))
    search = GridSearchCV(pipeline, {"compressionvae__dim_latent": [2, 3]}, cv=2).fit(X, y)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    scores = GridSearchCV(CompressionVAE(**TINY), {"beta": [0.1, 1.0]}, cv=2).fit(X).cv_results_
    assert np.all(np.isfinite(scores["mean_test_score"]))
    frame = pd.DataFrame(X).rename(columns=str)
    out = CompressionVAE(**TINY).set_output(transform="pandas").fit(frame).transform(frame)
    assert list(out.columns) == ["compressionvae0", "compressionvae1"]
    assert list(out.index) == list(frame.index)
    assert files(tmp_path) == []  # `fit` leaves nothing in the folder
    assert clone(CompressionVAE(X)).X is not None


# -- what is kept, what is deleted ----------------------------------------------------------------
def test_temp_deletes_only_what_it_wrote(digits, tmp_path):
    X = digits[0][:50]
    CompressionVAE(X, **TINY).train()
    (tmp_path / "temp" / "mine.txt").write_text("mine")
    before = (tmp_path / "temp" / "model.keras").read_bytes()
    embedder = CompressionVAE(X, **{**TINY, "dim_latent": 3})
    assert not hasattr(embedder, "history_") or embedder.history_ == []
    embedder.train()
    assert (tmp_path / "temp" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "temp" / "model.keras").read_bytes() != before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.keras").write_text("mine")
    with pytest.raises(ValueError, match="not written by CompressionVAE"):
        CompressionVAE(X, logdir="other", **TINY).train()
    (tmp_path / "other" / "compression.json").write_text("{}")
    with pytest.raises(ValueError, match="not of a CompressionVAE"):
        CompressionVAE(X, logdir="other", **TINY).train()
    assert (tmp_path / "other" / "model.keras").read_text() == "mine"


def test_a_logdir_is_restored_and_its_parameters_win(digits):
    X = digits[0][:80]
    embedder = CompressionVAE(X, logdir="kept", **TINY)
    embedder.train()
    z = embedder.embed(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = CompressionVAE(X, logdir="kept", **TINY)
    assert np.array_equal(same.embed(X), z) and same.history_ == embedder.history_
    with pytest.warns(UserWarning, match=r"parameters win: dim_latent=2 \(not 5\)"):
        other = CompressionVAE(X, logdir="kept", **{**TINY, "dim_latent": 5})
    assert other.dim_latent == 2 and np.array_equal(other.embed(X), z)
    assert np.array_equal(CompressionVAE(logdir="kept").embed(X), z)
    for each in (embedder, same):
        each.train()
    assert np.array_equal(embedder.embed(X), same.embed(X))  # continues bit-equal
    with pytest.raises(ValueError, match="X has 10 features, but the model in logdir 'kept'"):
        CompressionVAE(X[:, :10], logdir="kept", **TINY).train()
    same.train(restart=True)
    assert len(same.history_) < len(embedder.history_)
    about = json.loads(open("kept/compression.json").read())
    assert about["parameters"]["dim_latent"] == 2


def test_interrupt_keeps_the_model(digits, monkeypatch):
    embedder = CompressionVAE(digits[0][:50], **TINY)

    def interrupt(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(training_module.LearningRate, "on_epoch_begin", interrupt)
    embedder.train(test_every=1)
    assert len(embedder.history_) == 1
    z = embedder.embed(digits[0][:5])
    monkeypatch.undo()
    embedder.train(test_every=1)
    assert len(embedder.history_) == 3 and not np.array_equal(z, embedder.embed(digits[0][:5]))


# -- input of every kind --------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_few_examples(n, digits):
    X = digits[0][:n]
    assert np.all(np.isfinite(CompressionVAE(**TINY).fit(X).transform(X)))


def test_memory_mapped_array_is_as_the_array(digits, tmp_path):
    X = digits[0][:90].astype("float32")
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    z = CompressionVAE(**TINY).fit(mapped).transform(mapped)
    assert np.array_equal(z, CompressionVAE(**TINY).fit_transform(X))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"train_valid_split": 0}, "train_valid_split must lie in"),
        ({"batch_size": 0}, "batch_size must be a positive integer"),
        ({"dim_latent": 1.5}, "dim_latent must be a positive integer"),
        ({"dim_latent": "2"}, "dim_latent must be a positive integer"),
        ({"neighbors": -1}, "neighbors must be a whole number"),
        ({"neighbors": 2.5}, "neighbors must be a whole number"),
        ({"neighbor_weight": "a"}, "neighbor_weight must be a finite number"),
        ({"neighbor_weight": np.nan}, "neighbor_weight must be a finite number"),
        ({"iaf_flow_length": -1}, "flow_length must be a whole number"),
        ({"beta": -1}, "beta must be a finite number"),
        ({"num_steps": 0}, "num_steps must be a positive integer"),
        ({"X_valid": np.zeros((3, 5))}, "X_valid has 5 features"),
    ],
)
def test_bad_arguments_are_refused(options, sentence, digits):
    with pytest.raises(ValueError, match=sentence):
        CompressionVAE(**{**TINY, **options}).fit(digits[0][:20])


def test_bad_calls_are_refused(digits):
    X = digits[0][:20]
    with pytest.raises(ValueError, match="X is missing"):
        CompressionVAE().train()
    with pytest.raises(ValueError, match="dropout_keep_prob must lie in"):
        CompressionVAE(X, **TINY).train(dropout_keep_prob=0)
    embedder = CompressionVAE(**{**TINY, "dim_latent": 3}).fit(X)
    with pytest.raises(ValueError, match="dim_latent is 3"):
        embedder.visualize_latent_grid(shape=(8, 8))
    with pytest.raises(ValueError, match="z has 2 columns, but dim_latent is 3"):
        embedder.decode(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="NaN"):
        CompressionVAE(**TINY).fit(np.where(X > 15, np.nan, X))
    with pytest.raises(ValueError, match="labels has length 3"):
        embedder.visualize(np.zeros((4, 2)), labels=[1, 2, 3])
