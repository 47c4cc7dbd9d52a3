"""The dense CVAE testbed, conditioned on any subset of the inputs."""

from cvae_keras.systems.dense.config import measure_by_count, read_config, shipped_configs, train
from cvae_keras.systems.dense.model import DenseCVAE, SubsetDecoder, SubsetEncoder

__all__ = [
    "DenseCVAE",
    "SubsetDecoder",
    "SubsetEncoder",
    "measure_by_count",
    "read_config",
    "shipped_configs",
    "train",
]
