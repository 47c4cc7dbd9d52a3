"""The front door: densities that integrate to 1, units, bounds, frames, combinations, export."""

import itertools

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from model_cases import CASES, cases_of
from model_checks import CHECKS
from scipy import stats

from cvae_keras import CVAE, load_model
from cvae_keras.data.multimodal import GaussianModalities
from cvae_keras.parts.likelihoods import Categorical, Laplace, Normal, Poisson
from cvae_keras.parts.posteriors import FreeTablePosterior
from cvae_keras.systems.cvae.bounds import LINKS, Bounds

SMALL = {"latent_dim": 3, "width": 8, "depth": 1, "prior": "conditional"}  # flows are slow


SLOW = ("lowers_the_loss", "killed_training", "tensorboard", "early_stopping", "evaluate")


@pytest.mark.parametrize("name", cases_of("cvae"))
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, marks=pytest.mark.long)
        if any(part in check.__name__ for part in SLOW)
        else check
        for check in CHECKS
    ],
)
def test_shared_checks(check, name, tmp_path):
    check(CASES[name], tmp_path)


def rows(n=64, seed=0):
    rng = np.random.default_rng(seed)
    c = rng.normal(size=(n, 3))
    return {"x": c[:, :2] + 0.3 * rng.normal(size=(n, 2)), "c": c}


def fitted(x_shape=(2,), c_shape=(3,), data=None, **options):
    keras.utils.set_random_seed(0)
    model = CVAE(x_shape, c_shape, **{**SMALL, **options})
    model.compile(keras.optimizers.Adam(1e-2))
    model.run_eagerly = True
    model.fit(rows() if data is None else data, epochs=2, verbose=0)
    return model


# -- densities ------------------------------------------------------------------------------------
@pytest.mark.parametrize("likelihood", ["normal", "laplace", Normal("learned"), Normal(0.3)])
def test_the_density_of_a_categorical_latent_integrates_to_one(likelihood):
    data = rows()
    data["x"] = 50.0 + 7.0 * data["x"][:, :1]
    model = fitted((1,), posterior="categorical", prior=None, likelihood=likelihood, data=data)
    grid = np.linspace(-200, 300, 4001)[:, None]
    log_p = model.log_prob({"x": grid, "c": np.repeat(data["c"][:1], len(grid), axis=0)})
    assert np.exp(log_p).sum() * (grid[1] - grid[0])[0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("link", LINKS)
def test_the_density_within_bounds_integrates_to_one(link):
    data = rows()
    data["x"] = 3.0 + 2.0 * np.tanh(data["x"][:, :1])
    options = {"posterior": "categorical", "prior": None, "bounds": (1, 5), "link": link}
    model = fitted((1,), **options, data=data)
    grid = np.linspace(1, 5, 20_001)[1:-1, None]
    log_p = model.log_prob({"x": grid, "c": np.repeat(data["c"][:1], len(grid), axis=0)})
    assert np.exp(log_p).sum() * (grid[1] - grid[0])[0] == pytest.approx(1.0, abs=2e-3)


def test_the_density_above_a_bound_integrates_to_one():
    data = rows()
    data["x"] = 2.0 + np.exp(data["x"][:, :1])
    model = fitted((1,), posterior="categorical", prior=None, bounds=(2, None), data=data)
    grid = np.linspace(2, 80, 80_001)[1:, None]
    log_p = model.log_prob({"x": grid, "c": np.repeat(data["c"][:1], len(grid), axis=0)})
    assert np.exp(log_p).sum() * (grid[1] - grid[0])[0] == pytest.approx(1.0, abs=5e-3)
    assert model.sample(data["c"], 50, seed=0).min() >= 2


def test_probabilities_of_counts_sum_to_one():
    data = rows()
    data["x"] = np.random.default_rng(0).poisson(3.0, size=(64, 1))
    model = fitted((1,), posterior="categorical", prior=None, likelihood="poisson", data=data)
    counts = np.arange(200)[:, None]
    log_p = model.log_prob({"x": counts, "c": np.repeat(data["c"][:1], 200, axis=0)})
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-3)


