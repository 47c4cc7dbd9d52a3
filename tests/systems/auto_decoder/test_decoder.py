"""The decoder's derivatives against automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.systems.auto_decoder.decoder import ACTIVATIONS, DenseDecoder


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_decoder_derivatives_are_those_of_autodiff(activation, layer_norm):
    rng = np.random.default_rng(0)
    options = {"activation": activation, "layer_norm": layer_norm, "skip": layer_norm}
    decoder = DenseDecoder(3, 5, hidden=(7, 6), **options)
    for weight in decoder.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    z = tf.constant(rng.normal(size=(4, 3)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(z)
        x_hat = decoder(z[None])[0]
    expected = tf.transpose(tape.batch_jacobian(x_hat, z), (0, 2, 1))
    found, trace = decoder.trace(z)
    np.testing.assert_allclose(found, x_hat, atol=1e-4)
    jacobian = np.broadcast_to(decoder.jacobian(trace), expected.shape)
    np.testing.assert_allclose(jacobian, expected, rtol=1e-3, atol=1e-3)
    g = rng.normal(size=(4, 5)).astype("float32")
    pulled = tf.einsum("bf,blf->bl", g, expected)
    np.testing.assert_allclose(decoder.pull_back(trace, g), pulled, rtol=1e-3, atol=1e-3)
