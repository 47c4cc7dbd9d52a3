"""The mean under the table as prior: exact for a linear decoder, and of several modes."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from cvae_keras.data.missing import draw_mask
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.systems.auto_decoder.table_prior import bandwidth
from cvae_keras.truth.linear_gaussian import conditional_mean


def linear(table, beta=0.4):
    """An auto-decoder f(z) = z W + b with this table."""
    rng = np.random.default_rng(0)
    model = VariationalAutoDecoder(5, len(table), table.shape[1], hidden=(), beta=beta)
    model.posterior.mean.assign(table)
    kernel, bias = rng.normal(size=(table.shape[1], 5)), rng.normal(size=5)
    model.decoder.layers[0].set_weights([kernel, bias])
    return model, kernel, bias


def test_it_is_the_conditional_mean_of_a_mixture_of_gaussians():
    rng = np.random.default_rng(1)
    table = np.concatenate([rng.normal(size=(4, 2)) - 2, rng.normal(size=(4, 2)) + 2])
    model, kernel, bias = linear(table.astype("float32"))
    x = (rng.normal(size=(25, 2)) * 2) @ kernel + bias + rng.normal(size=(25, 5))
    mask = draw_mask(x.shape, 0.6, 3)
    covariance = bandwidth(table) * kernel.T @ kernel
    noisy = covariance + 0.2 * np.eye(5)  # noise variance beta / 2
    means, log_w = [], []
    for center in table @ kernel + bias:
        means.append(conditional_mean(x, mask > 0, center, noisy))
        log_w.append(
            [
                multivariate_normal(center[m], noisy[np.ix_(m, m)]).logpdf(row[m]) if m.any() else 0
                for row, m in zip(x, mask > 0, strict=True)
            ]
        )
    w = np.exp(log_w) / np.exp(log_w).sum(axis=0)
    exact = np.einsum("kb,kbd->bd", w, np.stack(means))
    found = model.posterior_mean(x, mask, prior="table", starts=8)
    missing = mask == 0
    np.testing.assert_allclose(found[missing], exact[missing], atol=2e-3)
    one_mode = model.posterior_mean(x, mask)  # under N(0, I), which this data is not
    assert np.abs(one_mode - exact)[missing].max() > 0.1


def test_two_kinds_of_rows_that_fit_are_averaged_and_more_starts_than_rows_are_fine():
    table = np.array([[3.0, 1.0], [-3.0, 1.0], [3.0, 1.1], [-3.0, 1.1]], "float32")
    model, *_ = linear(table, beta=0.02)
    model.decoder.layers[0].set_weights(
        [np.array([[1.0] + [0] * 4, [0, 1.0] + [0] * 3]), np.zeros(5)]
    )
    x, mask = np.array([[9.0, 1.05, 0, 0, 0]]), np.array([[0.0, 1, 0, 0, 0]])
    found = model.posterior_mean(x, mask, prior="table", starts=50)
    assert found[0, 0] == pytest.approx(0.0, abs=0.05)  # the mean of +3 and -3
    assert abs(model.posterior_mean(x, mask, prior="table", starts=1)[0, 0]) > 2.9


def test_bad_arguments_are_refused():
    model, *_ = linear(np.eye(2, dtype="float32"))
    with pytest.raises(ValueError, match="prior 'flat' is unknown"):
        model.posterior_mean(np.zeros((1, 5)), None, prior="flat")
    with pytest.raises(ValueError, match="starts must be"):
        model.posterior_mean(np.zeros((1, 5)), None, prior="table", starts=0)
    columns = VariationalAutoDecoder(3, 4, 2, (), noise="learned", columns=[["categorical", 3]])
    with pytest.raises(ValueError, match="use 'normal'"):
        columns.posterior_mean(np.eye(3), None, prior="table")
