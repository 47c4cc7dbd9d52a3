"""Your own conditional VAE: named arrays of any shape, given others."""

from cvae_keras.systems.cvae.model import CVAE

__all__ = ["CVAE"]
