"""`cvae-keras collapse`: a CVAE whose latent is not used, beside a model that finds all solutions.

The first is SidWorks01's setting, row 4 of the test cases: its reduction sums the KL over the batch
but averages the distances, so that the KL has `batch * 2 * points` times the weight it has in an
ELBO, and falls to 0. The second is the shipped `SinusoidSolver`.
"""

import time

import numpy as np

from cvae_keras.data.sinusoid import TASKS, load
from cvae_keras.experiments.sinusoid.cases import CASES, case_config, train_case
from cvae_keras.files import claim, manifest, replacing, write_json
from cvae_keras.metrics.modes import mode_weights, score_samples
from cvae_keras.plots.sinusoid import plot_beside
from cvae_keras.plots.style import DPI
from cvae_keras.systems.saved import load_pretrained

NAME = "sinusoid_collapse"
EPOCHS = 6
LEAST = 0.05  # posterior weight of each solution that is drawn


def run_collapse(folder, task=2, config=None, curves=200, n_samples=100, seed=0):
    """Train the collapsed model, sample both, and write their figure and scores.

    Args:
        folder: where `sinusoid_collapse.png` and `.json` go.
        task: 1 or 2.
        config: of the collapsed model, from `case_config`; None for row 4 with 6 epochs.
        curves: how many fresh y.
        n_samples: samples per y, independent of each other.
        seed: integer.

    Returns:
        Dictionary of `rows`, the scores of both models; `solutions`, the exact weights and the
        sampled shares for the y that is drawn; and `manifest`.

    Raises:
        ValueError: the folder cannot be written.

    Source: SidWorks01's sinusoid project; Bowman et al. (2016), Generating sentences from a
    continuous space, for the collapse.

    Example:
        ```python
        run_collapse("runs")["rows"][0]["kl"]
        ```
    """
    folder, start, name = claim(folder, "results"), time.perf_counter(), f"data_{task}"
    if config is None:
        config = case_config(name, CASES[name][3], "original", False, "float32", seed)
        config["epochs"] = EPOCHS
    collapsed, history = train_case(config, load(name, "train"))
    solver = load_pretrained(f"sinusoid_{task}")
    solver.prior.independent = True
    sinusoid = TASKS[name]
    _, y = sinusoid.sample(curves, seed)
    index = clearest(sinusoid, y)
    heads = {
        "collapsed": (collapsed, "A collapsed CVAE (KL = 0):\none guess for all samples"),
        "solver": (solver, "SinusoidSolver: every solution,\nin proportion to its weight"),
    }
    rows, drawn, shares = [], {}, {}
    for label, (model, head) in heads.items():
        samples = model.sample(y, n_samples=n_samples, seed=seed)
        rows.append({"model": label, **score_samples(sinusoid, samples, y)})
        weights, share, examples = mode_weights(sinusoid, samples, y)
        shares[label] = share[examples == index].tolist()
        drawn[head] = samples[:, index]
    rows[0]["kl"] = float(np.asarray(history.history["kl"][-1]))
    weights = weights[examples == index].tolist()
    settings = {**config, "curves": curves, "samples": n_samples, "index": index}
    content = {
        "rows": rows,
        "solutions": {"exact": weights, **shares},
        "manifest": manifest(settings, time.perf_counter() - start),
    }
    with replacing(folder / f"{NAME}.png") as path:
        plot_beside(sinusoid, drawn, y[index]).savefig(path, dpi=DPI)
    write_json(folder / f"{NAME}.json", content)
    return content


def clearest(task, y):
    """Which y to draw: of those with most solutions, the one whose solutions lie furthest apart.

    Args:
        task: a `SinusoidTask`.
        y: `(batch, points, 2)`.

    Returns:
        Index in y. Solutions of a posterior weight below 0.05 rule a y out, and no more than four
        solutions count.

    Example:
        >>> task = TASKS["data_1"]
        >>> _, y = task.sample(5, seed=0)
        >>> len(task.solutions(y[clearest(task, y)])[0])
        2
    """
    ranks = []
    for curves in y:
        solutions, weights = task.solutions(curves)
        middles = solutions.mean(axis=1)
        apart = np.linalg.norm(middles[:, None] - middles, axis=-1)
        apart = apart[~np.eye(len(middles), dtype=bool)].min(initial=np.inf)
        fits = len(weights) > 0 and weights.min() >= LEAST
        ranks.append((min(len(weights), 4), float(apart)) if fits else (0, 0.0))
    return ranks.index(max(ranks))
