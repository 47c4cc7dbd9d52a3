"""What does not fit is refused at the first call, where it would only broadcast."""

import keras
import numpy as np
import pytest

from cvae_keras.elbo import ELBOModel
from cvae_keras.parts import (
    Bernoulli,
    Categorical,
    CategoricalPosterior,
    CategoricalPrior,
    FlowPrior,
    FreeTablePosterior,
    GaussianPosterior,
    Laplace,
    Normal,
    StandardNormal,
)
from cvae_keras.training import FusedAdam

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
BINARY = (X > 0).astype("float32")
MASK = (RNG.random(X.shape) > 0.3).astype("float32")


@keras.saving.register_keras_serializable("tests")
class Returns(keras.layers.Layer):
    """A decoder that returns what a function makes of z."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, z, c=None):
        return self.function(z)


def dense(units=3):
    return keras.layers.Dense(units)


def made(decoder=None, likelihood=None, posterior=None, prior=None):
    model = ELBOModel(
        posterior or GaussianPosterior(dense(4), 3),
        prior or StandardNormal(3),
        decoder or dense(),
        likelihood or Normal(),
    )
    model.compile(FusedAdam(), run_eagerly=True)
    return model


def refused(model, inputs, sentence):
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=sentence) as error:
            call(inputs, verbose=0)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("latent", [1, 2])
def test_latent_sizes_that_differ(latent):
    model = made(prior=StandardNormal(latent))
    with pytest.raises(ValueError, match=f"has 3 latent dimensions and the prior {latent}"):
        model.fit({"x": X}, verbose=0)


def test_numbers_of_categories_that_differ():
    model = made(posterior=CategoricalPosterior(3), prior=CategoricalPrior(4))
    with pytest.raises(ValueError, match="has 3 categories and the prior 4"):
        model.fit({"x": X, "c": X}, verbose=0)


@pytest.mark.parametrize(
    "function",
    [lambda z: z[0], lambda z: z[..., :1], lambda z: z[None], lambda z: z[:, :4]],
    ids=["no sample axis", "one column", "an axis too many", "too few rows"],
)
def test_a_decoder_of_another_shape(function):
    refused(made(Returns(function)), {"x": X}, "the decoder returned .* for x of shape")


@pytest.mark.parametrize("likelihood", [Normal("learned"), Laplace(0.5)])
def test_a_scale_of_the_decoder_beside_one_of_the_likelihood(likelihood):
    model = made(Returns(lambda z: {"mean": z, "log_scale": z}), likelihood)
    name = type(likelihood).__name__
    refused(model, {"x": X}, rf"returns a log_scale of its own: use {name}\('decoder'\)")


def test_a_likelihood_without_the_scale_that_it_needs():
    refused(made(likelihood=Normal("decoder")), {"x": X}, "returns no dictionary with 'mean'")


@pytest.mark.parametrize("x", [X, 255.0 * BINARY])
def test_x_outside_the_unit_interval(x):
    refused(made(likelihood=Bernoulli()), {"x": x}, "Bernoulli is for values in")


def test_a_missing_value_may_lie_outside_the_support():
    model = made(likelihood=Bernoulli())
    model.fit({"x": np.where(MASK > 0, BINARY, -100.0), "mask": MASK}, verbose=0)


def test_class_numbers_are_to_be_one_hot():
    model = made(likelihood=Categorical())
    refused(model, {"x": np.arange(8.0)[:, None] % 3}, "is for one-hot rows")
    refused(model, {"x": np.ones((8, 1))}, "class numbers must be one-hot")


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (MASK[:, :1], "mask must have the shape of x"),
        (MASK[:, 0], "mask must have the shape of x"),
        (0.5 * MASK, "mask must hold 1"),
        (np.where(MASK > 0, np.nan, MASK), "mask must hold 1"),
    ],
    ids=["one column", "no columns", "fractions", "NaN"],
)
def test_masks_that_do_not_fit(mask, sentence):
    refused(made(), {"x": X, "mask": mask}, sentence)


def test_a_mask_in_batches_that_would_broadcast():
    with pytest.raises(ValueError, match="mask must have the shape of x"):
        made()({"x": X, "mask": MASK[:, :1]})


def test_a_loss_of_keras():
    model = made()
    model.compile(FusedAdam(), loss="mse")
    refuse = "compile got loss='mse', which would not be used"
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=refuse):
            call({"x": X}, verbose=0)


def test_x_that_is_absent():
    refused(made(), {"c": X}, "must hold 'x'")


@pytest.mark.parametrize("slot", ["posterior", "prior", "decoder", "likelihood"])
def test_parts_of_another_class(slot):
    parts = dict.fromkeys(("posterior", "prior", "decoder", "likelihood"))
    parts |= {"posterior": GaussianPosterior(dense(), 3), "prior": StandardNormal(3)}
    parts |= {"decoder": dense(), "likelihood": Normal()}
    with pytest.raises(TypeError, match=f"{slot} must be a"):
        ELBOModel(**{**parts, slot: "normal"})


def test_what_is_missing_has_no_influence():
    """NaN, 0 or any number where the mask is 0: the same losses, gradients and reconstructions."""
    found = []
    for filler in (np.nan, 0.0, 1e6):
        keras.utils.set_random_seed(0)
        model, inputs = made(), {"x": np.where(MASK > 0, X, filler), "mask": MASK}
        losses = model.fit(inputs, epochs=2, verbose=0).history["loss"]
        assert np.isfinite(losses).all()
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
        found.append([*losses, *model.predict(inputs, verbose=0).ravel()])
        found[-1].append(model.evaluate(inputs, verbose=0, return_dict=True)["loss"])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    with pytest.raises(ValueError, match="x holds NaN"):
        model.fit({"x": np.where(MASK > 0, np.nan, X), "mask": MASK}, verbose=0)


def test_a_point_has_no_kl_to_a_flow():
    model = made(posterior=FreeTablePosterior(8, 3, "ae"), prior=FlowPrior(3))
    inputs = {"x": X, "c": X, "index": np.arange(8)}
    with pytest.raises(ValueError, match="a Delta has no KL to a Flow"):
        model.fit(inputs, verbose=0)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (None, "index is missing"),
        (np.arange(8) + 1, "index runs from 1 to 8: give .* 0 to 7"),
        (np.arange(8) - 0.5, "does not hold one whole number"),
        (np.zeros((8, 2)), "does not hold one whole number"),
    ],
)
def test_rows_of_a_free_table(index, sentence):
    model = made(posterior=FreeTablePosterior(8, 3))
    refused(model, {"x": X} | ({} if index is None else {"index": index}), sentence)
