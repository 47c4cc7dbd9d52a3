"""VADImputer on mixed frames: exact probabilities, and what comes back."""

import numpy as np
import pandas as pd
import pytest
from mixed_case import LABELS, divergence, latent_classes, one_factor
from sklearn.base import clone

from cvae_keras.systems.auto_decoder.imputer import VADImputer

SMALL = {"hidden": (4,), "epochs": 1, "latent_dim": 2, "random_state": 0, "batch_size": 1000}
COUNTS = {"visits": "poisson"}


@pytest.fixture(scope="module")
def small():
    """A table of 150 rows, which cells are hidden, and an imputer that has seen the others."""
    frame, hidden, _ = one_factor(150)
    given = frame.mask(hidden)
    return given, hidden, VADImputer(**SMALL, likelihoods=COUNTS, round_integers=True).fit(given)


@pytest.mark.long
def test_exact_conditional_probabilities_and_counts():
    frame, hidden, exact = one_factor(1500)
    given = frame.mask(hidden)
    options = {"latent_dim": 2, "hidden": (8,), "epochs": 30, "batch_size": 100, "random_state": 0}
    imputer = VADImputer(**options, likelihoods=COUNTS).fit(given)
    found, filled = imputer.predict_proba_missing(given), imputer.transform(given)
    draws = imputer.sample(given, 100)
    for name, labels in LABELS.items():
        missing = hidden[:, list(frame).index(name)]
        p = found[name].to_numpy()
        assert list(found[name]) == labels and found[name].index.equals(frame.index[missing])
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6)
        seen = frame[name][~missing].value_counts(normalize=True)[labels].to_numpy("float64")
        assert divergence(exact[name][missing], p) < 0.03
        assert divergence(exact[name][missing], np.tile(seen, (len(p), 1))) > 0.15  # the mode's
        assert filled[name][missing].tolist() == [labels[j] for j in p.argmax(axis=1)]
        drawn = [[(draw[name][missing] == label) for label in labels] for draw in draws]
        shares = np.mean(np.array(drawn, dtype=float), axis=0).T
        assert np.abs(shares.mean(axis=0) - p.mean(axis=0)).max() < 0.01  # 4 standard deviations
        error = np.sqrt(seen * (1.0 - seen) / (~missing).sum())  # of shares known from these rows
        assert np.all(np.abs(p.mean(axis=0) - exact[name][missing].mean(axis=0)) < 3.0 * error)
        assert np.mean(np.abs(shares - exact[name][missing])) < 0.06
    missing = hidden[:, -1]
    rate = filled["visits"][missing].to_numpy("float64")
    error = np.mean(np.square(rate / exact["visits"][missing] - 1.0))
    assert error < 0.02 and str(filled["visits"].dtype) == "Float64"


@pytest.mark.long
def test_exact_probabilities_of_latent_classes():
    frame, hidden, exact = latent_classes(2000)
    found = VADImputer(random_state=0).fit(frame.mask(hidden))
    assert found.donor_share_ > 0
    found = found.predict_proba_missing(frame.mask(hidden))
    for j, name in enumerate(exact):
        assert divergence(exact[name][hidden[:, j]], found[name].to_numpy()) < 0.06


def test_types_index_and_observed_cells_stay(small):
    given, hidden, imputer = small
    before = given.copy(deep=True)
    for filled in (imputer.transform(given), *imputer.sample(given, 2)):
        assert filled.dtypes.equals(given.dtypes) and filled.index.equals(given.index)
        assert not filled.isna().any(axis=None)
        for number, name in enumerate(given):
            seen = ~hidden[:, number]
            pd.testing.assert_series_equal(filled[name][seen], given[name][seen])
    pd.testing.assert_frame_equal(given, before)
    assert filled["size"].cat.ordered and (filled["visits"] >= 0).all()
    whole = imputer.transform(given.fillna({"visits": 3}).dropna())
    pd.testing.assert_frame_equal(whole, given.fillna({"visits": 3}).dropna())


def test_same_seed_same_answer_and_clones(small):
    given, _, imputer = small
    again = clone(imputer).fit(given)
    pd.testing.assert_frame_equal(again.transform(given), imputer.transform(given))
    first, second = imputer.sample(given, 2), again.sample(given, 2)
    assert isinstance(first, list) and not first[0].equals(first[1])
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other)
    drawn = clone(imputer).set_params(sample_posterior=True).fit(given).transform(given)
    pd.testing.assert_frame_equal(drawn, imputer.sample(given, 1)[0])


def test_row_without_an_observed_cell_gets_means_and_frequencies(small):
    given, _, imputer = small
    empty = given.iloc[:1].mask(np.ones((1, given.shape[1]), bool))
    found = imputer.predict_proba_missing(empty)
    shares = given["color"].value_counts(normalize=True)[LABELS["color"]]
    np.testing.assert_allclose(found["color"].to_numpy()[0], shares.to_numpy(), atol=1e-6)
    filled = imputer.transform(empty).iloc[0]
    assert filled["a"] == pytest.approx(given["a"].mean(), rel=1e-6)
    assert filled["visits"] == round(given["visits"].mean())


