"""The figures of the dense system; each function returns a matplotlib `Figure`."""

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from cvae_keras.plots.style import OBSERVED, SAMPLE, TRUTH, legend_outside, panels

MARKERS = "osD^v"


def _colors(dims):
    """A color for each number of known dimensions, 0 to dims."""
    return colormaps["viridis"](np.linspace(0, 0.9, dims + 1))


def plot_rate_distortion(frame):
    """Measured rate and distortion of every experiment on top of the exact ones.

    Args:
        frame: the table of the testbed, one seed.

    Returns:
        Figure, one panel per experiment: distortion over rate, one color per number of known
        dimensions, one marker per beta; crosses are measured, open markers exact.

    Example:
        ```python
        plot_rate_distortion(table[table["seed"] == 0]).savefig("testbed.png")
        ```
    """
    names = list(dict.fromkeys(frame["experiment"]))
    markers = dict(zip(sorted(frame["beta"].unique()), MARKERS * 9, strict=False))
    figure, axes = panels(len(names), 3.4, 3.1)
    for axis, name in zip(axes, names, strict=True):
        rows = frame[(frame["experiment"] == name) & (frame["pattern"] == "")]
        colors = _colors(rows["known"].max())
        for beta, group in rows.groupby("beta"):
            exact = {"marker": markers[beta], "s": 70, "facecolors": "none", "linewidths": 1.2}
            axis.scatter(
                group["rate_exact"], group["distortion_exact"], edgecolors=TRUTH,
                label=f"exact, beta {beta:g}", **exact,
            )  # fmt: skip
            axis.scatter(
                group["rate"], group["distortion"], marker="x", c=colors[group["known"]], s=30
            )
        axis.scatter([], [], marker="x", color=OBSERVED, label="measured (dark: nothing known)")
        axis.set(title=name, xlabel="rate, nats", ylabel="distortion")
        axis.title.set_size(9)
    legend_outside(figure)
    return figure


def plot_dense_run(histories, codes, rows, curves, title=""):
    """One run of the dense system.

    Args:
        histories: beta -> list of the ELBO at beta 1 of each epoch.
        codes: `(z, known)`: posterior means `(n, 2)` of the two latent dimensions of highest rate,
            at the first beta, and the number of known dimensions of each example `(n,)`.
        rows: beta -> rows by number of known dimensions, from `measure_by_count`.
        curves: list over the numbers of known dimensions of `(rates, distortions)`, the exact
            curve; empty where none is known.
        title: text.

    Returns:
        Figure of four panels: ELBO over epochs; latent space colored by condition; KL of each
        latent dimension for each number of known dimensions; distortion over rate, with the exact
        curves.

    Example:
        ```python
        plot_dense_run(histories, codes, rows, curves, "baseline").savefig("run.png")
        ```
    """
    figure = Figure(figsize=(14, 3.4), layout="constrained")
    elbo, latent, kl, plane = figure.subplots(1, 4, width_ratios=[1, 1, 1.2, 1.2])
    first = next(iter(rows))
    colors = _colors(len(rows[first]) - 1)
    for (beta, values), shade in zip(
        histories.items(), (SAMPLE, OBSERVED, TRUTH) * 9, strict=False
    ):
        elbo.plot(np.arange(1, len(values) + 1), values, color=shade, label=f"ELBO, beta {beta:g}")
    elbo.set(title="ELBO (beta 1 in it)", xlabel="epoch", ylabel="nats")
    elbo.set_ylim(bottom=np.quantile(np.concatenate(list(histories.values())), 0.05))
    z, known = codes
    latent.scatter(*z.T, c=colors[known], s=3, alpha=0.6, linewidths=0)
    latent.set(title=f"posterior means, beta {first:g}", xlabel="z of highest KL", ylabel="second")
    per_dim = np.array([row["kl_per_dim"] for row in rows[first]])
    order = per_dim[0].argsort()[::-1]
    image = kl.imshow(per_dim[:, order], aspect="auto", cmap="magma_r", vmin=0)
    kl.set(title=f"KL per latent dimension, beta {first:g}", xlabel="latent dimension, sorted")
    kl.set(ylabel="known dimensions", yticks=range(len(per_dim)))
    figure.colorbar(image, ax=kl, label="nats")
    for (rates, distortions), color in zip(curves, colors, strict=False):
        plane.plot(rates, distortions, color=color, linewidth=1)
    for marker, (beta, group) in zip(MARKERS * 9, rows.items(), strict=False):
        points = np.array([(row["rate"], row["distortion"]) for row in group])
        plane.scatter(*points.T, c=colors, marker=marker, s=28, label=f"measured, beta {beta:g}")
    exact = ", exact curves" if curves else ""
    plane.set(title=f"measured{exact}", xlabel="rate, nats", ylabel="distortion")
    for axis in (elbo, latent, kl, plane):
        axis.title.set_size(9)
    legend_outside(figure)
    figure.suptitle(f"{title}   dark: nothing known, light: all known", fontsize=10)
    return figure
