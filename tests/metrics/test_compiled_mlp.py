"""The compiled perceptron is that of scikit-learn: the same steps from the same random state."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from cvae_keras.checks import RunError
from cvae_keras.metrics import compiled_mlp, two_sample
from cvae_keras.metrics.compiled_mlp import CompiledMLPClassifier


def draw(rows, shift, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2 * rows, 3)).astype("float32")
    x[rows:] += shift
    return x, np.repeat(["a", "b"], rows)


@pytest.mark.parametrize("rows", [60, 230])  # one batch; two batches and a rest of 60
def test_the_loss_of_each_epoch_is_that_of_scikit_learn(rows):
    pytest.importorskip("jax")
    x, y = draw(rows, 0.5)
    settings = {"hidden_layer_sizes": (8, 6), "max_iter": 12, "random_state": 3}
    ours = CompiledMLPClassifier(**settings).fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = MLPClassifier(**settings).fit(x, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-5)
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
    assert (ours.predict(x) == theirs.predict(x)).all()


def test_training_ends_as_that_of_scikit_learn():
    pytest.importorskip("jax")
    x, y = draw(60, 8.0)  # the loss reaches 0: no chaos before the end
    settings = {"hidden_layer_sizes": (8,), "max_iter": 2000, "random_state": 0}
    ours, theirs = CompiledMLPClassifier(**settings).fit(x, y), MLPClassifier(**settings).fit(x, y)
    assert ours.n_iter_ == theirs.n_iter_ < 2000


def test_the_two_sample_test_finds_the_total_variation():
    pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 1, (1000, 1)), rng.uniform(0.5, 1.5, (1000, 1))  # TV = 1/2
    assert two_sample.c2st(a, b, compiled=True).accuracy == pytest.approx(0.75, abs=0.02)


def test_without_jax_one_sentence_says_so(monkeypatch):
    compiled_mlp._compiled.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "jax", None)
    with pytest.raises(RunError, match="needs JAX"):
        CompiledMLPClassifier().fit(*draw(60, 1.0))


def test_labels_of_one_class_are_refused():
    with pytest.raises(ValueError, match="two classes, got 1"):
        CompiledMLPClassifier().fit(np.zeros((5, 2)), np.zeros(5))
