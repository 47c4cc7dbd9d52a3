"""`cvae-keras testbed`: train the models of a JSON file, log them, and draw the results."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm.keras import TqdmCallback

from cvae_keras.data.conditions import patterns_of
from cvae_keras.files import claim, manifest, read_json, replacing, write_csv, write_json
from cvae_keras.metrics.rate_distortion import encode
from cvae_keras.plots.dense import plot_dense_run
from cvae_keras.plots.style import DPI
from cvae_keras.systems.dense.config import make_source, measure_by_count, read_config, train
from cvae_keras.systems.saved import load_model
from cvae_keras.training.checkpoint import Checkpoint
from cvae_keras.truth.gaussian import optimum


class RateDistortionLog(keras.callbacks.Callback):
    """Measures rate and distortion after each epoch, per condition and per dimension.

    `rows` has one dictionary per epoch and number of known dimensions: `beta, epoch, known, rate,
    distortion`, then `kl_<j>` for each latent dimension and `distortion_<i>` for each input. A
    `Checkpoint` keeps them.

    Args:
        source: `Conditioned` data.
        n: fresh examples of each number of known dimensions.

    Example:
        ```python
        log = RateDistortionLog(source)
        train(config, 0.25, [log])
        pd.DataFrame(log.rows)
        ```
    """

    def __init__(self, source, n=1000):
        super().__init__()
        self.source, self.n, self.rows = source, n, []

    def on_epoch_end(self, epoch, logs=None):
        beta = float(self.model.term_weights["beta"])
        counts, _ = measure_by_count(self.model, self.source, self.n)
        for row in counts:
            line = {"beta": beta, "epoch": epoch + 1, "known": row["known"]}
            line |= {"rate": float(row["rate"]), "distortion": float(row["distortion"])}
            line |= {f"kl_{j}": float(value) for j, value in enumerate(row["kl_per_dim"])}
            errors = enumerate(row["errors_per_dim"])
            self.rows.append(line | {f"distortion_{i}": float(value) for i, value in errors})


def run_config(name, folder):
    """Train and measure a configuration at each of its betas.

    Writes to `folder`: for each beta `model_beta_<beta>.keras`, `elbo_beta_<beta>.csv` (the logs of
    each epoch) and `training_beta_<beta>.csv` (see `RateDistortionLog`); `training.csv` (the latter
    of all betas), `measured.csv` (each number of known dimensions, beside the exact optimum of
    Gaussian data), `figure.png` and `manifest.json`. A killed run continues at its last epoch; a
    finished one is only measured and drawn again.

    Args:
        name: of a shipped configuration, or a JSON file.
        folder: where the files go.

    Returns:
        The measured rows, a `pandas.DataFrame`.

    Raises:
        ValueError: a bad configuration, a folder that cannot be written or holds another run.

    Example:
        ```python
        frame = run_config("baseline", "runs/baseline")
        ```
    """
    config, folder = read_config(name), claim(folder, "testbed run")
    settings = folder / "config.json"
    if settings.exists() and read_json(settings) != config:
        raise ValueError(f"{folder} holds a run of another configuration: name another folder.")
    write_json(settings, config)
    source, histories, rows, models = make_source(config), {}, {}, {}
    seconds = 0.0
    for beta in config["betas"]:
        models[beta], log = _train(config, beta, source, folder)
        histories[beta], seconds = log["elbo"].tolist(), seconds + float(log["seconds"].sum())
    _join_logs(config, folder)
    for beta in config["betas"]:
        rows[beta], _ = measure_by_count(models[beta], source, n=20_000)
    drop = ("kl_per_dim", "errors_per_dim", "pattern")
    frame = pd.DataFrame(
        {"beta": beta, **{key: value for key, value in row.items() if key not in drop}}
        for beta in rows
        for row in rows[beta]
    )
    write_csv(frame, folder / "measured.csv")
    first = config["betas"][0]
    codes, curves = _codes(models[first], source), _curves(source)
    figure = plot_dense_run(histories, codes, rows, curves, Path(name).stem)
    with replacing(folder / "figure.png") as path:
        figure.savefig(path, dpi=DPI)
    write_json(folder / "manifest.json", manifest(config, seconds))
    return frame


def _train(config, beta, source, folder):
    """The model at one beta, trained unless the folder has it, and its logs at each epoch."""
    path, log = folder / f"model_beta_{beta:g}.keras", folder / f"elbo_beta_{beta:g}.csv"
    measured = folder / f"training_beta_{beta:g}.csv"
    checkpoint = Checkpoint(folder / f".checkpoint_beta_{beta:g}.npz", config, log)
    if not path.exists() or checkpoint.path.exists():
        by_epoch = RateDistortionLog(source)
        bar = TqdmCallback(verbose=0, desc=f"beta {beta:g}")
        model, _, _ = train(config, beta, [by_epoch, bar, checkpoint])
        write_csv(pd.DataFrame(by_epoch.rows), measured)
        with replacing(path) as partial:
            model.save(partial)
        checkpoint.remove()
    return load_model(path), pd.read_csv(log)


def _join_logs(config, folder):
    """Write `training.csv`, the rates and distortions of all betas."""
    parts = [pd.read_csv(folder / f"training_beta_{beta:g}.csv") for beta in config["betas"]]
    write_csv(pd.concat(parts), folder / "training.csv")


def _codes(model, source, n=3000):
    """Posterior means in the two dimensions of highest KL, and the number of known inputs."""
    arrays = source.examples(n, seed=1)
    _, kl, mean = encode(model, arrays)
    order = kl.mean(axis=0).argsort()[::-1][:2]
    return mean[:, np.resize(order, 2)], np.split(arrays["c"], 2, axis=1)[1].sum(axis=1).astype(int)


def _curves(source):
    """The exact curve of each number of known dimensions, averaged over its patterns."""
    if not hasattr(source.data, "covariance") or source.mask_percentage:
        return []
    betas = np.geomspace(0.02, 8, 40)
    curves = []
    for known in range(source.data.dim + 1):
        group = patterns_of(source.data.dim, known)[:20]
        best = [[optimum(source.data.covariance, p, beta) for p in group] for beta in betas]
        curves.append(
            tuple(
                [np.mean([b[name] for b in each]) for each in best]
                for name in ("rate", "distortion")
            )
        )
    return curves
