"""VADImputer: scikit-learn's own checks, special cases, and exact imputation of Gaussian data."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cvae_keras.data.columns import Columns
from cvae_keras.systems.auto_decoder import imputer as imputer_file
from cvae_keras.systems.auto_decoder.entries import Entries
from cvae_keras.systems.auto_decoder.factor_analysis import factor_analysis, posterior
from cvae_keras.systems.auto_decoder.held_out import HeldOutCells, TrainingTable
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.truth.linear_gaussian import conditional_mean

SMALL = {"hidden": (4,), "epochs": 1, "latent_dim": 2, "random_state": 0, "batch_size": 1000}


def gaussian(rows=1500, columns=8, missing=0.5, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(columns, 3))
    covariance = root @ root.T + 0.3 * np.eye(columns)
    mean = rng.normal(size=columns)
    x = rng.multivariate_normal(mean, covariance, size=rows)
    return x, rng.random(x.shape) > missing, mean, covariance


def incomplete(x, mask):
    return np.where(mask, x, np.nan)


@pytest.fixture(scope="module")
def table():
    x, mask, *_ = gaussian(rows=200)
    return incomplete(x, mask)


@pytest.fixture(scope="module")
def fitted(table):
    return VADImputer(**SMALL).fit(table)


@pytest.mark.long
@parametrize_with_checks([VADImputer(**SMALL)])
def test_scikit_learn(estimator, check):
    check(estimator)


def test_gaussian_data_are_imputed_as_by_the_conditional_mean():
    x, mask, mean, covariance = gaussian()
    best = np.mean((conditional_mean(x, mask, mean, covariance) - x)[~mask] ** 2)
    imputer = VADImputer(hidden=(8,), epochs=2, batch_size=500, random_state=0)
    scales = np.logspace(-3, 4, x.shape[1])  # mixed scales have no effect
    filled = imputer.fit_transform(incomplete(x, mask) * scales) / scales
    assert np.mean((filled - x)[~mask] ** 2) < 1.05 * best
    assert np.array_equal(filled[mask], (x * scales / scales)[mask])
    draws = imputer.sample(incomplete(x, mask) * scales, n_samples=100) / scales
    low, high = np.quantile(draws, (0.05, 0.95), axis=0)
    assert 0.85 < np.mean(((x >= low) & (x <= high))[~mask]) < 0.95


def test_factor_analysis_is_the_fixed_point_of_likelihood():
    x, mask, *_ = gaussian(rows=400, missing=0.3)
    likelihoods = []
    for steps in (1, 5, 20):
        fit = factor_analysis(x, mask, 3, steps, ridge=0.0)
        covariance = fit["kernel"].T @ fit["kernel"] + np.diag(fit["variance"])
        total = 0.0
        for row, known in zip(x, mask, strict=True):
            part, left = covariance[np.ix_(known, known)], (row - fit["mean"])[known]
            total -= 0.5 * (np.linalg.slogdet(part)[1] + left @ np.linalg.solve(part, left))
        likelihoods.append(total)
    assert likelihoods[0] < likelihoods[1] < likelihoods[2]
    z, cov = posterior(x, mask * 1.0, fit["mean"], fit["kernel"], fit["variance"])
    known = mask[0]
    part = covariance[np.ix_(known, known)]
    exact = fit["kernel"][:, known] @ np.linalg.solve(part, (x[0] - fit["mean"])[known])
    np.testing.assert_allclose(z[0], exact, atol=1e-8)
    inner = (fit["kernel"] / fit["variance"]) @ fit["kernel"].T
    np.testing.assert_allclose(inner - np.diag(np.diag(inner)), 0, atol=1e-6 * inner.max())


def test_factor_analysis_of_many_rows_is_that_of_some_in_parts(monkeypatch):
    x, mask, _, covariance = gaussian(rows=12_000, columns=5, missing=0.2)
    fit = factor_analysis(x, mask, 3, steps=20)
    found = fit["kernel"].T @ fit["kernel"] + np.diag(fit["variance"])
    np.testing.assert_allclose(found, covariance, atol=0.1 * covariance.max())
    model = {name: fit[name] for name in ("mean", "kernel", "variance")}
    z, z_covariance = posterior(np.where(mask, x, 0.0), mask * 1.0, **model)
    np.testing.assert_allclose(fit["z"], z, atol=1e-9)
    np.testing.assert_allclose(fit["z_variance"][7], np.diag(z_covariance[7]), atol=1e-9)
    monkeypatch.setitem(factor_analysis.__globals__, "NUMBERS", 16 * 999)
    parts = factor_analysis(x, mask, 3, steps=20)
    for name, values in fit.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-6)


def test_observed_values_are_returned_bit_for_bit(table, fitted):
    filled = fitted.transform(table)
    seen = ~np.isnan(table)
    assert np.array_equal(filled[seen], table[seen]) and np.isfinite(filled).all()
    whole = np.nan_to_num(table)
    assert np.array_equal(fitted.transform(whole), whole)
    assert fitted.transform(table.astype("float32")).dtype == np.float32


def test_same_seed_same_answer(table, fitted):
    again = VADImputer(**SMALL).fit(table)
    assert np.array_equal(again.transform(table), fitted.transform(table))
    assert np.array_equal(again.sample(table, 3), fitted.sample(table, 3))
    other = VADImputer(**{**SMALL, "random_state": 1}).fit(table)
    assert not np.array_equal(other.sample(table, 3), fitted.sample(table, 3))


def test_draws_differ_only_in_missing_entries(table, fitted):
    draws = fitted.sample(table, n_samples=4)
    spread = draws.std(axis=0)
    assert np.all(spread[np.isnan(table)] > 0) and np.all(spread[~np.isnan(table)] == 0)
    drawn = VADImputer(**SMALL, sample_posterior=True).fit(table).transform(table)
    assert np.array_equal(drawn, fitted.sample(table, 1)[0])


def test_draws_of_several_chunks_are_independent(table, fitted, monkeypatch):
    monkeypatch.setattr("cvae_keras.systems.auto_decoder.imputer.CHUNK", len(table))
    first, second = np.split(fitted.sample(np.r_[table, table], n_samples=4), 2, axis=1)
    missing = np.isnan(table)
    assert np.array_equal(first, fitted.sample(table, n_samples=4))
    assert np.all(first[:, missing] != second[:, missing])
    assert np.array_equal(first[:, ~missing], second[:, ~missing])


def test_row_without_an_observed_entry_is_filled_with_the_means(table, fitted):
    empty = np.full((1, table.shape[1]), np.nan)
    expected = np.nanmean(table, axis=0, keepdims=True)
    np.testing.assert_allclose(fitted.transform(empty), expected, rtol=1e-12)
    with_empty = VADImputer(**SMALL).fit(np.r_[table, empty])
    assert np.array_equal(with_empty.transform(table), fitted.transform(table))


def test_constant_column_is_filled_with_the_constant(table):
    odd = table.copy()
    odd[:, 3] = np.where(np.isnan(odd[:, 3]), np.nan, 7.3)
    filled = VADImputer(**SMALL).fit_transform(odd)
    np.testing.assert_allclose(filled[:, 3], 7.3, rtol=1e-12)
    assert np.isfinite(filled).all()


def test_column_without_an_observed_entry_is_filled_with_0_and_warns(table):
    odd = table.copy()
    odd[:, 2] = np.nan
    with pytest.warns(UserWarning, match=r"columns \[2\] have no observed entry"):
        imputer = VADImputer(**SMALL).fit(odd)
    assert np.all(imputer.transform(odd)[:, 2] == 0)
    later = imputer.transform(table)  # observed now: returned, and not used for the others
    assert np.array_equal(later[~np.isnan(table)], table[~np.isnan(table)])


def test_complete_table(table):
    whole = np.nan_to_num(table)
    assert np.array_equal(VADImputer(**SMALL).fit_transform(whole), whole)


@pytest.mark.parametrize(
    ("value", "sentence"), [(np.inf, "infinity"), (-np.inf, "infinity"), ("red", "could not conv")]
)
def test_infinities_and_strings_are_refused(table, fitted, value, sentence):
    bad = table.astype(object)
    bad[1, 1] = value
    with pytest.raises(ValueError, match=sentence):
        VADImputer(**SMALL).fit(bad)
    with pytest.raises(ValueError, match=sentence):
        fitted.transform(bad)


def test_other_bad_input_is_refused(table):
    with pytest.raises(ValueError, match="no observed entry"):
        VADImputer(**SMALL).fit(np.full((5, 2), np.nan))
    for name in ("epochs", "batch_size", "latent_dim"):
        with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
            VADImputer(**{**SMALL, name: 0}).fit(table)
    with pytest.raises(ValueError, match="validation_share must lie"):
        VADImputer(**SMALL, validation_share=1.0).fit(table)


def test_pandas_in_and_out_and_in_a_pipeline(table):
    frame = pd.DataFrame(table, columns=list("abcdefgh"), index=np.arange(200) + 5)
    imputer = VADImputer(**SMALL).set_output(transform="pandas")
    filled = imputer.fit_transform(frame)
    assert list(filled.columns) == list("abcdefgh") and filled.index.equals(frame.index)
    assert not filled.isna().any().any()
    assert list(imputer.get_feature_names_out()) == list("abcdefgh")
    pipeline = make_pipeline(VADImputer(**SMALL), StandardScaler(), LinearRegression())
    assert pipeline.fit(frame, table[:, 0] > 0).predict(frame).shape == (200,)


def test_the_best_step_is_kept():
    class Model:
        errors = iter([3.0, 2.0, 1.0, 5.0, 6.0, 7.0])
        number = 0
        stop_training = False

        @property
        def decoder(self):
            return self

        class posterior:
            mean = np.zeros((2, 2))

        def reconstruct(self, x, mask, **options):
            self.number += 1
            return x + np.sqrt(next(self.errors))

        def get_weights(self):
            return self.number

        def set_weights(self, weights):
            self.kept = weights

    x = np.zeros((2, 2))
    look = HeldOutCells(x, 1 - np.eye(2), np.eye(2), [0, 1], every=2, patience=3)
    look.set_model(Model())
    look.on_train_begin()
    for step in range(10):
        if step % 5 == 0:
            look.on_epoch_begin(step // 5)
        look.on_train_batch_end(step % 5)
        assert look.model.stop_training == (step == 9)
    look.on_train_end()
    assert look.model.kept == 3 and look.step == 4 and look.best == pytest.approx(1.0)


def test_the_fitted_model_is_a_keras_file(fitted, table, tmp_path):
    fitted.model_.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    x, mask = fitted._standardize(table)
    assert np.array_equal(model.posterior_mean(x, mask), fitted.model_.posterior_mean(x, mask))


def test_training_rows_and_held_out_entries():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((12_000, 5)) < 0.7, np.nan, rng.normal(size=(12_000, 5)))
    entries = Entries(X, Columns(X), ["normal"] * 5, [0] * 5)
    table = TrainingTable.of(X, entries, 0.5, 6000, seed=0)
    assert len(table) == 6000 and (table.observed.sum(axis=1) > 0).all()
    hidden = table.observed - table.shown
    assert set(np.unique(hidden)) == {0.0, 1.0} and (hidden.any(axis=1)).sum() <= 2000
    assert np.array_equal(np.flatnonzero(hidden.any(axis=1)), table.validated)
    several = table.observed.sum(axis=1) > 1
    assert not hidden[~several].any()
    expected = 0.5 * 2000 * table.observed[several].sum() / 6000
    assert hidden.sum() == pytest.approx(expected, rel=0.1)
    assert len(TrainingTable.of(X, entries, 0.5, None, seed=0)) == (~np.isnan(X)).any(axis=1).sum()


def test_rows_beyond_the_subsample_are_filled_as_well_as_others():
    x, mask, mean, covariance = gaussian(rows=3000)
    options = {"hidden": (8,), "epochs": 2, "batch_size": 500, "random_state": 0}
    imputer = VADImputer(**options, subsample=1000).fit(incomplete(x, mask))
    assert imputer.model_.options["examples"] == 1000
    best = np.mean((conditional_mean(x, mask, mean, covariance) - x)[~mask] ** 2)
    filled = imputer.transform(incomplete(x, mask))
    assert np.mean((filled - x)[~mask] ** 2) < 1.1 * best
    with pytest.raises(ValueError, match="subsample must be a positive integer"):
        VADImputer(**options, subsample=0).fit(x)


def test_a_small_linear_table_has_several_splits_and_its_model_all_observed_entries(monkeypatch):
    rng, seen = np.random.default_rng(0), {}
    x = rng.normal(size=(120, 1)) @ rng.normal(size=(1, 4)) + 0.3 * rng.normal(size=(120, 4))
    X = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    X[np.isnan(X).all(axis=1), 0] = 0.0
    chosen = imputer_file.choose_donors

    def choose_donors(model, entries, splits, *rest):
        seen["splits"] = splits
        return chosen(model, entries, splits, *rest)

    monkeypatch.setattr(imputer_file, "choose_donors", choose_donors)
    options = {"latent_dim": 1, "hidden": (8,), "epochs": 1, "random_state": 0}
    imputer = VADImputer(**options).fit(X)
    z, observed = imputer.entries_.encode(X)
    fit = factor_analysis(z, observed, 1, ridge=imputer_file.RIDGE)
    model = imputer.model_
    np.testing.assert_allclose(model.decoder.skip.kernel, fit["kernel"], rtol=1e-5)
    np.testing.assert_allclose(model.posterior.mean, fit["z"], rtol=1e-4, atol=1e-6)
    splits = seen["splits"]
    assert len(splits) == imputer_file.SPLITS
    assert all(np.array_equal(split.x, splits[0].x) for split in splits)
    assert len({split.shown.tobytes() for split in splits}) == len(splits)
    some = VADImputer(**options, subsample=60).fit(X)  # each split of other rows
    assert some.model_.posterior.mean.shape[0] == 60 and np.isfinite(some.transform(X)).all()
