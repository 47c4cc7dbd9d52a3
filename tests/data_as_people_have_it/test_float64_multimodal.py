"""Sums and centering in float64: multimodal data with a large mean beside their spread."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cvae_keras.systems.multimodal import MultimodalCVAE
from cvae_keras.systems.saved import load_model
from cvae_keras.training import FusedAdam


def make(dims, **options):
    main, *conditions = dims
    model = MultimodalCVAE(main, conditions, dims, latent_dim=1, hidden=(16,), **options)
    model.compile(FusedAdam(1e-2))
    return model


@pytest.mark.parametrize(
    ("rows", "mean", "shape"),
    [(20_000, 1e5, (2,)), (200_000, 1e4, (1,)), (50_000, 1e6, (3,)), (20_000, -1e5, (2,)),
     (2000, 1e5, (4, 4))],
)  # fmt: skip
def test_moments_of_float32_are_summed_in_float64(rows, mean, shape):
    rng = np.random.default_rng(0)
    c = rng.normal(mean, 1.0, (rows, *shape)).astype("float32")
    model = make({"x": 1, "c": shape})
    model.adapt({"x": rng.normal(size=rows), "c": c})
    shift, scale = model.units["c"]
    np.testing.assert_allclose(shift, c.mean(axis=0, dtype="float64"), atol=1e-6)
    np.testing.assert_allclose(scale, 1.0, atol=0.05)


@pytest.mark.parametrize("mean", [1e9, 1.7e9, 1e10, -1e9, 1e12])
def test_what_lies_far_from_zero_is_generated_with_its_spread(mean, tmp_path):
    rng = np.random.default_rng(0)
    c = rng.normal(size=(512, 1))
    x = mean + c + 0.1 * rng.normal(size=(512, 1))
    keras.utils.set_random_seed(0)
    model = make({"x": 1, "c": 1})
    model.fit({"x": x, "c": c}, epochs=30, verbose=0)
    samples = model.sample(c, seed=0)[0]
    assert samples.dtype == np.float64 and len(np.unique(samples)) > 500
    assert np.std(samples - x) < 0.2 and abs(np.mean(samples - x)) < 0.2
    for found in (
        model.predict({"x": x, "c": c}, verbose=0),
        model.decode(model.encode({"x": x, "c": c}, return_mean=True)).reconstruction,
        model.predict_main({"c": c}, ["c"]).reconstruction,
    ):
        assert np.std(found - x) < 0.2
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert np.array_equal(loaded.sample(c, seed=0)[0], samples)


def test_a_condition_far_from_zero_is_used():
    rng = np.random.default_rng(0)
    seconds = 1.7e9 + np.arange(600.0)[:, None]  # one a second
    x = (seconds - 1.7e9) / 100 + 0.05 * rng.normal(size=(600, 1))
    keras.utils.set_random_seed(0)
    model = make({"x": 1, "c": 1})
    model.fit({"x": x, "c": seconds}, epochs=30, verbose=0)
    assert np.corrcoef(model.sample(seconds, seed=0)[0, :, 0], x[:, 0])[0, 1] > 0.99
    assert np.array_equal(model.encode({"x": x, "c": seconds}).cond_mod_data["c"], seconds)


def test_batches_of_float64_are_centered_in_float64():
    rng = np.random.default_rng(0)
    arrays = {name: 1e9 + rng.normal(size=(64, 2)) for name in ("x", "c")}
    model = make({"x": 2, "c": 2})
    model.run_eagerly = True
    model.adapt(arrays)
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(16)
    for found in (
        model.evaluate(data, verbose=0, return_dict=True),
        model.evaluate(arrays, batch_size=16, verbose=0, return_dict=True),
    ):
        assert np.isfinite(found["loss"])
    tensors = {name: tf.constant(array) for name, array in arrays.items()}
    terms, again = model(tensors), model(model.check_inputs(arrays))
    np.testing.assert_allclose(terms["kl"], again["kl"], atol=1e-5)
    np.testing.assert_allclose(
        model.predict(data, verbose=0), model.predict(arrays, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize(
    "values",
    [
        1e9 + np.arange(100.0),
        np.append(np.arange(99.0), 1e12),
        np.append(np.random.default_rng(0).normal(size=499), 1e15),
        np.append(1e5 + 1e-3 * np.arange(99.0), -1e9),
        np.repeat([0.0, 1e-9, 1e9], 30),
    ],
)
def test_distinct_values_that_merge_are_warned_of(values):
    """Beside an outlier, or in a model that was adapted to other data."""
    model = make({"x": 1, "c": 1})
    arrays = {"x": np.random.default_rng(0).normal(size=len(values)), "c": values}
    if values[-1] == 1e9 + 99:  # one of a model that is not adapted
        with pytest.warns(UserWarning, match="c holds distinct values that become equal"):
            model.evaluate(arrays, verbose=0)
        return
    model.adapt(arrays)
    with pytest.warns(UserWarning, match="c holds distinct values that become equal"):
        model.check_inputs(arrays)


def test_whole_numbers_that_float64_merges_are_refused():
    model = make({"x": 1, "c": 1})
    with pytest.raises(
        ValueError, match=r"c holds whole numbers beyond 2\^53, up to 9007199254740995"
    ):
        model.adapt({"x": np.arange(4.0), "c": 2**53 + np.arange(4)})
    model.adapt({"x": np.arange(4.0), "c": 2**52 + np.arange(4)})
    np.testing.assert_allclose(model.units["c"][1], np.std(np.arange(4.0)), rtol=1e-6)
