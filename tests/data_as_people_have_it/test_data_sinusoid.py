"""NumPy's integers, seeds, overflow and weights, in SinusoidCVAE, SinusoidSolver and the tasks."""

import json

import numpy as np
import pytest

from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.systems.sinusoid.solver import SinusoidSolver
from cvae_keras.training import FusedAdam

TASK = TASKS["data_1"]
X, Y = TASK.sample(8, seed=0)


def cvae(**options):
    return SinusoidCVAE(TASK, **{"latent_dim": 2, **options})


def solver(**options):
    return SinusoidSolver(TASK, **{"categories": 3, "width": 8, "depth": 1, "order": 2, **options})


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.int16, np.uint64])
def test_sizes(kind):
    models = [cvae(latent_dim=kind(3), seed=kind(1), wy=np.float32(0.5))]
    sizes = {"categories": kind(3), "width": kind(8), "depth": kind(1), "order": kind(2)}
    models.append(solver(**sizes, seed=kind(1)))
    for model in models:
        config = json.loads(json.dumps(model.get_config()))
        assert type(model).from_config(config).get_config() == config
        assert model.sample(Y, n_samples=kind(2), seed=kind(1)).shape == (2, 8, 50, 2)
    task = SinusoidTask([("sin", kind(5), kind(3)), ("cos", 4, 8)], points=kind(20))
    assert SinusoidTask.from_config(json.loads(json.dumps(task.get_config()))) == task
    assert np.array_equal(TASK.sample(kind(8), kind(0))[0], X)


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.random.RandomState(3),
        lambda: np.random.default_rng(3),
        lambda: np.random.default_rng(3).integers(99),
        lambda: np.int64(3),
        lambda: None,
    ],
)
def test_seeds(make):
    for model in (cvae(seed=make()), solver(seed=make())):
        assert json.loads(json.dumps(model.get_config()))["seed"] == model.seed
        draws = [model.sample(Y, n_samples=2, seed=make()) for _ in range(2)]
        assert make() is None or np.array_equal(*draws)
    assert TASK.sample(3, make())[0].shape == (3, 50, 2)


@pytest.mark.parametrize("size", [5e37, 1e20, -1e16, 1e200, 1e307])
def test_large_ramps_are_refused(size):
    bad = X.astype("float64")
    bad[2, 3, 1] = size
    for model in (cvae(), solver()):
        model.compile(FusedAdam(), run_eagerly=True)
        with pytest.raises(ValueError, match="squares overflow|range of float32"):
            model.fit({"x": bad, "c": Y}, verbose=0)
        with pytest.raises(ValueError, match="y reaches"):
            model.sample(bad)
    with pytest.raises(ValueError, match="x reaches"):
        TASK.forward(bad)


@pytest.mark.parametrize("make", [cvae, solver])
def test_weights_of_zero_are_refused_by_fit_and_change_nothing(make):
    model = make()
    model.compile(FusedAdam(1e-2), run_eagerly=True)
    before = [variable.numpy() for variable in model.trainable_variables]
    with pytest.raises(ValueError, match="sample_weight is 0 for all rows"):
        model.fit({"x": X, "c": Y}, sample_weight=np.zeros(8), verbose=0)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert np.array_equal(old, new.numpy())
    assert model.evaluate({"x": X, "c": Y}, sample_weight=np.zeros(8), verbose=0)[0] == 0
