"""Arguments of Keras's fit, with a multimodal model: used, or refused in a sentence."""

import keras
import numpy as np
import pytest

from cvae_keras.systems.multimodal import MultimodalCVAE

RNG = np.random.default_rng(0)
ARRAYS = {"x": RNG.normal(size=(60, 2)), "c": RNG.normal(size=(60, 1))}
KEEP = np.arange(60) < 40


def make():
    keras.utils.set_random_seed(0)
    model = MultimodalCVAE("x", ["c"], {"x": 2, "c": 1}, latent_dim=1, hidden=(8,))
    model.compile(keras.optimizers.SGD(0.0))
    model.run_eagerly = True
    return model


def units(**fit):
    model = make()
    model.fit(verbose=0, **fit)
    return np.concatenate([part.ravel() for pair in model.units.values() for part in pair])


def some(keep):
    return {name: array[keep] for name, array in ARRAYS.items()}


def spoiled():
    """The arrays with nonsense in the last 20 rows."""
    return {name: np.where(KEEP[:, None], array, 1e6) for name, array in ARRAYS.items()}


def test_rows_of_weight_zero_do_not_count():
    expected = units(x=some(KEEP))
    np.testing.assert_allclose(units(x=spoiled(), sample_weight=KEEP), expected, rtol=1e-6)
    column = KEEP[:, None].astype("float64")
    np.testing.assert_allclose(units(x=spoiled(), sample_weight=column), expected, rtol=1e-6)


def test_a_weight_of_two_is_two_rows():
    twice = {name: np.concatenate([array, array[:20]]) for name, array in ARRAYS.items()}
    weights = np.where(np.arange(60) < 20, 2, 1)
    np.testing.assert_allclose(units(x=ARRAYS, sample_weight=weights), units(x=twice), rtol=1e-6)
    np.testing.assert_allclose(
        units(x=ARRAYS, sample_weight=np.full(60, 7.0)), units(x=ARRAYS), rtol=1e-6
    )


def test_weights_of_zero_alone_are_refused():
    model = make()
    model.compile(keras.optimizers.SGD(0.1))
    before = model.get_weights()
    with pytest.raises(ValueError, match="sample_weight is 0 for all rows"):
        model.fit(ARRAYS, sample_weight=np.zeros(60), verbose=0)
    assert not model.adapted
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("share", [1 / 3, 0.5, np.float32(0.25), 0.9])
def test_validation_split_measures_training_rows_alone(share):
    rows = int(np.floor(60 * (1.0 - share)))
    expected = units(x=some(np.arange(60) < rows))
    np.testing.assert_array_equal(units(x=ARRAYS, validation_split=share), expected)
    model = make()
    model.fit(ARRAYS, None, 16, 1, 0, None, share)  # by position
    np.testing.assert_array_equal(model.units["x"][0], expected[:2])


def test_validation_split_keeps_the_weights_of_its_rows():
    expected = units(x=some(KEEP & (np.arange(60) < 30)))
    weights = np.where(KEEP, 1.0, 5.0)
    found = units(x=spoiled(), sample_weight=weights, validation_split=0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("fit", "sentence"),
    [
        ({"y": ARRAYS["x"]}, "targets y are not used"),
        ({"class_weight": {0: 1.0}}, "class_weight needs targets"),
        ({"sample_weight": np.ones(59)}, "sample_weight has shape"),
        ({"sample_weight": np.full(60, np.nan)}, "sample_weight holds NaN"),
        ({"x": [ARRAYS["x"], ARRAYS["c"]]}, "x must be a dictionary of arrays"),
        ({"x": ARRAYS["x"]}, "x must be a dictionary of arrays"),
        ({"x": None}, "x must be a dictionary of arrays"),
        ({"validation_data": {"x": ARRAYS["x"]}}, r"\['c'\] are missing"),
        ({"validation_data": (ARRAYS, None, -np.ones(60))}, "sample_weight holds"),
        ({"validation_data": (ARRAYS, ARRAYS["x"])}, "targets y are not used"),
    ],
)
def test_what_is_refused_leaves_the_model_as_it_was(fit, sentence):
    model = make()
    before = model.get_weights()
    with pytest.raises(ValueError, match=sentence):
        model.fit(**{"x": ARRAYS, "verbose": 0, **fit})
    assert not model.adapted
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_evaluate_is_weighted():
    model = make()
    model.fit(ARRAYS, verbose=0)
    logs = model.evaluate(ARRAYS, sample_weight=np.zeros(60), verbose=0, return_dict=True)
    assert logs["loss"] == 0
    weights = np.arange(60.0)
    one = make()
    one.set_weights(model.get_weights())
    logs = one.fit(ARRAYS, validation_data=(ARRAYS, None, np.zeros(60)), verbose=0).history
    assert logs["val_loss"] == [0.0]
    rest = some(weights > 0)
    for each, weight in ((ARRAYS, (weights > 0) * 1.0), (rest, None)):
        found = model.evaluate(each, sample_weight=weight, verbose=0, return_dict=True)
        assert found["kl"] == pytest.approx(logs_of_rest(model, rest)["kl"], rel=1e-5)


def logs_of_rest(model, rest):
    return model.evaluate(rest, verbose=0, return_dict=True)