def test_the_unit_of_x_moves_log_p_by_its_logarithm_and_samples_with_it():
    data = rows()
    far = {"x": 1e6 + 1e-3 * data["x"], "c": 100.0 * data["c"]}
    near, other = fitted(data=data), fitted(data=far)
    shift = 2 * np.log(1e-3)
    np.testing.assert_allclose(
        other.log_prob(far, 20) + shift, near.log_prob(data, 20), rtol=1e-3, atol=1e-3
    )
    a, b = near.sample(data["c"], 5, seed=1), other.sample(far["c"], 5, seed=1)
    np.testing.assert_allclose((b - 1e6) / 1e-3, a, rtol=1e-3, atol=2e-3)


@pytest.mark.long
def test_it_meets_the_exact_density_of_gaussians():
    data = GaussianModalities({"x": 3, "c": 4}, seed=0)
    train, test = data.examples(20_000, seed=1), data.examples(500, seed=2)
    model = CVAE((3,), (4,), latent_dim=3, width=32)
    model.compile(keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, 1500)))
    model.fit(train, epochs=10, batch_size=128, verbose=0)
    exact = data.log_prob(test, "x", ["c"]).mean()
    assert model.log_prob(test, 200).mean() == pytest.approx(exact, abs=0.06)
    low, high = model.interval(test["c"], 0.9, 500)
    inside = ((test["x"] > low) & (test["x"] < high)).mean()
    assert inside == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("link", LINKS)
def test_bounds_by_arrays_and_by_tensors_are_one_transformation(link):
    bounds = Bounds("x", (-3.0, 5.0), (1,), link)
    x = np.random.default_rng(0).uniform(-3, 5, (10_000, 1)).astype("float32")
    u = bounds.unbounded(x)
    np.testing.assert_allclose(bounds.bounded(u), x, atol=2e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(bounds.read(x)), u, atol=2e-2)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(bounds.write(u.astype("float32"))), x, atol=1e-5
    )
    np.testing.assert_allclose(bounds.bounded(np.array([[-1e3], [1e3]])), [[-3.0], [5.0]])
    slope = (bounds.bounded(u + 1e-2).astype(float) - bounds.bounded(u - 1e-2)) / 2e-2
    central = np.abs(u) < 2
    found = np.exp(keras.ops.convert_to_numpy(bounds.log_jacobian(u.astype("float32"))))
    np.testing.assert_allclose(found[central], slope[central], rtol=1e-3)


def test_what_is_uniform_becomes_normal_by_the_probit():
    share = (np.arange(10_000) + 0.5)[:, None] / 10_000
    u = Bounds("x", (0, 1), (1,), "probit").unbounded(share)
    assert stats.kstest(u[:, 0], "norm").statistic < 1e-4


# -- draws ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("link", LINKS)
def test_samples_never_leave_the_bounds(link):
    data = rows()
    data["x"] = np.random.default_rng(0).uniform([0.1, -1], [0.7, 1], size=(64, 2))
    model = fitted(bounds=([0.1, -1], [0.7, 1]), link=link, data=data)
    with pytest.raises(ValueError, match="x must lie within its bounds, but 1 of"):
        model.log_prob({"x": [[0.05, 0.0]], "c": data["c"][:1]})
    model.data.x.units["x"].assign(np.array([0.0, 0.0]), np.array([1e3, 1e3]))
    draws = model.sample(data["c"], n_samples=200, seed=0).astype("float64")
    assert draws.min(axis=(0, 1)) == pytest.approx([0.1, -1], abs=1e-6)
    assert (draws >= [0.1, -1]).all() and (draws <= [0.7, 1]).all()


def test_an_interval_of_counts_ends_at_counts_and_holds_its_share():
    data = {**rows(), "x": np.random.default_rng(0).poisson(3.0, (64, 2))}
    model = fitted(posterior="categorical", prior=None, likelihood="poisson", data=data)
    c = data["c"]
    low, high = ends = model.interval(c, 0.8, n_samples=200, seed=1)
    draws = model.sample(c, n_samples=200, seed=1)
    assert (ends == np.round(ends)).all()
    assert ((low <= draws) & (draws <= high)).mean(axis=0).min() >= 0.8
    assert (draws < low).mean(axis=0).max() < 0.1 and (draws > high).mean(axis=0).max() <= 0.1


