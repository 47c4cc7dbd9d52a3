"""A plain model and a subclass are saved with all their weights, or are refused."""

import keras
import numpy as np
import pytest

from cvae_keras.elbo import ELBOModel
from cvae_keras.parts import FlowPrior, GaussianPosterior, IAFPosterior, Normal, StandardNormal
from cvae_keras.training import FusedAdam

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
PACKAGE = "tests"


def network():
    return keras.Sequential([keras.layers.Dense(4, "relu")])


def plain():
    model = ELBOModel(
        IAFPosterior(network(), 2, flow_length=1),
        FlowPrior(2, network=network(), flow_length=1),
        keras.Sequential([keras.layers.Dense(3)]),
        Normal(),
        condition=keras.layers.Dense(2),
        beta=0.5,
        seed=3,
    )
    model.compile(FusedAdam(1e-2), run_eagerly=True)
    return model


@keras.saving.register_keras_serializable(PACKAGE)
class Lazy(ELBOModel):
    """A subclass that does not call itself in its `__init__`."""

    def __init__(self, features, **kwargs):
        parts = GaussianPosterior(network(), 2), StandardNormal(2), keras.layers.Dense(features)
        super().__init__(*parts, Normal(), **kwargs)
        self.features = features

    def get_config(self):
        return {"features": self.features, "name": self.name}


@keras.saving.register_keras_serializable(PACKAGE)
class Unbuilt(Lazy):
    def get_build_config(self):
        return None


@keras.saving.register_keras_serializable(PACKAGE)
class Weighed(ELBOModel):
    """A subclass without an `__init__`."""

    def loss_per_example(self, terms):
        return 2.0 * super().loss_per_example(terms)


def numbers(model):
    variables = [*model.weights, *model.optimizer.variables, model.seed_generator.state]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def same(a, b):
    return len(a) == len(b) and all(map(np.array_equal, a, b))


def test_a_plain_model_continues_bit_for_bit(tmp_path):
    model, inputs = plain(), {"x": X, "c": X[:, :2]}
    model.fit(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    keras.utils.set_random_seed(99)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is ELBOModel
    assert float(loaded.term_weights["beta"]) == 0.5 and loaded.seed == 3
    assert same(numbers(loaded), numbers(model))
    losses = [each.fit(inputs, epochs=2, verbose=0).history["loss"] for each in (model, loaded)]
    assert losses[0] == losses[1] and same(numbers(loaded), numbers(model))


@pytest.mark.filterwarnings("ignore:You are saving a model")
def test_a_model_that_was_never_called_is_saved_without_weights(tmp_path):
    plain().save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.fit({"x": X, "c": X[:, :2]}, verbose=0)


@pytest.mark.parametrize("cls", [Lazy, Weighed])
def test_a_subclass_loads_all_its_weights(cls, tmp_path):
    parts = plain().get_config() if cls is Weighed else {"features": 3}
    model = cls.from_config(parts)
    model.compile(FusedAdam(), run_eagerly=True)
    model.fit({"x": X, "c": X[:, :2]} if cls is Weighed else {"x": X}, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is cls and same(numbers(loaded), numbers(model))


def test_a_load_that_leaves_weights_out_is_refused(tmp_path):
    model = Unbuilt(3)
    model({"x": X})
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="holds 10 weights and the model 2: it lacks .*kernel"):
        keras.saving.load_model(tmp_path / "model.keras")


def test_an_older_file_of_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="Lazy has not been called"):
        Lazy(3).load_own_variables({"0": np.zeros(())})


@pytest.mark.filterwarnings("ignore:You are saving a model")
def test_a_subclass_without_a_configuration_is_refused(tmp_path):
    class Bare(ELBOModel):
        def __init__(self):
            super().__init__(
                GaussianPosterior(network(), 2), StandardNormal(2), keras.layers.Dense(3), Normal()
            )

    with pytest.raises(NotImplementedError, match="Bare has an __init__ of its own and no get_con"):
        Bare().save(tmp_path / "model.keras")


def test_parts_that_share_weights_are_refused(tmp_path):
    shared = network()
    posterior, prior = GaussianPosterior(keras.layers.Dense(4), 2), FlowPrior(2, network=shared)
    decoder = keras.Sequential([keras.layers.Dense(3)])
    model = ELBOModel(posterior, prior, decoder, Normal(), condition=shared)
    model({"x": X, "c": np.zeros((16, 4), "float32")})
    with pytest.raises(ValueError, match="two parts of the model share weights"):
        model.save(tmp_path / "model.keras")
