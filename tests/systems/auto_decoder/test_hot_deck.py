"""Donors: their mean by hand, and when the model alone fills."""

import numpy as np
import pytest

from cvae_keras import VADImputer
from cvae_keras.systems.auto_decoder.hot_deck import Donors, Logarithms

X = np.array([[0.0, 1.0], [2.0, 5.0], [0.0, 9.0]], "float32")
SEEN = np.array([[1, 1], [1, 1], [1, 0]], "float32")
X_HAT = np.full_like(X, 7.0)


def test_weights_and_mean_by_hand():
    donors = Donors(X, SEEN, X_HAT, precision=[2.0, 1.0])
    new, seen, x_hat = np.array([[1.5, 0.0]], "float32"), SEEN[2:], X_HAT[:1]
    w = np.exp([-0.5 * 2.0 * 1.5**2, -0.5 * 2.0 * 0.5**2])  # the third donor lacks the entry
    found = donors.fill(new, seen, x_hat)
    np.testing.assert_allclose(found[0, 1], (w[0] * 1.0 + w[1] * 5.0) / w.sum(), rtol=1e-5)


def test_a_row_is_no_donor_to_itself_and_without_similar_donors_the_model_fills():
    donors = Donors(X, SEEN, X_HAT, precision=[1.0, 1.0])
    again = donors.fill(X[2:], SEEN[2:], X_HAT[2:])
    np.testing.assert_allclose(again[0, 1], 1.0 + 4 / (1 + np.exp(2.0)), rtol=1e-5)
    distant = Donors(
        np.array([[0.0, 1.0], [30.0, 0.0]], "float32"), SEEN[1:], X_HAT[1:], [1.0, 1.0]
    )
    alone = np.array([[30.0, 0.0]], "float32")
    assert distant.fill(alone, SEEN[2:], X_HAT[:1])[0, 1] == 7.0


def test_clustered_rows_use_donors_and_gaussian_rows_the_model():
    rng = np.random.default_rng(0)
    clusters = rng.normal(size=(12, 6)) * 3
    table = clusters[rng.integers(12, size=600)] + 0.05 * rng.normal(size=(600, 6))
    seen = rng.random(table.shape) > 0.3
    seen[:, 0] = True
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "random_state": 0}
    imputer = VADImputer(**options)
    filled = imputer.fit_transform(np.where(seen, table, np.nan))
    assert imputer.donor_share_ == 1.0
    assert np.sqrt(np.mean((filled - table)[~seen] ** 2)) < 1.0 < table.std()
    line = rng.normal(size=(600, 1)) @ rng.normal(size=(1, 6)) + 0.3 * rng.normal(size=(600, 6))
    assert VADImputer(**options).fit(np.where(seen, line, np.nan)).donor_share_ < 0.6


def test_draws_are_of_donors_with_their_weights_and_of_the_model_elsewhere():
    donors = Donors(X, SEEN, X_HAT, precision=[2.0, 1.0])
    new, seen = np.array([[1.5, 0.0], [0.0, 3.0]], "float32"), np.array([[1, 0], [1, 1]], "float32")
    draws = np.full((4000, 2, 2), 7.0, "float32")
    found = donors.draw(new, seen, draws, 0.75, np.random.default_rng(0))
    w = np.exp([-0.5 * 2.0 * 1.5**2, -0.5 * 2.0 * 0.5**2])
    shares = [np.mean(found[:, 0, 1] == value) for value in (1.0, 5.0, 7.0, 9.0)]
    np.testing.assert_allclose(shares[:2], 0.75 * w / w.sum(), atol=0.02)
    np.testing.assert_allclose(shares[2:], [0.25, 0.0], atol=0.02)
    assert np.all(found[:, 1] == 7.0) and np.all(found[:, 0, 0] == 7.0) and np.all(draws == 7.0)


def test_a_metric_and_a_sharpness_change_the_distances():
    donors = Donors(X, SEEN, X_HAT, [2.0, 1.0], metric=np.square, sharpness=0.25)
    new, seen = np.array([[1.5, 0.0]], "float32"), SEEN[2:]
    w = np.exp([-0.25 * 1.5**4, -0.25 * (4 - 1.5**2) ** 2])
    found = donors.fill(new, seen, X_HAT[:1])
    np.testing.assert_allclose(found[0, 1], (w[0] * 1.0 + w[1] * 5.0) / w.sum(), rtol=1e-5)


def test_logarithms_of_columns_with_a_long_tail_on_either_side():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2000, 4)), (rng.random((2000, 4)) < 0.8) * 1.0
    x[:, 1] = np.exp(x[:, 1])
    x[:, 2], x[:, 3] = -x[:, 1], x[:, 1]
    t = Logarithms(mask * x, mask, np.array([True, True, True, False]))
    assert t.skewed.tolist() == [False, True, True, False]
    found = t(x)
    np.testing.assert_allclose(found[:, [0, 3]], x[:, [0, 3]], rtol=1e-6)
    seen = mask[:, 1] > 0
    logs = np.log1p(3 * (x[:, 1] - x[seen, 1].min()))
    expected = (logs - logs[seen].mean()) / logs[seen].std()
    above = x[:, 1] >= x[seen, 1].min()
    np.testing.assert_allclose(found[above, 1], expected[above], atol=1e-4)
    mirrored = found[mask[:, 2] > 0, 2]
    assert abs(mirrored.mean()) < 1e-5 and mirrored.std() == pytest.approx(1.0, abs=1e-3)


def test_clusters_whose_columns_have_long_tails_use_logarithms():
    rng = np.random.default_rng(0)
    clusters = rng.normal(size=(12, 6)) * 2
    table = np.exp(clusters[rng.integers(12, size=800)] + 0.1 * rng.normal(size=(800, 6)))
    seen = rng.random(table.shape) > 0.3
    seen[:, 0] = True
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 2, "random_state": 0}
    imputer = VADImputer(**options).fit(np.where(seen, table, np.nan))
    assert imputer.donors_.metric is not None and imputer.donor_share_ == 1.0
