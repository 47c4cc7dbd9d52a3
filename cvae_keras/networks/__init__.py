"""Networks that fill the slots: what reads (x, c) for a posterior, and what decodes z given c."""

from cvae_keras.networks.conv import ConvDecoder, ConvEncoder
from cvae_keras.networks.dense import DenseStack, ResidualMLP
from cvae_keras.networks.normalized import NormalizedMLP
from cvae_keras.networks.tile import tile

__all__ = ["ConvDecoder", "ConvEncoder", "DenseStack", "NormalizedMLP", "ResidualMLP", "tile"]
