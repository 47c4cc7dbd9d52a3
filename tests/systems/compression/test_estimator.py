"""CompressionVAE: its calls, what it keeps and deletes, and what scikit-learn asks of it."""

import json
import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops
from model_cases import CASES
from model_checks import CHECKS
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from cvae_keras import CompressionVAE
from cvae_keras.data.rows import CHUNK, MappedRows, Subset, read
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.systems.compression import training as training_module
from cvae_keras.systems.compression.model import (
    Components,
    CompressionModel,
    RowDecoder,
    neighbor_log_prob,
)
from cvae_keras.systems.compression.neighbors import PairedBatches, nearest_neighbors
from cvae_keras.systems.compression.preprocessing import (
    components_for,
    first_axes,
    fit_pca,
    shift_and_scale,
)

TINY = {"cells_encoder": [16], "iaf_flow_length": 1, "num_steps": 4, "verbose": False}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@parametrize_with_checks([CompressionVAE(**{**TINY, "num_steps": 2})])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", CHECKS)
def test_model(check, tmp_path):
    check(CASES["compression"], tmp_path)


# -- the parts ------------------------------------------------------------------------------------
def test_neighbor_log_prob_by_hand():
    z = np.array([[0.0], [1.0], [0.5], [3.0]], "float32")
    value = np.asarray(neighbor_log_prob(z, np.log(2.0).astype("float32")))
    kernel = 1 / (1 + (z - z.T) ** 2 / 4)
    np.fill_diagonal(kernel, 0)
    p = kernel / kernel.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(value, np.log([p[0, 2], p[1, 3], p[2, 0], p[3, 1]]), atol=1e-5)


def test_loss_is_the_elbo_and_the_neighbors():
    model = CompressionModel(3, widths=[8], beta=0.5, gamma=2.0)
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    terms = model({"x": x[0], "neighbor": x[1]})
    assert terms["neighbors"].shape == terms["log_likelihood"].shape == (6,)
    elbo = terms["log_likelihood"] - 0.5 * np.sum(terms["kl"], axis=1)
    expected = -np.mean(elbo + 2.0 * terms["neighbors"])
    assert float(model.objective(terms)) == pytest.approx(expected, rel=1e-5)
    assert np.all(np.asarray(model({"x": x[0]})["neighbors"]) == 0)


def test_components_lose_nothing_of_what_they_hold():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 3)) @ rng.normal(size=(3, 20))).astype("float32")
    pca = fit_pca(x)
    assert components_for(pca, 0.9999) == PCA(0.9999).fit(x).n_components_ == 3
    assert first_axes(pca, 5)[0].shape == first_axes(fit_pca(x, 5), 9)[0].shape == (20, 5)
    axes, deviations = first_axes(pca, 3)
    assert axes.shape == (20, 3)
    np.testing.assert_allclose((x @ axes).std(axis=0, ddof=1), deviations, rtol=1e-4)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-5)
    layer = Components(20, 3)
    layer.axes.assign(axes)
    np.testing.assert_allclose(layer.expand(layer(x)), x, atol=1e-4)


def test_latents_start_at_the_whitened_components():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32") * [3.0, 2.0, 1.0, 0.0]
    x[0] = [300.0, 0.0, 0.0, 0.0]
    x = (x - x.mean(axis=0)).astype("float32")
    model = CompressionModel(4, latent_dim=2, widths=(8,), components=3)
    for weight in (*model.posterior.mean.weights, *model.posterior.log_var.weights):
        weight.assign(ops.zeros_like(weight))
    model.start_at(*first_axes(fit_pca(x), 3))
    found = np.array(model.infer({"x": x}).base.mean)
    wanted = np.clip(PCA(2, whiten=True).fit_transform(x), -5, 5)  # its axes' signs are arbitrary
    np.testing.assert_allclose(abs(found), abs(wanted), atol=1e-3)
    assert abs(found).max() == 5.0
    model.start_at(np.eye(4, 3), [1.0, 0.0, 0.0])  # a direction without spread
    assert not np.array(model.infer({"x": x}).base.mean)[:, 1].any()
    model = CompressionModel(5, latent_dim=4, widths=(8,), components=5)
    model.start_at(np.eye(5), np.ones(5))
    assert not np.any(model.start)  # more than 3 dimensions start at random


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


