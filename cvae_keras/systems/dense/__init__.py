"""The dense CVAE testbed, conditioned on any subset of the inputs."""

from cvae_keras.systems.dense.model import DenseCVAE, SubsetDecoder, SubsetEncoder

__all__ = ["DenseCVAE", "SubsetDecoder", "SubsetEncoder"]
