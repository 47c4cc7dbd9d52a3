"""The data sets that the systems are trained and evaluated on. Importing it needs NumPy only."""

from cvae_keras.data.conditions import Conditioned, as_inputs, draw_patterns, known_patterns
from cvae_keras.data.gaussian import (
    CorrelatedGaussian,
    GaussianData,
    IndependentGaussian,
    ProjectedGaussian,
)
from cvae_keras.data.images import GARMENTS, load_images
from cvae_keras.data.inference import INFERENCE_TASKS, InferenceTask, load_reference
from cvae_keras.data.manifolds import Manifold, SideBySide
from cvae_keras.data.missing import artificial, draw_mask, load_rows, observed_entries
from cvae_keras.data.multimodal import GaussianModalities, image_modalities
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.rows import MappedRows, Subset, open_rows
from cvae_keras.data.sinusoid import TASKS, SinusoidTask, load

__all__ = [
    "GARMENTS",
    "INFERENCE_TASKS",
    "TASKS",
    "Conditioned",
    "CorrelatedGaussian",
    "GaussianData",
    "GaussianModalities",
    "InferenceTask",
    "IndependentGaussian",
    "Manifold",
    "MappedRows",
    "NpyFolder",
    "ProjectedGaussian",
    "SideBySide",
    "SinusoidTask",
    "Subset",
    "artificial",
    "as_inputs",
    "draw_mask",
    "draw_patterns",
    "image_modalities",
    "known_patterns",
    "load",
    "load_images",
    "load_reference",
    "load_rows",
    "observed_entries",
    "open_rows",
]