def test_unseen_labels_are_returned_and_have_no_effect(small):
    given, _, imputer = small
    odd = given.assign(color=given["color"].fillna("green"))
    odd.loc[odd.index[:5], "color"] = "violet"
    with pytest.warns(UserWarning, match=r"columns \['color'\] hold labels that fit has not seen"):
        filled = imputer.transform(odd)
    assert filled["color"].tolist()[:5] == ["violet"] * 5
    hidden = odd.mask(odd == "violet")
    others = [name for name in given if name != "color"]
    pd.testing.assert_frame_equal(filled[others], imputer.transform(hidden)[others])


def test_options_of_columns(small):
    given, hidden, _ = small
    options = {"add_indicator": True, "max_value": 0.5, "likelihoods": {"color": None}}
    imputer = VADImputer(**SMALL, **options).fit(given.assign(label="one"))
    filled = imputer.transform(given.assign(label="one"))
    pd.testing.assert_series_equal(filled["color"], given["color"])
    assert list(filled) == list(imputer.get_feature_names_out())
    assert np.array_equal(filled["missingindicator_a"], hidden[:, 0])
    assert filled["a"][hidden[:, 0]].max() <= 0.5 < filled["a"].max()
    with pytest.warns(UserWarning, match="have no observed entry: they are dropped"):
        dropping = VADImputer(**SMALL, keep_empty_features=False).fit(given.assign(none=np.nan))
    assert list(dropping.transform(given.assign(none=np.nan))) == list(given)
    codes = given[["a", "b"]].assign(code=np.where(hidden[:, 0], 7.0, 3.0)).mask(hidden[:, :3])
    imputer = VADImputer(**SMALL, likelihoods={"code": "categorical"}).fit(codes)
    assert set(imputer.transform(codes)["code"]) == {3.0, 7.0}
    assert imputer.predict_proba_missing(codes)["code"].columns.tolist() == [3.0, 7.0]
    pandas = imputer.set_output(transform="pandas").transform(codes)
    pd.testing.assert_frame_equal(pandas, imputer.set_output(transform="default").transform(codes))


def test_wrong_input_is_refused(small):
    given, _, imputer = small
    with pytest.raises(TypeError, match="X must be a DataFrame with the columns of fit"):
        imputer.transform(np.zeros((3, 7)))
    with pytest.raises(ValueError, match="feature names should match"):
        imputer.transform(given.drop(columns="a"))
    with pytest.raises(ValueError, match="need a DataFrame"):
        VADImputer(**SMALL, round_integers=True).fit(np.zeros((3, 7)))
    with pytest.raises(ValueError, match="missing_values must be NaN for a DataFrame with labels"):
        VADImputer(**SMALL, missing_values=-1).fit(given)
    with pytest.raises(ValueError, match="fit a DataFrame with text"):
        numbers = given[["a", "b"]]
        VADImputer(**SMALL).fit(numbers).predict_proba_missing(numbers)
    with pytest.raises(ValueError, match="infinity"):
        VADImputer(**SMALL).fit(given.assign(a=np.inf))


def test_the_model_is_a_keras_file(small, tmp_path):
    import keras

    given, _, imputer = small
    imputer.model_.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    x, mask = imputer.entries_.encode(imputer.frame_columns_.read(given).to_numpy())
    assert np.array_equal(model.posterior_mean(x, mask), imputer.model_.posterior_mean(x, mask))


@pytest.mark.long
def test_wine_is_filled_better_than_by_modes_and_by_linear_regressions():
    from sklearn.datasets import load_wine
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    wine = load_wine(as_frame=True)
    frame = wine.data.assign(cultivar=np.array(["A", "B", "C"])[wine.target])
    for name in ("alcohol", "flavanoids", "color_intensity"):
        frame[name] = pd.qcut(frame[name], 3, labels=["low", "mid", "high"])
    hidden = np.random.default_rng(0).random(frame.shape) < 0.3
    given = frame.mask(hidden)
    found = VADImputer(random_state=0).fit(given).predict_proba_missing(given)

    dummies = pd.get_dummies(given, columns=list(found), drop_first=False, dtype=float)
    for name in found:
        dummies.loc[given[name].isna(), [f"{name}_{label}" for label in found[name]]] = np.nan
    first = [f"{name}_{found[name].columns[0]}" for name in found]  # the others determine it
    linear = IterativeImputer(random_state=0, max_iter=20).set_output(transform="pandas")
    linear = linear.fit_transform(dummies.drop(columns=first))
    losses, right = {"mode": [], "linear": [], "VAD": []}, {"mode": [], "linear": [], "VAD": []}
    for name, p in found.items():
        missing = given[name].isna()
        shares = given[name].value_counts(normalize=True)[list(p)].to_numpy("float64")
        others = linear.loc[missing, [f"{name}_{label}" for label in list(p)[1:]]].to_numpy()
        q = np.clip(np.c_[1.0 - others.sum(axis=1), others], 0.01, 1.0)
        true = np.array([list(p).index(label) for label in frame[name][missing]])
        for key, each in {"VAD": p.to_numpy(), "mode": np.tile(shares, (len(p), 1)),
                          "linear": q / q.sum(axis=1, keepdims=True)}.items():  # fmt: skip
            losses[key] += (-np.log(each[np.arange(len(true)), true])).tolist()
            right[key] += (each.argmax(axis=1) == true).tolist()
    loss = {key: np.mean(values) for key, values in losses.items()}
    assert loss["VAD"] < loss["linear"] < loss["mode"]
    assert np.mean(right["VAD"]) > np.mean(right["mode"]) + 0.3
