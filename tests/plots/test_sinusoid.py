"""Figures of the sinusoid tasks: what they show is told apart, and is large enough to read."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.plots.sinusoid import DARK, LIGHT, plot_beside, plot_solved, plot_training

TASK = TASKS["data_2"]
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def exact():
    """One y with its solutions, and samples that are these by turns."""
    _, y = TASK.sample(1, seed=0)
    solutions, weights = TASK.solutions(y[0])
    return y[0], solutions, solutions[np.arange(20) % len(solutions)]


def test_samples_and_exact_solutions_differ_in_lightness_line_and_marker(exact):
    y, solutions, samples = exact
    assert LUMA @ to_rgb(LIGHT) - LUMA @ to_rgb(DARK) > 0.4
    panel = plot_beside(TASK, {"exact": samples}, y).axes[1]
    lines = [line for line in panel.lines if len(line.get_xdata())]  # not those of the legend
    light = [line for line in lines if line.get_color() == LIGHT]
    dashed = [line for line in lines if line.get_linestyle() == "--"]
    circles = [line for line in lines if line.get_marker() == "o"]
    assert len(dashed) == len(circles) == len(solutions)
    for line, solution in zip(dashed, solutions, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), solution)
    drawn = np.stack([line.get_xydata() for line in light])
    np.testing.assert_array_equal(drawn, samples)
    assert all(line.get_linewidth() > 3 * dashed[0].get_linewidth() for line in light)


def test_labels_have_the_exact_weight_and_the_share_of_samples(exact):
    y, solutions, _ = exact
    _, weights = TASK.solutions(y)
    panel = plot_beside(TASK, {"first": solutions[:1]}, y).axes[1]
    shown = [text.get_text() for text in panel.texts]
    assert shown[0] == f"{weights[0]:.0%} exact\n100% sampled"
    assert all(text.endswith("\n0% sampled") for text in shown[1:])


def test_labels_are_beside_the_panel_in_the_order_of_the_right_ends(exact):
    y, solutions, samples = exact
    panel = plot_beside(TASK, {"exact": samples}, y).axes[1]
    assert all(text.get_position()[0] > 1 for text in panel.texts)
    heights = [text.get_position()[1] for text in panel.texts]
    np.testing.assert_array_equal(np.argsort(heights), np.argsort(solutions[:, 0, 1]))


def test_text_is_at_least_9_points_and_axes_are_labeled(exact):
    y, _, samples = exact
    curves, many = np.stack([y] * 3), np.stack([samples] * 3, axis=1)
    log = pd.DataFrame({"elbo": [-1.0, 2.0], "kl": [1.0, 0.5]})
    figures = [
        plot_beside(TASK, {"a": samples, "b": samples}, y, "title"),
        plot_solved(TASK, many, curves, (np.ones(1), np.ones(1)), "title"),
        plot_training(log, steps=10),
    ]
    for figure in figures:
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 9
        assert all(axis.get_xlabel() and axis.get_ylabel() for axis in figure.axes)
        assert not any(axis.get_legend() for axis in figure.axes)  # they lie outside the panels
    assert figures[2].axes[0].lines[0].get_xdata().tolist() == [10, 20]
