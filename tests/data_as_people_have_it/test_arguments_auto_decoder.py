"""Arguments as scikit-learn's imputers have them; weights of examples; integers of NumPy."""

import json

import numpy as np
import pandas as pd
import pytest
from imputer_case import SEEN, SMALL, TABLE, fill, hidden, plain_fill
from sklearn.experimental import enable_iterative_imputer  # noqa: F401, scikit-learn asks for it
from sklearn.impute import IterativeImputer

from cvae_keras.experiments.auto_decoder.run import complete
from cvae_keras.search.spaces.auto_decoder import VADHyperModel
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.systems.auto_decoder.laplace import laplace_bound
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.training import FusedAdam

LOST = ~SEEN


# -- of scikit-learn's imputers -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("low", "high"),
    [(0, None), (None, 0.5), (-0.1, 0.1), ([-1, 0, 1, 2, 3], [0, 1, 2, 3, 4]), (-np.inf, np.inf)],
)
def test_fills_are_kept_between_limits(low, high):
    free, imputer = plain_fill(), VADImputer(**SMALL, min_value=low, max_value=high)
    filled = imputer.fit_transform(hidden(TABLE))
    least = -np.inf if low is None else low
    most = np.inf if high is None else high
    assert np.array_equal(filled, np.where(LOST, np.clip(free, least, most), free))
    draws = imputer.sample(hidden(TABLE), 2)[:, LOST]
    limits = [np.broadcast_to(limit, TABLE.shape)[LOST] for limit in (least, most)]
    assert np.all((limits[0] <= draws) & (draws <= limits[1]))


def test_fills_are_kept_within_the_observed_range():
    table = hidden(TABLE)
    imputer = VADImputer(**SMALL, min_value="observed", max_value="observed").fit(table)
    for filled in (imputer.transform(table), *imputer.sample(table, 3)):
        assert np.all(filled >= np.nanmin(table, axis=0))
        assert np.all(filled <= np.nanmax(table, axis=0))


