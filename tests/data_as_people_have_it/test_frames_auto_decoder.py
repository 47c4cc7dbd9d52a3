"""Frames of numbers of any type are read as numbers, labels are filled; others are refused."""

import numpy as np
import pandas as pd
import pytest
from imputer_case import SEEN, SMALL, TABLE, fill, hidden

from cvae_keras.data.frames import numeric_frame, read_numbers
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder

WHOLE = np.round(TABLE * 3)
FRAME = pd.DataFrame(hidden(WHOLE), columns=list("abcde"))
FORMS = {
    "float64": FRAME,
    "Int64": FRAME.astype("Int64"),
    "Float64": FRAME.astype("Float64"),
    "objects with pd.NA": FRAME.astype(object).mask(~SEEN, pd.NA),
    "objects with None": FRAME.astype(object).where(SEEN, None),
    "mixed": FRAME.astype({"a": "Int64", "b": "Float32", "c": object, "d": "Int16"}),
    "sparse": FRAME.astype(pd.SparseDtype("float64", np.nan)),
    "array of objects": FRAME.astype(object).mask(~SEEN, pd.NA).to_numpy(),
    "list": FRAME.astype(object).mask(~SEEN, pd.NA).to_numpy().tolist(),
    "masked array": np.ma.masked_array(WHOLE, ~SEEN),
}


@pytest.fixture(scope="module")
def plain():
    return fill(hidden(WHOLE))


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_table(name, plain):
    assert np.array_equal(fill(FORMS[name]), plain)


def test_booleans_and_float32():
    frame = pd.DataFrame({"a": pd.array([True, None, False, True] * 10, "boolean")})
    frame["b"] = [True, False, False, True] * 10
    filled = fill(frame, latent_dim=1)
    assert filled.dtypes.equals(frame.dtypes) and np.all(filled["b"] == frame["b"])
    assert read_numbers("x", frame).dtype == np.float64
    assert numeric_frame("x", FRAME.astype("Float32")).to_numpy().dtype == np.float32
    assert fill(FRAME.astype("float32")).dtype == np.float32
    assert fill(FRAME.astype({"a": "float32"})).dtype == np.float64


LABELS = {
    "text": ["x", "y", None] * 100,
    "category": pd.Categorical(["x", "y", "z"] * 100),
    "numbers as text": ["1.5", "2", "3"] * 100,
}
OTHERS = {
    "date": pd.date_range("2020", periods=300),
    "complex": np.full(300, 1j),
    "duration": pd.to_timedelta(np.arange(300), "s"),
    "lists": [[1], [2], [3]] * 100,
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_filled_by_the_imputer_and_refused_by_the_models(name):
    frame = FRAME.assign(odd=LABELS[name])
    filled = fill(frame)
    assert filled.dtypes.equals(frame.dtypes) and filled.notna().all(axis=None)
    with pytest.raises(TypeError, match="x must hold numbers.*'odd'"):
        read_numbers("x", frame)
    with pytest.raises(TypeError, match="x must hold numbers.*'odd'"):
        MaskedVAE(6, 2, (4,)).predict({"x": frame}, verbose=0)


@pytest.mark.parametrize("name", OTHERS)
def test_other_columns_are_refused_by_name(name):
    frame = FRAME.assign(odd=OTHERS[name])
    fitted = VADImputer(**SMALL)
    with pytest.raises(TypeError, match="X must hold numbers.*'odd'"):
        fitted.fit(frame)
    with pytest.raises(TypeError, match="x must hold numbers.*'odd'"):
        read_numbers("x", frame)
    with pytest.raises(TypeError, match="x must hold numbers.*'odd'"):
        MaskedVAE(6, 2, (4,)).predict({"x": frame}, verbose=0)


def test_models_take_frames_and_nan_under_a_mask_of_0():
    for make in (lambda: VariationalAutoDecoder(5, 300, 2, (4,)), lambda: MaskedVAE(5, 2, (4,))):
        losses = []
        for x in (np.where(SEEN, WHOLE, 0), *list(FORMS.values())[1::3]):
            model = make()
            model.compile("sgd")
            model.run_eagerly = True
            model.set_weights([np.full(w.shape, 0.01) for w in model.get_weights()])
            mask = pd.DataFrame(SEEN) if isinstance(x, pd.DataFrame) else SEEN
            losses.append(model.evaluate({"x": x, "mask": mask}, verbose=0)[0])
            with pytest.raises(ValueError, match="x holds NaN or infinity"):
                model.evaluate({"x": hidden(WHOLE)}, verbose=0)
        assert np.isfinite(losses).all()
        np.testing.assert_allclose(losses, losses[0], rtol=0.05)  # of different noise


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 7.0])
def test_what_stands_under_a_mask_of_0_is_not_read(value):
    import keras
    import tensorflow as tf

    x = np.where(SEEN, TABLE, value)
    index = np.arange(300)[:, None]
    for model in (VariationalAutoDecoder(5, 300, 2, (4,)), MaskedVAE(5, 2, (4,), sees_mask=True)):
        found = model.reconstruct(x, SEEN)
        assert np.array_equal(found, model.reconstruct(np.where(SEEN, TABLE, 0), SEEN))
        batch = {"x": np.clip(x, -1e38, 1e38).astype("float32"), "mask": SEEN, "index": index}
        with tf.GradientTape() as tape:  # as batches bring it, without a check
            loss = model.objective(model(batch))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        assert all(np.isfinite(keras.ops.convert_to_numpy(tf.convert_to_tensor(g))).all()
                   for g in gradients if g is not None)  # fmt: skip
        wrong = np.where(np.arange(300)[:, None] == 3, np.nan, x)
        with pytest.raises(ValueError, match="x holds NaN or infinity"):
            model.fit({"x": wrong, "mask": np.ones_like(SEEN)}, verbose=0)
