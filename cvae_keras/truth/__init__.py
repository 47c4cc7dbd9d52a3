"""Analytic reference solutions, which every system is compared with."""

from cvae_keras.truth.gauss_newton import gauss_newton
from cvae_keras.truth.gaussian import (
    check_covariance,
    conditional_covariance,
    conditional_log_density,
    optimum,
    schur_complement,
    water_filling,
)
from cvae_keras.truth.linear_gaussian import conditional_error, conditional_mean, ridge_latent
from cvae_keras.truth.sinusoid import fit_cosine, fit_phase, solutions

__all__ = [
    "check_covariance",
    "conditional_covariance",
    "conditional_error",
    "conditional_log_density",
    "conditional_mean",
    "fit_cosine",
    "fit_phase",
    "gauss_newton",
    "optimum",
    "ridge_latent",
    "schur_complement",
    "solutions",
    "water_filling",
]
