"""Every model class as a `Case` of the shared checks, small enough to train in a second."""

import keras
import numpy as np
from model_checks import Case, with_value

from cvae_keras.data.conditions import Conditioned
from cvae_keras.data.gaussian import CorrelatedGaussian
from cvae_keras.data.multimodal import GaussianModalities
from cvae_keras.data.sinusoid import SinusoidTask
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.miwae import MIWAE
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.cvae.model import CVAE
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.systems.sinusoid.solver import SinusoidSolver
from cvae_keras.training.optimizers import FusedAdam, two_rates


def compiled(model, learning_rate=5e-3, optimizer=FusedAdam):
    """Compiled with an Adam that takes one operation for each variable, where Keras's takes 14."""
    model.compile(optimizer(learning_rate))
    return model


# -- dense ----------------------------------------------------------------------------------------
GAUSSIAN = CorrelatedGaussian(3, seed=0)


def dense(x_dim=3, **options):
    options = {"latent_dim": 4, "enc_layers": [16, 8], "dec_layers": [16], **options}
    return compiled(DenseCVAE(x_dim, **options), optimizer=keras.optimizers.Adam)


def plain(**options):
    """The dense model with the layers of CVAE_testbed."""
    return dense(batch_norm=True, gated=False, activation="relu", **options)


def bad_subsets(arrays):
    return [
        ({**arrays, "c": arrays["c"][:, :4]}, "c must be"),
        ({**arrays, "c": with_value(arrays["c"], 7.0) + 1}, "c must be"),
        ({**arrays, "mask": arrays["x"]}, "the inputs must be"),
    ]


def bad_subset_conditions(c):
    return [(np.full_like(c, 0.5), "c must be"), (c[:, :3], "c must be")]


# -- sinusoid -------------------------------------------------------------------------------------
SHORT = SinusoidTask([("sin", 5, 3), ("cos", 4, 8)], points=23)
EASY = SinusoidTask([("sin", 1, 0.3), ("cos", 0.4, 1)], points=20)


def sinusoid(**options):
    options = {"latent_dim": 2, "loss": "normal", "wy": 0.1, **options}
    return compiled(SinusoidCVAE(SHORT, **options), 2e-3)


def deep(**options):
    options = {"network": "deep", "loss": "ramps", "posterior": "flow", "prior": "flow", **options}
    return sinusoid(width=16, depth=1, min_scale=0.07, **options)


def solver(**options):
    return compiled(SinusoidSolver(EASY, categories=4, width=16, depth=1, order=2, **options))


def bad_curves(arrays):
    x, y = arrays["x"], arrays["c"]
    return [({"x": x, "c": y[..., :1]}, "shape"), ({"x": x, "c": 2 * y}, "y reaches")]


def bad_curve_conditions(y):
    return [
        (with_value(y, 1.5), "y reaches 1.5"),
        (with_value(y, np.nan), "y holds NaN or infinity"),
        (y[:, :-1], "y has shape"),
    ]


# -- multimodal -----------------------------------------------------------------------------------
MODALITIES = GaussianModalities({"x": 3, "c": 4}, seed=0)


def multimodal(dims=None, main="x", **options):
    dims = {"x": (3,), "c": (4,)} if dims is None else dims
    options = {"latent_dim": 2, "hidden": (16,), **options}
    return compiled(MultimodalCVAE(main, [name for name in dims if name != main], dims, **options))


def may_miss(**options):
    return multimodal(prior_network="dense", drop_rate=0.5, **options)


def flow_prior(**options):
    return multimodal(prior_network="flow", **options)


def bad_modalities(arrays):
    return [
        ({**arrays, "d": arrays["c"]}, "are unknown to the model"),
        ({"c": arrays["c"]}, "must hold 'x'"),
    ]


# -- your own data ------------------------------------------------------------------------------
SMALL = {"latent_dim": 2, "width": 8, "depth": 1, "prior": "conditional"}


def own(**options):
    return compiled(CVAE((3,), (4,), **{**SMALL, **options}))


def bad_keys(arrays):
    return [({**arrays, "d": arrays["c"]}, "the inputs hold")]


# -- rows without a condition ---------------------------------------------------------------------
class Rows:
    """Rows of six features near a curved surface, and what goes with them.

    Args:
        names: among "mask" (1 where a feature is observed), "index" (the number of the row) and
            "neighbor" (a row near it).
    """

    def __init__(self, *names):
        self.names = names

    def examples(self, n, seed):
        rng = np.random.default_rng(seed)
        x = np.tanh(rng.normal(size=(n, 2)) @ np.random.default_rng(0).normal(size=(2, 6)))
        arrays = {
            "mask": rng.random(x.shape) > 0.3,
            "index": np.arange(n)[:, None],
            "neighbor": x + 0.1 * rng.normal(size=x.shape),
        }
        arrays = {name: arrays[name].astype("float32") for name in self.names}
        return {"x": x.astype("float32"), **arrays}


def compression(**options):
    return compiled(CompressionModel(6, flow_length=1, widths=(16,), gamma=0.5, **options))


def auto_decoder(**options):
    fixed = {"latent_dim": 2, "hidden": (8,), "dropout": 0.2, "layer_norm": True}
    model = VariationalAutoDecoder(6, 64, **{**fixed, "latent_init": "zeros", **options})
    model.compile(two_rates(1e-2, 0.05))
    return model


def masked_vae(**options):
    return compiled(MaskedVAE(6, latent_dim=2, hidden=(8,), sees_mask=True, **options))


def miwae(**options):
    return compiled(MIWAE(6, latent_dim=2, hidden=(8,), sees_mask=True, **options))


def bad_masks(arrays):
    x, mask = arrays["x"], arrays["mask"]
    return [
        ({**arrays, "mask": mask[:, :-1]}, "mask must have the shape"),
        ({**arrays, "mask": 0.5 * mask}, "mask must"),
        ({**arrays, "x": np.where(mask > 0, np.nan, x)}, "x holds NaN"),
    ]


#: by the name of its system, and what differs from the defaults
CASES = {
    "dense": Case(dense, Conditioned(GAUSSIAN), bad_subsets, bad_subset_conditions),
    "dense, plain layers": Case(
        plain, Conditioned(GAUSSIAN), bad_subsets, bad_subset_conditions, graph=False
    ),
    "sinusoid": Case(sinusoid, SHORT, bad_curves, bad_curve_conditions),
    "sinusoid, deep": Case(deep, SHORT, bad_curves, bad_curve_conditions, graph=False),
    "solver": Case(solver, EASY, bad_curves, bad_curve_conditions),
    "cvae": Case(own, MODALITIES, bad_keys, graph=False),
    "multimodal": Case(multimodal, MODALITIES, bad_modalities),
    "multimodal, may miss": Case(
        may_miss, MODALITIES, bad_modalities, needs_condition=False, graph=False
    ),
    "multimodal, flow prior": Case(flow_prior, MODALITIES, bad_modalities, graph=False),
    "compression": Case(compression, Rows("neighbor")),
    "auto_decoder": Case(auto_decoder, Rows("mask", "index"), bad_masks),
    "masked_vae": Case(masked_vae, Rows("mask"), bad_masks),
    "masked_vae, miwae": Case(miwae, Rows("mask"), bad_masks, graph=False),
}


def cases_of(system):
    """The names of the cases of a system."""
    return [name for name in CASES if name.split(",")[0] == system]
