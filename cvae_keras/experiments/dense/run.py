"""`cvae-keras testbed`: train the models of a JSON file, log them, and draw the results."""

import json
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm.keras import TqdmCallback

from cvae_keras.data.conditions import known_patterns
from cvae_keras.files import manifest, open_folder, write_json
from cvae_keras.metrics.rate_distortion import encode
from cvae_keras.plots.dense import plot_dense_run
from cvae_keras.systems.dense.config import make_source, measure_by_count, read_config, train
from cvae_keras.systems.saved import load_model
from cvae_keras.truth.gaussian import optimum


class RateDistortionLog(keras.callbacks.Callback):
    """Writes rate and distortion to a CSV after each epoch, per condition and per dimension.

    Columns: `beta, epoch, known, rate, distortion`, then `kl_<j>` for each latent dimension and
    `distortion_<i>` for each input. A resumed training continues the file.

    Args:
        path: of the CSV.
        source: `Conditioned` data.
        n: fresh examples of each number of known dimensions.

    Example:
        ```python
        train(config, 0.25, [RateDistortionLog("runs/log.csv", source)])
        ```
    """

    def __init__(self, path, source, n=1000):
        super().__init__()
        self.path, self.source, self.n = Path(path), source, n

    def on_epoch_end(self, epoch, logs=None):
        beta = float(self.model.term_weights["beta"])
        counts, _ = measure_by_count(self.model, self.source, self.n)
        rows = []
        for row in counts:
            line = {"beta": beta, "epoch": epoch + 1, "known": row["known"]}
            line |= {"rate": row["rate"], "distortion": row["distortion"]}
            line |= {f"kl_{j}": value for j, value in enumerate(row["kl_per_dim"])}
            rows.append(line | {f"distortion_{i}": v for i, v in enumerate(row["errors_per_dim"])})
        frame = pd.DataFrame(rows)
        if self.path.exists():
            old = pd.read_csv(self.path)
            frame = pd.concat([old[(old["beta"] != beta) | (old["epoch"] <= epoch)], frame])
        frame.to_csv(self.path, index=False, float_format="%.6g")


def run_config(name, folder):
    """Train and measure a configuration at each of its betas.

    Writes to `folder`: `model_beta_<beta>.keras`, `training.csv` (see `RateDistortionLog`),
    `measured.csv` (each number of known dimensions, beside the exact optimum of Gaussian data),
    `figure.png` and `manifest.json`. A killed run continues at its last epoch; a finished one is
    only measured and drawn again.

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
    config, folder, start = read_config(name), open_folder(folder), time.perf_counter()
    settings = folder / "config.json"
    if settings.exists() and json.loads(settings.read_text()) != config:
        raise ValueError(f"{folder} holds a run of another configuration: name another folder.")
    write_json(settings, config)
    source, histories, rows, models = make_source(config), {}, {}, {}
    for beta in config["betas"]:
        models[beta], histories[beta] = _train(config, beta, source, folder)
        rows[beta], _ = measure_by_count(models[beta], source, n=20_000)
    drop = ("kl_per_dim", "errors_per_dim", "pattern")
    frame = pd.DataFrame(
        {"beta": beta, **{key: value for key, value in row.items() if key not in drop}}
        for beta in rows
        for row in rows[beta]
    )
    frame.to_csv(folder / "measured.csv", index=False, float_format="%.6g")
    first = config["betas"][0]
    codes, curves = _codes(models[first], source), _curves(source)
    figure = plot_dense_run(histories, codes, rows, curves, Path(name).stem)
    figure.savefig(folder / "figure.png", dpi=90)
    write_json(folder / "manifest.json", manifest(config, time.perf_counter() - start))
    return frame


def _train(config, beta, source, folder):
    """The model at one beta, trained unless the folder has it, and its ELBO at each epoch."""
    path, log = folder / f"model_beta_{beta:g}.keras", folder / f"elbo_beta_{beta:g}.csv"
    if not path.exists():
        backup = folder / f".backup_beta_{beta:g}"
        model, _, _ = train(
            config,
            beta,
            [
                keras.callbacks.CSVLogger(log, append=backup.exists()),
                RateDistortionLog(folder / "training.csv", source),
                TqdmCallback(verbose=0, desc=f"beta {beta:g}"),
                keras.callbacks.BackupAndRestore(backup, delete_checkpoint=False),
            ],
        )
        model.save(path)
        shutil.rmtree(backup)  # only now: a training killed before this line continues
    return load_model(path), pd.read_csv(log)["elbo"].tolist()


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
    every, betas = known_patterns(source.data.dim), np.geomspace(0.02, 8, 40)
    curves = []
    for known in range(source.data.dim + 1):
        group = every[every.sum(axis=1) == known][:20]
        best = [[optimum(source.data.covariance, p, beta) for p in group] for beta in betas]
        curves.append(
            tuple(
                [np.mean([b[name] for b in each]) for each in best]
                for name in ("rate", "distortion")
            )
        )
    return curves
