"""The original's test-time inference: Adam or gradient descent on the latents, at a fixed rate."""

from keras import ops


def first_order(decoder, x, weight, z, ratio, kind="adam", rate=0.1, steps=100):
    """Minimise the cost of `cvae_keras.latent_inference` as the original does.

    Args:
        decoder: a `DenseDecoder`; x: tensor `(batch, features)`; weight: m p, of its shape; z:
            `(batch, latent_dim)`, where to start; ratio: weight of the prior.
        kind: "adam" or "sgd"; rate: learning rate of the latents; steps: how many.

    Returns:
        z, `(batch, latent_dim)`.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019; Kingma and Ba, "Adam", 2015.

    Example:
        >>> z = first_order(decoder, x, mask * 2.0, ops.zeros((len(x), 50)), 0.02, "adam", 0.1)
    """
    m, v = ops.zeros_like(z), ops.zeros_like(z)
    for step in range(1, steps + 1):
        x_hat, trace = decoder.trace(z)
        g = decoder.pull_back(trace, weight * (x_hat - x)) + ratio * z
        if kind == "sgd":
            z = z - rate * g
            continue
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * ops.square(g)
        mean, spread = m / (1 - 0.9**step), ops.sqrt(v / (1 - 0.999**step))
        z = z - rate * mean / (spread + 1e-8)
    return z