@pytest.mark.long
def test_each_entry_has_its_own_noise():
    rng = np.random.default_rng(0)
    c = rng.normal(size=(512, 2))
    x = np.stack([rng.normal(size=512) * (0.1 + (c[:, 0] > 0)), 5 + 0.1 * c[:, 1]], axis=1)
    model = CVAE((2,), (2,), posterior="gaussian", prior="standard", latent_dim=1, width=16)
    decay = keras.optimizers.schedules.CosineDecay(1e-2, 60 * 16)
    model.compile(keras.optimizers.Adam(decay))
    model.fit(c, x, epochs=60, verbose=0)
    found = model.sample([[-1.0, 0.0], [1.0, 0.0]], 2000, seed=0).std(axis=0)
    assert found[0, 0] < 0.3 < 0.8 < found[1, 0] and (found[:, 1] < 0.1).all()


@pytest.mark.long
def test_named_arrays_of_every_kind():
    rng = np.random.default_rng(0)
    shapes = {"real": (2,), "curve": (9, 1), "image": (6, 5, 3), "kind": (4,), "count": (1,)}
    likelihoods = {
        "real": Laplace("decoder"),
        "curve": "normal",
        "image": "bernoulli",
        "kind": "categorical",
        "count": "poisson",
    }
    x = {
        "real": rng.normal(size=(64, 2)),
        "curve": rng.normal(size=(64, 9, 1)),
        "image": rng.random((64, 6, 5, 3)),
        "kind": rng.integers(0, 4, 64),
        "count": rng.poisson(4.0, size=64),
    }
    data = {"x": x, "c": {"u": rng.normal(size=(64, 3)), "v": rng.normal(size=(64, 8, 2))}}
    parts = {"likelihood": likelihoods, "prior": "flow", "posterior": "flow"}
    model = fitted(shapes, {"u": (3,), "v": (8, 2)}, data, **parts)
    draws = model.sample(data["c"], n_samples=2, seed=0)
    assert {name: draws[name].shape[2:] for name in draws} == shapes
    assert set(np.unique(draws["image"])) == {0, 1} and (draws["kind"].sum(axis=-1) == 1).all()
    assert (draws["count"] == np.round(draws["count"])).all()
    means = model.predict(data["c"], n_samples=3)
    assert means["kind"].shape == (64,) and means["kind"].max() < 4
    assert np.isfinite(model.log_prob(data, 5)).all()


def test_missing_entries_are_left_out():
    data = rows()
    whole, mask = data["x"].copy(), np.ones((64, 2))
    data["x"][::3, 0] = np.nan
    mask[::3, 0] = 0
    model = fitted(data=data, masks=True)
    log_p = model.log_prob(data, 5)
    assert np.isfinite(log_p).all()
    np.testing.assert_array_equal(model.log_prob({**data, "x": whole, "mask": mask}, 5), log_p)
    with pytest.raises(ValueError, match="mask of 'x' must hold 1 where"):
        model.log_prob({**data, "mask": 0.5 * mask})
    with pytest.raises(ValueError, match="make the model with masks=True"):
        fitted(data=data)


