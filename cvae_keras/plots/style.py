"""Colors and panels that the figures share."""

from matplotlib import colormaps
from matplotlib.figure import Figure

SAMPLE, TRUTH, OBSERVED = "#5b8fd0", "#d1495b", "#222222"
COLORS = colormaps["tab10"]


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
