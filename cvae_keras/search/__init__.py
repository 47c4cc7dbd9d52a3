"""Hyperparameter search with keras-tuner: a `HyperModel` a system, scores that no weight can bend.

>>> from cvae_keras import search
>>> rows = search.run(search.SinusoidHyperModel(), folder="runs/mine", trials=10)
"""

from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.search.run import run
from cvae_keras.search.spaces.auto_decoder import VADHyperModel
from cvae_keras.search.spaces.compression import CompressionHyperModel
from cvae_keras.search.spaces.dense import TestbedHyperModel
from cvae_keras.search.spaces.multimodal import MultimodalHyperModel
from cvae_keras.search.spaces.sinusoid import SinusoidHyperModel

#: What `cvae-keras search` knows by name; another system's hypermodel is added here.
HYPERMODELS = {
    "sinusoid": SinusoidHyperModel,
    "testbed": TestbedHyperModel,
    "compression": CompressionHyperModel,
    "vad": VADHyperModel,
    "multimodal": MultimodalHyperModel,
}

__all__ = ["HYPERMODELS", "SystemHyperModel", "choices", "run"]
__all__ += [model.__name__ for model in HYPERMODELS.values()]