# -- data as Keras takes them ---------------------------------------------------------------------
class Pairs(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return ({name: a[16 * index : 16 * index + 16] for name, a in rows().items()},)


def generator():
    pairs = Pairs()
    yield from (pairs[index % 4][0] for index in itertools.count())


@pytest.mark.parametrize("kind", ["pair", "tf.data", "PyDataset", "generator"])
def test_data_in_every_form_of_keras(kind):
    model, data, steps = CVAE((2,), (3,), **SMALL), rows(), None
    model.compile(keras.optimizers.Adam(1e-3))
    model.run_eagerly = True
    if kind == "pair":
        model.fit(data["c"], data["x"], epochs=1, verbose=0, validation_data=(data["c"], data["x"]))
    else:
        steps = 4 if kind == "generator" else None
        given = {"PyDataset": Pairs(), "generator": generator()}
        given["tf.data"] = tf.data.Dataset.from_tensor_slices(data).batch(16)
        model.fit(given[kind], epochs=1, steps_per_epoch=steps, verbose=0)
    shift, scale = model.data.x.units["x"].numbers()
    np.testing.assert_allclose(shift, data["x"].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale, data["x"].std(axis=0), rtol=1e-5)


def test_units_are_those_of_the_training_rows_and_stay():
    data = rows()
    data["x"][-16:] += 100
    model = fitted(data=None)
    before = model.data.x.units["x"].numbers()
    model.fit(data, epochs=1, verbose=0)
    np.testing.assert_array_equal(model.data.x.units["x"].numbers(), before)
    split = CVAE((2,), (3,), **SMALL)
    split.compile("adam")
    split.run_eagerly = True
    split.fit(data, validation_split=0.25, epochs=1, verbose=0)
    shift, _ = split.data.x.units["x"].numbers()
    np.testing.assert_allclose(shift, data["x"][:48].mean(axis=0), rtol=1e-5)


def test_a_condition_with_a_long_tail_is_read_as_its_logarithm():
    data = rows()
    tail = np.exp(3.0 * data["c"])
    model, other = fitted(data=data), fitted(data={**data, "c": tail})
    shift, scale = other.data.c.units["c"].numbers()
    np.testing.assert_allclose(shift, np.log(tail + tail.min(axis=0)).mean(axis=0), rtol=1e-4)
    assert not model.data.c.tails["c"].numpy().any() and (other.data.c.tails["c"] > 0).numpy().all()
    inside = other.data.c.tensors({"c": tf.constant(tail, "float32")})["c"]
    outside = other.data.c.standardize(other.data.c.check(tail))["c:c"]
    np.testing.assert_allclose(inside, outside, atol=1e-4)


# -- frames ---------------------------------------------------------------------------------------
def frame(n=80):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "price": 30 + 5 * rng.normal(size=n),
            "kind": pd.Categorical(rng.choice(["low", "mid", "high"], n), ["low", "mid", "high"]),
            "visits": rng.poisson(3.0, n),
            "age": rng.integers(20, 80, n),
            "city": rng.choice(["Bern", "Oslo"], n),
        },
        index=np.arange(n) + 1000,
    )


def of_frame():
    target = {"price": Normal("decoder"), "kind": Categorical(3), "visits": Poisson()}
    return CVAE(target=target, given=["age", "city"], **SMALL)


def test_frames_come_back_as_they_went_in(tmp_path):
    data, model = frame(), of_frame()
    with pytest.raises(ValueError, match="has not seen its columns yet"):
        model.sample(data[:2])
    model.compile(keras.optimizers.Adam(1e-2))
    model.run_eagerly = True
    model.fit(data, epochs=2, verbose=0)
    draws = model.sample(data[:3], n_samples=4, seed=0)
    assert len(draws) == 12 and draws.index.names[0] == "draw"
    assert draws.loc[1].index.tolist() == [1000, 1001, 1002]
    assert draws.dtypes["kind"] == data.dtypes["kind"] and draws.dtypes["visits"] == "int64"
    assert draws.columns.tolist() == ["price", "kind", "visits"]
    ends = model.interval(data[:3], 0.8, 200)
    assert (ends["price"]["low"] < ends["price"]["high"]).all() and "kind" not in ends
    assert model.predict(data[:3], n_samples=3).index.tolist() == [1000, 1001, 1002]
    model.save(tmp_path / "frame.keras")
    loaded = load_model(tmp_path / "frame.keras")
    pd.testing.assert_frame_equal(loaded.sample(data[:3], n_samples=4, seed=0), draws)
    with pytest.raises(ValueError, match="the frame lacks \\['city'\\], which given names"):
        model.sample(data[["age"]])
    with pytest.raises(ValueError, match="'Rome', which is not among"):
        model.sample(data[:1].assign(city="Rome"))


