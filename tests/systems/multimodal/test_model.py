"""MultimodalCVAE: shared checks, calls, missing modalities, exact log-density, own networks."""

import keras
import numpy as np
import pytest
from keras import ops
from model_cases import CASES, cases_of
from model_cases import MODALITIES as DATA
from model_cases import multimodal as make
from model_checks import CHECKS, same, state, with_value

from cvae_keras.data.multimodal import GaussianModalities
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.systems.multimodal import FusedDecoder, FusedEncoder, MultimodalCVAE
from cvae_keras.systems.saved import load_model
from cvae_keras.training import FusedAdam
from cvae_keras.training.batches import FreshBatches, ShuffledBatches

DIMS = {"x": (3,), "c": (4,)}
SHAPES = {"image": (4, 4), "label": (5,), "size": (1,)}


def examples(n=6, seed=0):
    rng = np.random.default_rng(seed)
    image = (rng.random((n, 4, 4)) > 0.5).astype("float32")
    return {"image": image, "label": rng.integers(5, size=n), "size": rng.random((n, 1))}


def image_model(**options):
    return make(SHAPES, "image", **{"decoder_dist": "bernoulli", **options})


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", cases_of("multimodal"))
def test_model(name, check, tmp_path):
    check(CASES[name], tmp_path)


@pytest.mark.usefixtures("eager")
def test_mixed_precision_keeps_units_outputs_and_loss_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make(prior_network="dense")
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.posterior.network.network.hidden[0].compute_dtype == "bfloat16"
    arrays = DATA.examples(64, seed=0)
    assert np.isfinite(model.fit(arrays, verbose=0).history["loss"]).all()
    kinds = {keras.backend.standardize_dtype(term.dtype) for term in model(arrays).values()}
    assert kinds == {"float32"}


# -- inputs ---------------------------------------------------------------------------------------
def test_class_numbers_and_one_hot_vectors_are_the_same():
    model, arrays = image_model(), examples()
    one_hot = {**arrays, "label": np.eye(5)[arrays["label"]]}
    column = {**arrays, "label": arrays["label"][:, None].astype("float32")}
    values = model.log_prob(arrays, K=5)
    assert np.array_equal(model.log_prob(one_hot, K=5), values)
    assert np.array_equal(model.log_prob(column, K=5), values)
    assert not np.array_equal(model.log_prob({**arrays, "label": 4 - arrays["label"]}, K=5), values)


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("image", np.full((6, 4, 4), 255.0), r"must lie in \[0, 1\].* from 255 to 255"),
        ("image", np.full((6, 4, 4), -0.5), r"must lie in \[0, 1\].* from -0.5 to -0.5"),
        ("image", np.full((6, 4, 4), np.nan), "image holds NaN"),
        ("image", np.zeros((6, 16)), r"image has shape \(6, 16\); give \(batch, 4, 4\)"),
        ("label", np.full(6, 5), "from 0 to 4, but it holds values from 5 to 5"),
        ("label", np.full(6, -1), "from 0 to 4, but it holds values from -1 to -1"),
        ("label", np.full(6, 0.5), "whole numbers from 0 to 4"),
        ("label_mask", np.ones(6), "are unknown to the model"),
    ],
)
def test_values_outside_the_support_are_refused_with_their_range(name, values, sentence):
    model = image_model()
    before = state(model)
    for call in (model.fit, model.evaluate, model.encode, model.log_prob):
        with pytest.raises(ValueError, match=sentence):
            call({**examples(), name: values})
    assert same(state(model), before)


def test_values_outside_the_support_are_refused_in_batches_too():
    model, bad = image_model(), {**examples(), "image": np.full((6, 4, 4), 255.0)}
    before = state(model)
    batches = ShuffledBatches(bad, 3)
    for data in (batches, batches.pipeline()):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\].* from 255 to 255"):
            model.fit(data, verbose=0)
    assert same(state(model), before)


