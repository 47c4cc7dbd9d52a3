"""What the front door refuses: each in one sentence, and nothing is trained on it."""

from functools import cache

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from cvae_keras import CVAE, ELBOModel
from cvae_keras.parts import Bernoulli, GaussianPosterior, StandardNormal
from cvae_keras.parts.likelihoods import Categorical, Normal, Poisson
from cvae_keras.systems.cvae.defaults import completed
from cvae_keras.training.batches import finite, refusals

SMALL = {"latent_dim": 2, "width": 4, "depth": 1, "prior": "conditional"}


def rows(n=32):
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(n, 2)), "c": rng.normal(size=(n, 3))}


def frame(n=30):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "price": rng.normal(size=n),
            "kind": rng.choice(["a", "b", "c"], n),
            "visits": rng.poisson(3.0, n),
            "age": rng.integers(20, 80, n),
            "city": rng.choice(["Bern", "Oslo"], n),
        }
    )


def of_frame(**options):
    target = {"price": Normal("decoder"), "kind": Categorical(3), "visits": Poisson()}
    return CVAE(**{**SMALL, "target": target, "given": ["age", "city"], **options})


@cache
def of_arrays(**options):
    return CVAE((2,), (3,), **{**SMALL, **options})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dropout": 2.0}, "dropout must lie in"),
        ({"masks": "x"}, "masks must be True or False"),
        ({"categorical": "kind"}, "categorical must be a list of names among"),
        ({"likelihood": "poisson", "bounds": (0, 5)}, "Poisson, whose draws would leave them"),
        ({"likelihood": "bernoulli", "bounds": (0, 1)}, "Bernoulli, whose draws would leave them"),
        ({"x_shape": 1, "likelihood": "categorical"}, "has one entry for each class: make it at"),
        ({"x_shape": (8, 2), "x_network": keras.layers.Conv1D(2, 3)}, "must return features"),
        ({"x_shape": {1: (2,)}}, "names of arrays and columns must be texts, got 1"),
        ({"x_shape": None, "target": {"a": "normal"}, "given": ["a"]}, "given names 'a', which"),
        ({"x_shape": None, "target": {"a": "normal"}, "given": ["b", "b"]}, "given names 'b'"),
    ],
)
def test_arguments(options, sentence):
    shapes = {"x_shape": (2,), "c_shape": None if "given" in options else (3,)}
    with pytest.raises(ValueError, match=sentence) as error:
        CVAE(**{**SMALL, **shapes, **options})
    assert "\n" not in str(error.value)


# -- batches --------------------------------------------------------------------------------------
def batches(data):
    return tf.data.Dataset.from_tensor_slices(data).batch(16)


def last_changed(array, value):
    array = np.array(array, "float64")
    array[-1] = value
    return array


COUNTS = np.random.default_rng(0).poisson(3.0, (32, 2))
CLASSES = np.random.default_rng(0).integers(0, 2, 32)


@pytest.mark.parametrize(
    ("options", "changes", "sentence"),
    [
        ({"likelihood": "poisson"}, {"x": last_changed(COUNTS, -1)}, "x must hold counts"),
        ({"likelihood": "categorical"}, {"x": last_changed(CLASSES, 7)}, "that of class numbers"),
        ({"bounds": (-9, 9)}, {"x": last_changed(rows()["x"], 10)}, "x must lie within its bounds"),
        ({}, {"x": rows()["x"][:, :1]}, r"x has shape \(16, 1\); give \(batch, 2\)"),
        ({}, {"mask": np.zeros((32, 2))}, "mask is given, but the model was made without"),
        ({}, {"weight": np.ones((32, 1))}, r"the inputs hold \['weight'\]"),
    ],
)
def test_each_batch_is_checked(options, changes, sentence):
    given = batches({**rows(), **changes})
    generator = (keras.tree.map_structure(np.asarray, batch) for batch in given)
    for data in (given, generator):
        read = finite(data, of_arrays(**options).check_batch)
        with pytest.raises(ValueError, match=f"refused in a batch: .*{sentence}"), refusals():
            list(read)


