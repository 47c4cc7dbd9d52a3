"""What a user waits for before the first training step."""

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
