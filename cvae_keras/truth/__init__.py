"""The closed forms that every system is held against, written with NumPy only."""

from cvae_keras.truth.sinusoid import fit_phase, solutions

__all__ = ["fit_phase", "solutions"]