def test_bad_limits_are_refused():
    for options, sentence in [
        ({"min_value": [0, 1]}, "min_value must be a number"),
        ({"max_value": np.nan}, "max_value must be a number"),
        ({"min_value": 1, "max_value": 0}, "min_value must not be above"),
        ({"missing_values": "?"}, "missing_values must be NaN or a number"),
        ({"validation_share": "all"}, "validation_share must lie"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            fill(hidden(TABLE), **options)


@pytest.mark.parametrize("mark", [-999, 0, 1e30, -1.5, np.float32(9)])
def test_missing_values(mark):
    marked = np.where(LOST, mark, TABLE)
    assert np.array_equal(fill(marked, missing_values=mark), plain_fill())
    with pytest.raises(ValueError, match="NaN"):
        fill(hidden(TABLE), missing_values=mark)


@pytest.mark.parametrize("mark", [None, pd.NA, np.nan, float("nan"), np.float32("nan")])
def test_marks_that_mean_nan(mark):
    assert np.array_equal(fill(hidden(TABLE), missing_values=mark), plain_fill())


@pytest.mark.filterwarnings("ignore:columns")
@pytest.mark.filterwarnings("ignore:Skipping features")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("add", [True, False])
def test_names_and_columns_are_those_of_scikit_learn(keep, add):
    table = hidden(TABLE)
    table[:, 1], table[:, 3] = np.nan, TABLE[:, 3]  # one empty, one complete
    frame = pd.DataFrame(table, columns=list("abcde"))
    options = {"add_indicator": add, "keep_empty_features": keep}
    other = IterativeImputer(max_iter=1, **options).fit(table)
    imputer = VADImputer(**SMALL, **options).set_output(transform="pandas")
    filled = imputer.fit_transform(frame)
    expected = other.transform(table)
    assert list(filled.columns) == list(other.get_feature_names_out(list("abcde")))
    assert filled.shape == expected.shape and filled.notna().all().all()
    if add:
        assert np.array_equal(filled.iloc[:, -4:], expected[:, -4:])
    assert imputer.sample(frame, 2).shape == (2, *filled.shape)


# -- of Keras -------------------------------------------------------------------------------------
def models():
    auto = VariationalAutoDecoder(5, 300, 2, (4,), variant="ae", beta=0.5)
    for model in (auto, MaskedVAE(5, 2, (4,), beta=0.5)):
        model.compile(FusedAdam(0.1))
        model.run_eagerly = True
        yield model


def test_weights_of_examples():
    x = TABLE.astype("float32")
    for model in models():
        arrays = {"x": x, "mask": SEEN}
        before = [weight.numpy() for weight in model.trainable_weights]
        with pytest.raises(ValueError, match="sample_weight is 0 for all rows"):
            model.fit(arrays, sample_weight=np.zeros(300), verbose=0)
        after = [weight.numpy() for weight in model.trainable_weights]
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        assert model.evaluate(arrays, sample_weight=np.zeros(300), verbose=0)[0] == 0
        fit = {"validation_data": (arrays, None, np.zeros(300)), "verbose": 0}
        history = model.fit(arrays, sample_weight=[0.0] * 299 + [1.0], **fit).history
        assert history["val_loss"] == [0.0] and history["loss"][0] > 0
    model = next(models())
    before = model.posterior.mean.numpy()
    first = np.r_[np.ones(100), np.zeros(200)]
    model.fit(arrays, sample_weight=first, verbose=0)
    moved = np.any(model.posterior.mean.numpy() != before, axis=1)
    assert moved[:100].all() and not moved[100:].any()


def test_what_fit_would_not_use_is_refused():
    x = TABLE.astype("float32")
    for model in models():
        for arguments, options, sentence in [
            (({"x": x}, x), {}, "targets y are not used"),
            (([x, x],), {}, "x must be a dictionary"),
            ((x,), {}, "x must be a dictionary"),
            (({"x": x},), {"class_weight": {0: 1.0}}, "class_weight needs targets"),
            (({"x": x},), {"sample_weight": np.ones(7)}, "sample_weight has shape"),
            (({"x": x},), {"sample_weight": -np.ones(300)}, "sample_weight holds"),
            (({"x": x},), {"validation_data": ({"x": x}, x)}, "targets y are not used"),
        ]:
            with pytest.raises(ValueError, match=sentence):
                model.fit(*arguments, verbose=0, **options)


def test_new_rows_are_not_taken_for_the_first_rows_of_the_table():
    model = next(models())
    new = {"x": TABLE[:40]}
    with pytest.raises(ValueError, match="40 rows without an index, and the table has 300"):
        model.evaluate(new, verbose=0)
    for data in (new, (new,), (new, None, np.ones(40))):
        with pytest.raises(ValueError, match="40 rows without an index"):
            model.fit({"x": TABLE}, validation_data=data, verbose=0)
    model.evaluate({**new, "index": np.arange(40)}, verbose=0)


# -- numbers of NumPy -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "state",
    [np.int64(3), np.random.default_rng(0).integers(99), np.random.RandomState(0),
     np.random.default_rng(0), None, np.uint8(7)],
)  # fmt: skip
def test_numbers_of_numpy_for_the_imputer(state):
    options = {"latent_dim": np.int64(2), "hidden": np.array([4, 3]), "epochs": np.int32(1)}
    options |= {"batch_size": np.int64(100), "net_lr": np.float32(1e-3), "random_state": state}
    imputer = VADImputer(**options, validation_share=np.float32(0.1)).fit(hidden(TABLE))
    assert np.isfinite(imputer.transform(hidden(TABLE))).all()
    assert imputer.sample(hidden(TABLE), np.int64(2)).shape == (2, *TABLE.shape)
    json.dumps(imputer.model_.get_config())


@pytest.mark.parametrize(
    "seed", [np.int64(3), np.uint16(3), None, np.random.RandomState(0), np.random.default_rng(0)]
)
def test_numbers_of_numpy_for_the_models(seed):
    hidden_units = np.array([4, 3])
    options = {
        "latent_dim": np.int64(2),
        "hidden": hidden_units,
        "seed": seed,
        "beta": np.float32(1),
    }
    more = {"dropout": np.float32(0.1), "log_var": np.float32(-2), "layer_norm": np.bool_(False)}
    auto = VariationalAutoDecoder(np.int64(5), np.int32(300), noise="learned", **more, **options)
    for model in (auto, MaskedVAE(np.int64(5), sees_mask=np.bool_(True), **options)):
        config = json.loads(json.dumps(model.get_config()))
        again = type(model).from_config(config)
        assert json.loads(json.dumps(again.get_config())) == config
    DenseDecoder(np.int64(2), np.int64(5), hidden=hidden_units, skip=True, seed=seed)
    x = TABLE[:6].astype("float32")
    assert auto.sample_posterior(x, SEEN[:6], np.int64(3), seed).shape == (3, 6, 5)
    assert laplace_bound(auto, x, SEEN[:6], np.int64(2), seed).shape == (6,)
    z = auto.find_latents(x, steps=np.int64(2), init="train", seed=seed, batch_size=np.int64(4))
    assert z.shape == (6, 2)


def test_bad_layers_are_refused():
    for units in (8, "8", [0], [1.5], None, {4: 1}):
        for make in (
            lambda units: VariationalAutoDecoder(5, 9, 2, units),
            lambda units: MaskedVAE(5, 2, units),
            lambda units: DenseDecoder(2, 5, units),
        ):
            with pytest.raises(ValueError, match="hidden must be"):
                make(units)


def test_options_of_an_experiment_are_plain():
    config = complete({"seed": np.int64(3), "hidden": np.array([4]), "beta": np.float32(0.5)})
    assert json.loads(json.dumps(config)) == config
    assert VADHyperModel(rows=np.int64(50)).arrays["x"].shape == (40, 64)
