"""CompressionModel: the shared checks, its components and its neighbors."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from model_cases import CASES
from model_checks import CHECKS
from sklearn.decomposition import PCA

from cvae_keras.systems.compression.model import (
    Components,
    CompressionModel,
    RowDecoder,
    neighbor_log_prob,
)
from cvae_keras.systems.compression.neighbors import (
    ComponentBatches,
    PairedBatches,
    nearest_neighbors,
)
from cvae_keras.systems.compression.preprocessing import (
    components_for,
    first_axes,
    fit_pca,
)
from cvae_keras.training import FusedAdam


@pytest.mark.parametrize("check", CHECKS)
def test_model(check, tmp_path):
    check(CASES["compression"], tmp_path)


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


@pytest.mark.parametrize("neighbors", [None, 7])
def test_terms_of_components_are_those_of_the_rows(neighbors):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)) * [5, 4, 3, 2, 1, 1] @ rng.normal(size=(6, 6))
    x = (x - x.mean(axis=0)).astype("float32")
    axes, deviations = first_axes(fit_pca(x), 4)
    model = CompressionModel(6, 2, 1, [8], gamma=1.0, components=4)
    model.start_at(axes, deviations)
    near = None if neighbors is None else nearest_neighbors(x, neighbors)
    (inputs,) = PairedBatches(x, near, 64, seed=1)[1]
    (components,) = ComponentBatches(x, axes, neighbors=near, batch_size=64, seed=1)[1]
    found = []
    for given in (inputs, components):
        model.seed_generator.state.assign([0, 0])
        found.append({name: np.array(term) for name, term in model(given).items()})
    for name, term in found[0].items():
        np.testing.assert_allclose(found[1][name], term, rtol=1e-4, atol=1e-4, err_msg=name)


def test_predict_decodes_what_encode_finds_and_a_loaded_model_does_the_same(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 40, 5)).astype("float32")
    inputs = {"x": x[0], "neighbor": x[1]}
    model = CompressionModel(5, 2, 2, [8], gamma=1.0, components=4)
    model.compile(FusedAdam(1e-2), run_eagerly=True)
    options = {"batch_size": 20, "epochs": 3, "verbose": 0, "validation_data": inputs}
    history = model.fit(inputs, **options).history
    assert history["loss"][-1] < history["loss"][0] and len(history["val_neighbors"]) == 3
    z = model.encode(x[0])
    x_hat = model.predict({"x": x[0]}, verbose=0)
    np.testing.assert_allclose(x_hat, model.decode(z), atol=1e-5)
    model.save(tmp_path / "model.keras")
    assert np.array_equal(keras.saving.load_model(tmp_path / "model.keras").encode(x[0]), z)
