"""Every class that the package registers with Keras comes back from its configuration."""

import importlib
import pkgutil
from functools import cache

import keras
import numpy as np
import pytest
from model_cases import EASY, auto_decoder, dense, masked_vae, miwae, multimodal, sinusoid, solver
from model_cases import compression as compression_model

import cvae_keras
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts import adapters, flows, likelihoods, mixtures, networks, posteriors, priors
from cvae_keras.systems.auto_decoder.baseline import MaskedEncoder
from cvae_keras.systems.auto_decoder.column_likelihood import ColumnLikelihood
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.latent_model import LatentModel
from cvae_keras.systems.compression.model import Components, RowDecoder
from cvae_keras.systems.cvae.model import CVAE
from cvae_keras.systems.cvae.networks import (
    ArrayDecoder,
    ArrayReader,
    DirectHeads,
    FeatureNetwork,
)
from cvae_keras.systems.dense.model import SubsetDecoder, SubsetEncoder
from cvae_keras.systems.multimodal.networks import (
    DecoderAdapter,
    EncoderAdapter,
    FusedDecoder,
    FusedEncoder,
    PriorNetworkAdapter,
)
from cvae_keras.systems.sinusoid.deep_network import (
    CurveReader,
    RampDecoder,
    RampEncoder,
)
from cvae_keras.systems.sinusoid.ramp_normal import RampNormal
from cvae_keras.systems.sinusoid.solver import ProposalDecoder, ProposalPrior, Proposals
from cvae_keras.systems.sinusoid.wave_features import WaveFeatures
from cvae_keras.training.optimizers import FusedAdam, LazyAdam, ScheduledAdam, two_rates

ONES = np.ones(3, "float32")
CURVES = np.zeros((5, 20, 2), "float32")


def x(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def subset():
    """The condition [x * m, m] of three features."""
    m = (x(5, 3) > 0).astype("float32")
    return np.concatenate([x(5, 3) * m, m], axis=1)


@cache
def proposed():
    """Proposals for five pairs of curves."""
    return Proposals(4, EASY.box, 8, 1, 2)(CURVES)


KINDS, SCALES = {"x": "dense", "y": "conv1d"}, {"x": "decoder", "y": "learned"}


def features():
    """A network over one array, with dropout."""
    return FeatureNetwork(ArrayReader({"x": "dense"}), width=8, depth=1, dropout=0.1, seed=3)


#: name -> how one is made, few arguments at their defaults, and what then to compare: numbers from
#: a call; None where the configuration is enough, because other layers of the list hold all weights
CASES = {
    "AbsoluteError": (likelihoods.AbsoluteError, None),
    "AutoregressiveFlow": (
        lambda: flows.AutoregressiveFlow(3, 2, 8),
        lambda layer: layer(x(2, 5, 3), x(5, 4)),
    ),
    "CurveReader": (lambda: CurveReader(8, 1), lambda layer: layer(CURVES + x(5, 20, 2))),
    "GatedMLP": (lambda: networks.GatedMLP(8, 2), lambda layer: layer(x(5, 6))),
    "ArrayDecoder": (
        lambda: ArrayDecoder({"x": (2,), "y": (9, 1)}, KINDS, SCALES, width=8, direct=["x"]),
        lambda layer: layer(x(2, 5, 3), x(5, 4)),
    ),
    "ArrayReader": (
        lambda: ArrayReader(KINDS, (4, 5)),
        lambda layer: layer({"x": x(5, 2), "y": x(5, 9, 1)}),
    ),
    "Bernoulli": (likelihoods.Bernoulli, None),
    "CVAE": (lambda: CVAE((3,), {"c": (4,)}, latent_dim=2, width=8, bounds=(0, None)), None),
    "Categorical": (likelihoods.Categorical, None),
    "CategoricalPosterior": (lambda: posteriors.CategoricalPosterior(4), None),
    "CategoricalPrior": (
        lambda: priors.CategoricalPrior(4, independent=True),
        lambda layer: layer(x(5, 6)).logits,
    ),
    "ColumnLikelihood": (lambda: ColumnLikelihood([["normal", 1], ["categorical", 3]]), None),
    "Components": (lambda: Components(6, 3), lambda layer: layer(x(5, 6))),
    "CompressionModel": (lambda: compression_model(latent_dim=3, beta=0.5), None),
    "ConditionalNormal": (
        lambda: priors.ConditionalNormal(2, width=8),
        lambda layer: layer(x(5, 6)).log_var,
    ),
    "ConvDecoder": (
        lambda: networks.ConvDecoder(20, 2, (4,), (3, 5), 6, "he_uniform", "linear"),
        lambda layer: layer(x(2, 5, 3), CURVES),
    ),
    "ConvEncoder": (
        lambda: networks.ConvEncoder((4, 5), (3, 5), "he_uniform", reads_condition=False),
        lambda layer: layer(CURVES, CURVES),
    ),
    "DecoderAdapter": (
        lambda: DecoderAdapter(FusedDecoder((2, 3), (4,)), (2, 3)),
        lambda layer: layer(x(2, 5, 2), {"label": x(5, 4)}),
    ),
    "DenseCVAE": (lambda: dense(beta=0.5, scale=[1.0, 2.0, 3.0], masked=True), None),
    "DenseDecoder": (
        lambda: DenseDecoder(3, 6, (8, 4), "silu", True, 0.1, True, True, seed=3),
        None,
    ),
    "DenseStack": (
        lambda: networks.DenseStack([8, 4], "silu", batch_norm=True, gated=True),
        lambda layer: layer(x(5, 6), x(5, 2)),
    ),
    "Dropout": (lambda: networks.Dropout(seed=3), lambda layer: layer(x(5, 6))),
    "ELBOModel": (
        lambda: ELBOModel(
            posteriors.GaussianPosterior(networks.NormalizedMLP([8]), 2),
            priors.StandardNormal(2),
            networks.ResidualMLP(6, 1),
            likelihoods.Normal(0.5),
            beta=0.5,
            seed=3,
        ),
        None,
    ),
    "EncoderAdapter": (
        lambda: EncoderAdapter(FusedEncoder(2, (4,)), (2,), main="image"),
        lambda layer: layer(x(5, 2, 3), {"label": x(5, 4)}),
    ),
    "DirectHeads": (
        lambda: DirectHeads(features(), ["x"], 3, 2),
        lambda layer: layer({"x": x(5, 2)}, x(5, 4)),
    ),
    "FeatureNetwork": (features, lambda layer: layer({"x": x(5, 2)}, x(5, 4))),
    "FlowPrior": (
        lambda: priors.FlowPrior(2, width=8, flow_length=2, flow_width=4),
        None,
    ),
    "FreeTablePosterior": (
        lambda: posteriors.FreeTablePosterior(9, 2, "vae", log_var=-2.0, scale=0.5, seed=3),
        None,
    ),
    "FusedDecoder": (
        lambda: FusedDecoder((2, 3), (8,)),
        lambda layer: layer({"z": x(5, 2), "label": x(5, 4)}),
    ),
    "FusedEncoder": (
        lambda: FusedEncoder(2, (8,), kernel_initializer="zeros"),
        lambda layer: layer({"image": x(5, 2, 3)}),
    ),
    "GaussianPosterior": (
        lambda: posteriors.GaussianPosterior(networks.NormalizedMLP([8]), 2, "he_uniform"),
        None,
    ),
    "IAFPosterior": (
        lambda: posteriors.IAFPosterior(networks.NormalizedMLP([8]), 2, 3, 16),
        None,
    ),
    "IAFStep": (lambda: flows.IAFStep(3, 8), lambda layer: layer(x(2, 5, 3), x(5, 4))),
    "Laplace": (lambda: likelihoods.Laplace(0.5, min_log_scale=-3.0), None),
    "LatentModel": (
        lambda: LatentModel(DenseDecoder(2, 3, (4,)), 5, ONES, 0.5, "original"),
        lambda model: model({"x": x(2, 3), "index": np.array([[0], [4]])}),
    ),
    "FusedAdam": (lambda: FusedAdam(0.1, beta_1=0.8, weight_decay=0.1), None),
    "LazyAdam": (lambda: LazyAdam(0.1, beta_1=0.8), None),
    "HoleEncoder": (
        lambda: MaskedEncoder((8, 4), sees_mask=True),
        lambda layer: layer(x(5, 6)),
    ),
    "MIWAE": (lambda: miwae(beta=0.5, n_samples=3), None),
    "MaskedVAE": (lambda: masked_vae(beta=0.5), None),
    "MixtureNetwork": (
        lambda: mixtures.MixtureNetwork(3, 2, 8),
        lambda layer: layer(x(2, 5, 3), x(5, 4)),
    ),
    "MultimodalCVAE": (lambda: multimodal(prior_network="flow", beta=0.5, drop_rate=0.2), None),
    "Normal": (lambda: likelihoods.Normal("decoder", min_log_scale=-3.0), None),
    "NormalizedMLP": (
        lambda: networks.NormalizedMLP([8, 4], "he_uniform", seed=3),
        lambda layer: layer(x(5, 6)),
    ),
    "PlainDecoder": (
        lambda: adapters.PlainDecoder(networks.ResidualMLP(8, 1)),
        lambda layer: layer(x(2, 5, 3), {"a": x(5, 4), "b": x(5, 2, 2)}),
    ),
    "PlainEncoder": (
        lambda: adapters.PlainEncoder(networks.ResidualMLP(8, 1)),
        lambda layer: layer(x(5, 3), x(5, 2, 2)),
    ),
    "Poisson": (lambda: likelihoods.Poisson(3.0), None),
    "PriorHead": (lambda: networks.PriorHead(2, 4), lambda layer: layer(x(5, 6))[2]),
    "PriorNetworkAdapter": (
        lambda: PriorNetworkAdapter(FusedEncoder(2, (4,)), (2,)),
        lambda layer: layer({"label": x(5, 4)}),
    ),
    "Product": (
        lambda: likelihoods.Product({"a": likelihoods.Normal(0.5), "b": likelihoods.Poisson()}),
        None,
    ),
    "ProposalDecoder": (
        ProposalDecoder,
        lambda layer: layer(np.eye(4, dtype="float32")[:, None], proposed()),
    ),
    "ProposalPrior": (
        lambda: ProposalPrior(EASY, 4, width=6),
        lambda layer: layer(proposed()).logits,
    ),
    "Proposals": (lambda: Proposals(4, EASY.box, 8, 1, 2), lambda layer: layer(CURVES)),
    "RampDecoder": (
        lambda: RampDecoder(8, 1, EASY.box),
        lambda layer: layer(x(2, 5, 3), x(5, 4))["mean"],
    ),
    "RampEncoder": (
        lambda: RampEncoder(8, EASY.box, 20),
        lambda layer: layer(CURVES, x(5, 4)),
    ),
    "RampNormal": (lambda: RampNormal(20, min_log_scale=-3.0, min_scale=0.1), None),
    "ResidualMLP": (lambda: networks.ResidualMLP(8, 2, "relu"), lambda layer: layer(x(5, 6))),
    "RowDecoder": (
        lambda: RowDecoder(6, [8], "he_uniform", Components(6, 3)),
        lambda layer: layer(x(2, 5, 2)),
    ),
    "ScheduledAdam": (
        lambda: ScheduledAdam(0.1, keras.optimizers.schedules.CosineDecay(1.0, 10)),
        None,
    ),
    "SinusoidCVAE": (lambda: sinusoid(prior="conditional", wx=0.5, initializer="he"), None),
    "SinusoidSolver": (lambda: solver(beta=0.5), None),
    "SquaredError": (likelihoods.SquaredError, None),
    "StandardNormal": (lambda: priors.StandardNormal(2), None),
    "SubsetDecoder": (
        lambda: SubsetDecoder([8], ONES, activation="silu", batch_norm=True, gated=True),
        lambda layer: layer(x(2, 5, 4), subset()),
    ),
    "SubsetEncoder": (
        lambda: SubsetEncoder([8], ONES, activation="silu", batch_norm=True, gated=True),
        lambda layer: layer(x(5, 3), subset()),
    ),
    "TwoRates": (lambda: two_rates(1e-3, 0.05), None),
    "VariationalAutoDecoder": (lambda: auto_decoder(variant="vae", beta=0.5), None),
    "WaveFeatures": (lambda: WaveFeatures(3), lambda layer: layer(CURVES)),
}


def registered():
    """The registered classes of this package by name, all its modules imported."""
    for module in pkgutil.walk_packages(cvae_keras.__path__, "cvae_keras."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = {name.partition(">") for name in keras.saving.get_custom_objects()}
    return {name for package, _, name in ours if package == "cvae_keras"}


def test_every_registered_class_has_a_case():
    assert registered() == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_it_comes_back_from_its_configuration(name):
    make, call = CASES[name]
    one = make()
    config = keras.saving.serialize_keras_object(one)
    assert config["registered_name"] == f"cvae_keras>{name}"
    other = keras.saving.deserialize_keras_object(config)
    assert type(other) is type(one)
    assert keras.saving.serialize_keras_object(other) == config
    if call is None:
        return
    expected = keras.tree.flatten(call(one))
    call(other)  # makes its weights
    other.set_weights(one.get_weights())
    for found, wanted in zip(keras.tree.flatten(call(other)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
