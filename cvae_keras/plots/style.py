"""The style of all figures: colors, sizes, panels and legends."""

import colorsys

import numpy as np
from cycler import cycler
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

#: Sky blue, a dark vermillion, black: apart for color-blind readers, evenly spaced in gray.
SAMPLE, TRUTH, OBSERVED = "#56b4e9", "#a43600", "#000000"
DPI = 150  # of figures in files
#: Okabe and Ito's colors, which differ for color-blind readers too, and two more.
DISTINCT = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000",
    "#8c510a", "#762a83",
)  # fmt: skip
#: Settings of matplotlib for the figures of notebooks. The inline backend doubles the resolution.
NOTEBOOK = {
    "figure.dpi": DPI / 2,
    "savefig.dpi": DPI,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.prop_cycle": cycler(color=DISTINCT),
}


def class_colors(count):
    """A color for each of some classes, all distinct.

    Args:
        count: number of classes.

    Returns:
        `(count, 3)`, red, green and blue from 0 to 1: `DISTINCT` for up to ten classes, else as
        many hues as are needed, each dark, medium and light.

    Source: Okabe and Ito, "Color universal design", 2008.

    Example:
        >>> class_colors(40).shape
        (40, 3)
    """
    if count <= len(DISTINCT):
        return np.array([to_rgb(color) for color in DISTINCT[:count]]).reshape(-1, 3)
    hues = -(-count // 3)
    return np.array(
        [
            colorsys.hls_to_rgb(i % hues / hues, (0.3, 0.5, 0.75)[i // hues], 0.8)
            for i in range(count)
        ]
    )


def panels(count, width, height):
    """A figure of panels, at most four in a line.

    Args:
        count: number of panels.
        width: of each, in inches.
        height: of each, in inches.

    Returns:
        `(figure, axes)`, a list of `count` axes.

    Example:
        >>> figure, axes = panels(5, 3.0, 2.5)
        >>> len(axes), figure.get_size_inches().tolist()
        (5, [12.0, 5.0])
    """
    columns = min(4, count)
    lines = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes[:count].tolist()


def legend_outside(figure):
    """One legend for all panels, below them, in which each label occurs once.

    Args:
        figure: with a constrained layout.

    Returns:
        The matplotlib Legend.

    Example:
        >>> figure, axes = panels(2, 3.0, 2.5)
        >>> for axis in axes:
        ...     line = axis.plot([0, 1], label="exact")
        >>> len(legend_outside(figure).get_texts())
        1
    """
    found = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    columns = max(1, int(figure.bbox.width / figure.dpi / 2))
    return figure.legend(
        found.values(), found, loc="outside lower center", ncols=columns, fontsize=9, frameon=False
    )
