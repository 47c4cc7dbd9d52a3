"""The figure of the multimodal table; returns a matplotlib `Figure`."""

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import SAMPLE, TRUTH


def tiled(pictures):
    """Rows of pictures `(rows, columns, height, width)` as one, with a line between them."""
    rows, columns, height, width = pictures.shape
    framed = np.full((rows, columns, height + 1, width + 1), 0.35, "float32")
    framed[:, :, :height, :width] = pictures
    return framed.transpose(0, 2, 1, 3).reshape(rows * (height + 1), -1)


def plot_multimodal(frame, pictures):
    """Measured log-likelihoods on exact ones, and generated pictures.

    Args:
        frame: the multimodal table; pictures: (task, prior) -> `(rows, columns, height, width)`,
            from "label" a column a label, from "half" a column a given upper half.

    Returns:
        Figure.

    Example:
        >>> plot_multimodal(table, {}).savefig("multimodal.png")
    """
    tasks = list(dict.fromkeys(task for task, _ in pictures))
    columns = max([1] + [sum(of == task for of, _ in pictures) for task in tasks])
    figure = Figure(figsize=(3.6 * (1 + columns), 3.6 * max(1, len(tasks))), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, columns))
    axes = [left.subplots()]
    if tasks:
        axes.extend(right.subplots(len(tasks), columns, squeeze=False).flat)
    rows = frame[frame["data"].str.startswith("gaussian")]
    ends = [rows["exact"].min(), rows["exact"].max()]
    axes[0].plot(ends, ends, color=TRUTH, linewidth=1, label="exact")
    axes[0].scatter(rows["exact"], rows["log_p"], color=SAMPLE, s=18, label="measured, a subset")
    axes[0].set(xlabel="exact log p, nats", ylabel="measured log p, nats")
    axes[0].set_title("Gaussian modalities", fontsize=9)
    axes[0].legend(fontsize=8)
    titles = {"label": "given the label", "half": "lower half given the upper"}
    for axis, ((task, prior), shown) in zip(axes[1:], pictures.items(), strict=True):
        axis.imshow(tiled(shown), cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{titles[task]}, prior {prior}", fontsize=9)
        axis.set_axis_off()
    return figure
