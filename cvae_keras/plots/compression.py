"""Figures of embeddings."""

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import COLORS, SAMPLE


def plot_embedding(z, labels=None, categories=None, title="", filename=None, axis=None):
    """Points of an embedding, colored by class; of more than two dimensions the first two.

    Args:
        z: `(examples, dimensions)`.
        labels: `(examples,)`, any values, or None.
        categories: names of the classes, which labels index, or None.
        title: of the figure.
        filename: where to write it, or None.
        axis: matplotlib axes to draw in; None for a new figure.

    Returns:
        The matplotlib Figure.

    Raises:
        ValueError: z and labels differ in length, or z has one dimension only.

    Example:
        ```python
        plot_embedding(embedder.embed(X), labels=y, filename="embedding.png")
        ```
    """
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] < 2:
        raise ValueError(f"z must have shape (examples, 2 or more), got {z.shape}: embed into 2.")
    if labels is not None and len(labels) != len(z):
        raise ValueError(f"labels has length {len(labels)}, but z {len(z)}: pair them up.")
    if axis is None:
        axis = Figure(figsize=(7, 6), layout="constrained").subplots()
    size = float(np.clip(20_000 / len(z), 0.3, 12))
    if labels is None:
        axis.scatter(z[:, 0], z[:, 1], s=size, color=SAMPLE, linewidths=0)
    else:
        labels = np.asarray(labels)
        classes = np.unique(labels)
        names = classes if categories is None else [categories[int(c)] for c in classes]
        for number, (value, name) in enumerate(zip(classes, names, strict=True)):
            mine, color = z[labels == value], COLORS(number % 10)
            axis.scatter(mine[:, 0], mine[:, 1], s=size, color=color, linewidths=0, label=name)
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}  # not over the points
        axis.legend(markerscale=4 / np.sqrt(size), fontsize=8, frameon=False, **beside)
    axis.set(xticks=[], yticks=[], title=title)
    if filename is not None:
        axis.figure.savefig(filename, dpi=130)
    return axis.figure


def plot_latent_grid(images, xy_range, clip=(0, 255), filename=None):
    """Images decoded from a grid over the embedding, each at its point.

    Args:
        images: `(rows, columns, height, width)`, or with a last axis of 3 colors; the first row is
            the highest.
        xy_range: first and last value of the grid, on both axes.
        clip: lowest and highest value shown.
        filename: where to write it, or None.

    Returns:
        The matplotlib Figure.

    Example:
        >>> import numpy as np
        >>> figure = plot_latent_grid(np.zeros((20, 20, 28, 28)), (-4, 4))
    """
    low, high = clip
    rows, columns, height, width = images.shape[:4]
    order = (0, 2, 1, 3, *range(4, images.ndim))
    sheet = images.transpose(order).reshape(rows * height, columns * width, *images.shape[4:])
    sheet = (np.clip(sheet, low, high) - low) / (high - low)
    axis = Figure(figsize=(8, 8), layout="constrained").subplots()
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, extent=(*xy_range, *xy_range))
    axis.set(xlabel="z1", ylabel="z2")
    if filename is not None:
        axis.figure.savefig(filename, dpi=130)
    return axis.figure
