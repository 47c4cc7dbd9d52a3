"""Figures that are displayed where there is a display: a window, or a cell of a notebook."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from cvae_keras.files import expand
from cvae_keras.plots.style import DPI


def new_figure(show, **options):
    """A figure, which pyplot manages if it is to be displayed.

    Args:
        show: whether `finish` will display it.
        **options: of the figure.

    Returns:
        The matplotlib Figure.

    Example:
        >>> new_figure(False, figsize=(4, 3)).get_size_inches().tolist()
        [4.0, 3.0]
    """
    if not show or _shows_nothing():
        return Figure(**options)
    import matplotlib.pyplot as plt

    return plt.figure(**options)


def finish(figure, filename, show):
    """Write a figure to a file, and display it.

    In a script a window opens, and the script goes on when it is closed. In a notebook the figure
    appears at the end of the cell, once, also where it is the cell's value. Without a display
    nothing happens.

    Args:
        figure: from `new_figure`.
        filename: where to write it: a path or an open file; None for nowhere.
        show: whether to display it.

    Returns:
        The figure.

    Raises:
        ValueError: the folder of the file does not exist, or its ending is not of an image format.

    Example:
        ```python
        finish(figure, "~/embedding.png", show=False)
        ```
    """
    if isinstance(filename, (str, Path)):
        filename = expand(filename)
        if not filename.parent.is_dir():
            raise ValueError(f"filename {filename} is in no folder that exists: make it first.")
    if filename is not None:
        figure.savefig(filename, dpi=DPI)
    if not show or _shows_nothing():
        return figure
    import matplotlib.pyplot as plt

    if "inline" in matplotlib.get_backend():
        figure._ipython_display_ = lambda: _display_early(figure)
    else:
        plt.show()
    return figure


def _shows_nothing():
    """Whether figures can only be written: there is no display, or none was chosen."""
    return matplotlib.get_backend().lower() in ("agg", "cairo", "pdf", "pgf", "ps", "svg")


def _display_early(figure):
    """Display a figure before the end of the cell, where pyplot would do so again."""
    import matplotlib.pyplot as plt
    from IPython.display import display

    del figure._ipython_display_
    plt.close(figure)
    display(figure)
