"""The figures of a hyperparameter search; each function returns a matplotlib `Figure`."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from cvae_keras.plots.style import OBSERVED, SAMPLE, TRUTH, legend_outside, panels


def plot_best_so_far(frame, goal):
    """The objective of each trial, and the best of all so far.

    Args:
        frame: as `trials.csv`.
        goal: `keras_tuner.Objective`.

    Returns:
        Figure; trials that were pruned, diverged or failed are crosses at the edge.

    Example:
        ```python
        plot_best_so_far(rows, hypermodel.objective).savefig("best_so_far.png")
        ```
    """
    axis = Figure(figsize=(7, 3.4), layout="constrained").subplots()
    done = frame[frame["status"] == "completed"]
    values = done[goal.name]
    best = values.cummin() if goal.direction == "min" else values.cummax()
    axis.plot(done["trial"], values, "o", color=SAMPLE, markersize=4, label="trial")
    axis.step(done["trial"], best, where="post", color=TRUTH, label="best so far")
    lost = frame[frame["status"] != "completed"]
    if len(lost):
        edge = values.max() if goal.direction == "min" else values.min()
        label = "pruned, diverged or failed"
        axis.plot(lost["trial"], [edge] * len(lost), "x", color=OBSERVED, label=label)
    axis.set(xlabel="trial", ylabel=goal.name)
    legend_outside(axis.figure)
    return axis.figure


def plot_marginals(frame, names, goal):
    """The objective over each hyperparameter, and its marginal: the median within bins.

    Args:
        frame: as `trials.csv`.
        names: of hyperparameters.
        goal: `keras_tuner.Objective`.

    Returns:
        Figure, one panel per hyperparameter; ranges over more than one decade are on a log scale.

    Example:
        ```python
        plot_marginals(rows, ["beta", "wx"], hypermodel.objective)
        ```
    """
    done = frame[frame["status"] == "completed"]
    figure, axes = panels(len(names), 3.2, 2.7)
    for axis, name in zip(axes, names, strict=True):
        place, ticks, log = positions(done[name])
        score = done[goal.name].to_numpy()
        axis.plot(place, score, "o", color=SAMPLE, markersize=3, label="trial")
        medians = bin_medians(place, score)
        axis.plot(*medians, color=TRUTH, linewidth=1.5, label="median in bins")
        if ticks is not None:
            axis.set_xticks(range(len(ticks)), ticks)
        elif log:
            name = f"log10 of {name}"
        axis.set_xlabel(name)
        axis.set_ylabel(goal.name)
    legend_outside(figure)
    return figure


def plot_parallel(frame, names, goal):
    """Parallel coordinates: one line per trial, colored by the objective.

    Args:
        frame: as `trials.csv`.
        names: of hyperparameters.
        goal: `keras_tuner.Objective`.

    Returns:
        Figure; dark lines are the best trials, by rank.

    Example:
        ```python
        plot_parallel(rows, ["beta", "wx"], hypermodel.objective)
        ```
    """
    done = frame[frame["status"] == "completed"]
    done = done.sort_values(goal.name, ascending=goal.direction != "min")  # the best on top
    axis = Figure(figsize=(1.6 * len(names) + 2.5, 3.8), layout="constrained").subplots()
    heights = []
    for column, name in enumerate([*names, goal.name]):
        place, ticks, log = positions(done[name])
        low, high = np.min(place), np.max(place)
        heights.append((place - low) / (high - low or 1.0))
        for height, value in ((0, low), (1, high)):
            number = 10**value if log else value
            label = f"{number:.3g}" if ticks is None else ticks[round(value)]
            place_text = "top" if height == 0 else "bottom"
            axis.text(column, 1.04 * height - 0.02, label, fontsize=9, ha="center", va=place_text)
        axis.axvline(column, color=OBSERVED, linewidth=0.8)
    colors = colormaps["viridis_r"](np.linspace(0, 1, len(done)))
    for line, color in zip(np.transpose(heights), colors, strict=True):
        axis.plot(line, color=color, linewidth=1.2, alpha=0.8)
    axis.set_xticks(range(len(names) + 1), [*names, goal.name], fontsize=9)
    axis.set(yticks=[], ylim=(-0.12, 1.12))
    axis.tick_params(axis="x", length=0, pad=8)
    axis.spines[:].set_visible(False)
    return axis.figure


def plot_searches(searches, by_hand, trials=30):
    """The best score so far of several searches, against the best setting found by hand.

    Args:
        searches: dictionary, (strategy, seed) -> pandas DataFrame of its trials.
        by_hand: score of that setting.
        trials: how many of each search are drawn.

    Returns:
        Figure: a line is a search; the searches of a strategy have one color.

    Example:
        ```python
        plot_searches({("random", 0): rows}, by_hand=0.93)
        ```
    """
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    axis, colors = figure.subplots(), {"bayesian": TRUTH, "random": SAMPLE, "grid": OBSERVED}
    named = set()
    for (strategy, _), rows in searches.items():
        best = rows["score"].cummin()[:trials]
        label = None if strategy in named else strategy
        named.add(strategy)
        axis.step(
            rows["trial"][:trials] + 1, best, where="post", color=colors[strategy], label=label
        )
    axis.axhline(by_hand, color=OBSERVED, linestyle=":", label="best row by hand")
    axis.set(xlabel="trials", ylabel="best score so far", xlim=(1, trials), ylim=(0, None))
    legend_outside(figure)
    return figure


def plot_weighted_loss(done, goal, weights):
    """Why the weighted loss cannot choose a trial: it ranks trials by their weights.

    Args:
        done: trials that completed, as in `trials.csv`.
        goal: `keras_tuner.Objective`.
        weights: names of the hyperparameters that are weights of the loss.

    Returns:
        Figure of two panels over the weighted loss: the sum of the weights, and the objective. The
        trial that the weighted loss would choose is marked, and the best one.

    Example:
        ```python
        done = rows[rows["status"] == "completed"]
        plot_weighted_loss(done, hypermodel.objective, hypermodel.weights)
        ```
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    total = done[list(weights)].sum(axis=1)
    best = done[goal.name].idxmin() if goal.direction == "min" else done[goal.name].idxmax()
    marked = {"lowest weighted loss": (done["val_loss"].idxmin(), TRUTH), "best": (best, OBSERVED)}
    panels = {" + ".join(weights): total, goal.name: done[goal.name]}
    for axis, (label, values) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        axis.plot(done["val_loss"], values, "o", color=SAMPLE, markersize=4)
        for name, (index, color) in marked.items():
            axis.plot(done["val_loss"][index], values[index], "o", color=color, label=name)
        if done["val_loss"].min() > 0:
            axis.set_xscale("log")
        axis.set(xlabel="weighted validation loss", ylabel=label)
    legend_outside(figure)
    figure.suptitle(f"The weighted loss, its weights, and the {goal.name}")
    return figure


