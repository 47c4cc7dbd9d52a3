"""The ELBO of rows that a model without an encoder has not seen."""

import keras
from keras import ops

from cvae_keras.latent_inference import infer_latents, newton


def laplace_bound(model, x, mask=None, n_samples=10, seed=0):
    """ELBO at beta 1 of new rows under an auto-decoder with learned noise.

    `elbo = E_q[log p(x | z)] - KL(q(z) || N(0, I))`, `q = N(z_hat, (J' diag(m / s^2) J + I)^-1)`

    q is the Laplace approximation of the posterior of each row: it has its mode z_hat, and the
    curvature there, whatever beta the model was trained with. Of a linear decoder it is the
    posterior itself, and the bound is log p(x).

    Args:
        model: a `VariationalAutoDecoder` with noise "learned"; x: `(batch, features)`; mask: of its
            shape, 1 where observed, or None; n_samples: draws of z for the expectation; seed.

    Returns:
        NumPy float64 `(batch,)`, in nats.

    Raises:
        ValueError: the model has fixed noise, so that its squared error is no likelihood.

    Source: MacKay, "Information theory, inference, and learning algorithms", 2003, chapter 27.

    Example:
        >>> laplace_bound(model, x_test).mean()
    """
    if model.options["noise"] != "learned":
        raise ValueError("model must have noise='learned', got 'fixed': make it so.")
    search = {**model.search_of(x, mask), "ratio": 1.0}
    decoder, generator = model.decoder, keras.random.SeedGenerator(seed)
    start = infer_latents(**search)
    x, mask = (ops.convert_to_tensor(search[name]) for name in ("x", "mask"))
    weight = mask * search["precision"]
    z, root = newton(decoder, x, weight, 1.0, ops.convert_to_tensor(start), steps=5)
    rows, dims = z.shape
    inverse = ops.solve_triangular(root, ops.eye(dims)[None] + 0 * root, lower=True)
    eps = keras.random.normal((n_samples, rows, dims), seed=generator)
    draws = z + ops.einsum("bij,sbi->sbj", inverse, eps)  # covariance: inverse' inverse
    log_p = ops.mean(model.likelihood.log_prob(x, decoder(draws), mask), axis=0)
    trace = ops.sum(ops.square(inverse), axis=(1, 2))
    log_det = 2.0 * ops.sum(ops.log(ops.diagonal(root, axis1=1, axis2=2)), axis=-1)
    kl = 0.5 * (trace + ops.sum(ops.square(z), -1) - dims + log_det)
    return ops.convert_to_numpy(log_p - kl).astype("float64")
