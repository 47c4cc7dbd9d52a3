"""Every figure, one function each; each returns a matplotlib `Figure`."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

SAMPLE, TRUTH, GIVEN = "#5b8fd0", "#d1495b", "#222222"
COLORS = colormaps["tab10"]


def plot_samples(task, samples, y, title=""):
    """Samples for one pair of curves: x against the exact solutions, f(x) against the given curves.

    Args:
        task: a `SinusoidTask`; samples: `(n_samples, points, 2)`; y: `(points, 2)`; title: text.

    Returns:
        Figure with four panels: x0, x1, y1, y2 over the point.

    Example:
        >>> figure = plot_samples(task, model.sample(y[:1], 100)[:, 0], y[0])
    """
    figure = Figure(figsize=(11, 2.9), layout="constrained")
    axes = figure.subplots(1, 4)
    solutions, _ = task.solutions(y)
    generated = task.forward(samples)
    for column in range(2):
        axes[column].plot(samples[..., column].T, color=SAMPLE, alpha=0.15, linewidth=1)
        axes[column].plot(solutions[..., column].T, color=TRUTH, linewidth=1.5)
        axes[column].set_title(f"x{column}: samples (blue), exact solutions (red)", fontsize=8)
        axes[column].set_ylim(min(0.0, samples.min()), max(1.1, samples.max()))
        axes[2 + column].plot(generated[..., column].T, color=SAMPLE, alpha=0.15, linewidth=1)
        axes[2 + column].plot(y[:, column], color=GIVEN, linewidth=1.5)
        axes[2 + column].set_title(f"y{column + 1}: f(samples) (blue), given (black)", fontsize=8)
        axes[2 + column].set_ylim(-1.15, 1.15)
    for axis in axes:
        axis.set_xlabel("point")
    residual = np.abs(generated - y).mean()
    figure.suptitle(f"{title}   mean |f(x) - y| = {residual:.3g}", fontsize=10)
    return figure


def plot_solved(task, samples, y, pairs, title="", figure=None):
    """Samples of a solved model over the exact solutions, and the calibration of their weights.

    Args:
        task: a `SinusoidTask`; samples: `(n_samples, batch, points, 2)`; y: `(batch, points, 2)`,
            the first three are drawn; pairs: `(weights, frequencies)` of all solutions, from
            `mode_weights`; title: text; figure: a figure or part of one to draw in, else a new one.

    Returns:
        The figure: x0 over x1 for three y, and sampled frequency over exact weight.

    Example:
        >>> figure = plot_solved(task, samples, y, mode_weights(task, samples, y)[:2])
    """
    figure = figure or Figure(figsize=(13, 3.4), layout="constrained")
    axes = figure.subplots(1, 4)
    for index, axis in enumerate(axes[:3]):
        drawn = samples[:, index]
        solutions, weights = task.solutions(y[index])
        axis.plot(drawn[..., 0].T, drawn[..., 1].T, color=SAMPLE, alpha=0.15, linewidth=2)
        for solution, weight in zip(solutions, weights, strict=True):
            axis.plot(solution[:, 0], solution[:, 1], color=TRUTH, linewidth=1.2)
            near = np.abs(drawn - solution).mean(axis=(1, 2)) < 0.02
            text = f"{weight:.0%} exact\n{near.mean():.0%} sampled"
            middle = solution[len(solution) // 2]
            side = "right" if middle[0] > 0.6 else "left"
            axis.annotate(
                text, middle, fontsize=7, ha=side, va="bottom" if side == "left" else "top"
            )
        axis.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="x0", ylabel="x1")
        axis.set_title(f"curves {index + 1}: samples (blue), exact (red)", fontsize=8)
    weights, frequencies = pairs
    axes[3].plot([0, 1], [0, 1], color=GIVEN, linewidth=1)
    axes[3].plot(weights, frequencies, ".", color=SAMPLE, markersize=3, alpha=0.5)
    axes[3].set(xlabel="exact weight of a solution", ylabel="share of 100 samples")
    axes[3].set_title("calibration: all solutions of all curves", fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def plot_embedding(z, labels=None, categories=None, title="", filename=None, axis=None):
    """Points of an embedding, coloured by class; of more than two dimensions the first two.

    Args:
        z: `(examples, dimensions)`; labels: `(examples,)`, any values, or None; categories: names
            of the classes, where labels are their positions; title: text; filename: where to write
            it, or None; axis: matplotlib axes to draw in, else a new figure.

    Returns:
        The Figure.

    Raises:
        ValueError: z and labels differ in length, or z has one dimension only.

    Example:
        >>> plot_embedding(embedder.embed(X), labels=y, filename="embedding.png")
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


def plot_latent_grid(pictures, xy_range, clip=(0, 255), filename=None):
    """Pictures decoded from a grid over the embedding, each at its place.

    Args:
        pictures: `(rows, columns, height, width)`, or with a last axis of 3 colours; the first row
            is the highest; xy_range: from, to, on both axes; clip: lowest and highest value;
            filename: where to write it, or None.

    Returns:
        The Figure.

    Example:
        >>> plot_latent_grid(np.zeros((20, 20, 28, 28)), (-4, 4))
    """
    low, high = clip
    rows, columns, height, width = pictures.shape[:4]
    order = (0, 2, 1, 3, *range(4, pictures.ndim))
    sheet = pictures.transpose(order).reshape(rows * height, columns * width, *pictures.shape[4:])
    sheet = (np.clip(sheet, low, high) - low) / (high - low)
    axis = Figure(figsize=(8, 8), layout="constrained").subplots()
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, extent=(*xy_range, *xy_range))
    axis.set(xlabel="z1", ylabel="z2")
    if filename is not None:
        axis.figure.savefig(filename, dpi=130)
    return axis.figure