@pytest.mark.long
def test_a_model_that_was_not_compiled_trains_and_stops_early():
    data = rows(200)
    model = CVAE((2,), (3,), **SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cvae_keras.systems.cvae.defaults.EPOCHS", 3)
        history = model.fit(data, verbose=0).history
    assert len(history["val_loss"]) == 3 and type(model.optimizer).__name__ == "FusedAdam"


def test_no_draws_are_refused_by_every_method():
    model, c = fitted(), rows()["c"]
    for call in (model.sample, model.predict, model.interval):
        with pytest.raises(ValueError, match="n_samples must be a positive integer, got 0"):
            call(c, n_samples=0)


# -- trust ----------------------------------------------------------------------------------------
def test_the_report_says_what_is_wrong(capsys):
    data = rows(300)
    model = fitted(data=data)
    model.history.history.update(loss=[0.0], val_loss=[5.0])
    report = model.report(data["x"], data["c"], n_samples=100)
    assert str(report) in capsys.readouterr().out and report.ranks.examples == 300
    assert any("5.00 nats above the training loss" in warning for warning in report.warnings)
    wider = data["x"] + 5.0 * np.random.default_rng(1).normal(size=(300, 2))
    narrow = model.report(wider, data["c"], n_samples=100)
    assert not narrow.calibrated and "overconfident" in str(narrow)


def test_a_latent_that_is_not_used_is_named():
    model = fitted(posterior="gaussian", prior="standard")
    model.posterior.network.start = np.zeros(3, "float32")
    for weight in model.posterior.weights:
        weight.assign(keras.ops.zeros(weight.shape))
    model.data.x.units["x"].assign(np.zeros(2), np.full(2, 1e6))  # x is 0: q = N(0, I)
    warnings = model.report(rows(), n_samples=50).warnings
    assert any("The latent is not used" in warning for warning in warnings)


# -- combinations ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"posterior": "categorical", "prior": "flow"}, "posterior is categorical but prior"),
        ({"c_shape": None, "prior": "flow"}, "prior 'flow' reads a condition"),
        ({"bounds": (1, 0)}, "bounds of 'x' must be"),
        ({"link": "cauchit"}, "link 'cauchit' is unknown"),
        ({"bounds": (0, 1), "likelihood": "laplace"}, "bounds of 'x' need the likelihood"),
        ({"likelihood": "poison"}, "likelihood of 'x' 'poison' is unknown"),
        ({"likelihood": {"y": "normal"}}, "likelihood must have an entry for each"),
        ({"network": "conv2d"}, "network 'conv2d' reads arrays of shape"),
        ({"x_shape": ()}, "must be a shape such as"),
        ({"x_shape": None}, "x_shape or target must be given"),
        ({"target": {"a": "normal"}}, "x_shape or target must be given, and not both"),
        ({"given": ["a"]}, "c_shape and given are both the condition"),
        ({"x_shape": None, "target": {"a": Categorical()}}, "without the number of its classes"),
    ],
)
def test_what_cannot_be_combined_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        CVAE(**{"x_shape": (2,), "c_shape": (3,), **SMALL, **options})


@pytest.mark.long
def test_networks_of_ones_own(tmp_path):
    layers = {
        name: keras.Sequential([keras.layers.Dense(5, activation="tanh")])
        for name in ("x_network", "c_network", "decoder_network")
    }
    model = fitted(**layers)
    model.save(tmp_path / "own.keras")
    loaded, c = load_model(tmp_path / "own.keras"), rows()["c"]
    np.testing.assert_array_equal(loaded.sample(c, seed=0), model.sample(c, seed=0))
    with pytest.raises(TypeError, match="c_network must be a Keras layer or model, got int"):
        CVAE((2,), (3,), c_network=3)


def test_a_free_table_reads_the_number_of_each_row():
    data = {**rows(), "index": np.arange(64)}
    model = fitted(posterior=FreeTablePosterior(64, 3), data=data)
    assert np.isfinite(model.evaluate(data, verbose=0, return_dict=True)["loss"])
    with pytest.raises(ValueError, match="index must hold whole numbers from 0 below 64"):
        model.evaluate({**data, "index": np.arange(64) + 1}, verbose=0)


@pytest.mark.long
def test_the_exported_sampler_equals_the_model(tmp_path):
    model, c = fitted(), rows()["c"][:5].astype("float32")
    z = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    found = served.serve({"z": z, "c": c})["x"]
    h = model.read({name: tf.constant(a) for name, a in model.check_condition(c).items()})
    latent = model.prior(h).from_noise(z[None])
    expected = model.data.x.restore(
        {"x": model.likelihood.mean(model.decoder(latent, h))["x"][0].numpy()}
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
