"""The figure of the multimodal table."""

import numpy as np
from matplotlib.figure import Figure

from cvae_keras.plots.style import SAMPLE, TRUTH, legend_outside

TITLES = {"label": "given the label", "half": "lower half given the upper"}


def tiled(images):
    """Images in rows and columns as one image, with a line between them.

    Args:
        images: `(rows, columns, height, width)`.

    Returns:
        float32 `(rows * (height + 1), columns * (width + 1))`.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.plots import tiled
        >>> tiled(np.zeros((2, 3, 8, 8))).shape
        (18, 27)
    """
    rows, columns, height, width = images.shape
    framed = np.full((rows, columns, height + 1, width + 1), 0.35, "float32")
    framed[:, :, :height, :width] = images
    return framed.transpose(0, 2, 1, 3).reshape(rows * (height + 1), -1)


def plot_multimodal(frame, images):
    """Measured against exact log-likelihoods, and generated images.

    Args:
        frame: the multimodal table, a `pandas.DataFrame`.
        images: dictionary of (task, prior) -> `(rows, columns, height, width)`; a column per label
            for the task "label", and per given upper half for the task "half".

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        ```python
        plot_multimodal(table, {}).savefig("multimodal.png")
        ```
    """
    tasks = list(dict.fromkeys(task for task, _ in images))
    columns = max([1] + [sum(of == task for of, _ in images) for task in tasks])
    figure = Figure(figsize=(3.6 * (1 + columns), 3.6 * max(1, len(tasks))), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, columns))
    _plot_log_likelihoods(left, frame)
    if not tasks:
        return figure
    axes = right.subplots(len(tasks), columns, squeeze=False).flat
    for axis, ((task, prior), shown) in zip(axes, images.items(), strict=True):
        axis.imshow(tiled(shown), cmap="gray", vmin=0, vmax=1)
        axis.set_title(f"{TITLES[task]}, prior {prior}", fontsize=9)
        axis.set_axis_off()
    return figure


def _plot_log_likelihoods(figure, frame):
    axis = figure.subplots()
    rows = frame[frame["data"].str.startswith("gaussian")]
    ends = [rows["exact"].min(), rows["exact"].max()]
    axis.plot(ends, ends, color=TRUTH, linewidth=1, label="exact")
    axis.scatter(rows["exact"], rows["log_p"], color=SAMPLE, s=18, label="measured, a subset")
    axis.set(xlabel="exact log p, nats", ylabel="measured log p, nats")
    axis.set_title("Gaussian modalities", fontsize=9)
    legend_outside(figure)
