"""Hundreds of bad numbers, each refused in one sentence that names the argument."""

import math

import numpy as np
import pytest
from model_cases import GAUSSIAN, MODALITIES, SHORT, Rows, auto_decoder, dense, masked_vae
from model_cases import multimodal as multimodal_model
from model_cases import sinusoid as sinusoid_model

from cvae_keras import data, metrics, parts, training
from cvae_keras.data.conditions import Conditioned, draw_patterns, known_patterns
from cvae_keras.experiments.auto_decoder.run import DEFAULTS, complete
from cvae_keras.systems import CompressionVAE, VADImputer, refine
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.systems.sinusoid.solver import SinusoidSolver

NAN, INF = math.nan, math.inf
COUNT = [0, -1, 1.5, 2.0, NAN, INF, True, "2", None, [2], 10**12]
WEIGHT = [-1.0, NAN, INF, -INF, True, "1", None, [1.0, 2.0], 1e300]
FRACTION = [1.0, -0.1, NAN, INF, True, "0.1", None]
FINITE = [NAN, INF, True, "1", None, 1e300]
SEED = [-1, 1.5, NAN, INF, True, "0", [0.5]]
BAD = {
    "count": COUNT,
    "count or None": [value for value in COUNT if value is not None],
    "count or 0": [value for value in COUNT if value != 0],
    "counts": [[0], [-1], [1.5], [NAN], [True], ["2"], [None], "2", 2, None, [[2]]],
    "weight": WEIGHT,
    "weight or None": [value for value in WEIGHT if value is not None],
    "positive": [0.0, *WEIGHT],
    "positive float64": [0.0, *WEIGHT[:-1]],
    "fraction": FRACTION,
    "share": [0.0, 1.1, NAN, INF, True, "0.5", [0.5, 0.5]],
    "finite": FINITE,
    "seed": SEED,
    "index": [-1, 10**6, 0.5, NAN, "0"],
}

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
PAIRS = SHORT.sample(2, 0)
VAE = {"latent_dim": 2, "hidden": (4,)}


def nothing(**options):
    """Stands for what is only checked when the estimator is fitted."""


