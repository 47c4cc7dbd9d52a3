"""Figures of the sinusoid tasks."""

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import DISTINCT, OBSERVED, SAMPLE, TRUTH, legend_outside

LIGHT, DARK = SAMPLE, OBSERVED  # as far apart in gray as can be
NEAR = 0.02  # RMS distance at which a sample hits a solution, as `metrics.modes` has it


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
    thin = {"color": SAMPLE, "alpha": 0.15, "linewidth": 1}
    for column in range(2):
        axes[column].plot(samples[..., column].T, **thin)
        axes[column].plot(solutions[..., column].T, "--", color=TRUTH, linewidth=1.5)
        axes[column].set_ylabel(f"x{column}")
        axes[column].set_ylim(min(0.0, samples.min()), max(1.1, samples.max()))
        axes[2 + column].plot(generated[..., column].T, **thin)
        axes[2 + column].plot(y[:, column], color=OBSERVED, linewidth=1.5)
        axes[2 + column].set(ylabel=f"y{column + 1}", ylim=(-1.15, 1.15))
    for axis in axes:
        axis.set_xlabel("point")
    axes[0].plot([], [], color=SAMPLE, linewidth=2, label="samples x, and f(x)")
    axes[0].plot([], [], "--", color=TRUTH, linewidth=1.5, label="exact solutions")
    axes[0].plot([], [], color=OBSERVED, linewidth=1.5, label="observed y")
    legend_outside(figure)
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
    figure = figure or Figure(figsize=(13, 3.6), layout="constrained")
    axes = figure.subplots(1, 4)
    for index, axis in enumerate(axes[:3]):
        _draw_solutions(axis, task, samples[:, index], y[index])
        axis.set_title(f"curves {index + 1}", fontsize=10)
    weights, frequencies = pairs
    axes[3].plot([0, 1], [0, 1], color=OBSERVED, linewidth=1)
    axes[3].plot(weights, frequencies, ".", color=SAMPLE, markersize=3, alpha=0.5)
    axes[3].set(xlabel="exact weight of a solution", ylabel="share of 100 samples")
    axes[3].set_title("all solutions of all curves", fontsize=10)
    figure.suptitle(title, fontsize=11)
    _legend(figure, axes[0])
    return figure


def plot_beside(task, samples, y, title=""):
    """Samples of several models for one pair of curves, each over all exact solutions.

    Args:
        task: a `SinusoidTask`.
        samples: dictionary of a heading -> samples `(n_samples, points, 2)`.
        y: `(points, 2)`, the observed curves.
        title: text.

    Returns:
        Figure: the curves, and for each heading x1 over x0, with the exact weight of each solution
        and the share of the samples that hit it.

    Example:
        ```python
        figure = plot_beside(task, {"prior": raw[:, 0], "refined": refined[:, 0]}, y[0])
        ```
    """
    widths = [3.0, *(4.2 for _ in samples)]
    figure = Figure(figsize=(sum(widths), 4.6), layout="constrained")
    axes = figure.subplots(1, len(widths), width_ratios=widths)
    for column, style in enumerate(["-", "--"]):
        axes[0].plot(y[:, column], style, color=DARK, linewidth=1.6, label=f"y{column + 1}")
    axes[0].set(xlabel="point", ylabel="y", ylim=(-1.1, 1.1))
    axes[0].set_title("Given: two curves y", fontsize=11)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    for axis, (heading, drawn) in zip(axes[1:], samples.items(), strict=True):
        _draw_solutions(axis, task, drawn, y)
        axis.set_title(heading, fontsize=11)
    figure.suptitle(title, fontsize=12)
    _legend(figure, axes[1])
    return figure


def plot_training(log, steps):
    """ELBO and KL over a training.

    Args:
        log: pandas DataFrame of `elbo` and `kl`, in nats, a row per epoch.
        steps: of an epoch.

    Returns:
        Figure with two panels.

    Example:
        ```python
        plot_training(pd.read_csv("runs/models/sinusoid_conv_1_training.csv"), steps=500)
        ```
    """
    figure = Figure(figsize=(8, 3), layout="constrained")
    over = steps * (np.arange(len(log)) + 1)
    for axis, name, text in zip(figure.subplots(1, 2), ("elbo", "kl"), ("ELBO", "KL"), strict=True):
        axis.plot(over, log[name], "o-", color=DISTINCT[0], markersize=3)
        axis.set(xlabel="training step", ylabel=f"{text} in nats")
    return figure


def _draw_solutions(axis, task, drawn, y):
    """Samples as wide light lines, exact solutions as dashed lines with circles at their ends."""
    axis.plot(
        *np.moveaxis(drawn, -1, 0).swapaxes(1, 2), color=LIGHT, alpha=0.3, linewidth=6,
        solid_capstyle="round",
    )  # fmt: skip
    solutions, weights = task.solutions(y)
    ends = solutions[:, 0]  # the right ones, since x0 falls
    places = (ends[:, 1].argsort().argsort() + 0.5) / len(ends)  # labels in the order of the ends
    for solution, weight, end, place in zip(solutions, weights, ends, places, strict=True):
        axis.plot(*solution.T, "--", color=DARK, linewidth=1.3)
        axis.plot(*solution[[0, -1]].T, "o", color=DARK, markersize=4, markerfacecolor="white")
        near = np.mean((drawn - solution) ** 2, axis=(1, 2)) <= NEAR**2
        axis.annotate(
            f"{weight:.0%} exact\n{near.mean():.0%} sampled", end, (1.04, place),
            textcoords="axes fraction", fontsize=9, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.8, "relpos": (0, 0.5)},
        )  # fmt: skip
    axis.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="x0", ylabel="x1")


def _legend(figure, axis):
    """What the lines of `_draw_solutions` are, below the panels."""
    light = axis.plot([], [], color=LIGHT, linewidth=6, label="samples")
    dark = axis.plot(
        [], [], "o--", color=DARK, linewidth=1.3, markersize=4, markerfacecolor="white",
        label="exact solutions",
    )  # fmt: skip
    figure.legend(handles=[*light, *dark], loc="outside lower right", ncols=2)
