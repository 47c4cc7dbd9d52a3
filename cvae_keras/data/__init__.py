"""The data sets that the systems are trained and scored on."""

from cvae_keras.data.sinusoid import SinusoidTask

__all__ = ["SinusoidTask"]
