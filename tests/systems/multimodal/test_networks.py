"""Networks over dictionaries of modalities: their configurations, and what they are called with."""

import keras
import numpy as np
import pytest

from cvae_keras.systems.multimodal import FusedDecoder, FusedEncoder, MultimodalCVAE
from cvae_keras.systems.multimodal.networks import (
    DecoderAdapter,
    EncoderAdapter,
    PriorNetworkAdapter,
)
from cvae_keras.systems.saved import load_model

IMAGE, LABEL, Z = np.ones((5, 4, 4)), np.eye(5), np.ones((2, 5, 3))


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (lambda: FusedEncoder(3, [8], kernel_initializer="zeros"), [{"image": IMAGE}]),
        (lambda: FusedDecoder((4, 4), [8], name="mine"), [{"z": Z[0], "label": LABEL}]),
        (lambda: EncoderAdapter(FusedEncoder(3, [8]), (3,), "image"), [IMAGE, {"label": LABEL}]),
        (lambda: PriorNetworkAdapter(FusedEncoder(3, [8]), (3,)), [{"label": LABEL}]),
        (lambda: DecoderAdapter(FusedDecoder((4, 4), [8]), (4, 4)), [Z, {"label": LABEL}]),
    ],
)
def test_configurations_round_trip(layer, inputs):
    layer = layer()
    inputs = keras.tree.map_structure(lambda array: array.astype("float32"), inputs)
    outputs = layer(*inputs)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config() and again.name == layer.name
    again(*inputs)
    again.set_weights(layer.get_weights())
    for one, other in zip(
        keras.tree.flatten(outputs), keras.tree.flatten(again(*inputs)), strict=True
    ):
        assert np.array_equal(one, other)


def test_a_model_of_default_networks_of_the_users_is_saved(tmp_path):
    own = {"encoder": FusedEncoder(2, [8]), "decoder": FusedDecoder((3,), [8])}
    own["prior_network"] = FusedEncoder(2, [8], kernel_initializer="zeros")
    model = MultimodalCVAE("x", ["c"], {"x": 3, "c": 4}, latent_dim=2, **own)
    model.save(tmp_path / "model.keras")
    loaded, c = load_model(tmp_path / "model.keras"), np.ones((5, 4))
    assert np.array_equal(loaded.sample(c, seed=0), model.sample(c, seed=0))
