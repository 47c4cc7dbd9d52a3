"""The style of the figures: colors that stay apart in gray, and one legend outside the panels."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cvae_keras.notebook import setup
from cvae_keras.plots.style import OBSERVED, SAMPLE, TRUTH, legend_outside, panels

LUMA = np.array([0.299, 0.587, 0.114])


def test_samples_exact_solutions_and_data_are_evenly_spaced_in_gray():
    gray = [LUMA @ to_rgb(color) for color in (OBSERVED, TRUTH, SAMPLE)]
    assert gray[0] == 0 and np.diff(gray) == pytest.approx(gray[2] / 2, abs=0.03) and gray[2] > 0.6


def test_notebooks_have_text_of_9_points_and_150_dots_per_inch_at_twice_the_resolution():
    with plt.rc_context():
        setup()
        sizes = [value for key, value in plt.rcParams.items() if key.endswith("size")]
        assert min(size for size in sizes if isinstance(size, (int, float)) and size > 7) >= 9
        assert 2 * plt.rcParams["figure.dpi"] >= 150


def test_a_legend_outside_has_each_label_once():
    figure, axes = panels(2, 3.0, 2.5)
    for axis, label in zip(axes, ("exact", "sample"), strict=True):
        axis.plot([0, 1], label="exact")
        axis.plot([1, 0], label=label)
    texts = legend_outside(figure).get_texts()
    assert [text.get_text() for text in texts] == ["exact", "sample"]
    figure.draw_without_rendering()
    below = figure.legends[0].get_window_extent().y1
    assert all(axis.get_window_extent().y0 > below for axis in axes)
