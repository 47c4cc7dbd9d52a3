"""What a user waits for before the first training step."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from cvae_keras import CompressionVAE, DenseCVAE
from cvae_keras.data.conditions import Conditioned
from cvae_keras.data.gaussian import IndependentGaussian

BACKEND = keras.backend.backend()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow alone traces a step again")
def test_a_training_step_is_traced_once(monkeypatch):
    model, traced = DenseCVAE(3, 4, [16], [16]), []
    call = type(model).call
    monkeypatch.setattr(type(model), "call", lambda *a, **k: traced.append(a) or call(*a, **k))
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(Conditioned(IndependentGaussian(3)).examples(8, seed=0), batch_size=4, verbose=0)
    assert len(traced) == 1


@pytest.mark.skipif(BACKEND != "jax", reason="JAX compiles each operation of an eager step")
def test_few_steps_on_jax_are_compiled_as_a_whole():
    rows = np.random.default_rng(0).normal(size=(40, 3))
    embedder = CompressionVAE(cells_encoder=(4,), num_steps=2, verbose=False).fit(rows)
    assert not embedder.model_.run_eagerly


IMPORT = """
import sys, cvae_keras, keras
print(*sorted({"sklearn", "scipy.stats"} & set(sys.modules)), "matplotlib.figure" in sys.modules)
print(keras.wrappers.SKLearnClassifier.__name__, "sklearn" in sys.modules)
import matplotlib.pyplot as plt
print(plt.figure().axes)
"""


def test_the_package_loads_what_few_programs_use_when_they_use_it():
    found = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True)
    lines = found.stdout.splitlines()
    assert lines == ["False", "SKLearnClassifier True", "[]"], found.stderr
