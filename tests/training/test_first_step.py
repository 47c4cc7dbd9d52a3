"""What a user waits for before the first training step."""

import subprocess
import sys

import keras
import pytest
from model_cases import dense

from cvae_keras.data.conditions import Conditioned
from cvae_keras.data.gaussian import IndependentGaussian

TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow alone traces a step again")
def test_a_training_step_is_traced_once(monkeypatch):
    model, traced = dense(), []
    call = type(model).call
    monkeypatch.setattr(type(model), "call", lambda *a, **k: traced.append(a) or call(*a, **k))
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(Conditioned(IndependentGaussian(3)).examples(8, seed=0), batch_size=4, verbose=0)
    assert len(traced) == 1


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
