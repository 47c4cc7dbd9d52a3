"""Colors and panels that the figures share."""

import colorsys

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

SAMPLE, TRUTH, OBSERVED = "#5b8fd0", "#d1495b", "#222222"
COLORS = colormaps["tab10"]
#: Okabe and Ito's colors, which differ for color-blind readers too, and two more.
DISTINCT = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000",
    "#8c510a", "#762a83",
)  # fmt: skip


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
