"""Latents of new rows by `fit`: the same minimum as by the searches, the decoder frozen."""

import keras
import numpy as np
import pytest
from model_checks import same

from cvae_keras.systems.auto_decoder import LatentModel, VariationalAutoDecoder
from cvae_keras.training import FusedAdam
from cvae_keras.training.batches import ShuffledBatches


def data(rows=12):
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 6))).astype("float32")
    return x, (rng.random(x.shape) > 0.3).astype("float32")


def trained(**options):
    keras.utils.set_random_seed(2)
    options = {"hidden": (8,), "activation": "tanh", "beta": 0.1, "latent_init": "zeros", **options}
    model = VariationalAutoDecoder(6, 12, latent_dim=2, **options)
    model.decoder.set_weights([w + 0.05 for w in model.decoder.get_weights()])
    return model


def fitted(model, optimizer, epochs, inputs, **options):
    latents = LatentModel.of(model, 12)
    latents.compile(optimizer)
    history = latents.fit(inputs, epochs=epochs, verbose=0, **options)
    return latents, history.history


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"reduction": "original"}, marks=pytest.mark.long),
        pytest.param({"noise": "learned"}, marks=pytest.mark.long),
    ],
)
def test_fit_finds_the_latents_of_the_gradient_search(options):
    x, mask = data()
    model = trained(**options)
    before = model.get_weights()
    expected = model.find_latents(x, mask, method="gradient", steps=60)
    rate = keras.optimizers.schedules.CosineDecay(0.2, 120)
    latents, history = fitted(
        model,
        FusedAdam(rate, beta_2=0.9),
        120,
        {"x": np.where(mask > 0, x, np.nan), "mask": mask},
    )
    np.testing.assert_allclose(latents.latents(), expected, atol=5e-3)
    assert list(history) == ["loss"] and history["loss"][-1] < history["loss"][0]
    assert same(model.get_weights(), before) and model.decoder.trainable
    assert same(latents.decoder.get_weights(), model.decoder.get_weights())
    assert [weight.shape for weight in latents.trainable_weights] == [(12, 2)]
    x_hat = latents.predict({"x": x}, verbose=0)
    np.testing.assert_allclose(x_hat, model.decode(latents.latents()), atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.usefixtures("eager")
def test_a_step_of_sgd_is_that_of_the_first_order_search(batch_size):
    x, mask = data()
    model = trained()
    expected = model.find_latents(x, mask, method="sgd", steps=4, rate=0.05)
    inputs = {"x": x, "mask": mask}
    latents, _ = fitted(model, keras.optimizers.SGD(0.05), 4, inputs, batch_size=batch_size)
    np.testing.assert_allclose(latents.latents(), expected, atol=1e-6)


@pytest.mark.usefixtures("eager")
def test_callbacks_batches_and_files(tmp_path):
    x, mask = data()
    inputs = {"x": x, "mask": mask}
    stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1.0)
    latents, history = fitted(trained(), "adam", 9, inputs, callbacks=[stop])
    assert len(history["loss"]) == 2
    loss = latents.evaluate(inputs, verbose=0)
    z, x_hat = latents.latents(), latents.predict({"x": x}, verbose=0)
    cost = (mask * (x - x_hat) ** 2).sum(axis=1) + 0.05 * (z**2).sum(axis=1)
    assert loss == pytest.approx(cost.mean(), rel=1e-5)
    latents.save(tmp_path / "latents.keras")
    again = keras.saving.load_model(tmp_path / "latents.keras")
    assert np.array_equal(again.latents(), latents.latents())
    assert again.evaluate(inputs, verbose=0) == pytest.approx(loss)
    index = np.arange(12, dtype="int32")[:, None]
    again.fit(ShuffledBatches({**inputs, "index": index}, 4), epochs=2, verbose=0)
    assert not np.array_equal(again.latents(), latents.latents())


@pytest.mark.usefixtures("eager")
def test_bad_input_is_refused():
    x, mask = data()
    model = trained()
    latents = LatentModel.of(model, 12)
    latents.compile("sgd")
    for inputs, sentence in [
        ({"x": x[:, :3]}, "x has shape"),
        ({"x": np.where(mask > 0, x, np.nan)}, "x holds NaN"),
        ({"x": np.zeros((13, 6))}, "create the model with rows=13"),
        ({"x": x, "index": np.zeros(12, int)}, "index must hold a different whole number"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            latents.fit(inputs, verbose=0)
    with pytest.raises(ValueError, match="y must be None"):
        latents.fit({"x": x}, x, verbose=0)
    with pytest.raises(ValueError, match="init 'pca' is unknown"):
        LatentModel.of(model, 12, init="pca")
    with pytest.raises(ValueError, match="rows must be a positive integer"):
        LatentModel.of(model, 0)
    with pytest.raises(TypeError, match="decoder must be a DenseDecoder, got Dense"):
        LatentModel(keras.layers.Dense(3), 5)
    with pytest.raises(ValueError, match="precision must be a number or 6 numbers"):
        LatentModel(model.decoder, 5, precision=[1.0, 2.0])
