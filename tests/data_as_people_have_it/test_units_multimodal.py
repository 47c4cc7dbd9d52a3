"""Units: a multimodal model of data in another unit is the same model."""

import keras
import numpy as np
import pytest
from keras import ops

from cvae_keras.systems.multimodal import MultimodalCVAE
from cvae_keras.training import FusedAdam

DIMS = {"x": 2, "c": 2}


def linear(n=256):
    """x = A c + noise, of unit scale."""
    rng = np.random.default_rng(0)
    c = rng.normal(size=(n, 2))
    return {"x": c @ [[1.0, 0.5], [-0.5, 1.0]] + 0.1 * rng.normal(size=(n, 2)), "c": c}


def trained(arrays, epochs=2, dims=DIMS, **options):
    keras.utils.set_random_seed(0)
    main, *conditions = dims
    model = MultimodalCVAE(main, conditions, dims, latent_dim=1, hidden=(16,), **options)
    # of few steps: a graph takes longer to trace
    model.compile(FusedAdam(1e-2), run_eagerly=epochs <= 2)
    model.fit(arrays, epochs=epochs, batch_size=64, shuffle=False, verbose=0)
    return model


@pytest.fixture(scope="module")
def reference():
    arrays = linear()
    model = trained(arrays)
    return model.sample(arrays["c"][:20], 3, seed=0), model.log_prob(arrays, K=5)


@pytest.mark.parametrize(
    ("factor", "shift"),
    [(1e-8, 0.0), (1e-5, 0.0), (1e5, -3.0), (1e8, 1e9), (1.0, 1e6), (1e-8, 1.0), (1e-200, 0.0),
     (1e200, 1e200)],
)  # fmt: skip
def test_another_unit_gives_the_same_samples(reference, factor, shift):
    arrays = {name: factor * array + shift for name, array in linear().items()}
    model = trained(arrays)
    samples = model.sample(arrays["c"][:20], 3, seed=0)
    noise = 4 * max(2**-24, 2**-52 * abs(shift) / factor)  # float32's, or float64's of the data
    np.testing.assert_allclose((samples - shift) / factor, reference[0], atol=100 * noise)
    values = model.log_prob(arrays, K=5) + 2 * np.log(factor)
    np.testing.assert_allclose(values, reference[1], atol=1e-3 + 1e3 * noise)


def test_each_entry_has_a_unit_of_its_own(reference):
    units = np.array([1e-6, 1e6])
    arrays = {name: units * array for name, array in linear().items()}
    samples = trained(arrays).sample(arrays["c"][:20], 3, seed=0)
    np.testing.assert_allclose(samples / units, reference[0], atol=2e-5)


@pytest.mark.parametrize("distribution", ["normal", "laplace"])
def test_a_small_main_modality_is_learned(distribution):
    """1 to 11, times 1e-5: the error is 657 standard deviations if left in that unit."""
    rng = np.random.default_rng(0)
    c = rng.uniform(0, 1, (1000, 1))
    x = (1 + 10 * c) * 1e-5
    dims = {"x": 1, "c": 1}
    model = trained({"x": x, "c": c}, 30, dims, decoder_dist=distribution)
    assert np.std(model.sample(c, seed=0)[0] - x) / np.std(x) < 0.1


def test_a_small_condition_is_used():
    rng = np.random.default_rng(0)
    c = rng.uniform(0, 1e-4, (1000, 1))
    x = 3e4 * c + 0.05 * rng.normal(size=(1000, 1))
    model = trained({"x": x, "c": c}, 30, {"x": 1, "c": 1})
    found = model.sample(c, seed=0)[0]
    assert np.corrcoef(found[:, 0], x[:, 0])[0, 1] > 0.99


def test_a_fixed_noise_is_in_the_unit_of_the_data(reference):
    """With the noise in the same unit the density only changes by the unit."""
    arrays = linear()
    values = [
        trained(
            {name: factor * array for name, array in arrays.items()},
            decoder_dist_params={"scale": 0.5 * factor},
        ).log_prob({name: factor * array for name, array in arrays.items()}, K=5)
        + 2 * np.log(factor)
        for factor in (1.0, 2.0**-20, 2.0**20)
    ]
    np.testing.assert_allclose(values[1:], [values[0]] * 2, atol=1e-3)


def test_classes_one_hot_and_declared_images_keep_theirs():
    rng = np.random.default_rng(0)
    dims = {"x": 2, "number": 3, "one_hot": 3, "image": (4, 4), "flags": 3, "share": 1}
    arrays = {
        "x": rng.normal(size=(50, 2)),
        "number": rng.integers(3, size=50),
        "one_hot": np.eye(3)[rng.integers(3, size=50)],
        "image": rng.random((50, 4, 4)),
        "flags": rng.integers(2, size=(50, 3)),
        "share": rng.random((50, 1)),
    }
    model = MultimodalCVAE("x", list(dims)[1:], dims, hidden=(8,), images=["image"])
    model.adapt(arrays)
    kept = {name for name, (shift, scale) in model.units.items() if not shift.any()}
    assert kept == {"number", "one_hot", "image"}
    assert all((model.units[name][1] == 1).all() for name in kept)
    with pytest.raises(ValueError, match=r"image is among images.* from .* to 2\.*"):
        model.evaluate({**arrays, "image": arrays["image"] * 255})
    for bad in ("image", ["picture"], 3):
        with pytest.raises(ValueError, match="images must be a list of names among"):
            MultimodalCVAE("x", ["c"], DIMS, images=bad)
    again = MultimodalCVAE.from_config(model.get_config())
    assert again.modalities.images == ["image"]


def test_batches_far_from_their_unit_are_warned_of():
    from cvae_keras.training import ShuffledBatches

    arrays = {name: array.astype("float32") for name, array in linear().items()}
    arrays["x"] *= np.float32(1e-5)
    model = MultimodalCVAE("x", ["c"], DIMS, hidden=(8,))
    model.compile("sgd")
    model.run_eagerly = True
    with pytest.warns(UserWarning, match="x is far from mean 0 and variance 1.* call adapt"):
        model.fit(ShuffledBatches(arrays, 128), verbose=0)
    adapted = MultimodalCVAE("x", ["c"], DIMS, hidden=(8,))
    adapted.compile("sgd")
    adapted.run_eagerly = True
    adapted.adapt(arrays)
    units = adapted.units
    adapted.fit(ShuffledBatches(arrays, 128), verbose=0)
    assert all(np.array_equal(adapted.units[name][1], units[name][1]) for name in units)
    x, c = adapted.modalities.split(
        {name: ops.convert_to_tensor(array) for name, array in arrays.items()}, adapted.unit_of
    )
    assert np.std(x) == pytest.approx(1.0, rel=1e-3)
