"""Figures of the missing-data experiments; each function returns a matplotlib `Figure`."""

import numpy as np
from matplotlib.figure import Figure

MISSING_COLOR = "#f2c14e"
STYLES = {
    "VAD": {"color": "#d1495b", "marker": "o"},
    "VAE zero-filled": {"color": "#5b8fd0", "marker": "s"},
    "VAE mask-aware": {"color": "#3c7a57", "marker": "^"},
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
        axes[number, 0].set_ylabel(title, fontsize=8, rotation=0, ha="right", va="center")
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
        axis.set_title(f"{ratio:.0%} missing", fontsize=7)
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
                axes[i, j].plot(curve.ratio, curve.mse, markersize=3, label=model, **style)
            axes[i, j].set_title(f"{name}, {case}", fontsize=8)
            axes[i, j].set_ylim(bottom=0)
            axes[i, j].tick_params(labelsize=7)
        axes[i, 0].set_ylabel("mean squared error", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("share missing", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    return figure
