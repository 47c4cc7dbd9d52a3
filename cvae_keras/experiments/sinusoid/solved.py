"""`cvae-keras solve sinusoid`: train the two solved models and score them by the exact answer."""

import time

import keras
import pandas as pd
from matplotlib.figure import Figure
from tqdm.auto import tqdm
from tqdm.keras import TqdmCallback

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.experiments.rows import notes
from cvae_keras.files import claim, manifest, replacing, write_json, write_table
from cvae_keras.metrics.modes import exact_sampling_floor, mode_weights, score_samples
from cvae_keras.plots.sinusoid import plot_solved
from cvae_keras.systems.saved import load_pretrained
from cvae_keras.systems.sinusoid.refine import refine
from cvae_keras.systems.sinusoid.solver import SinusoidSolver
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches
from cvae_keras.training.checkpoint import Checkpoint, trains_again

#: What is trained for each task: the model's options, and batches of fresh examples.
RECIPES = {
    1: {"categories": 32, "width": 192, "epochs": 60},
    2: {"categories": 80, "width": 256, "epochs": 80},
}
STEPS, BATCH, RATE = 500, 512, 2e-3


def train(task_number, folder, seed=0, epochs=None, force=False):
    """Train the solved model of a task; a killed training continues at its last epoch.

    Args:
        task_number: 1 or 2.
        folder: where `sinusoid_<n>.keras`, its log and its manifest go.
        seed: integer.
        epochs: how many; None for those of the recipe.
        force: whether to replace a model that is there.

    Returns:
        Path of the model file.

    Raises:
        ValueError: an unknown task, a folder that cannot be written, or a model that is there.

    Example:
        ```python
        path = train(1, "runs/models", epochs=2)
        ```
    """
    if task_number not in RECIPES:
        raise ValueError(f"task must be 1 or 2, got {task_number!r}: name one of them.")
    folder, name = claim(folder, "models"), f"sinusoid_{task_number}"
    recipe = dict(RECIPES[task_number])
    epochs = epochs or recipe["epochs"]
    del recipe["epochs"]
    path, partly = folder / f"{name}.keras", folder / f".{name}_{epochs}_{seed}.npz"
    trains_again(path, partly, force)
    keras.utils.set_random_seed(seed)
    model = SinusoidSolver(TASKS[f"data_{task_number}"], seed=seed, **recipe)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * STEPS, alpha=1e-3, warmup_target=RATE, warmup_steps=500
    )
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=10.0), steps_per_execution=at_once(20)
    )
    batches = FreshBatches(model.task, BATCH, STEPS, seed)
    settings = {"task": task_number, "seed": seed, "epochs": epochs, **model.options}
    settings |= {"steps": STEPS, "batch": BATCH, "learning_rate": RATE}
    checkpoint = Checkpoint(partly, settings, folder / f"{name}_training.csv")
    bar = TqdmCallback(verbose=0, desc=name)
    model.fit(batches, epochs=epochs, callbacks=[bar, checkpoint], verbose=0)
    model.compile("sgd")  # what ships is the model; this optimizer has no state of its own
    with replacing(path) as partial:
        model.save(partial)
    seconds = sum(checkpoint.history["seconds"])
    write_json(folder / f"{name}_manifest.json", manifest(settings, seconds))
    checkpoint.remove()
    return path


def score_model(model, curves=1000, n_samples=100, seed=12345):
    """Score a solved model on fresh curves, raw and refined, beside draws from the exact posterior.

    Args:
        model: a solved model of a sinusoid task.
        curves: how many fresh y.
        n_samples: samples per y.
        seed: integer.

    Returns:
        `(rows, samples, y)`: a list of four dictionaries, and what was drawn.

    Example:
        ```python
        rows, samples, y = score_model(load_pretrained("sinusoid_1"), curves=100)
        ```
    """
    task = model.task
    _, y = task.sample(curves, seed)
    start = time.perf_counter()
    samples = model.sample(y, n_samples=n_samples, seed=seed)
    sampled = time.perf_counter()
    refined, ok = refine(task, samples, y)
    done = time.perf_counter()
    model.prior.independent = True
    independent = model.sample(y, n_samples=n_samples, seed=seed)
    model.prior.independent = False
    floor = exact_sampling_floor(task, y, n_samples, seed)
    rows = [
        {"samples": "prior", **score_samples(task, samples, y), "seconds": sampled - start},
        {"samples": "refined", **score_samples(task, refined, y, ok), "seconds": done - sampled},
        {"samples": "prior, independent", **score_samples(task, independent, y)},
        {"samples": "exact, independent", **floor},
    ]
    return rows, samples, y


def run_solved(folder, models_folder, n_curves=1000, quick=False):
    """Score both solved models and write the table and its figure.

    Args:
        folder: where `sinusoid_solved.*` go.
        models_folder: where the models are.
        n_curves: fresh y of each task.
        quick: whether the title says so.

    Returns:
        The table as Markdown.

    Raises:
        ValueError: a model is missing, or the folder cannot be written.

    Example:
        ```python
        text = run_solved("runs", "results/models", n_curves=100)
        ```
    """
    folder, rows, start = claim(folder, "results"), [], time.perf_counter()
    figure = Figure(figsize=(13, 6.8), layout="constrained")
    for number, half in zip(tqdm((1, 2), unit="task"), figure.subfigures(2, 1), strict=True):
        model = load_pretrained(f"sinusoid_{number}", models_folder)
        scored, samples, y = score_model(model, n_curves)
        rows += [{"task": number, **row} for row in scored]
        pairs = mode_weights(model.task, samples, y)[:2]
        plot_solved(model.task, samples, y, pairs, f"task {number}: samples from the prior", half)
    with replacing(folder / "sinusoid_solved.png") as path:
        figure.savefig(path, dpi=90)
    config = {"curves": n_curves, "samples": 100, "seed": 12345}
    write_json(folder / "sinusoid_solved.json", manifest(config, time.perf_counter() - start))
    text = notes("solved", curves=n_curves)
    title = "Sinusoid tasks, solved" + (" (quick profile)" if quick else "")
    return write_table(pd.DataFrame(rows), folder / "sinusoid_solved", title, text)
