"""Schedules of the weights of the objective, and of the learning rate."""

import keras
import numpy as np
import pytest
from linear_gaussian import linear_gaussian

from cvae_keras.training.schedules import WeightSchedule, half_cosine, linear


def test_linear_schedule():
    schedule = linear(2.0, 1.0, epochs=4)
    assert [schedule(epoch) for epoch in (0, 1, 4, 9)] == [2.0, 1.75, 1.0, 1.0]
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        linear(0.0, 1.0, epochs=0)
    with pytest.raises(TypeError, match="beta must be a function of the epoch"):
        WeightSchedule(beta=0.5)


def test_half_cosine_falls_from_the_rate_towards_zero():
    schedule = half_cosine(0.4, epochs=4).schedule
    np.testing.assert_allclose(
        [schedule(epoch) for epoch in (0, 2, 4)], [0.4, 0.2, 0.0], atol=1e-12
    )


def test_schedule_changes_beta_without_a_new_trace():
    model = linear_gaussian()
    model.compile(keras.optimizers.SGD(0.0))
    x = np.random.default_rng(0).normal(size=(32, 3))
    traced = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: traced.append(model.decoder.traced)
    )
    schedule = WeightSchedule(beta=linear(0.0, 1.0, epochs=2))
    history = model.fit({"x": x}, epochs=4, verbose=0, callbacks=[schedule, count]).history
    beta = np.array([0.0, 0.5, 1.0, 1.0])
    expected = history["reconstruction"] + beta * history["kl"]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    assert history["kl"][0] > 0.1 and traced[0] == traced[-1] > 0


def test_schedule_of_an_unknown_weight_is_refused():
    model = linear_gaussian()
    with pytest.raises(ValueError, match="weight 'bta' is unknown: choose among"):
        model.fit({"x": np.zeros((4, 3))}, verbose=0, callbacks=[WeightSchedule(bta=lambda e: 1)])