@pytest.mark.usefixtures("eager")
def test_categorical_takes_classes_only():
    model = make(SHAPES, "label", decoder_dist="categorical")
    arrays = examples()
    for bad in (np.full((6, 5), 0.2), 2 * np.eye(6, 5), np.zeros((6, 5))):
        with pytest.raises(ValueError, match="class numbers or one-hot"):
            model.fit({**arrays, "label": bad}, verbose=0)
    model.fit(arrays, verbose=0)
    shares = model.predict_main(arrays, cond_mod=["image", "size"], N=3).reconstruction
    assert shares.shape == (3, 6, 5)
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("distribution", "params"),
    [("normal", None), ("normal", {"scale": 0.75}), ("laplace", {"scale": 0.75}),
     ("laplace", {"scale": "learned"}), ("bernoulli", None), ("categorical", None)],
)  # fmt: skip
def test_defaults_train_for_every_distribution(distribution, params):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    c = rng.normal(size=(256, 4)).astype("float32")
    x = {"bernoulli": (c > 0) * 1.0, "categorical": c.argmax(axis=1)}.get(distribution, 3 * c)
    options = {"decoder_dist": distribution, "decoder_dist_params": params}
    model = MultimodalCVAE("x", ["c"], {"x": 4, "c": 4}, **options)
    model.compile(FusedAdam(1e-3), steps_per_execution=8)

    def loss():
        model.run_eagerly = True  # of one batch: a graph takes longer to trace
        whole = {"batch_size": 256, "verbose": 0, "return_dict": True}
        return model.evaluate({"x": x, "c": c}, **whole)["loss"]

    before = loss()
    model.run_eagerly = False
    model.fit({"x": x, "c": c}, batch_size=32, epochs=10, verbose=0)
    found = model.predict_main({"c": c}, ["c"]).reconstruction
    assert loss() < 0.6 * before
    if distribution == "categorical":
        assert np.mean(found.argmax(axis=1) == x) > 0.85
    else:
        assert np.mean((found - x) ** 2) < 0.15 * np.var(x)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("mask", [False, True])
def test_units_are_measured_and_do_not_matter(mask):
    """The same data in other units: the same model, but for the density's change of variables."""
    arrays = DATA.examples(64, seed=0)
    other = {"x": 1000 + 20 * arrays["x"], "c": arrays["c"] * [1, 1e-3, 1e3, 1] - [0, 5, 0, 1e4]}
    if mask:
        there = np.arange(64) % 2
        arrays, other = ({**each, "c_mask": there} for each in (arrays, other))
        other["c"][there == 0] = np.nan
    found = []
    for each in (arrays, other):
        keras.utils.set_random_seed(0)
        model = make(drop_rate=0.0 if mask else None)
        model.fit(each, epochs=1, shuffle=False, verbose=0)
        found.append((model.log_prob(each, K=20), model.sample(each["c"][1::2], seed=0)))
    np.testing.assert_allclose(found[1][0], found[0][0] - 3 * np.log(20), atol=0.02)
    np.testing.assert_allclose((found[1][1] - 1000) / 20, found[0][1], atol=0.02)
    before = np.array(model.units["c"][0])
    model.fit(arrays, verbose=0)  # trained already: its units stay
    assert np.array_equal(model.units["c"][0], before)


@pytest.mark.usefixtures("eager")
def test_units_are_measured_once(tmp_path):
    arrays = DATA.examples(64, seed=0)
    other = {name: 100 + 20 * array for name, array in arrays.items()}
    model = make()
    model.run_eagerly = True  # a graph takes seconds to trace
    model.fit(arrays, verbose=0)
    units = [np.array(value) for pair in model.units.values() for value in pair]
    model.save(tmp_path / "model.keras")
    model.compile(FusedAdam())  # counts its steps anew
    for each in (model, load_model(tmp_path / "model.keras")):
        each.run_eagerly = True
        each.fit(other, verbose=0)
        assert same([np.array(value) for pair in each.units.values() for value in pair], units)
    model = make()
    model.run_eagerly = True
    for bad in ({"sample_weight": -np.ones(64)}, {"y": arrays["x"]}):
        with pytest.raises(ValueError, match="sample_weight holds|targets y"):
            model.fit(arrays, **bad)
    assert not model.adapted  # what is refused changes nothing
    model.fit(ShuffledBatches(arrays, 16), verbose=0)  # in the units of the data
    model.fit(arrays, verbose=0)
    assert not np.any(model.units["c"][0])


