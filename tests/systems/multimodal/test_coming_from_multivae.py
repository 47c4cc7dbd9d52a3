"""The calls of MultiVae's CVAE (AgatheSenellart), as its users type them."""

import pickle

import numpy as np
import pandas as pd
import pytest

from cvae_keras.systems.multimodal import Embedding, MultimodalCVAE
from cvae_keras.systems.saved import load_model
from cvae_keras.training.batches import ShuffledBatches

SHAPES = {"image": (4, 4), "label": (5,), "size": (1,)}
NAMES = ["ant", "bee", "cat", "dog", "elk"]


def make(main="image", **options):
    others = [name for name in SHAPES if name != main]
    options = {"latent_dim": 2, "hidden": (4,), "decoder_dist": "bernoulli", **options}
    return MultimodalCVAE(main, others, SHAPES, **options)


@pytest.fixture(scope="module")
def model():
    return make(prior_network="dense")


def examples(n=6, seed=0):
    rng = np.random.default_rng(seed)
    image = (rng.random((n, 4, 4)) > 0.5).astype("float32")
    return {"image": image, "label": rng.integers(5, size=n), "size": rng.random((n, 1))}


def conditions():
    return {name: array for name, array in examples().items() if name != "image"}


# -- calls ----------------------------------------------------------------------------------------
def test_generate_from_prior_takes_cond_mod_data(model):
    output = model.generate_from_prior(cond_mod_data=conditions(), N=3, seed=0)
    assert np.array_equal(output.z, model.generate_from_prior(conditions(), N=3, seed=0).z)
    assert model.generate_from_prior(cond_mod_data=conditions(), N=1).z.shape == (6, 2)
    with pytest.raises(ValueError, match="the same argument"):
        model.generate_from_prior(conditions(), cond_mod_data=conditions())
    with pytest.raises(ValueError, match=r"c must hold \['label', 'size'\], got None"):
        model.generate_from_prior(N=3)


def test_predict_main_with_return_mean(model):
    mean = model.encode(examples(), return_mean=True).z
    output = model.predict_main(examples(), cond_mod="all", N=1, return_mean=True)
    assert np.array_equal(output.z, mean)
    output = model.predict_main(examples(), N=2, return_mean=True, flatten=True)
    assert np.array_equal(output.z, np.concatenate([mean, mean]))
    given = {"cond_mod": ["label", "size"], "seed": 0}
    drawn = model.predict_main(examples(), return_mean=True, **given)
    assert np.array_equal(drawn.z, model.predict_main(examples(), **given).z)


@pytest.mark.parametrize("cond_mod", [["image"], ["image", "label"], ["size", "label", "image"]])
def test_cond_mod_with_the_main_modality_encodes_with_all_that_is_given(model, cond_mod):
    output = model.predict_main(examples(), cond_mod=cond_mod, seed=0)
    assert np.array_equal(output.z, model.predict_main(examples(), cond_mod="all", seed=0).z)
    with pytest.raises(ValueError, match="'label'.* are missing"):
        model.predict_main({"image": examples()["image"]}, cond_mod=["image"])


def test_decode_of_a_plain_array_with_conditions(model):
    output = model.encode(examples(), N=3, seed=0)
    wanted = model.decode(output).reconstruction
    assert np.array_equal(model.decode(output.z, conditions()).reconstruction, wanted)
    assert np.array_equal(model.decode(output.z[0].tolist(), conditions())["image"], wanted[0])
    with pytest.raises(ValueError, match="part of the embedding already"):
        model.decode(output, conditions())
    with pytest.raises(ValueError, match="c must hold"):
        model.decode(output.z)
    with pytest.raises(ValueError, match="z has shape"):
        model.decode(output.z[:, :4], conditions())


def test_conditions_have_the_axes_of_z(model):
    for output in (
        model.encode(examples(), N=3),
        model.generate_from_prior(cond_mod_data=conditions(), N=3),
    ):
        found = {name: array.shape for name, array in output.cond_mod_data.items()}
        assert found == {"label": (3, 6), "size": (3, 6, 1)}
        assert np.array_equal(output.cond_mod_data["label"][2], examples()["label"])


def test_conditions_may_differ_between_samples(model):
    z = np.random.default_rng(0).normal(size=(2, 6, 2))
    label, size = examples()["label"], examples()["size"]
    c = {"label": np.stack([label, 4 - label]), "size": np.stack([size, size])}
    for found in (model.decode(z, c), model.decode(Embedding(z, c))):
        for sample in range(2):
            one = model.decode(z[sample], {"label": c["label"][sample], "size": size})
            np.testing.assert_allclose(found.reconstruction[sample], one.reconstruction, rtol=1e-5)
    mixed = model.decode(z, {"label": c["label"], "size": size})
    assert np.array_equal(mixed.reconstruction, found.reconstruction)
    with pytest.raises(ValueError, match="label has shape"):
        model.decode(z, {"label": c["label"][:1], "size": size})


def test_as_many_samples_as_examples_and_classes(model):
    label = np.array([4, 0, 2, 0, 1])
    c = {"label": label, "size": np.zeros((5, 1))}
    output = model.generate_from_prior(c, N=5, seed=0)
    one_hot = {**c, "label": np.eye(5)[label]}
    wanted = model.decode(output).reconstruction
    np.testing.assert_allclose(model.decode(output.z, one_hot).reconstruction, wanted, rtol=1e-5)
    np.testing.assert_allclose(model.decode(output.z, c).reconstruction, wanted, rtol=1e-5)


