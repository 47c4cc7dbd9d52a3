"""Figures of calibration: curves with the band that chance explains."""

from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import DISTINCT, OBSERVED, SAMPLE, TRUTH, legend_outside, panels

BAND = {"color": "#d9d9d9", "linewidth": 0, "label": "what chance explains"}
#: Of the dimensions that fail, the worst first; further ones are thin and black.
FAILED = tuple(DISTINCT[i] for i in (5, 2, 3, 8, 9, 1))


def plot_ranks(ranks):
    """The histogram of ranks, and their distribution minus the uniform one.

    Args:
        ranks: `Ranks`, of `cvae_keras.metrics.simulation_based_calibration`.

    Returns:
        Figure; gray is what chance explains. Dimensions that fail have colors.

    Example:
        ```python
        plot_ranks(simulation_based_calibration(draws, truth)).savefig("ranks.png")
        ```
    """
    figure = Figure(figsize=(9, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0, 1, len(ranks.histogram) + 1)
    left.fill_between([0, 1], ranks.bin_low, ranks.bin_high, **BAND)
    left.axhline(edges[1], color=OBSERVED, linewidth=1)
    for values, line in _lines(ranks, ranks.histogram):
        left.stairs(values, edges, **line)
    left.set(xlim=(0, 1), ylim=(0, None), ylabel="share of the examples")
    left.set_xlabel("rank of the truth among its draws (0: below all)")
    left.set_title("histogram (high at both ends: draws too narrow)", fontsize=9)
    _plot_difference(right, ranks)
    right.set_title("cumulated, minus uniform: the test", fontsize=9)
    _legend(left)
    figure.suptitle(_title(ranks, 110), fontsize=10)
    return figure


def plot_coverage(coverage):
    """The share of true values inside credible intervals, over the level of the intervals.

    Args:
        coverage: `Calibration`, of `cvae_keras.metrics.expected_coverage` or `tarp`.

    Returns:
        Figure; gray is what chance explains. Dimensions that fail have colors.

    Example:
        ```python
        plot_coverage(expected_coverage(draws, truth)).savefig("coverage.png")
        ```
    """
    axis = Figure(figsize=(4.8, 4.8), layout="constrained").subplots()
    _plot_curve(axis, coverage)
    axis.set_title(_title(coverage, 60), fontsize=9)
    return axis.figure


def plot_calibration(report):
    """The three checks of a report side by side: ranks, coverage and TARP.

    Args:
        report: `CalibrationReport`, of `cvae_keras.metrics.calibration_report`.

    Returns:
        Figure; gray is what chance explains. Dimensions that fail have colors.

    Example:
        ```python
        plot_calibration(calibration_report(draws, truth)).savefig("calibration.png")
        ```
    """
    figure, axes = panels(3, 4.2, 5.2)
    _plot_difference(axes[0], report.ranks)
    _legend(axes[0])
    _plot_curve(axes[1], report.coverage)
    _plot_curve(axes[2], report.tarp)
    for axis, result in zip(axes, (report.ranks, report.coverage, report.tarp), strict=True):
        axis.set_title(_title(result, 52), fontsize=9)
    return figure


def plot_predictive(predictive):
    """Statistics of the observations over those of their replicas.

    Args:
        predictive: `Predictive`, of `cvae_keras.metrics.predictive_check`.

    Returns:
        Figure, one panel per statistic: a bar from the 2.5 % to the 97.5 % quantile of the replicas
        of each observation, dark red if the observation is outlying.

    Example:
        ```python
        plot_predictive(predictive_check(replicas, observed)).savefig("predictive.png")
        ```
    """
    figure, axes = panels(len(predictive.names), 3.4, 3.4)
    for i, axis in enumerate(axes):
        observed, outlying = (
            predictive.observed[:, i],
            predictive.tail[:, i] <= predictive.threshold,
        )
        for rows, color, label in (
            (~outlying, SAMPLE, "95 % of the replicas"),
            (outlying, TRUTH, "the same, observation outlying"),
        ):
            bars = predictive.low[rows, i], predictive.high[rows, i]
            axis.vlines(observed[rows], *bars, color=color, linewidth=1.2, label=label)
        axis.axline((observed[0], observed[0]), slope=1, color=OBSERVED, linewidth=1, label="equal")
        axis.set(xlabel="observed", ylabel="replicas")
        share = f"{100 * predictive.outlying[i]:.1f} % outlying"
        chance = f"chance: up to {100 * predictive.limit:.1f} %"
        axis.set_title(f"{predictive.names[i]}: {share}\n({chance})", fontsize=9)
    legend_outside(figure)
    return figure


def plot_c2st(results):
    """Accuracies of the classifier two-sample test, with what chance explains.

    Args:
        results: dictionary of a label -> `TwoSample`, of `cvae_keras.metrics.c2st`.

    Returns:
        Figure, one line per result: its folds (small) and their mean (large).

    Example:
        ```python
        plot_c2st({"model": c2st(reference, draws)}).savefig("c2st.png")
        ```
    """
    figure = Figure(figsize=(6, 1.3 + 0.45 * len(results)), layout="constrained")
    axis = figure.subplots()
    for line, result in enumerate(results.values()):
        color = SAMPLE if result.calibrated else TRUTH
        band = [(1 - result.chance, 2 * result.chance - 1)]
        axis.broken_barh(band, (line - 0.4, 0.8), color=BAND["color"])
        axis.plot(result.folds, [line] * len(result.folds), ".", color=color, markersize=4)
        axis.plot(result.accuracy, line, "o", color=color)
        axis.annotate(
            f"{result.accuracy:.3f}", (result.accuracy, line), (0, 7), fontsize=9, ha="center",
            textcoords="offset points",
        )  # fmt: skip
    axis.axvline(0.5, color=OBSERVED, linewidth=1)
    axis.set_yticks(range(len(results)), list(results))
    axis.set(xlim=(min(0.4, axis.get_xlim()[0]), 1.03), ylim=(len(results) - 0.4, -0.7))
    axis.set_xlabel("accuracy (0.5: equal distributions, 1: apart; gray: chance)")
    return figure


def _plot_curve(axis, result):
    """A curve per dimension against the diagonal, and the band."""
    levels = _closed(result.levels)
    axis.fill_between(levels, _closed(result.low), _closed(result.high), **BAND)
    axis.plot([0, 1], [0, 1], color=OBSERVED, linewidth=1)
    for values, line in _lines(result, result.curve):
        axis.plot(levels, _closed(values), **line)
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    if result.check == "TARP":
        axis.set(
            xlabel="share of draws nearer to a random point\nthan the truth is",
            ylabel="share of the examples with at most that",
        )
    else:
        axis.set(xlabel="level of the interval", ylabel="share of true values inside")
        note = {"fontsize": 9, "color": "#555555", "transform": axis.transAxes}
        axis.text(0.03, 0.6, "underconfident", **note)
        axis.text(0.97, 0.35, "overconfident", ha="right", **note)
    _legend(axis)


def _plot_difference(axis, ranks):
    """The empirical distribution of the ranks minus the uniform one, and the band."""
    levels, uniform = _closed(ranks.levels), ranks.levels
    ends = (np.pad(bound - uniform, 1) for bound in (ranks.low, ranks.high))
    axis.fill_between(levels, *ends, **BAND)
    axis.axhline(0, color=OBSERVED, linewidth=1)
    for values, line in _lines(ranks, ranks.curve - uniform[:, None]):
        axis.plot(levels, np.pad(values, 1), **line)
    axis.set(xlim=(0, 1), xlabel="rank of the truth among its draws (0: below all)")
    axis.set_ylabel("share of ranks below, minus that expected")


def _lines(result, values):
    """The values of each dimension and the style of its line, those that fail on top."""
    failed, passed = np.flatnonzero(result.failed), np.flatnonzero(~result.failed)
    failed = failed[np.argsort(result.statistic[failed])]
    rest = {"color": OBSERVED, "linewidth": 0.6}, {"color": SAMPLE, "linewidth": 1.0}
    for i in passed:
        yield values[:, i], rest[1] | {"label": "within it" if i == passed[0] else None}
    for place, i in enumerate(failed[len(FAILED) :]):
        yield values[:, i], rest[0] | {"label": None if place else "further ones that fail"}
    for color, i in zip(FAILED, failed, strict=False):
        yield values[:, i], {"color": color, "linewidth": 1.8, "label": f"{result.names[i]}: fails"}


def _closed(values):
    """The values of a curve from 0 to 1, with its ends."""
    return np.concatenate([[0], values, [1]])


def _legend(axis):
    """A legend below the axis label of one panel: the same color may differ in another one."""
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.25)}
    axis.legend(fontsize=9, frameon=False, ncols=2, **place)


def _title(result, width):
    return fill(f"{result.check}: {result.sentence}", width)