def test_a_constant_entry_and_a_large_mean_are_standardized_in_float64():
    rng, model = np.random.default_rng(0), make()
    c = rng.normal(1e5, 1.0, size=(20_000, 4)).astype("float32")
    c[:, 1] = 0.1  # its float64 standard deviation is rounding
    model.adapt({"x": rng.normal(size=(20_000, 3)), "c": c})
    shift, scale = (np.array(value) for value in model.units["c"])
    np.testing.assert_allclose(shift, c.mean(axis=0, dtype="float64"), rtol=1e-7)
    np.testing.assert_allclose(scale[[0, 2, 3]], 1.0, atol=0.03)
    assert scale[1] == 1.0


@pytest.mark.usefixtures("eager")
def test_classes_and_images_keep_their_units():
    model = image_model(images=["size", "image"])
    model.fit(examples(), verbose=0)
    for shift, scale in model.units.values():
        assert not np.any(shift) and np.all(np.array(scale) == 1)


# -- missing modalities ---------------------------------------------------------------------------
@pytest.mark.usefixtures("eager")
def test_masks_mark_what_is_missing():
    model, arrays = image_model(drop_rate=0.0), examples()
    mask = np.array([1, 1, 0, 1, 0, 1])
    masked = {**arrays, "label_mask": mask, "size_mask": mask}
    values = model.log_prob(masked, K=5)
    nonsense = {**masked, "label": np.where(mask, arrays["label"], -7)}
    nonsense["size"] = np.where(mask[:, None] > 0, arrays["size"], np.nan)
    assert np.array_equal(model.log_prob(nonsense, K=5), values)  # not read where missing
    model.fit(nonsense, verbose=0)
    assert all(np.isfinite(weight).all() for weight in state(model))
    values, alone = model.log_prob(masked, K=5), {"image": arrays["image"]}
    none = {**arrays, "label_mask": 0 * mask, "size_mask": 0 * mask}
    assert np.array_equal(model.log_prob(alone, K=5), model.log_prob(none, K=5))
    full = model.log_prob(arrays, K=5)
    assert np.array_equal(full, model.log_prob({**arrays, "label_mask": np.ones(6)}, K=5))
    np.testing.assert_allclose(values[mask > 0], full[mask > 0], rtol=1e-4)
    assert not np.allclose(values[mask == 0], full[mask == 0])
    for bad, sentence in [
        ({**arrays, "label_mask": np.full(6, 0.5)}, "label_mask must hold 1"),
        ({**arrays, "label_mask": np.ones(5)}, "same length"),
        ({**arrays, "label_mask": np.ones((6, 2))}, "label_mask has shape"),
        ({"image": arrays["image"], "label_mask": np.ones(6)}, "marks 'label' as observed"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            model.fit(bad, verbose=0)


def test_modalities_are_dropped_at_the_drop_rate_in_training_only():
    model = image_model(drop_rate=0.3)
    arrays = examples(4000)
    dropped = model.modalities.drop(arrays, keras.random.SeedGenerator(0))
    masks = np.concatenate([dropped["label_mask"], dropped["size_mask"]], axis=1)
    assert set(np.unique(masks)) == {0, 1}
    np.testing.assert_allclose(masks.mean(axis=0), 0.7, atol=0.03)
    assert abs(np.corrcoef(masks.T)[0, 1]) < 0.06  # each on its own
    lacking = {**arrays, "label_mask": np.zeros(4000)}
    assert not np.any(model.modalities.drop(lacking, keras.random.SeedGenerator(0))["label_mask"])
    terms = [model(examples(), training=training)["kl"] for training in (False, False, True)]
    assert np.array_equal(terms[0], terms[1]) and not np.array_equal(terms[0], terms[2])


def test_without_drop_rate_nothing_may_be_missing():
    model, arrays = image_model(), examples()
    for call in (model.fit, model.encode, model.log_prob):
        with pytest.raises(ValueError, match="'label'.* are missing: give them, or make the model"):
            call({"image": arrays["image"], "size": arrays["size"]})
    with pytest.raises(ValueError, match="'size'.* are missing"):
        model.generate_from_prior({"label": [1, 2]})


# -- calls ----------------------------------------------------------------------------------------
def test_shapes_of_encode_decode_and_predict_main():
    model, arrays = image_model(prior_network="dense"), examples()
    cond = {"label": arrays["label"], "size": arrays["size"]}
    for draw in (
        lambda **o: model.encode(arrays, seed=0, **o),
        lambda **o: model.generate_from_prior(cond, seed=0, **o),
    ):
        one, three, flat = draw(), draw(N=3), draw(N=3, flatten=True)
        assert [e.z.shape for e in (one, three, flat)] == [(6, 2), (3, 6, 2), (18, 2)]
        assert np.array_equal(flat.z, three.z.reshape(18, 2))
        images_of = [model.decode(e).reconstruction for e in (one, three, flat)]
        assert [p.shape for p in images_of] == [(6, 4, 4), (3, 6, 4, 4), (18, 4, 4)]
        np.testing.assert_allclose(images_of[2].reshape(3, 6, 4, 4), images_of[1], rtol=1e-5)
        assert images_of[0].min() > 0 and images_of[0].max() < 1  # means, not logits
    mean = model.encode(arrays, N=2, return_mean=True).z
    assert np.array_equal(mean[0], mean[1]) and not np.array_equal(mean[0], one.z)
    prior = model.predict_main(arrays, cond_mod=["label", "size"], N=3, seed=0)
    assert np.array_equal(prior.reconstruction, model.decode(three).reconstruction)
    posterior = model.predict_main(arrays, N=3, seed=0)
    assert np.array_equal(posterior.z, model.encode(arrays, N=3, seed=0).z)
    for bad in ("label", ["label", "color"], []):
        with pytest.raises(ValueError, match="cond_mod must be 'all' or a list"):
            model.predict_main(arrays, cond_mod=bad)
    with pytest.raises(ValueError, match=r"inputs lack \['size'\]"):
        model.predict_main({"label": [1]}, cond_mod=["label", "size"])
    with pytest.raises(ValueError, match="z has shape"):
        model.decode(one._replace(z=one.z[:4]))
    with pytest.raises(ValueError, match="N must be a positive integer"):
        model.encode(arrays, N=0)


def test_some_of_the_conditions_are_enough_where_they_may_be_missing():
    model, arrays = image_model(drop_rate=0.5), examples()
    some = model.predict_main(arrays, cond_mod=["label"], N=2, seed=0).reconstruction
    assert np.array_equal(model.sample({"label": arrays["label"]}, n_samples=2, seed=0), some)
    assert model.predict_main(arrays, cond_mod=["image"]).reconstruction.shape == (6, 4, 4)
    nothing = model.generate_from_prior({"label_mask": np.zeros(9)}, N=2)
    assert model.decode(nothing).reconstruction.shape == (2, 9, 4, 4)
    with pytest.raises(ValueError, match="c must hold a modality"):
        model.generate_from_prior({})


def test_sample_needs_no_condition_where_all_may_be_missing():
    model = image_model(drop_rate=0.5)
    draws = model.sample(n_samples=3, seed=0)
    masks = {"label_mask": [0], "size_mask": [0]}
    assert draws.shape == (3, 4, 4)
    assert np.array_equal(model.sample(masks, n_samples=3, seed=0)[:, 0], draws)
    with pytest.raises(ValueError, match="c must hold .*'label', 'size'.*, got None"):
        image_model().sample()


def test_keras_predict_reconstructs_and_evaluate_gives_the_elbo():
    model, arrays = image_model(drop_rate=0.5), examples(70)
    del arrays["size"]
    found = model.decode(model.encode(arrays, return_mean=True)).reconstruction
    np.testing.assert_allclose(model.predict(arrays, verbose=0), found, rtol=1e-5)
    assert found.shape == (70, 4, 4)
    terms = model(model.check_inputs(arrays))
    assert terms["log_likelihood"].shape == (70,) and terms["kl"].shape == (70, 2)
    logs = model.evaluate(arrays, verbose=0, return_dict=True)
    assert logs["elbo"] == pytest.approx(-logs["loss"], rel=1e-5)


def test_log_prob_of_one_sample_is_the_elbo_and_rises_with_samples():
    model, arrays = image_model(), examples(2000)
    terms = model(arrays)
    values = terms["log_likelihood"] - ops.sum(terms["kl"], axis=-1)
    few, many = (model.log_prob(arrays, K=K) for K in (1, 50))
    assert few.shape == (2000,) and few.mean() == pytest.approx(np.mean(values), abs=0.1)
    assert many.mean() > few.mean()


def test_log_prob_of_a_known_model_is_exact():
    """x = a c + w z + s e: with a linear decoder set by hand, log p(x | c) is known."""
    model = make({"x": 1, "c": 1}, latent_dim=1, decoder_dist_params={"scale": 0.5})
    decoder, encoder = model.decoder.network, model.posterior.network.network
    for layer in (*decoder.outputs, *encoder.outputs):
        layer.kernel.assign(ops.zeros_like(layer.kernel))
    decoder.around[0].kernel.assign([[2.0], [0.8]])  # of c and z, in the order of their names
    c, z, noise = np.random.default_rng(0).normal(size=(3, 50, 1)).astype("float32")
    x = 2.0 * c + 0.8 * z + 0.5 * noise
    variance = 0.8**2 + 0.5**2
    exact = -0.5 * ((x - 2 * c)[:, 0] ** 2 / variance + np.log(2 * np.pi * variance))
    bound, error = importance_weighted_bound(model, {"x": x, "c": c}, 20_000)
    assert np.all(np.abs(bound - exact) < 5 * error + 1e-3) and error.max() < 0.2


@pytest.mark.long
def test_gaussian_modalities_are_learned_given_any_subset():
    """Trained for seconds; the table trains longer and is ten times nearer."""
    keras.utils.set_random_seed(0)
    data = GaussianModalities({"x": 2, "a": 2, "b": 3}, seed=0)
    model = make({"x": 2, "a": 2, "b": 3}, hidden=(32,), drop_rate=0.5, prior_network="dense")
    model.compile(FusedAdam(1e-2), steps_per_execution=20)
    model.fit(FreshBatches(data, 256, 200), epochs=3, verbose=0)
    arrays = data.examples(500, seed=1)
    for given in ([], ["a"], ["b"], ["a", "b"]):
        found = model.log_prob({name: arrays[name] for name in ("x", *given)}, K=200)
        gap = (found - data.log_prob(arrays, "x", given)) / 2
        assert -0.05 < gap.mean() < 2 * gap.std() / np.sqrt(500), given


# -- the user's own networks ----------------------------------------------------------------------
def functional(outputs=2, names=("image", "label", "size"), latent=None):
    inputs = {n: keras.Input(SHAPES.get(n, (latent,)), name=n) for n in names}
    flat = [keras.layers.Flatten()(tensor) for tensor in inputs.values()]
    h = keras.layers.Concatenate()(flat)
    if latent:
        return keras.Model(inputs, keras.layers.Reshape((4, 4))(keras.layers.Dense(16)(h)))
    return keras.Model(inputs, [keras.layers.Dense(2)(h) for _ in range(outputs)])


@pytest.mark.usefixtures("eager")
def test_own_networks_are_used_and_saved(tmp_path):
    own = {"encoder": functional(), "prior_network": functional(names=("label", "size"))}
    own["decoder"] = functional(names=("z", "label", "size"), latent=2)
    model = MultimodalCVAE(
        "image", ["label", "size"], latent_dim=2, decoder_dist="bernoulli", **own
    )  # the encoder's inputs tell the shapes
    model.compile(FusedAdam())
    arrays = examples(20)
    before = own["decoder"].get_weights()
    model.fit(arrays, verbose=0)
    assert not same(own["decoder"].get_weights(), before)
    model.save(tmp_path / "own.keras")
    loaded = load_model(tmp_path / "own.keras")
    assert np.array_equal(loaded.log_prob(arrays, K=9), model.log_prob(arrays, K=9))
    assert loaded.get_config()["input_dims"] == {n: list(s) for n, s in SHAPES.items()}


class Wrong(keras.layers.Layer):
    def call(self, inputs):
        return ops.zeros((ops.shape(inputs["label"])[0], 7))


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ({"encoder": functional(1)}, r"encoder must return a pair \(mean, log_var\).*got 1 of"),
        ({"encoder": FusedEncoder(3)}, r"encoder must return a pair.*\(batch, 2\), got 2.*, 3\)"),
        ({"decoder": FusedDecoder((4, 3))}, r"decoder must return an array \(batch, 4, 4\).*4, 3"),
        ({"prior_network": Wrong()}, r"prior_network must return a pair.*got 1 of shape.*7"),
        ({"prior_network": functional()}, r"prior_network has inputs \['image'\]"),
        ({"prior_network": "deep"}, "prior_network 'deep' is unknown"),
        ({"hidden": (0,)}, "hidden must be a positive integer"),
        ({"hidden": 64}, "hidden must be a list of units"),
        ({"drop_rate": "half"}, "drop_rate must be None or a number from 0 below 1"),
        ({"decoder_dist_params": 0.5}, "decoder_dist_params must be a dictionary"),
        ({"latent_dim": 0}, "latent_dim must be a positive integer"),
        ({"drop_rate": 1.0}, "drop_rate must be None or a number from 0 below 1"),
        ({"decoder_dist": "poisson"}, "decoder_dist 'poisson' is unknown"),
        ({"decoder_dist_params": {"scale": 1}}, "decoder_dist_params .* do not fit 'bernoulli'"),
        ({"decoder_dist": "normal", "decoder_dist_params": {"scale": 0}}, "scale must be"),
        ({"decoder_dist": "normal", "decoder_dist_params": {"scale": "decoder"}}, "scale must be"),
    ],
)
def test_what_does_not_fit_is_refused(own, sentence):
    with pytest.raises(ValueError, match=sentence):
        image_model(**own)


def test_names_and_shapes_that_do_not_fit_are_refused():
    for main, given, dims, sentence in [
        ("x", "c", DIMS, "conditioning_modalities must be a list"),
        ("x", [], {"x": 3}, "conditioning_modalities must be a list"),
        ("x", ["x"], {"x": 3}, "must be different names"),
        ("x", ["c"], {"x": 3}, "input_dims must have an entry for each"),
        ("x", ["c"], None, "input_dims must be given"),
        ("x", ["z"], {"x": 3, "z": 3}, "modality 'z' has a reserved name"),
        ("x", ["a_mask"], {"x": 3, "a_mask": 3}, "modality 'a_mask' has a reserved name"),
        ("x", ["c"], {"x": 3, "c": (0,)}, "must be a positive integer"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            MultimodalCVAE(main, given, dims)
    with pytest.raises(TypeError, match="encoder must be a Keras layer"):
        MultimodalCVAE("x", ["c"], DIMS, encoder=lambda inputs: inputs)


def test_refused_values_keep_their_name():
    with pytest.raises(ValueError, match="x holds NaN"):
        make().log_prob({**DATA.examples(8, 0), "x": with_value(np.ones((8, 3)), np.nan)})
