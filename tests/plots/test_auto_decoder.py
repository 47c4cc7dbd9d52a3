"""Figures of the auto-decoder: panels, and curves over the share of missing entries."""

import numpy as np
import pandas as pd

from cvae_keras.experiments.auto_decoder import table
from cvae_keras.plots.auto_decoder import plot_curves, plot_panel


def test_figures():
    frame = pd.DataFrame(
        [("digits", case, model, ratio, 0.1) for case in table.CASES for model in table.MODELS
         for ratio in (0.3, 0.9)], columns=["data", "case", "model", "ratio", "mse"]
    )  # fmt: skip
    figure = plot_curves(frame)
    assert len(figure.axes) == 2 and len(figure.axes[0].lines) == len(table.MODELS)
    mask = np.ones((2, 9))
    mask[:, 0] = 0
    panel = plot_panel(np.arange(9.0), mask, {"VAD": np.zeros((2, 9))}, (0.1, 0.9))
    assert len(panel.axes) == 6
    given = panel.axes[2].images[0].get_array()
    assert given.mask[0, 0] and given.mask.sum() == 1
