"""Measures of how far models and samples are from exact solutions."""

from importlib import import_module

from cvae_keras.metrics.modes import (
    combine,
    exact_sampling_floor,
    mode_weights,
    posterior_score,
    score_samples,
)

#: Imported when first used: what needs Keras, and the one that needs scikit-learn.
_LATER = {
    "ImageClassifier": "cvae_keras.metrics.classifier",
    "average": "cvae_keras.metrics.rate_distortion",
    "embedding_scores": "cvae_keras.metrics.embedding",
    "importance_weighted_bound": "cvae_keras.metrics.importance",
    "measure": "cvae_keras.metrics.rate_distortion",
}

__all__ = [
    "ImageClassifier",
    "average",
    "combine",
    "embedding_scores",
    "exact_sampling_floor",
    "importance_weighted_bound",
    "measure",
    "mode_weights",
    "posterior_score",
    "score_samples",
]


def __getattr__(name):
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'cvae_keras.metrics' has no attribute {name!r}")
