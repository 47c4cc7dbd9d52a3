"""Networks of one tensor as encoders and decoders."""

import keras
import numpy as np
import pytest

from cvae_keras.elbo import ELBOModel
from cvae_keras.parts import (
    ConditionalNormal,
    ConvDecoder,
    ConvEncoder,
    DenseStack,
    GatedMLP,
    GaussianPosterior,
    Normal,
    NormalizedMLP,
    PlainDecoder,
    PlainEncoder,
    ResidualMLP,
    StandardNormal,
)
from cvae_keras.training import FusedAdam

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5)).astype("float32")
C = RNG.normal(size=(6, 2)).astype("float32")
NAMED = {"a": C, "b": RNG.normal(size=(6, 2, 3)).astype("float32")}
CURVES = RNG.normal(size=(6, 40, 2)).astype("float32")


def functional(width, units):
    read = keras.Input((width,))
    return keras.Model(read, keras.layers.Dense(units)(read))


NETWORKS = {
    "Sequential": lambda width, units: keras.Sequential([keras.layers.Dense(units)]),
    "functional": functional,
    "Dense": lambda width, units: keras.layers.Dense(units),
    "DenseStack": lambda width, units: DenseStack([units]),
    "ResidualMLP": lambda width, units: ResidualMLP(units, 1),
    "GatedMLP": lambda width, units: GatedMLP(units, 1),
}


FILLED = [(kind, "dictionary") for kind in NETWORKS]
FILLED += [("Sequential", "none"), ("ResidualMLP", "none"), ("functional", "vector")]


@pytest.mark.parametrize(("kind", "condition"), FILLED)
def test_a_network_of_one_tensor_fills_every_slot(kind, condition, eager):
    c = {"none": None, "vector": C, "dictionary": NAMED}[condition]
    width = sum(array[0].size for array in ([] if c is None else keras.tree.flatten(c)))
    make, prior = NETWORKS[kind], StandardNormal(3)
    if c is not None:
        prior = ConditionalNormal(3, network=make(width, 4))
    posterior = GaussianPosterior(make(5 + width, 4), 3)
    model = ELBOModel(posterior, prior, make(3 + width, 5), Normal())
    model.compile(FusedAdam(1e-2))
    inputs = {"x": X} if c is None else {"x": X, "c": c}
    assert np.isfinite(model.fit(inputs, verbose=0).history["loss"]).all()
    assert isinstance(model.decoder, PlainDecoder) and isinstance(posterior.network, PlainEncoder)
    again = ELBOModel.from_config(model.get_config())
    again(inputs)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.sample(c, 2, seed=0), model.sample(c, 2, seed=0))


def test_the_encoder_reads_all_that_is_given():
    seen = keras.layers.Dense(3, kernel_initializer="ones", use_bias=False)
    mask = np.ones_like(X)
    found = PlainEncoder(seen)(X, NAMED, mask=mask)
    expected = X.sum(1) + C.sum(1) + NAMED["b"].sum((1, 2)) + 5
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4, atol=1e-4)


def test_x_alone_keeps_its_shape():
    network = keras.Sequential([keras.layers.Conv1D(4, 3), keras.layers.Dense(2)])
    assert tuple(PlainEncoder(network)(CURVES).shape) == (6, 38 * 2)


def test_arrays_that_come_and_go_are_refused():
    encoder = PlainEncoder(keras.layers.Dense(3))
    encoder(X, C)
    with pytest.raises(ValueError, match="was built on x, c and is called with x: give the same"):
        encoder(X)


def test_the_decoder_reads_each_sample_with_its_own_condition():
    seen = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
    z = RNG.normal(size=(4, 6, 3)).astype("float32")
    expected = z.sum(-1) + C.sum(-1)[None]
    np.testing.assert_allclose(PlainDecoder(seen)(z, C)[..., 0], expected, rtol=1e-4, atol=1e-5)
    one = PlainDecoder(seen)(z[:, :1], C)[..., 0]  # the same z for every example
    np.testing.assert_allclose(one, z[:, :1].sum(-1) + C.sum(-1)[None], rtol=1e-4, atol=1e-5)
    assert tuple(PlainDecoder(keras.layers.Dense(1))(z).shape) == (4, 6, 1)


def test_convolutions_read_a_static_condition():
    encoder = ConvEncoder((4,), (5,))
    same = np.repeat(C[:, None], 40, axis=1)
    np.testing.assert_allclose(encoder(CURVES, C), encoder(CURVES, same), rtol=1e-6)
    assert tuple(ConvEncoder((4,), (5,))(CURVES, NAMED).shape) == (6, 36 * 4)


@pytest.mark.parametrize("c", [None, C, NAMED, CURVES])
def test_the_convolutional_decoder_is_not_bounded(c):
    x = np.array(ConvDecoder(40, filters=(4,), dense_channels=4)(np.ones((2, 6, 3)), c))
    assert x.shape == (2, 6, 40, 2) and x.min() < 0 < x.max()
    x = ConvDecoder(40, filters=(4,), dense_channels=4, activation="relu")(np.ones((2, 6, 3)), c)
    assert np.min(x) == 0


def test_the_normalized_network_reads_the_condition():
    network = NormalizedMLP([8])
    assert np.abs(np.array(network(X, C)) - np.array(network(X, -C))).max() > 1e-3


def test_gates_need_a_pattern():
    with pytest.raises(ValueError, match="pattern is missing"):
        DenseStack([4], gated=True)(X)
