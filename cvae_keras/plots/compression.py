"""Figures of embeddings."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from cvae_keras.plots.display import finish, new_figure
from cvae_keras.plots.style import SAMPLE, class_colors

MEASURED = 20  # whole numbers of more different values than that are measurements, not classes
NAMED = 50  # classes in a legend
LINES = 25  # of a legend, in a column
UNLABELED, GAP = "#c8c8c8", "#d8dce2"


def plot_embedding(z, labels=None, categories=None, title="", filename=None, axis=None, show=False):
    """Points of an embedding, colored by label; of more than two dimensions the first two.

    Labels are classes, with a legend, or measurements, with a color bar: numbers that are not
    whole, or whole ones of more than 20 different values. Points whose label is missing (None, NaN
    or infinite) are gray.

    Args:
        z: `(examples, dimensions)`.
        labels: `(examples,)` or `(examples, 1)`, any values, or None.
        categories: names of the classes, for labels that are whole numbers: that of class k is
            `categories[k]`; where a label is no index of it, as with 1 to 10 for ten names, the
            names are those of the classes in ascending order, or of the numbers from the smallest
            to the largest label. Ignored for labels of text, which are names.
        title: of the figure.
        filename: where to write it, or None.
        axis: matplotlib axes to draw in; None for a new figure.
        show: whether to display a new figure, see `cvae_keras.plots.display.finish`.

    Returns:
        The matplotlib Figure.

    Raises:
        ValueError: z and labels differ in length, z has one dimension only, or the categories do
            not fit the labels.

    Example:
        ```python
        plot_embedding(embedder.embed(X), labels=y, filename="embedding.png")
        ```
    """
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] < 2:
        raise ValueError(f"z must have shape (examples, 2 or more), got {z.shape}: embed into 2.")
    labels = None if labels is None else _column(labels, len(z))
    known = np.zeros(len(z), bool) if labels is None else ~labels.isna().to_numpy()
    numbers = labels is not None and pd.api.types.is_numeric_dtype(labels)
    measured = numbers and categories is None and _is_measurement(labels[known])
    if labels is not None and not measured:
        classes, names = _classes(labels[known], categories if numbers else None)
    show = show and axis is None
    if axis is None:
        axis = new_figure(show, figsize=(7, 6), layout="constrained").subplots()
    options = {"s": float(np.clip(20_000 / max(1, len(z)), 0.3, 12)), "linewidths": 0}
    rest = axis.scatter(*z[~known, :2].T, color=SAMPLE if labels is None else UNLABELED, **options)
    if measured:
        values = labels[known].to_numpy("float64")
        drawn = axis.scatter(*z[known, :2].T, c=values, cmap="viridis", **options)
        axis.figure.colorbar(drawn, ax=axis)
    elif labels is not None:
        colors = class_colors(len(names))
        axis.scatter(*z[known, :2].T, color=colors[classes], **options)
        entries = list(zip(names, colors, strict=True))[:NAMED]
        if len(names) > NAMED:
            entries.append((f"and {len(names) - NAMED} more", "none"))
        if not known.all():
            entries.append(("no label", UNLABELED))
            rest.set_zorder(0.5)
        _legend(axis, entries)
    axis.set(xlabel="z1", ylabel="z2", title=title)
    return finish(axis.figure, filename, show)


def _column(labels, length):
    """Labels as a pandas Series of numbers, booleans or text, with NaN where one is missing."""
    if isinstance(labels, (pd.Series, pd.Index, pd.DataFrame)):
        values = labels.to_numpy(dtype=object, na_value=None).astype(object)
    else:
        masked = labels if isinstance(labels, np.ma.MaskedArray) else None
        values = np.empty(np.shape(labels), object)
        values[...] = labels if masked is None else masked.filled(masked.dtype.type(0))
        if masked is not None:
            values[np.ma.getmaskarray(masked)] = None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) != length:
        found = f"length {len(values)}" if values.ndim == 1 else f"shape {values.shape}"
        raise ValueError(f"labels has {found}, but z {length}: pair them up.")
    column = pd.Series(list(values), dtype=object).infer_objects()
    if pd.api.types.is_numeric_dtype(column):
        return column if column.dtype == bool else column.replace([np.inf, -np.inf], np.nan)
    return column.map(str, na_action="ignore")


def _is_measurement(numbers):
    values = numbers.to_numpy("float64")
    return bool((values != np.round(values)).any()) or len(np.unique(values)) > MEASURED


def _classes(labels, categories):
    """The class of each label as an index, and the names of the classes."""
    values, index = np.unique(labels.to_numpy(), return_inverse=True)
    if values.dtype.kind == "f" and (values == np.round(values)).all():
        values = values.astype("int64")  # as where some are missing
    if categories is None or not len(values):
        return index, [str(value) for value in values]
    values = values.astype(int) if values.dtype == bool else values
    count, low, high = len(categories), values[0], values[-1]
    whole = values.dtype.kind in "iu"
    if whole and low >= 0 and high < count:
        names = [categories[value] for value in values]
    elif count == len(values):
        names = categories
    elif whole and high - low < count:
        names = [categories[value - low] for value in values]
    else:
        raise ValueError(
            f"categories holds {count} names for labels from {low} to {high}: give "
            f"one for each of them."
        )
    return index, [str(name) for name in names]


def _legend(axis, entries):
    """A legend beside the axes, so that it covers no point."""
    dots = [
        Line2D([], [], linestyle="", marker="o", markersize=5, color=color, label=name)
        for name, color in entries
    ]
    if dots:
        place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        columns = -(-len(dots) // LINES)
        axis.legend(handles=dots, fontsize=9, frameon=False, ncols=columns, **place)


def grid_points(xy_range, grid_size):
    """The points of the embedding at which the images of a grid are decoded: centers of its cells.

    Args:
        xy_range: the edges of the grid, on both axes.
        grid_size: cells along each axis.

    Returns:
        `(grid_size**2, 2)`, row by row from the highest, each from the left.

    Example:
        >>> grid_points((-4, 4), 4)[:4].tolist()
        [[-3.0, 3.0], [-1.0, 3.0], [1.0, 3.0], [3.0, 3.0]]
    """
    low, high = xy_range
    axis = low + (np.arange(grid_size) + 0.5) * (high - low) / grid_size
    return np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)


def plot_latent_grid(images, xy_range, clip=(0, 255), figsize=(8, 8), filename=None, show=False):
    """Images decoded from a grid over the embedding, each at its point.

    Args:
        images: `(rows, columns, height, width)`, or with a last axis of 3 colors; the first row is
            the highest. Each is drawn at its point of `grid_points`.
        xy_range: the edges of the grid, on both axes.
        clip: lowest and highest value shown; None for those of the images.
        figsize: width and height in inches.
        filename: where to write it, or None.
        show: whether to display it, see `cvae_keras.plots.display.finish`.

    Returns:
        The matplotlib Figure.

    Example:
        >>> import numpy as np
        >>> figure = plot_latent_grid(np.zeros((20, 20, 28, 28)), (-4, 4))
    """
    low, high = (images.min(), images.max()) if clip is None else clip
    rows, columns, height, width = images.shape[:4]
    images = np.clip((images - low) / (high - low if high > low else 1.0), 0, 1)
    margin = [(0, 0), (0, 0), (1, 1), (1, 1), *[(0, 0)] * (images.ndim - 4)]
    images = np.pad(images.astype("float64"), margin, constant_values=np.nan)
    order = (0, 2, 1, 3, *range(4, images.ndim))
    sheet = images.transpose(order).reshape(
        rows * (height + 2), columns * (width + 2), *images.shape[4:]
    )
    colors = colormaps["gray_r"].with_extremes(bad=GAP)
    if images.ndim == 4:
        sheet = colors(np.ma.masked_invalid(sheet))[..., :3]
    sheet = np.where(np.isnan(sheet), to_rgb(GAP), sheet)
    axis = new_figure(show, figsize=figsize, layout="constrained").subplots()
    axis.imshow(sheet, extent=(*xy_range, *xy_range))
    axis.set(xlabel="z1", ylabel="z2")
    return finish(axis.figure, filename, show)
