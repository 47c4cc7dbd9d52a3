"""`cvae-keras quick`, which `make run` calls: a model trained live, those shipped, and a report."""

import base64
import os
import time
from html import escape
from importlib import resources
from string import Template

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.experiments.sinusoid.solved import run_solved, score_model, train
from cvae_keras.files import (
    MODELS,
    ROOT,
    claim,
    manifest,
    markdown,
    read_json,
    replacing,
    write_json,
    write_text,
)
from cvae_keras.metrics.modes import exact_sampling_floor
from cvae_keras.plots.sinusoid import plot_beside, plot_training
from cvae_keras.plots.style import DPI
from cvae_keras.systems.saved import load_model
from cvae_keras.systems.sinusoid.refine import refine

REPORT = "report.html"
NOTEBOOKS = {
    "00_start_here": "what is in the course, and where to begin",
    "01_the_elbo": "the objective, and what each of its terms does",
    "02_testbed": "a dense CVAE against the best rate and distortion possible",
    "03_sinusoid_one": "task 1, step by step: why the latent collapses, and what solves it",
    "04_sinusoid_two": "task 2, with up to 8 solutions",
    "05_hyperparameter_search": "searches with keras-tuner",
    "06_compression_vae": "embeddings, with scikit-learn's interface",
    "07_auto_decoder": "missing data, without an encoder",
    "08_multimodal": "one modality given any subset of the others",
    "09_your_own_cvae": "your own table, curves or simulator, with uncertainty",
    "10_reproduce_the_tables": "one row of each table, run again",
    "11_which_model_when": "which model suits which data, and what to do if it fails",
}
MEASURES = ["residual", "precision", "recall", "total_variation", "accepted"]


def run_quick(folder, models=MODELS, curves=200, seed=0, force=False):
    """Train a small Conv1D CVAE of task 1, sample it and the shipped models, write the report.

    Args:
        folder: where `report.html`, its figures and tables, and `models/` go.
        models: folder of the shipped models.
        curves: how many fresh y; each model draws 100 samples for each.
        seed: integer.
        force: whether to replace a report that is there.

    Returns:
        Path of the report: one HTML file, figures included.

    Raises:
        ValueError: the report is there and force is False, or the folder cannot be written.

    Example:
        ```python
        path = run_quick("runs/quick", curves=50)
        ```
    """
    folder, start = claim(folder, "results"), time.perf_counter()
    report = folder / REPORT
    if report.exists():
        if not force:
            raise ValueError(f"{report} is there: give --force to run again and replace it.")
        tqdm.write(f"Replaces {report}")
    tqdm.write("1. A small Conv1D CVAE of task 1 is trained, for about a minute")
    path = train(1, folder / "models", "small", seed, force=True)
    model, log = load_model(path), pd.read_csv(path.with_name(f"{path.stem}_training.csv"))
    trained = read_json(path.with_name(f"{path.stem}_manifest.json"))
    rows, samples, y = score_model(model, curves)
    rows.append({"samples": "exact", **exact_sampling_floor(model.task, y, 100, seed)})
    own = pd.DataFrame(rows)[["samples", *MEASURES]]
    tqdm.write(f"\n{markdown(own)}\n\n2. The shipped models of both tasks are sampled")
    index = int(np.argmax([min(2, len(model.task.solutions(each)[0])) for each in y]))
    refined, ok = refine(model.task, samples[:, index], y[index])
    drawn = {"As sampled": samples[:, index], "Refined": refined[ok]}
    drawings = {
        "training": plot_training(log, trained["config"]["steps"]),
        "samples": plot_beside(model.task, drawn, y[index]),
    }
    for name, figure in drawings.items():
        with replacing(folder / f"quick_{name}.png") as file:
            figure.savefig(file, dpi=DPI)
    run_solved(folder, models, n_curves=curves, quick=True)
    shipped = pd.read_csv(folder / "sinusoid_solved.csv")[["task", "model", "samples", *MEASURES]]
    tqdm.write(f"\n{markdown(shipped)}\n")
    figures = {name: folder / f"quick_{name}.png" for name in drawings}
    figures["solved"] = folder / "sinusoid_solved.png"
    run = manifest({"curves": curves, "samples": 100, "seed": seed}, time.perf_counter() - start)
    write_json(folder / "quick.json", {"rows": rows, "trained": trained, "manifest": run})
    write_text(report, render(own, shipped, figures, trained, run, path))
    return report


def render(own, shipped, figures, trained, run, model):
    """The report as HTML that needs no other file.

    Args:
        own: pandas DataFrame, the scores of the model trained here.
        shipped: pandas DataFrame, those of the shipped models.
        figures: dictionary of "training", "samples" and "solved" -> path of a PNG file.
        trained: manifest of the training.
        run: manifest of the whole run.
        model: path of the model trained here; the report lies in the folder above its own.

    Returns:
        HTML, which is well-formed XML too.

    Example:
        ```python
        html = render(own, shipped, figures, trained, run, "runs/quick/models/small.keras")
        ```
    """
    config, folder = trained["config"], model.parent.parent
    notebooks = os.path.relpath(ROOT / "notebooks", folder)
    items = [
        f'<li><a href="{escape(notebooks)}/{name}.ipynb">{name}</a>: {escape(text)}</li>'
        for name, text in NOTEBOOKS.items()
    ]
    template = resources.files("cvae_keras.experiments") / "notes" / "quick.html"
    return Template(template.read_text(encoding="utf-8")).substitute(
        own=_table(own),
        shipped=_table(shipped),
        **{name: base64.b64encode(path.read_bytes()).decode() for name, path in figures.items()},
        steps=f"{config['epochs'] * config['steps']:,}",
        batch=config["batch"],
        train_seconds=f"{trained['seconds']:.0f}",
        seconds=f"{run['seconds']:.0f}",
        cores=run["machine"]["cores"],
        versions=escape(", ".join(f"{name} {text}" for name, text in run["versions"].items())),
        backend=escape(run["backend"]),
        curves=run["config"]["curves"],
        seed=run["config"]["seed"],
        model=escape(str(model)),
        notebooks="\n".join(items),
    )


def _table(frame):
    return frame.to_html(index=False, border=0, na_rep="", float_format="{:.4g}".format)
