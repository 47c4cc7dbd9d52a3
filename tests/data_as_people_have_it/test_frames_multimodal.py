"""Modalities as pandas frames and series, nullable types, objects and masked arrays."""

import keras
import numpy as np
import pandas as pd
import pytest

from cvae_keras.data.frames import read_numbers
from cvae_keras.systems.multimodal import MultimodalCVAE
from cvae_keras.training import FusedAdam

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=(20, 2)),
    "age": RNG.integers(20, 80, size=(20, 1)),
    "label": RNG.integers(3, size=20),
    "flags": RNG.integers(2, size=(20, 2)),
}
DIMS = {"x": 2, "age": 1, "label": 3, "flags": 2}


def make(**options):
    keras.utils.set_random_seed(0)
    model = MultimodalCVAE("x", ["age", "label", "flags"], DIMS, hidden=(8,), **options)
    model.compile(FusedAdam())
    model.run_eagerly = True
    return model


INDEX = RNG.permutation(20) + 100  # rows are paired by position, not by index
FRAMES = {
    "plain": {
        "x": pd.DataFrame(ARRAYS["x"], index=INDEX),
        "age": pd.Series(ARRAYS["age"][:, 0]),
        "label": pd.Series(ARRAYS["label"], index=INDEX),
        "flags": pd.DataFrame(ARRAYS["flags"]).astype(bool),
    },
    "nullable": {
        "x": pd.DataFrame(ARRAYS["x"]).astype("Float64"),
        "age": pd.Series(ARRAYS["age"][:, 0], dtype="Int64"),
        "label": pd.Series(ARRAYS["label"], dtype="UInt8"),
        "flags": pd.DataFrame(ARRAYS["flags"]).astype("boolean"),
    },
    "objects": {
        "x": ARRAYS["x"].astype(object),
        "age": pd.DataFrame({"age": ARRAYS["age"][:, 0].astype(object)}),
        "label": ARRAYS["label"].astype(object),
        "flags": ARRAYS["flags"].astype(bool).tolist(),
    },
    "mixed": {
        "x": pd.DataFrame({"a": ARRAYS["x"][:, 0], "b": pd.array(ARRAYS["x"][:, 1])}),
        "age": pd.DataFrame({"age": ARRAYS["age"][:, 0]}),
        "label": pd.array(ARRAYS["label"], dtype="Int64"),
        "flags": pd.DataFrame(
            {"a": ARRAYS["flags"][:, 0] > 0, "b": pd.array(ARRAYS["flags"][:, 1], dtype="Int8")}
        ),
    },
    "columns of the same name": {
        **ARRAYS,
        "x": pd.DataFrame(ARRAYS["x"], columns=["a", "a"]),
    },
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_are_arrays(kind):
    frames, models = FRAMES[kind], [make(), make()]
    for model, arrays in zip(models, (ARRAYS, frames), strict=True):
        model.fit(arrays, verbose=0, shuffle=False)
        model.evaluate(arrays, verbose=0)
    one, other = models
    conditions = {name: frames[name] for name in ("age", "label", "flags")}
    plain = {name: ARRAYS[name] for name in conditions}
    np.testing.assert_allclose(one.log_prob(ARRAYS, K=3), other.log_prob(frames, K=3), rtol=1e-5)
    np.testing.assert_allclose(
        one.sample(plain, seed=0), other.sample(conditions, seed=0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        one.predict(ARRAYS, verbose=0), other.predict(frames, verbose=0), rtol=1e-4, atol=1e-6
    )


MISSING = {
    "series": ("age", pd.Series([pd.NA, *ARRAYS["age"][1:, 0]], dtype="Int64")),
    "objects": ("age", np.array([[None], *ARRAYS["age"][1:].tolist()], dtype=object)),
    "frame": (
        "flags",
        pd.DataFrame(
            {"a": [pd.NA, *ARRAYS["flags"][1:, 0]], "b": [pd.NA, *ARRAYS["flags"][1:, 1]]},
            dtype="boolean",
        ),
    ),
    "classes": ("label", pd.Series([pd.NA, *ARRAYS["label"][1:]], dtype="Int64")),
    "NaN": ("age", np.concatenate([[[np.nan]], ARRAYS["age"][1:]])),
    "masked array": ("age", np.ma.masked_array(ARRAYS["age"], np.arange(20)[:, None] == 0)),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_values_are_the_mask_or_refused(kind):
    name, values = MISSING[kind]
    arrays, mask = {**ARRAYS, name: values}, (np.arange(20) > 0).astype("float32")
    with pytest.raises(ValueError, match=f"{name} holds NaN or infinity"):
        make().fit(arrays, verbose=0)
    models = make(drop_rate=0.2), make(drop_rate=0.2)
    models[0].fit(arrays, verbose=0, shuffle=False)
    models[1].fit({**ARRAYS, name + "_mask": mask}, verbose=0, shuffle=False)
    found, expected = (model.log_prob(ARRAYS, K=3) for model in models)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_example_that_lacks_a_part_of_a_modality_is_refused():
    flags = ARRAYS["flags"].astype("float64")
    flags[3, 1] = np.nan
    with pytest.raises(ValueError, match="flags holds NaN"):
        make(drop_rate=0.2).fit({**ARRAYS, "flags": flags}, verbose=0)
    main = ARRAYS["x"].copy()
    main[0] = np.nan
    with pytest.raises(ValueError, match="x holds NaN"):
        make(drop_rate=0.2).fit({**ARRAYS, "x": main}, verbose=0)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("age", pd.DataFrame({"years": ["30"] * 20}), r"age must hold numbers.*'years'"),
        ("age", pd.Series(["30"] * 20), r"age must hold numbers"),
        ("age", pd.Series(["a", "b"] * 10, dtype="category"), "age must hold numbers.*category"),
        ("age", pd.DataFrame({"when": pd.date_range("2020", periods=20)}), "numbers.*'when'"),
        ("age", np.array(["30"] * 20), "age must hold numbers, got dtype <U2"),
        ("age", np.array([[3.0]] * 19 + [["text"]], dtype=object), "got 'text' of type str"),
        ("age", np.ones(20, complex), "age must hold numbers, got dtype complex128"),
        (
            "flags",
            pd.DataFrame({"one": np.ones(20), "two": pd.Categorical([1, 2] * 10)}),
            "flags must hold numbers, got dtype category in its column 'two'",
        ),
    ],
)
def test_text_and_categories_are_refused_by_name(name, values, sentence):
    for model in (make(), make(drop_rate=0.2)):
        with pytest.raises(TypeError, match=sentence):
            model.fit({**ARRAYS, name: values}, verbose=0)
        assert not model.adapted


def test_rows_of_different_lengths_and_frames_in_place_of_a_dictionary_are_refused():
    with pytest.raises(ValueError, match="flags has rows of different lengths"):
        make().fit({**ARRAYS, "flags": [[1, 2]] * 19 + [[1]]}, verbose=0)
    with pytest.raises(ValueError, match="x must be a dictionary of arrays"):
        make().fit(pd.DataFrame(ARRAYS["x"]), verbose=0)


TWO = [2**60, 2**60 + 1]


@pytest.mark.parametrize(
    "values",
    [
        np.array(TWO),
        np.array(TWO, "uint64"),
        [[0, TWO[0]], [0, TWO[1]]],
        np.array(TWO, object),
        np.ma.masked_array([*TWO, 5], [0, 0, 1]),
        pd.Series(TWO, dtype="Int64"),
        pd.array([*TWO, None], dtype="Int64"),
        pd.DataFrame({"id": TWO}),
        pd.DataFrame({"id": TWO}, dtype=object),
        -np.array(TWO),
    ],
)
def test_whole_numbers_that_float64_merges_are_refused(values):
    with pytest.raises(ValueError, match=rf"id holds whole numbers beyond 2\^53.*{TWO[1]}"):
        read_numbers("id", values)


def test_whole_numbers_that_float64_tells_apart_are_read():
    for values in ([2**60, 2**60 + 256], [2**60 + 1, 5], [-(2**63), 2**63 - 1], [[2**60, TWO[1]]]):
        found = read_numbers("id", pd.Series(values, dtype="Int64") if values[0] == 5 else values)
        assert np.array_equal(found, np.array(values))
    hidden = np.ma.masked_array(TWO, [0, 1])
    assert read_numbers("id", hidden)[0] == 2**60