def constructors():
    """What is called, valid arguments, and which of them are of which kind."""
    source = Conditioned(GAUSSIAN)
    small = {"enc_layers": [4], "dec_layers": [4], "latent_dim": 2}
    layers = {"enc_layers": "counts", "dec_layers": "counts"}
    modal = {"main_modality": "x", "conditioning_modalities": ["c"]}
    modal |= {"input_dims": {"x": (3,), "c": (4,)}, **VAE}
    table = {"features": 6, "examples": 8, **VAE}
    pair = {"functions": [("sin", 5, 3), ("cos", 4, 8)]}
    return [
        (DenseCVAE, {"x_dim": 2, **small}, {"x_dim": "count", "latent_dim": "count", **layers,
          "beta": "weight", "seed": "seed"}),
        (MaskedVAE, {"features": 6, **VAE}, {"features": "count", "latent_dim": "count",
          "hidden": "counts", "beta": "weight", "seed": "seed"}),
        (VariationalAutoDecoder, table, {"features": "count", "examples": "count",
          "latent_dim": "count", "hidden": "counts", "dropout": "fraction", "log_var": "finite",
          "beta": "weight", "seed": "seed"}),
        (CompressionModel, {"features": 6, "widths": (4,), "flow_length": 1}, {"features": "count",
          "latent_dim": "count", "flow_length": "count or 0", "widths": "counts", "beta": "weight",
          "gamma": "weight", "components": "count or None", "seed": "seed"}),
        (MultimodalCVAE, modal, {"latent_dim": "count", "hidden": "counts", "beta": "weight",
          "seed": "seed"}),
        (SinusoidCVAE, {"task": SHORT, "latent_dim": 2}, {"latent_dim": "count", "beta": "weight",
          "wx": "weight", "wy": "weight", "seed": "seed"}),
        (SinusoidSolver, {"task": SHORT, "categories": 2, "width": 4, "depth": 1, "order": 1},
         {"categories": "count", "width": "count", "depth": "count", "order": "count",
          "beta": "weight", "seed": "seed"}),
        (data.SinusoidTask, pair, {"points": "count"}),
        (DenseDecoder, {"latent_dim": 2, "features": 3, "hidden": (4,)}, {"latent_dim": "count",
          "features": "count", "hidden": "counts", "dropout": "fraction", "seed": "seed"}),
        (parts.StandardNormal, {"latent_dim": 2}, {"latent_dim": "count"}),
        (parts.ConditionalNormal, {"latent_dim": 2}, {"latent_dim": "count", "width": "count"}),
        (parts.FlowPrior, {"latent_dim": 2}, {"latent_dim": "count", "width": "count",
          "flow_length": "count or 0"}),
        (parts.CategoricalPrior, {"categories": 2}, {"categories": "count"}),
        (parts.CategoricalPosterior, {"categories": 2}, {"categories": "count"}),
        (parts.FreeTablePosterior, {"examples": 2, "latent_dim": 2}, {"examples": "count",
          "latent_dim": "count", "log_var": "finite", "scale": "weight", "seed": "seed"}),
        (parts.DenseStack, {"units": [2]}, {"units": "counts"}),
        (parts.ResidualMLP, {"width": 2, "depth": 1}, {"width": "count", "depth": "count"}),
        (parts.NormalizedMLP, {"widths": [2]}, {"widths": "counts"}),
        (parts.ConvDecoder, {"points": 50}, {"points": "count", "channels": "count",
          "dense_channels": "count", "kernels": "counts"}),
        (parts.IAFStep, {"latent_dim": 2, "width": 4}, {"latent_dim": "count", "width": "count"}),
        (parts.Dropout, {}, {"seed": "seed"}),
        (parts.Normal, {"scale": 1.0}, {"scale": "positive", "min_log_scale": "finite"}),
        (parts.Laplace, {"scale": 1.0}, {"scale": "positive", "min_log_scale": "finite"}),
        (training.FreshBatches, {"source": source, "batch_size": 2, "steps": 1},
         {"batch_size": "count", "steps": "count or 0", "seed": "seed"}),
        (training.ShuffledBatches, {"arrays": {"x": X}, "batch_size": 2}, {"batch_size": "count",
          "seed": "seed"}),
        (training.two_rates, {}, {"net_lr": "weight", "latent_lr": "weight"}),
        (training.linear, {"start": 0.0, "stop": 1.0, "epochs": 2}, {"start": "finite",
          "stop": "finite"}),
        (training.half_cosine, {"rate": 0.1, "epochs": 2}, {"rate": "positive",
          "epochs": "count"}),
        (data.IndependentGaussian, {"dim": 2}, {"dim": "count"}),
        (data.CorrelatedGaussian, {"dim": 2}, {"dim": "count", "seed": "seed"}),
        (data.ProjectedGaussian, {"x_dim": 2, "projection_dim": 3}, {"x_dim": "count",
          "projection_dim": "count", "rank": "count or None", "seed": "seed"}),
        (data.GaussianModalities, {"dims": {"x": 2}}, {"shared": "count", "noise": "weight",
          "seed": "seed"}),
        (data.Manifold, {"name": "moons"}, {"noise": "weight"}),
        (GAUSSIAN.sample, {"n": 2}, {"n": "count", "seed": "seed"}),
        (source.examples, {"n": 2}, {"n": "count", "seed": "seed"}),
        (SHORT.sample, {"n": 2, "seed": 0}, {"n": "count or 0", "seed": "seed"}),
        (known_patterns, {"dim": 2}, {"dim": "count"}),
        (draw_patterns, {"n": 2, "dim": 2, "rng": np.random.default_rng(0)}, {"n": "count",
          "dim": "count"}),
        (data.draw_mask, {"shape": (2, 2), "ratio": 0.5, "seed": 0}, {"ratio": "fraction",
          "seed": "seed"}),
        (data.artificial, {"latent_dim": 2, "rows": 3}, {"latent_dim": "count", "rows": "count",
          "features": "count", "width": "count", "seed": "seed"}),
        (data.load_rows, {"name": "digits"}, {"train": "count", "test": "count"}),
        (Conditioned, {"data": GAUSSIAN}, {"mask_percentage": "weight"}),
        (refine, {"task": SHORT, "samples": PAIRS[0], "y": PAIRS[1]}, {"tol": "positive float64",
          "max_steps": "count"}),
    ]  # fmt: skip


