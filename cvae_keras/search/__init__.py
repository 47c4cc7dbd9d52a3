"""Hyperparameter search with keras-tuner: one `HyperModel` per system.

Objectives are independent of the loss weights, which are tuned.

```python
from cvae_keras import search

rows = search.run(search.SinusoidHyperModel(), folder="runs/mine", trials=10)
```
"""

from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.search.run import run
from cvae_keras.search.spaces.auto_decoder import AutoDecoderHyperModel, VADHyperModel
from cvae_keras.search.spaces.compression import CompressionHyperModel
from cvae_keras.search.spaces.dense import DenseHyperModel, TestbedHyperModel
from cvae_keras.search.spaces.multimodal import MultimodalHyperModel
from cvae_keras.search.spaces.sinusoid import SinusoidHyperModel

#: Name of a command `cvae-keras search NAME` -> the hypermodel that it searches with. A new system
#: needs an entry here, and its command in `cvae_keras.cli.search`.
HYPERMODELS = {
    "sinusoid": SinusoidHyperModel,
    "testbed": DenseHyperModel,
    "compression": CompressionHyperModel,
    "vad": AutoDecoderHyperModel,
    "multimodal": MultimodalHyperModel,
}

__all__ = [
    "HYPERMODELS",
    "AutoDecoderHyperModel",
    "CompressionHyperModel",
    "DenseHyperModel",
    "MultimodalHyperModel",
    "SinusoidHyperModel",
    "SystemHyperModel",
    "TestbedHyperModel",
    "VADHyperModel",
    "choices",
    "run",
]
