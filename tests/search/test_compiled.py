"""Trials that share a compiled model train bit for bit as those that compile their own."""

import keras
import keras_tuner
import numpy as np
import pytest

from cvae_keras import search
from cvae_keras.search.compiled import KEPT, CompiledModels
from cvae_keras.training.backends import forgets_graphs
from cvae_keras.training.optimizers import ScheduledAdam

EPOCHS = 2


def trained(hypermodel, models, seed=1, **values):
    """The model of a trial, trained as the tuner does, and its weights."""
    keras.utils.set_random_seed(seed)
    hypermodel.seed = seed
    hp = keras_tuner.HyperParameters()
    hp.values = {"latent_dim": 2, "prior": "conditional", **values}
    fresh = hypermodel.build(hp)
    assert hypermodel.architecture(hp) == (("latent_dim", 2), ("prior", "conditional"))
    model = models.take(hypermodel.architecture(hp), fresh)
    with forgets_graphs():
        hypermodel.fit(hp, model, epochs=EPOCHS, callbacks=[])
    return model, [np.array(weight) for weight in model.get_weights()]


def check(network):
    options = {"width": 8, "depth": 1} if network == "deep" else {}
    hypermodel = search.SinusoidHyperModel(
        network=network, examples=50, batch_size=50, curves=3, **options
    )
    values = {"beta": 3.0, "wx": 0.2, "wy": 0.01, "learning_rate": 0.005}
    _, expected = trained(hypermodel, CompiledModels(), seed=2, **values)
    models = CompiledModels()
    first, other = trained(hypermodel, models)
    assert not all(np.array_equal(a, b) for a, b in zip(other, expected, strict=True))
    step = first.train_function
    again, found = trained(hypermodel, models, seed=2, **values)
    assert again is first and again.train_function is step  # nothing was compiled
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert again.get_config()["beta"] == 3.0 and again.get_config()["seed"] == 2
    scores = hypermodel.score(again)
    assert np.isfinite(scores["score"])


def test_a_reused_model_trains_as_a_new_one(eager):
    check("deep")


@pytest.mark.long
@pytest.mark.parametrize("network", ["deep", "original"])
def test_a_reused_graph_trains_as_a_new_one(network):
    check(network)


def test_other_architectures_and_unknown_ones_are_not_shared():
    def model():
        made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        made.compile("sgd")
        made.seed = 0
        return made

    models = CompiledModels()
    first, second = model(), model()
    assert models.take((2,), first) is first and models.take((3,), second) is second
    alone = model()
    assert models.take(None, alone) is alone and len(models.models) == 2
    new = model()
    assert models.take((2,), new) is first
    assert all(map(np.array_equal, first.get_weights(), new.get_weights()))
    for number in range(10, 9 + KEPT):
        models.take((number,), model())
    assert models.take((2,), new) is first  # used last
    assert models.take((3,), new) is new and len(models.models) == KEPT


def test_the_rate_is_a_variable_times_the_schedule():
    """One step of Adam from 0 moves a weight by the rate."""
    halves = keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [1.0, 0.5, 0.0])
    optimizer = ScheduledAdam(0.1, halves)
    again = ScheduledAdam.from_config(optimizer.get_config())
    for each in (optimizer, again):
        weight = keras.Variable([0.0])
        seen = []
        for rate in (0.1, 0.1, 0.2, 0.2):
            before = float(weight[0])
            each.learning_rate = rate
            each.apply([np.ones(1, "float32")], [weight])
            seen.append(before - float(weight[0]))
        np.testing.assert_allclose(seen, [0.1, 0.1, 0.1, 0.0], atol=1e-5)
