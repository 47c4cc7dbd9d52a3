"""Pruning: a trial whose score is behind at one epoch is not trained to its end."""

import math

import keras
import numpy as np

SHARE = 0.4  # of the epochs of a trial, after which it is compared
EARLIER = 5  # trials that must have been compared before it


class MedianRule(keras.callbacks.Callback):
    """Stops a training whose score after `SHARE` of its epochs is worse than the median.

    The median is that of the scores of earlier trials after the same epoch, the pruned ones among
    them; with fewer than `EARLIER` of them nothing is stopped.

    Args:
        score: function of the model that returns its score, a number.
        epochs: of a trial that is not stopped.
        earlier: list of scores of the earlier trials after the same epoch.
        direction: "min" where a lower score is better, or "max".

    Attributes:
        rung_score: the score that was compared, None where training ended before.
        pruned: whether it was worse than the median, or not finite.

    Source: Golovin et al., "Google Vizier: a service for black-box optimization", 2017, section
    3.2.2, with the score at one epoch in the place of its running average.

    Example:
        >>> rule = MedianRule(lambda model: 2.0, epochs=10, earlier=[1.0] * 5, direction="min")
        >>> rule.rung
        4
    """

    def __init__(self, score, epochs, earlier, direction):
        super().__init__()
        self.score, self.earlier, self.direction = score, list(earlier), direction
        self.rung = max(1, round(SHARE * epochs))
        self.rung_score, self.pruned = None, False

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 != self.rung:
            return
        self.rung_score = float(self.score(self.model))
        self.pruned = self.is_behind(self.rung_score)
        if self.pruned:
            self.model.stop_training = True

    def is_behind(self, score):
        """Whether a score is worse than the median of the earlier ones."""
        if len(self.earlier) < EARLIER:
            return False
        worse = score - np.median(self.earlier)
        worse = worse if self.direction == "min" else -worse
        return not math.isfinite(score) or bool(worse > 0)
