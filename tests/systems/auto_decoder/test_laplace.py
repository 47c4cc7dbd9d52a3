"""The Laplace bound where the posterior is Gaussian."""

import numpy as np
import pytest

from cvae_keras.systems.auto_decoder.laplace import laplace_bound
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder


def test_the_laplace_bound_of_a_linear_decoder_is_log_p():
    """x = W z + b + noise is Gaussian: log p of what is observed is known."""
    rng = np.random.default_rng(0)
    model = VariationalAutoDecoder(4, 10, 2, hidden=(), noise="learned", beta=0.3)
    kernel, bias, log_scale = rng.normal(size=(2, 4)), rng.normal(size=4), rng.normal(size=4) * 0.3
    model.decoder.layers[0].set_weights([kernel, bias])
    model.decoder.log_scale.assign(log_scale)
    x = rng.normal(size=(6, 4)).astype("float32") * 2
    mask = (rng.random(x.shape) > 0.3).astype("float32")
    covariance = kernel.T @ kernel + np.diag(np.exp(2 * log_scale))
    exact = []
    for row, seen in zip(x - bias, mask > 0, strict=True):
        part, d = covariance[np.ix_(seen, seen)], row[seen]
        quadratic = d @ np.linalg.solve(part, d) if seen.any() else 0.0
        exact.append(-0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * part)[1]))
    bound = laplace_bound(model, x, mask, n_samples=20_000)
    np.testing.assert_allclose(bound, exact, atol=0.05)
    model = VariationalAutoDecoder(4, 10, 2)
    with pytest.raises(ValueError, match="noise='learned'"):
        laplace_bound(model, x)
