"""The measures: how far samples are from the exact truth."""

from cvae_keras.metrics.modes import exact_sampling_floor, mode_weights, score_samples

__all__ = ["exact_sampling_floor", "mode_weights", "score_samples"]