def test_missing_conditions_are_decoded_with_the_axis_of_samples():
    model = make(drop_rate=0.5)
    lacking = {"image": examples()["image"], "label": examples()["label"]}
    output = model.encode({**lacking, "label_mask": [1, 1, 0, 1, 0, 1]}, N=3, seed=0)
    assert output.cond_mod_data["size_mask"].shape == (3, 6, 1)
    found = model.decode(output).reconstruction
    one = model.decode(Embedding(output.z[1], {n: a[1] for n, a in output.cond_mod_data.items()}))
    np.testing.assert_allclose(found[1], one.reconstruction, rtol=1e-5)


def test_the_reconstruction_has_the_name_of_the_modality(model):
    output = model.predict_main(examples(), cond_mod="all")
    for found in (output, pickle.loads(pickle.dumps(output))):
        assert np.array_equal(found["image"], found.reconstruction)
        assert np.array_equal(found.image, found[0]) and np.array_equal(found["z"], found.z)
        assert len(found) == 3
    with pytest.raises(KeyError, match="label"):
        output["label"]
    assert not hasattr(output, "label")


# -- classes --------------------------------------------------------------------------------------
@pytest.mark.parametrize("names", [NAMES, range(1, 6), np.arange(1.0, 6.0), np.array(NAMES)])
def test_labels_of_classes_are_their_one_hot_vectors(names):
    model, arrays, plain = make(classes={"label": names}), examples(), make()
    plain.set_weights(model.get_weights())
    labels = np.array(names)[arrays["label"]]
    wanted = plain.log_prob(arrays, K=3)
    for values in (labels, labels.tolist(), labels[:, None], pd.Series(labels),
                   pd.DataFrame({"label": labels}), np.eye(5)[arrays["label"]],
                   labels.astype(object), pd.Series(labels).astype("category")):  # fmt: skip
        assert np.array_equal(model.log_prob({**arrays, "label": values}, K=3), wanted)
    output = model.encode({**arrays, "label": labels}, N=2)
    assert model.decode(output)["image"].shape == (2, 6, 4, 4)
    assert model.sample({"label": labels, "size": arrays["size"]}).shape == (1, 6, 4, 4)
    with pytest.raises(ValueError, match="not among its classes"):
        model.log_prob({**arrays, "label": [*labels[:5], 0]})


@pytest.mark.usefixtures("eager")
def test_a_model_with_classes_is_trained_and_saved(tmp_path):
    model = make("label", decoder_dist="categorical", classes={"label": NAMES})
    arrays = examples(8)
    arrays["label"] = [NAMES[number] for number in arrays["label"]]
    model.compile("adam")
    history = model.fit(arrays, validation_data=arrays, verbose=0, batch_size=4).history
    assert np.isfinite(history["val_loss"]).all()
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.classes == {"label": NAMES}
    assert np.array_equal(loaded.log_prob(arrays, K=3), model.log_prob(arrays, K=3))
    numbers = {**arrays, "label": [NAMES.index(label) for label in arrays["label"]]}
    with pytest.raises(ValueError, match="not among its classes"):
        model.log_prob(numbers)


@pytest.mark.usefixtures("eager")
def test_batches_hold_one_hot_vectors_of_classes():
    model, arrays = make(classes={"label": range(1, 6)}), examples(8)
    model.compile("adam")
    with pytest.raises(ValueError, match="label has classes .* one-hot vectors"):
        model.fit(ShuffledBatches({**arrays, "label": arrays["label"] + 1}, 4), verbose=0)
    arrays["label"] = np.eye(5)[arrays["label"]]
    model.fit(ShuffledBatches(arrays, 4), verbose=0)


def test_missing_labels_are_missing_modalities():
    model, arrays = make(drop_rate=0.5, classes={"label": NAMES}), examples()
    labels = np.array(NAMES, object)[arrays["label"]]
    masked = {**arrays, "label": labels, "label_mask": [1, 0, 1, 0, 1, 1]}
    wanted = model.log_prob(masked, K=3)
    labels[[1, 3]] = None
    with_na = pd.Series(labels, dtype="string")
    hidden = np.ma.masked_array(np.array(NAMES)[arrays["label"]], mask=[0, 1, 0, 1, 0, 0])
    for values in (labels, labels.tolist(), with_na, hidden):
        assert np.array_equal(model.log_prob({**arrays, "label": values}, K=3), wanted)
    with pytest.raises(ValueError, match="label holds NaN"):
        make(classes={"label": NAMES}).log_prob({**arrays, "label": labels})


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ({"label": NAMES[:4]}, "the labels of the 5 classes"),
        ({"label": "abcde"}, "the labels of the 5 classes"),
        ({"label": 5}, "the labels of the 5 classes"),
        ({"label": [*NAMES[:4], "ant"]}, "must be different"),
        ({"label": [*NAMES[:4], None]}, "texts or finite numbers"),
        ({"label": [0, 1, 2, 3, float("nan")]}, "texts or finite numbers"),
        ({"size": ["small"]}, "at least 2"),
        ({"color": NAMES}, "by names among"),
        (NAMES, "classes must be a dictionary"),
    ],
)
def test_classes_that_do_not_fit_are_refused(classes, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(classes=classes)
