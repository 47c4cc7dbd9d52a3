"""The decoder's derivatives against automatic differentiation."""

import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.systems.auto_decoder.decoder import ACTIVATIONS, DenseDecoder
from cvae_keras.systems.auto_decoder.inference import infer_latents, root_of
from cvae_keras.systems.auto_decoder.laplace import posterior_mean


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


@pytest.mark.parametrize("hidden", [(), (8,)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_search_ends_if_z_is_normalized(activation, hidden):
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(8, 2)) @ rng.normal(size=(2, 12))).astype("float32")
    mask = (rng.random(x.shape) > 0.5).astype("float32")
    for seed in range(2):  # untrained, and with kernels whose squares dwarf the ratio
        decoder = DenseDecoder(6, 12, hidden, activation, layer_norm=True)
        for weight in decoder.trainable_weights:
            if seed and "kernel" in weight.path:
                weight.assign(rng.normal(size=weight.shape) * 5)
        search = [decoder, x, mask, 2.0, 0.02, rng.normal(size=(8, 6))]

        def cost(z, decoder=decoder):
            x_hat = decoder.trace(tf.constant(z, "float32"))[0].numpy()
            return (mask * (x_hat - x) ** 2).sum(axis=1) + 0.01 * (z**2).sum(axis=1)

        z = infer_latents(*search, method="newton", steps=30)
        other = infer_latents(*search, method="sgd", steps=1, rate=1e-3, init="mean")
        assert np.isfinite(z).all() and np.all(cost(z) <= cost(other) * 1.001)
        assert np.isfinite(posterior_mean(*search)).all()


def test_roots_of_singular_matrices():
    rows = np.random.default_rng(0).normal(size=(4, 2, 6)).astype("float32") * 1e3
    matrix = np.swapaxes(rows, 1, 2) @ rows  # of rank 2
    root = np.asarray(root_of(tf.constant(matrix)))
    np.testing.assert_allclose(root @ np.swapaxes(root, 1, 2), matrix, rtol=1e-3, atol=50)
