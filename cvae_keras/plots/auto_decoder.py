"""Figures of the missing-data experiments; each function returns a matplotlib `Figure`."""

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import DISTINCT, OBSERVED, SAMPLE, legend_outside, panels

MISSING_COLOR = DISTINCT[6]  # yellow
#: Of each method: colors that differ for color-blind readers and, by marker, in gray.
STYLES = {
    "VAD": {"color": DISTINCT[5], "marker": "o"},
    "VAD table prior": {"color": DISTINCT[7], "marker": "D"},
    "VAE zero-filled": {"color": DISTINCT[4], "marker": "s"},
    "VAE mask-aware": {"color": DISTINCT[2], "marker": "^"},
    "VAE redrawn masks": {"color": DISTINCT[0], "marker": "v"},
    "MIWAE": {"color": DISTINCT[3], "marker": "P"},
    "mean": {"color": "#888888", "linestyle": "--"},
}


def plot_rows(rows, titles, mask=None):
    """Rows of images or of curves, one column per example.

    Args:
        rows: list of arrays `(examples, features)`, shown as images if features is a square number.
        titles: text of each row.
        mask: `(examples, features)`, of the second row, 1 where observed; missing pixels are
            yellow.

    Returns:
        Figure.

    Example:
        ```python
        figure = plot_rows([x, x, x_hat], ["true", "observed", "VAD"], mask)
        ```
    """
    examples, features = rows[0].shape
    side = int(np.sqrt(features))
    figure = Figure(figsize=(1.1 * examples + 1.2, 1.15 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), examples, squeeze=False)
    low, high = rows[0].min(), rows[0].max()
    for number, (row, title) in enumerate(zip(rows, titles, strict=True)):
        for axis, values, seen in zip(axes[number], row, _masks(mask, row, number), strict=True):
            shown = np.ma.masked_array(values, mask=seen == 0)
            if side * side == features:
                axis.set_facecolor(MISSING_COLOR)
                axis.imshow(shown.reshape(side, side), cmap="gray", vmin=low, vmax=high)
            else:
                axis.plot(shown, ".", markersize=2)
                axis.set_ylim(low, high)
            axis.set(xticks=[], yticks=[])
        axes[number, 0].set_ylabel(title, fontsize=9, rotation=0, ha="right", va="center")
    return figure


def _masks(mask, row, number):
    return mask if mask is not None and number == 1 else np.ones_like(row)


def plot_panel(original, mask, results, ratios):
    """One image at several missing ratios, as in Zadeh et al. (2019): true, observed, then models.

    Args:
        original: the complete image, `(features,)`.
        mask: `(ratios, features)`, 1 where observed.
        results: name of a model -> its reconstructions `(ratios, features)`.
        ratios: missing ratios, one per column.

    Returns:
        Figure.

    Example:
        ```python
        figure = plot_panel(x[0], mask, {"VAD": vad, "VAE zero-filled": vae}, (0.1, 0.5, 0.9))
        ```
    """
    rows = [np.tile(original, (len(ratios), 1))] * 2 + list(results.values())
    figure = plot_rows(rows, ["true", "observed", *results], mask)
    for axis, ratio in zip(figure.axes[: len(ratios)], ratios, strict=True):
        axis.set_title(f"{ratio:.0%} missing", fontsize=9)
    return figure


def plot_curves(table):
    """Mean squared error over the missing ratio, a row of panels per case, a column per data set.

    Args:
        table: pandas DataFrame with the columns data, case, model, ratio and mse.

    Returns:
        Figure.

    Example:
        ```python
        figure = plot_curves(pandas.read_csv("results/vad.csv"))
        ```
    """
    names, cases = list(dict.fromkeys(table.data)), sorted(set(table.case))
    figure = Figure(figsize=(2.9 * len(names), 2.6 * len(cases)), layout="constrained")
    axes = figure.subplots(len(cases), len(names), squeeze=False)
    for i, case in enumerate(cases):
        for j, name in enumerate(names):
            part = table[(table.case == case) & (table.data == name)]
            for model, style in STYLES.items():
                curve = part[part.model == model].sort_values("ratio")
                if len(curve):
                    axes[i, j].plot(curve.ratio, curve.mse, markersize=3, label=model, **style)
            axes[i, j].set_title(f"{name}, {case}", fontsize=9)
            axes[i, j].set_ylim(bottom=0)
            axes[i, j].tick_params(labelsize=9)
        axes[i, 0].set_ylabel("mean squared error", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("share missing", fontsize=9)
    legend_outside(figure)
    return figure


def plot_fills(frame, draws, most=12):
    """The observed values of each column beside those drawn for its missing cells.

    Where cells are missing at random given the other columns, the two may differ: the rows differ.

    Args:
        frame: pandas DataFrame with missing cells.
        draws: list of completed frames.
        most: number of columns, those with the most missing cells.

    Returns:
        Figure.

    Example:
        ```python
        figure = plot_fills(frame, imputer.sample(frame, n_samples=20))
        ```
    """
    count = frame.isna().sum().sort_values(ascending=False, kind="stable")
    names = count[count > 0].index[:most]
    figure, axes = panels(len(names), 3.0, 2.4)
    for axis, name in zip(axes, names, strict=True):
        missing = frame[name].isna().to_numpy()
        drawn = np.concatenate([draw[name][missing].astype(object) for draw in draws])
        series = {"observed": frame[name][~missing].astype(object).to_numpy(), "drawn": drawn}
        if all(isinstance(value, (str, bool, np.bool_)) for value in series["observed"]):
            _bars(axis, series)
        else:
            _histograms(axis, {key: values.astype(float) for key, values in series.items()})
        axis.set_title(f"{name}, {missing.mean():.0%} missing", fontsize=9)
        axis.tick_params(labelsize=9)
    axes[0].set_ylabel("share", fontsize=9)
    legend_outside(figure)
    return figure


def _bars(axis, series):
    """Shares of labels, of the twelve most frequent ones."""
    labels, counts = np.unique(series["observed"].astype(str), return_counts=True)
    labels = labels[np.argsort(-counts, kind="stable")][:12]
    for (key, values), color, shift in zip(
        series.items(), (OBSERVED, SAMPLE), (-0.2, 0.2), strict=True
    ):
        shares = np.mean(values.astype(str)[:, None] == labels, axis=0)
        axis.bar(np.arange(len(labels)) + shift, shares, 0.4, color=color, label=key)
    short = [label if len(label) <= 10 else f"{label[:9]}…" for label in labels]
    axis.set_xticks(range(len(labels)), short, rotation=90 if len(labels) > 4 else 0)


def _histograms(axis, series):
    """Shares of values in 20 bins, which hold 98 % of them all and the rest at their ends."""
    low, high = np.quantile(np.concatenate(list(series.values())), (0.01, 0.99))
    edges = np.linspace(low, high if high > low else low + 1.0, 21)
    for (key, values), color in zip(series.items(), (OBSERVED, SAMPLE), strict=True):
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        axis.stairs(counts / counts.sum(), edges, color=color, label=key)
