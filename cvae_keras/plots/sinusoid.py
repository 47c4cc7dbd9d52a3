"""Figures of the sinusoid tasks."""

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import OBSERVED, SAMPLE, TRUTH


def plot_samples(task, samples, y, title=""):
    """Samples for one pair of curves: x and the exact solutions, f(x) and the observed curves.

    Args:
        task: a `SinusoidTask`.
        samples: `(n_samples, points, 2)`.
        y: `(points, 2)`, the observed curves.
        title: text.

    Returns:
        Figure with four panels: x0, x1, y1, y2 over the point.

    Example:
        ```python
        figure = plot_samples(task, model.sample(y[:1], 100)[:, 0], y[0])
        ```
    """
    figure = Figure(figsize=(11, 2.9), layout="constrained")
    axes = figure.subplots(1, 4)
    solutions, _ = task.solutions(y)
    generated = task.forward(samples)
    for column in range(2):
        axes[column].plot(samples[..., column].T, color=SAMPLE, alpha=0.15, linewidth=1)
        axes[column].plot(solutions[..., column].T, color=TRUTH, linewidth=1.5)
        axes[column].set_title(f"x{column}: samples (blue), exact solutions (red)", fontsize=8)
        axes[column].set_ylim(min(0.0, samples.min()), max(1.1, samples.max()))
        axes[2 + column].plot(generated[..., column].T, color=SAMPLE, alpha=0.15, linewidth=1)
        axes[2 + column].plot(y[:, column], color=OBSERVED, linewidth=1.5)
        axes[2 + column].set_title(f"y{column + 1}: f(x) (blue), observed (black)", fontsize=8)
        axes[2 + column].set_ylim(-1.15, 1.15)
    for axis in axes:
        axis.set_xlabel("point")
    residual = np.abs(generated - y).mean()
    figure.suptitle(f"{title}   mean |f(x) - y| = {residual:.3g}", fontsize=10)
    return figure


def plot_solved(task, samples, y, pairs, title="", figure=None):
    """Samples of a solved model over the exact solutions, and the calibration of their weights.

    Args:
        task: a `SinusoidTask`.
        samples: `(n_samples, batch, points, 2)`.
        y: `(batch, points, 2)`, the first three are drawn.
        pairs: `(weights, frequencies)` of all solutions, from `mode_weights`.
        title: text.
        figure: a figure or part of one to draw in; None for a new one.

    Returns:
        The figure: x0 over x1 for three y, and sampled frequency over exact weight.

    Example:
        ```python
        figure = plot_solved(task, samples, y, mode_weights(task, samples, y)[:2])
        ```
    """
    figure = figure or Figure(figsize=(13, 3.4), layout="constrained")
    axes = figure.subplots(1, 4)
    for index, axis in enumerate(axes[:3]):
        drawn = samples[:, index]
        solutions, weights = task.solutions(y[index])
        axis.plot(drawn[..., 0].T, drawn[..., 1].T, color=SAMPLE, alpha=0.15, linewidth=2)
        for solution, weight in zip(solutions, weights, strict=True):
            axis.plot(solution[:, 0], solution[:, 1], color=TRUTH, linewidth=1.2)
            near = np.abs(drawn - solution).mean(axis=(1, 2)) < 0.02
            text = f"{weight:.0%} exact\n{near.mean():.0%} sampled"
            middle = solution[len(solution) // 2]
            side = "right" if middle[0] > 0.6 else "left"
            axis.annotate(
                text, middle, fontsize=7, ha=side, va="bottom" if side == "left" else "top"
            )
        axis.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="x0", ylabel="x1")
        axis.set_title(f"curves {index + 1}: samples (blue), exact (red)", fontsize=8)
    weights, frequencies = pairs
    axes[3].plot([0, 1], [0, 1], color=OBSERVED, linewidth=1)
    axes[3].plot(weights, frequencies, ".", color=SAMPLE, markersize=3, alpha=0.5)
    axes[3].set(xlabel="exact weight of a solution", ylabel="share of 100 samples")
    axes[3].set_title("calibration: all solutions of all curves", fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure
