"""Reading models from disk, and what the shipped ones must reach."""

from functools import cache

import keras
import numpy as np
import pytest

from cvae_keras import SinusoidTask, load_pretrained
from cvae_keras.experiments.sinusoid.solved import score_model
from cvae_keras.files import MODELS
from cvae_keras.metrics import importance_weighted_bound
from cvae_keras.systems.saved import SHIPPED, load_model
from cvae_keras.systems.sinusoid.model import SinusoidCVAE

#: what 1,000 curves must reach, and the margin for 100 curves
MUST = {
    "sinusoid_1": {"residual": (0.01, 0.004), "total_variation": (0.04, 0.02)},
    "sinusoid_2": {"residual": (0.06, 0.015), "total_variation": (0.09, 0.03)},
    "sinusoid_conv_1": {"residual": (0.01, 0.004), "total_variation": (0.06, 0.02)},
    "sinusoid_conv_2": {"residual": (0.15, 0.015), "total_variation": (0.14, 0.03)},
}
MUST_AT_LEAST = {
    "sinusoid_1": {"precision": (0.97, 0.01), "recall": (0.99, 0.01)},
    "sinusoid_2": {"precision": (0.93, 0.015), "recall": (0.97, 0.015)},
    "sinusoid_conv_1": {"precision": (0.95, 0.01), "recall": (0.98, 0.01)},
    "sinusoid_conv_2": {"precision": (0.60, 0.015), "recall": (0.93, 0.015)},
}


loaded = cache(load_pretrained)  # once for all tests, none of which trains it


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request):
    path = MODELS / f"{request.param}.keras"
    if not path.is_file():
        pytest.skip(f"results/models/{path.name} is not there: train it with cvae-keras solve")
    return request.param, loaded(path.stem)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "sinusoid_1.keras"
    task = SinusoidTask([("sin", 5, 3), ("cos", 4, 8)], points=23)
    SinusoidCVAE(task, latent_dim=2).save(path)
    return path


def one_sentence(error):
    message = str(error.value)
    assert "\n" not in message and message.endswith(".") and len(message) < 400
    return message


def test_a_folder_of_models_can_be_named(saved):
    assert load_pretrained("sinusoid_1", saved.parent).latent_dim == 2


@pytest.mark.parametrize("name", ["sinusoid_3", "../sinusoid_1", "", None])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match="is unknown: choose among") as error:
        load_pretrained(name)
    one_sentence(error)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a file") as error:
        load_pretrained("sinusoid_1", tmp_path)
    assert "sinusoid_1.keras" in one_sentence(error)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, tmp_path, share):
    content = saved.read_bytes()
    path = tmp_path / "cut.keras"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="cannot be read as a Keras model") as error:
        load_model(path)
    one_sentence(error)


@pytest.mark.parametrize("position", [0.3, 0.6, 0.9])
def test_a_damaged_file_is_refused(saved, tmp_path, position):
    content = bytearray(saved.read_bytes())
    start = int(position * len(content))
    content[start : start + 200] = bytes(255 - byte for byte in content[start : start + 200])
    path = tmp_path / "damaged.keras"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a Keras model") as error:
        load_model(path)
    one_sentence(error)


def test_a_text_file_is_refused(tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("not a model\n" * 100)
    with pytest.raises(ValueError, match="cannot be read as a Keras model") as error:
        load_model(path)
    one_sentence(error)


def test_a_foreign_model_is_refused(tmp_path):
    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(
        ValueError, match="holds a Sequential, not a model of this project"
    ) as error:
        load_model(path)
    one_sentence(error)


def test_a_class_of_someone_else_is_refused(tmp_path):
    class Foreign(keras.layers.Dense):
        pass

    path = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((3,)), Foreign(2)]).save(path)
    with pytest.raises(ValueError, match="import its class first") as error:
        load_model(path)
    one_sentence(error)


def test_shipped_models_reach_what_they_must(shipped):
    name, model = shipped
    (prior, refined, *_), samples, y = score_model(model, curves=100, n_samples=100, seed=7)
    for measure, (limit, margin) in MUST[name].items():
        assert prior[measure] <= limit + margin, measure
    for measure, (limit, margin) in MUST_AT_LEAST[name].items():
        assert prior[measure] >= limit - margin, measure
    assert samples.shape == (100, 100, 50, 2)
    assert refined["residual"] < 1e-6 and refined["precision"] > 0.998
    assert refined["accepted"] > 0.85 and refined["recall"] > 0.96


def test_shipped_models_repeat_their_samples(shipped):
    _, model = shipped
    _, y = model.task.sample(5, seed=0)
    first, again, other = (model.sample(y, n_samples=20, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_shipped_models_are_small(shipped):
    assert (MODELS / f"{shipped[0]}.keras").stat().st_size <= 10 * 2**20


@pytest.mark.parametrize("number", [1, 2])
def test_the_encoder_of_the_shipped_conv_models_is_used(number):
    model = loaded(f"sinusoid_conv_{number}")
    inputs = model.task.examples(80, seed=5)
    terms = model(inputs)
    kl = np.mean(terms["kl"], axis=0)
    assert 0.1 < kl.sum() < 1.5 and (kl > 0.01).sum() >= 1
    shuffled = {**inputs, "x": np.roll(inputs["x"], 1, axis=0)}
    h = model.read(inputs["c"])
    means = [model.infer(given, h).mean for given in (inputs, shuffled)]
    assert np.abs(means[0] - means[1]).mean() > 0.1  # the latent depends on x
    bound = np.mean(terms["log_likelihood"] - np.sum(terms["kl"], axis=-1))
    assert np.mean(importance_weighted_bound(model, inputs, n_samples=10)[0]) > bound
