"""Overflow, merged values, frames, masked arrays and weights, in DenseCVAE."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from cvae_keras.data import Conditioned, IndependentGaussian, as_inputs
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.training import FusedAdam

SOURCE = Conditioned(IndependentGaussian(2))
ARRAYS = SOURCE.examples(32, seed=0)
KNOWN = ARRAYS["c"][:, 2:] > 0


def make(**options):
    keras.utils.set_random_seed(0)
    model = DenseCVAE(2, 2, [8], [8], **options)
    model.compile(FusedAdam(1e-2), run_eagerly=True)
    return model


@pytest.mark.parametrize("size", [5e37, 3e38, 1e17, -1e20, 1e30])
def test_numbers_whose_squares_overflow_are_refused(size):
    x = ARRAYS["x"].astype("float64")
    x[3, 1] = size
    known = np.zeros_like(KNOWN)
    for inputs in (as_inputs(x, known), as_inputs(x, ~known)):
        with pytest.raises(ValueError, match="whose squares overflow"):
            make().fit(inputs, verbose=0)
    with pytest.raises(ValueError, match="c holds numbers up to .* whose squares overflow"):
        make().sample(as_inputs(x, ~known)["c"])
    with pytest.raises(ValueError, match="whose squares overflow"):
        make(scale=[1.0, 1e-20]).fit(ARRAYS, verbose=0)


@pytest.mark.parametrize("size", [1e200, 1e307, np.inf, np.nan, 1e39])
def test_numbers_beyond_float32_are_refused(size):
    x = np.full((4, 2), 1.0)
    x[3, 1] = size
    with pytest.raises(ValueError, match="beyond the range of float32|NaN or infinity"):
        as_inputs(x, x > 0)


@pytest.mark.parametrize("scale", [1e-200, 1e200, 0.0, np.nan, np.inf])
def test_scales_that_float32_does_not_hold_are_refused(scale):
    with pytest.raises(ValueError, match="scale must hold 2 positive numbers"):
        make(scale=[1.0, scale])


@pytest.mark.parametrize("far", [1.7e9, 1e10, -1e8, 2.0**40, 1e15])
def test_values_that_merge_are_warned_of(far):
    x = np.arange(64.0).reshape(32, 2) + far
    with pytest.warns(
        UserWarning, match="distinct values in 2 of its columns .* become equal in float32"
    ):
        as_inputs(x, KNOWN)
    with pytest.warns(UserWarning, match="become equal in float32"):
        as_inputs(x.astype("int64"), KNOWN)


def test_frames():
    x = pd.DataFrame(ARRAYS["x"]).astype("Float64")
    for frame in (x, x.astype(object), x.astype("float64")):
        inputs = as_inputs(frame, pd.DataFrame(KNOWN).astype("boolean"))
        assert all(np.array_equal(inputs[name], ARRAYS[name]) for name in ARRAYS)
    frames = {name: pd.DataFrame(each).astype("Float32") for name, each in ARRAYS.items()}
    loss = make().evaluate(frames, verbose=0, return_dict=True)["reconstruction"]
    assert loss == make().evaluate(ARRAYS, verbose=0, return_dict=True)["reconstruction"]
    missing = x.copy()
    missing.iloc[2, 1] = pd.NA
    with pytest.raises(ValueError, match="x holds NaN"):
        as_inputs(missing, np.ones_like(KNOWN))
    with pytest.raises(ValueError, match="x holds NaN"):
        as_inputs(np.ma.masked_array(ARRAYS["x"], ARRAYS["x"] > 1), KNOWN)
    inputs = as_inputs(missing, np.ones_like(KNOWN), observed=missing.notna())
    assert inputs["mask"].sum() == 63 and inputs["x"][2, 1] == 0
    with pytest.raises(TypeError, match="its column 't'"):
        as_inputs(pd.DataFrame({"t": ["a"] * 32, "n": 1.0}), KNOWN)
    for bad in (np.where(KNOWN, np.nan, 1.0), 2 * KNOWN):
        with pytest.raises(ValueError, match="known must hold booleans"):
            as_inputs(ARRAYS["x"], bad)


def variables(model):
    return [variable.numpy() for variable in model.trainable_variables]


def same(a, b):
    return all(np.array_equal(i, j) for i, j in zip(a, b, strict=True))


def test_weights_are_used():
    model = make()
    before = variables(model)
    with pytest.raises(ValueError, match="sample_weight is 0 for all rows"):
        model.fit(ARRAYS, sample_weight=np.zeros(32), verbose=0)
    assert same(variables(model), before)
    half = (np.arange(32) < 16).astype("float32")
    data = tf.data.Dataset.from_tensors((ARRAYS, None, half))
    zero = tf.data.Dataset.from_tensors((ARRAYS, None, 0 * half))
    make_zero = make()
    make_zero.fit(zero, shuffle=False, verbose=0)
    assert same(variables(make_zero), before)
    a, b = make(), make()
    a.fit(data, shuffle=False, verbose=0)
    b.fit(ARRAYS, sample_weight=half, batch_size=32, shuffle=False, verbose=0)
    for i, j in zip(variables(a), variables(b), strict=True):
        np.testing.assert_allclose(i, j, atol=1e-6)
    valid = (ARRAYS, None, 0 * half)
    assert a.fit(ARRAYS, validation_data=valid, verbose=0).history["val_loss"] == [0.0]
    kept, none = (a.evaluate(ARRAYS, sample_weight=w, verbose=0) for w in (half, 0 * half))
    assert none[0] == 0.0 and kept[0] > 0
    for bad in ({"class_weight": {0: 1.0}}, {"y": half}, {"x": [ARRAYS["x"]]}):
        with pytest.raises(ValueError):
            a.fit(**({"x": ARRAYS} | bad), verbose=0)
