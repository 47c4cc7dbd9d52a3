"""Measures of how far models and samples are from exact solutions."""

from importlib import import_module

from cvae_keras.metrics.modes import (
    combine,
    exact_sampling_floor,
    mode_weights,
    posterior_score,
    score_samples,
)

#: Imported when first used: what needs Keras, SciPy or scikit-learn.
_LATER = {
    "ImageClassifier": "cvae_keras.metrics.classifier",
    "average": "cvae_keras.metrics.rate_distortion",
    "c2st": "cvae_keras.metrics.two_sample",
    "calibration_report": "cvae_keras.metrics.report",
    "embedding_scores": "cvae_keras.metrics.embedding",
    "expected_coverage": "cvae_keras.metrics.calibration",
    "importance_weighted_bound": "cvae_keras.metrics.importance",
    "measure": "cvae_keras.metrics.rate_distortion",
    "predictive_check": "cvae_keras.metrics.predictive",
    "simulation_based_calibration": "cvae_keras.metrics.calibration",
    "tarp": "cvae_keras.metrics.calibration",
}

__all__ = [
    "ImageClassifier",
    "average",
    "c2st",
    "calibration_report",
    "combine",
    "embedding_scores",
    "exact_sampling_floor",
    "expected_coverage",
    "importance_weighted_bound",
    "measure",
    "mode_weights",
    "posterior_score",
    "predictive_check",
    "score_samples",
    "simulation_based_calibration",
    "tarp",
]


def __getattr__(name):
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'cvae_keras.metrics' has no attribute {name!r}")