def test_named_arrays_in_batches_are_checked():
    model = CVAE({"a": (2,), "n": (1,)}, (3,), likelihood={"a": "normal", "n": "poisson"}, **SMALL)
    data = {"x": {"a": rows()["x"], "n": COUNTS[:, 0]}, "c": rows()["c"]}
    assert len(list(finite(batches(data), model.check_batch))) == 2
    data["x"]["n"] = last_changed(COUNTS[:, 0], 0.5)
    with pytest.raises(ValueError, match="n must hold counts"), refusals():
        list(finite(batches(data), model.check_batch))


def test_a_plain_model_checks_the_support_in_batches():
    dense = keras.layers.Dense
    parts = GaussianPosterior(dense(4), 2), StandardNormal(2), dense(2), Bernoulli()
    model = ELBOModel(*parts)
    model.compile("adam", run_eagerly=True)
    given = batches({"x": last_changed(np.ones((32, 2)), 2.0)})
    with pytest.raises(ValueError, match="x holds 2, and Bernoulli is for values in"):
        model.fit(given, verbose=0)


def test_batches_of_something_else_than_dictionaries():
    model, data = of_arrays(), rows()
    model.compile("adam")
    with pytest.raises(ValueError, match="must be a dictionary of arrays, .* got a tuple"):
        model.fit(batches((data["c"], data["x"])), verbose=0)
    with pytest.raises(ValueError, match="must be a dictionary of arrays, .* got an array"):
        model.predict(batches(data["c"]))


# -- calls ----------------------------------------------------------------------------------------
def test_calls():
    model, data = of_arrays(), rows()
    model.adapt(data)
    model.compile("adam")
    with pytest.raises(ValueError, match="c has shape .*, that of class numbers, but the model"):
        model.sample(np.zeros(5, int))
    with pytest.raises(ValueError, match=r"predict got \['bogus'\], which a condition does not"):
        model.predict(data["c"], bogus=1)
    assert model.predict(data["c"], 8, verbose=0, n_samples=2).shape == (32, 2)
    with pytest.raises(ValueError, match="sample_weight is 0 for all rows"):
        model.fit(data, sample_weight=np.zeros(32), verbose=0)
    with pytest.raises(ValueError, match="index is given, but the model has no free table"):
        model.log_prob({**data, "index": np.arange(32)})
    with pytest.raises(ValueError, match=r"same length, got \{'x': 5, 'c': 32\}"):
        model.log_prob({**data, "x": data["x"][:5]})
    model.compile("adam", metrics=["mae"])
    with pytest.raises(ValueError, match="compile got metrics"):
        model.fit(data, verbose=0)


def test_a_dictionary_is_a_condition_or_data_by_its_keys():
    model = CVAE((2,), {"xa": (3,), "b": (1,)}, **SMALL)
    condition = {"xa": rows()["c"], "b": COUNTS[:, 0]}
    assert model.data.is_condition(condition) and model.data.is_condition({"xa": rows()["c"]})
    assert not model.data.is_condition({"x": rows()["x"], "c": condition})
    named = CVAE((2,), {"x": (3,)}, **SMALL)
    assert named.data.is_condition({"x": rows()["c"]})
    with pytest.raises(ValueError, match="may be the data of fit, or the condition"):
        CVAE((2,), {"x": (3,), "c": (1,)}, **SMALL).data.is_condition({"x": 1, "c": 2})


# -- frames ---------------------------------------------------------------------------------------
def test_frames_that_are_refused_leave_nothing():
    model, data = of_frame(), frame()
    for refused, sentence in (
        (data.assign(kind=data["kind"].replace("c", "a")), "kind holds the 2 labels"),
        (pd.concat([data, data[["age"]]], axis=1), "several columns of the name 'age'"),
        (data.assign(city=[1, *data["city"][1:]]), "city holds values of types"),
        (data.assign(city=data.index.astype(str)), "another label in each of 30 rows"),
        ({"x": data[["price"]].to_numpy(), "c": data[["age"]].to_numpy()}, "got the arrays"),
    ):
        with pytest.raises(ValueError, match=sentence):
            model.adapt(refused)
        assert model.get_config()["labels"] == {} and not model.data.is_known
    model.adapt(data)
    assert model.get_config()["labels"] == {"kind": ["a", "b", "c"]}