def of_models():
    """Methods of small models, in the same way."""
    pairs, rows = Conditioned(GAUSSIAN).examples(8, 0), Rows("mask", "index").examples(64, 0)
    modal, model = MODALITIES.examples(8, 0), auto_decoder()
    fit = {"epochs": "count or 0", "batch_size": "count or None", "initial_epoch": "count or 0",
           "steps_per_epoch": "count or None", "validation_split": "fraction"}  # fmt: skip
    draw = {"n_samples": "count", "batch_size": "count", "seed": "seed"}
    cases = [
        (each.fit, {"x": arrays, "verbose": 0, "epochs": 0}, fit)
        for each, arrays in [(dense(), pairs), (model, rows), (multimodal_model(), modal)]
    ]
    many, x = multimodal_model(), Rows("mask").examples(5, 0)
    search = {"steps": "count or None", "rate": "positive", "batch_size": "count", "seed": "seed"}
    return [
        *cases,
        (dense().sample, {"c": pairs["c"]}, draw),
        (sinusoid_model().sample, {"c": PAIRS[1]}, draw),
        (masked_vae().sample, {}, {"n_samples": "count", "seed": "seed"}),
        (dense().predict, {"x": pairs, "verbose": 0}, {"batch_size": "count or None"}),
        (dense().evaluate, {"x": pairs, "verbose": 0}, {"batch_size": "count or None"}),
        (model.find_latents, {**x, "method": "newton"}, search),
        (model.sample_posterior, x, {"n_samples": "count", "seed": "seed"}),
        (many.encode, {"inputs": modal}, {"N": "count", "seed": "seed"}),
        (many.generate_from_prior, {"cond": {"c": modal["c"]}}, {"N": "count", "seed": "seed"}),
        (many.log_prob, {"inputs": modal, "K": 2}, {"K": "count", "seed": "seed"}),
        (metrics.importance_weighted_bound, {"model": dense(), "inputs": pairs, "n_samples": 2},
         {"n_samples": "count", "seed": "seed"}),
        (dense().set_term_weight, {"name": "beta", "value": 1.0}, {"value": "weight"}),
    ]  # fmt: skip


def of_estimators():
    """Arguments of estimators, which are checked when they are fitted: nothing valid is run."""

    def compress(**options):
        return CompressionVAE(verbose=False, **options).fit(X)

    def train(**options):
        return CompressionVAE(X, verbose=False).train(**options)

    def impute(**options):
        return VADImputer(**options).fit(X)

    return [
        (compress, None, {"train_valid_split": "share", "dim_latent": "count",
          "iaf_flow_length": "count or 0", "cells_encoder": "counts",
          "batch_size": "count or None", "batch_size_test": "count or None",
          "components": "share", "beta": "weight", "neighbors": "count or 0",
          "neighbor_weight": "weight or None", "num_steps": "count or None",
          "random_state": "seed"}),
        (train, None, {"learning_rate": "positive", "num_steps": "count or None",
          "dropout_keep_prob": "share", "test_every": "count or None",
          "lr_scheduling_steps": "count", "lr_scheduling_factor": "positive",
          "lr_scheduling_min": "weight", "checkpoint_every": "count"}),
        (impute, None, {"latent_dim": "count or None", "hidden": "counts",
          "epochs": "count or None", "subsample": "count or None",
          "batch_size": "count", "net_lr": "positive", "latent_lr": "positive",
          "validation_share": "fraction", "random_state": "seed"}),
        (lambda **options: complete(options), None, {name: {int: "count", float: "weight"}.get(
          type(value), "count or None") for name, value in DEFAULTS.items()
          if type(value) in (int, float) and name not in ("log_var", "seed")}),
    ]  # fmt: skip


def failures_of(call, valid, kinds):
    """What is wrong with the errors of bad arguments, and how many there were."""
    wrong, count = [], 0
    if valid is not None:
        call(**valid)
    for name, kind in kinds.items():
        for value in BAD[kind]:
            if kind == "counts" and value is None and name == "cells_encoder":
                continue  # stands for the default
            count += 1
            case = f"{getattr(call, '__qualname__', call)}({name}={value!r})"
            try:
                call(**{**(valid or {}), name: value})
            except (ValueError, TypeError) as error:
                text = str(error)
                if {"value": "beta", "K": "n_samples"}.get(name, name) not in text:
                    wrong.append(f"{case} is not named: {text[:150]}")
                if "\n" in text or len(text) > 400 or not text.endswith("."):
                    wrong.append(f"{case} is no sentence: {text[:150]}")
            except Exception as error:
                wrong.append(f"{case} raises {error!r}"[:200])
            else:
                wrong.append(f"{case} is accepted")
    return wrong, count


@pytest.mark.parametrize("cases", [constructors, of_models, of_estimators])
def test_bad_numbers_are_refused_in_one_sentence(cases, in_tmp, eager):
    wrong, count = [], 0
    for call, valid, kinds in cases():
        found, tried = failures_of(call, valid, kinds)
        wrong, count = wrong + found, count + tried
    assert not wrong, f"{len(wrong)} of {count}:\n" + "\n".join(wrong)
    assert count >= {"constructors": 300, "of_models": 150, "of_estimators": 150}[cases.__name__]
    assert not list(in_tmp.iterdir())