def positions(values):
    """Where the values of a hyperparameter are on an axis.

    Args:
        values: pandas Series.

    Returns:
        `(place, ticks, log)`: an array; names of the places 0, 1, ... or None; whether place is a
        decimal logarithm.

    Example:
        >>> import pandas as pd
        >>> positions(pd.Series([0.01, 1.0]))[0]
        array([-2.,  0.])
    """
    array = values.to_numpy()
    if array.dtype.kind in "if":
        array = array.astype(float)
        log = bool(np.nanmin(array) > 0 and np.nanmax(array) / np.nanmin(array) > 10)
        return (np.log10(array) if log else array), None, log
    names = sorted({str(value) for value in array})
    return np.array([names.index(str(value)) for value in array], float), names, False


def bin_medians(place, score, bins=5):
    """Median score in bins of equal width, or at each value where there are few.

    Args:
        place: `(trials,)`, positions on the axis.
        score: `(trials,)`.
        bins: how many.

    Returns:
        `(centers, medians)` of the bins that are not empty.

    Example:
        >>> bin_medians(np.array([0.0, 0.0, 1.0]), np.array([1.0, 3.0, 5.0]))
        (array([0., 1.]), array([2., 5.]))
    """
    centers = np.unique(place)
    if len(centers) > bins:
        edges = np.linspace(place.min(), place.max(), bins + 1)
        centers = (edges[:-1] + edges[1:]) / 2
    nearest = np.abs(place[:, None] - centers).argmin(axis=1)
    used = np.unique(nearest)
    return centers[used], np.array([np.median(score[nearest == i]) for i in used])
