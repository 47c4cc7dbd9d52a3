"""How models are trained: batches, schedules, optimizers, what differs between backends."""

from cvae_keras.training.backends import (
    ReplicaSeedGenerator,
    at_once,
    compiled,
    forgets_graphs,
    process,
)
from cvae_keras.training.batches import Batches, FollowEpoch, FreshBatches, ShuffledBatches
from cvae_keras.training.checkpoint import Checkpoint
from cvae_keras.training.finite import StopIfNotFinite
from cvae_keras.training.masks import RedrawnMasks
from cvae_keras.training.optimizers import FusedAdam, LazyAdam, TwoRates, two_rates
from cvae_keras.training.schedules import WeightSchedule, fall, half_cosine, linear

__all__ = [
    "Batches",
    "Checkpoint",
    "FollowEpoch",
    "FreshBatches",
    "FusedAdam",
    "LazyAdam",
    "RedrawnMasks",
    "ReplicaSeedGenerator",
    "ShuffledBatches",
    "StopIfNotFinite",
    "TwoRates",
    "WeightSchedule",
    "at_once",
    "compiled",
    "fall",
    "forgets_graphs",
    "half_cosine",
    "linear",
    "process",
    "two_rates",
]
