"""A model with a linear decoder whose exact posterior, and so its evidence, is known."""

import keras
import numpy as np

from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.likelihoods import Normal
from cvae_keras.parts.posteriors import GaussianPosterior
from cvae_keras.parts.priors import StandardNormal


class ReadX(keras.layers.Layer):
    def call(self, x, c=None, mask=None):
        return x


class Identity(keras.layers.Layer):
    """x_hat = z; counts how often it is traced."""

    traced = 0

    def call(self, z, c=None):
        self.traced += 1
        return z


def linear_gaussian(scale=0.5, dims=3, beta=1.0, shift=0.0):
    """z ~ N(0, I), x = z + scale * noise, with the exact posterior, its mean moved by shift."""
    model = ELBOModel(
        GaussianPosterior(ReadX(), dims), StandardNormal(dims), Identity(), Normal(scale), beta=beta
    )
    model.compile("sgd", run_eagerly=True)
    model({"x": np.zeros((1, dims))})
    variance = scale**2 / (1 + scale**2)
    model.posterior.mean.set_weights([np.eye(dims) / (1 + scale**2), np.full(dims, shift)])
    model.posterior.log_var.set_weights([np.zeros((dims, dims)), np.full(dims, np.log(variance))])
    return model