def test_one_column_as_y():
    model, data = CVAE(target={"price": "normal"}, given=["age"], **SMALL), frame()
    model.compile("adam", run_eagerly=True)
    model.fit(data[["age"]], data["price"], batch_size=30, verbose=0)
    assert model.data.x.units["price"].numbers()[0] == pytest.approx(data["price"].mean(), rel=1e-5)
    with pytest.raises(ValueError, match="y is one column, and target names"):
        of_frame().fit(data[["age", "city"]], data["price"])


def test_columns_of_every_name():
    names = {"price": "price/m2", "visits": "visits_mask", "age": "z"}
    target = {"price/m2": Normal("learned"), "visits_mask": Poisson()}
    model = CVAE(target=target, given=["z"], **SMALL)
    model.adapt(frame().rename(columns=names))
    assert list(model.sample(pd.DataFrame({"z": [40.0]}))) == ["price/m2", "visits_mask"]


def test_missing_counts_and_labels_are_left_out():
    data = frame().astype({"visits": "Int64"})
    data.loc[0, "kind"], data.loc[1, "visits"], data.loc[2, "price"] = None, pd.NA, np.nan
    model = of_frame(masks=True)
    model.adapt(data)
    checked = model.check_inputs(data)
    for number, name in enumerate(["kind", "visits", "price"]):
        missing = (checked[f"mask:{name}"] == 0).all(axis=-1)
        assert missing.tolist() == [row == number for row in range(30)]
    filled = data.assign(kind=data["kind"].fillna("b"), visits=data["visits"].fillna(7))
    with_mask = {
        "x": {n: filled[n] for n in ("price", "kind", "visits")},
        "c": data[["age", "city"]],
    }
    with_mask["mask"] = {name: checked[f"mask:{name}"] for name in ("kind", "visits")}
    found = model.log_prob(data, 5)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(model.log_prob(with_mask, 5), found)


def test_missing_class_numbers():
    model = CVAE((4,), None, likelihood="categorical", masks=True, **{**SMALL, "prior": "standard"})
    checked = model.check_inputs({"x": [2.0, np.nan, 3.0]})
    assert checked["mask:x"].tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4]
    assert checked["x:x"][[0, 2]].argmax(axis=1).tolist() == [2, 3]


# -- how a model trains that was not compiled -----------------------------------------------------
def test_the_rate_falls_and_each_fit_begins_anew():
    model, data = CVAE((2,), (3,), **SMALL), rows(64)
    wanted = [1e-3, 0.75e-3, 0.5e-3, 0.25e-3]  # at 0, 1/3, 1/2 and 2/3 of half a cosine
    first = model.fit(data, epochs=3, verbose=0).history["learning_rate"]
    np.testing.assert_allclose(first, [wanted[0], wanted[1], wanted[3]], rtol=1e-5)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    later = model.fit(data, epochs=4, initial_epoch=2, verbose=0).history
    assert later["learning_rate"][0] == pytest.approx(wanted[2], rel=1e-5)
    assert len(later["val_loss"]) == 2
    model.compile("adam")
    assert set(model.fit(data, verbose=0).history) == {
        "active_units",
        "elbo",
        "kl",
        "loss",
        "reconstruction",
    }


def test_what_is_named_is_not_replaced():
    plateau = keras.callbacks.ReduceLROnPlateau()
    found = completed((64, 7), {"callbacks": [plateau]}, arrays=True, validation_data=None)
    assert (found["batch_size"], found["epochs"], found["validation_split"]) == (64, 7, 0.1)
    names = [type(each).__name__ for each in found["callbacks"]]
    assert names == ["ReduceLROnPlateau", "EarlyStopping"]
    batches = completed((), {}, arrays=False, validation_data=None)
    assert set(batches) == {"epochs", "callbacks"} and len(batches["callbacks"]) == 1
