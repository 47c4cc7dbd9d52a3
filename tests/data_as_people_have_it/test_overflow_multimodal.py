"""No output of a multimodal model is NaN or infinite, whatever the size of its data."""

import keras
import numpy as np
import pytest

from cvae_keras.systems.multimodal import MultimodalCVAE
from cvae_keras.training import FusedAdam

RNG = np.random.default_rng(0)
C = RNG.normal(size=(128, 2))
X = C + 0.1 * RNG.normal(size=(128, 2))


def make(**options):
    keras.utils.set_random_seed(0)
    model = MultimodalCVAE("x", ["c"], {"x": 2, "c": 2}, latent_dim=1, hidden=(16,), **options)
    model.compile(FusedAdam(1e-2))
    return model


@pytest.mark.parametrize(
    ("unit", "kind"),
    [(5e37, "float32"), (1e38, "float32"), (1e200, "float64"), (1e299, "float64"),
     (1e-40, "float32"), (1e-300, "float64")],
)  # fmt: skip
@pytest.mark.parametrize("prior", [None, "flow"])
def test_large_and_small_data_are_scaled(unit, kind, prior):
    most = np.abs([X, C]).max()
    arrays = {"x": (X / most * unit).astype(kind), "c": (C / most * unit).astype(kind)}
    model = make(prior_network=prior)
    logs = model.fit(arrays, epochs=15, verbose=0).history
    samples = model.sample(arrays["c"], seed=0)[0].astype("float64")
    assert all(np.isfinite(value).all() for value in logs.values())
    assert np.std(samples / unit - arrays["x"] / unit) < 0.5 * np.std(arrays["x"] / unit)
    assert np.isfinite(model.log_prob(arrays, K=5)).all()
    assert np.isfinite(model.predict(arrays, verbose=0)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("x", 1e301), ("c", -1e305), ("x", np.finfo("float64").max), ("c", np.inf), ("x", -np.inf)],
)
def test_what_no_scale_can_hold_is_refused(name, value):
    model, arrays = make(), {"x": X.copy(), "c": C.copy()}
    arrays[name][3, 1] = value
    with pytest.raises(ValueError, match=f"{name} holds (values from|NaN or infinity)"):
        model.fit(arrays, verbose=0)
    assert not model.adapted


@pytest.mark.parametrize("prior", [None, "dense", "flow"])
@pytest.mark.parametrize("far", [1e3, 1e6, 1e10, 1e20, 5e37, 1e200])
def test_far_from_the_training_data_is_finite_or_refused(models, prior, far):
    model = models(prior)
    arrays = {"x": np.full((2, 2), far), "c": np.full((2, 2), -far)}
    for call in (
        lambda: model.sample(arrays["c"], 5, seed=0),
        lambda: model.predict(arrays, verbose=0),
        lambda: model.decode(model.encode(arrays, seed=0)).reconstruction,
        lambda: model.log_prob(arrays, K=5),
        lambda: model.encode(arrays, seed=0).z,
        lambda: model.generate_from_prior(arrays["c"], seed=0).z,
    ):
        try:
            found = call()
        except ValueError as error:
            assert "times its scale from its mean" in str(error) or "not finite" in str(error)
        else:
            assert np.isfinite(found).all()


@pytest.fixture(scope="module")
def models():
    made = {}

    def trained(prior):
        if prior not in made:
            made[prior] = make(prior_network=prior)
            made[prior].fit({"x": X, "c": C}, epochs=5, verbose=0)
        return made[prior]

    return trained


def test_a_model_that_diverged_says_so():
    model = make()
    model.run_eagerly = True
    model.fit({"x": X, "c": C}, verbose=0)
    model.decoder.network.outputs[0].bias.assign([np.nan, 0.0])
    for call in (
        lambda: model.sample(C),
        lambda: model.predict({"x": X, "c": C}, verbose=0),
        lambda: model.predict_main({"c": C}, ["c"]),
    ):
        with pytest.raises(ValueError, match="output is not finite"):
            call()