def test_nearest_neighbors_are_those_of_a_full_search():
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
    assert np.array_equal(nearest_neighbors(x, 5), nearest_neighbors(x, 5, axes=np.eye(4)))
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert np.array_equal(nearest_neighbors(x, 5), np.argsort(distance, axis=1)[:, :5])


def test_batches_hold_each_row_once_a_lap_and_its_neighbors():
    x = np.arange(10, dtype="float32")[:, None]
    near = np.stack([(np.arange(10) + 1) % 10, (np.arange(10) - 1) % 10], axis=1)
    batches = PairedBatches(x, near, batch_size=4, steps=5, seed=3)
    found = [batches[i][0] for i in range(5)]
    assert sorted(np.concatenate([b["x"] for b in found])[:, 0]) == list(range(10))
    for batch in found:
        step = (batch["x"] - batch["neighbor"])[:, 0] % 10
        assert set(step) <= {1.0, 9.0}
    again = PairedBatches(x, near, batch_size=4, seed=3)
    assert len(again) == 5  # as many as contain each row
    assert np.array_equal(again[2][0]["x"], found[2]["x"])


def test_walks_to_a_neighbor_grow_shorter():
    x = np.arange(100, dtype="float32")[:, None]
    near = (np.arange(100)[:, None] + 1) % 100  # the only one: each step of a walk adds 1
    batches = PairedBatches(x, near, batch_size=20, steps=5, walk=5, until=8)
    steps = []
    for batches.epoch in range(10):
        inputs = batches[0][0]
        (step,) = set((inputs["neighbor"] - inputs["x"])[:, 0] % 100)
        steps.append(int(step))
    assert steps == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]


@pytest.mark.parametrize("share", [0.2, 3.0])
def test_scale_of_pixels_is_one_number_and_of_other_units_many(share):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(500, 5))
    pixels[:, 0] = 7
    shift, scale = shift_and_scale(pixels)
    np.testing.assert_allclose(shift, pixels.mean(axis=0), rtol=1e-6)
    assert np.allclose(scale, np.sqrt(pixels[:, 1:].var(axis=0).mean()))
    units = rng.normal(size=(500, 3)) * [1.0, 1000.0, 1e-3] + [5.0, 0.0, 2.0]
    _, scale = shift_and_scale(units)
    np.testing.assert_allclose(scale, units.std(axis=0), rtol=1e-4)
    _, scale = shift_and_scale(np.full((4, 2), 3.0))
    assert np.all(scale == 1)  # without variance


def test_rows_with_large_means_lose_no_digits():
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 5.0, 0.5]
    far = X + 1e6  # float32 there has steps of 0.06
    shift, scale = shift_and_scale(far)
    np.testing.assert_allclose(scale, shift_and_scale(X)[1], rtol=1e-5)
    np.testing.assert_allclose(
        Subset(far, np.arange(200), shift, scale)[:], (far - shift) / scale, rtol=1e-5
    )
    model = CompressionModel(3, widths=[8])
    wanted = model.encode((far - shift) / scale)
    model.standardize_with(shift, scale)
    np.testing.assert_allclose(model.encode(far), wanted, atol=1e-5)


def test_layers_come_back_from_their_configuration():
    model = CompressionModel(5, 3, 1, [8, 4], beta=0.5, gamma=2.0, components=4, seed=1)
    for layer in (model, model.components, model.decoder, RowDecoder(5, [4, 8])):
        config = keras.saving.serialize_keras_object(layer)
        again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
        configs = [again.get_config(), layer.get_config()]
        for nested in (config.get("components") for config in configs):
            if isinstance(nested, dict):
                nested.pop("build_config", None)  # of layers that were called
        assert configs[0] == configs[1]
    assert again.components is None
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    again.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    assert np.array_equal(again.encode(x), model.encode(x))


def test_the_model_is_a_keras_model(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 40, 5)).astype("float32")
    inputs = {"x": x[0], "neighbor": x[1]}
    model = CompressionModel(5, 2, 2, [8], gamma=1.0, components=4)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    callbacks = [
        keras.callbacks.TensorBoard(tmp_path / "logs"),
        keras.callbacks.EarlyStopping("val_elbo", mode="max", patience=5),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    options = {"batch_size": 20, "epochs": 3, "verbose": 0, "callbacks": callbacks}
    history = model.fit(inputs, validation_data=(inputs,), **options).history
    assert history["loss"][-1] < history["loss"][0] and len(history["val_neighbors"]) == 3
    assert np.isfinite(model.evaluate(inputs, verbose=0, return_dict=True)["elbo"])
    x_hat = model.predict({"x": x[0]}, verbose=0)
    np.testing.assert_allclose(x_hat, model.decode(model.encode(x[0])), atol=1e-5)
    assert model.sample(n_samples=3, seed=0).shape == (3, 5)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "arrays.npz", x=x[0], z=model.encode(x[0]))
    script = """if True:
        import keras, numpy, cvae_keras
        arrays = numpy.load("arrays.npz")
        z = keras.saving.load_model("model.keras").encode(arrays["x"])
        assert numpy.array_equal(z, arrays["z"])
    """
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


def test_the_plan_of_a_training():
    plan = training_module.TrainingPlan.choose(54_000, 2000)
    assert (plan.batch_size, plan.valid_batch_size, plan.patience) == (512, 512, 5)
    assert (plan.steps, plan.steps_per_epoch, plan.epochs) == (3164, 105, 31)
    plan = training_module.TrainingPlan.choose(
        1000, 30, False, batch_size=50, steps=25, steps_per_epoch=100, patience=1
    )
    assert (plan.batch_size, plan.valid_batch_size, plan.patience) == (50, 50, 1)
    assert (plan.steps, plan.steps_per_epoch, plan.epochs) == (25, 25, 1)
    plan = training_module.TrainingPlan.choose(1000, 7, steps=90, steps_per_epoch=1, patience=3)
    assert (plan.valid_batch_size, plan.patience) == (14, 4)  # 256 examples per step


def test_mapped_rows_read_the_file_and_slices_of_it(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(MappedRows(mapped)[[3, 1]], x[[3, 1]])
    assert np.array_equal(MappedRows(mapped[10:40])[5:7], x[15:17])
    many = np.random.default_rng(1).integers(len(x), size=CHUNK + 5)  # read in parts
    assert np.array_equal(MappedRows(mapped)[many], x[many])
    rows = Subset(MappedRows(mapped), [4, 2], shift=1.0, scale=2.0)
    np.testing.assert_allclose(read(rows, [1]), (x[[2]] - 1) / 2)


def test_learning_rate_follows_the_cosine_and_the_validation_loss():
    class Stub:
        optimizer = keras.optimizers.Adam()
        stop_training = False

    rate = training_module.LearningRate(epochs=100, high=1.0, low=0.1, patience=2, factor=10)
    rate._model = model = Stub()
    rate.on_train_begin()
    seen = []
    for epoch, loss in enumerate([5, 4, 4, 4, 4, 4, 4]):
        rate.on_epoch_begin(epoch)
        seen.append(rate.rate)
        rate.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    assert seen[0] == 1.0 and 0.99 < seen[3] < 1.0  # the cosine alone
    assert seen[4] == 0.1  # two looks without improvement
    assert model.stop_training and rate.converged and len(seen) == 6


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
    assert files(tmp_path) == ["grid.png", "temp/compression.json", "temp/model.keras", "z.png"]
    losses = [row["loss"] for row in embedder.history_]
    assert len(losses) == 4 and losses[-1] < losses[0]
    embedder.train(num_steps=10, test_every=5)
    assert len(embedder.history_) == 6


def test_tensorboard_is_written_when_asked_and_removed_with_the_model(digits, tmp_path):
    X = digits[0][:40]
    CompressionVAE(X, tb_logging=True, **TINY).train()
    assert any("tensorboard" in name for name in files(tmp_path))
    CompressionVAE(X, **TINY).train()
    assert files(tmp_path) == ["temp/compression.json", "temp/model.keras"]


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
    with pytest.warns(UserWarning, match="cells_encoder"):
        assert np.array_equal(CompressionVAE(logdir="kept").embed(X), z)
    for each in (embedder, same):
        each.train()
    assert np.array_equal(embedder.embed(X), same.embed(X))  # continues bit-equal
    with pytest.raises(ValueError, match="X has 10 features, but the model in logdir 'kept'"):
        CompressionVAE(X[:, :10], logdir="kept", **TINY).train()
    same.train(overwrite=True)
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
    assert len(embedder.history_) == 5 and not np.array_equal(z, embedder.embed(digits[0][:5]))


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
        ({"neighbors": -1}, "neighbors must be a positive integer"),
        ({"neighbors": 2.5}, "neighbors must be a positive integer"),
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
