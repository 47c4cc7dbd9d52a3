"""`cvae-keras solve sinusoid`: train the models that solve the tasks, and score them exactly."""

import time
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm.auto import tqdm
from tqdm.keras import TqdmCallback

from cvae_keras.checks import check_choice
from cvae_keras.data.sinusoid import TASKS, SinusoidTask
from cvae_keras.experiments.rows import notes
from cvae_keras.files import claim, expand, manifest, read_json, replacing, write_json, write_table
from cvae_keras.metrics.modes import exact_sampling_floor, mode_weights, score_samples
from cvae_keras.plots.sinusoid import plot_solved
from cvae_keras.plots.style import DPI
from cvae_keras.systems.saved import load_model
from cvae_keras.systems.sinusoid.model import SinusoidCVAE
from cvae_keras.systems.sinusoid.refine import refine
from cvae_keras.systems.sinusoid.solver import SinusoidSolver
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches
from cvae_keras.training.checkpoint import Checkpoint, trains_again
from cvae_keras.training.optimizers import FusedAdam
from cvae_keras.training.schedules import WeightSchedule, fall


class Recipe(NamedTuple):
    """How a model is trained, on batches of fresh examples.

    Attributes:
        options: of the model.
        epochs: how many.
        batch: examples a step.
        rate: learning rate after `warmup` steps; from there it falls along half a cosine.
        clip: largest norm of the gradient.
        scales: None, or first and last `min_scale`. It is held for 60 % of the epochs, and then
            falls by the same factor each epoch.
        steps: of an epoch.
        warmup: steps.
    """

    options: dict
    epochs: int
    batch: int
    rate: float
    clip: float
    scales: tuple | None = None
    steps: int = 500
    warmup: int = 500


DEEP = {"latent_dim": 2, "loss": "ramps", "network": "deep", "posterior": "flow", "prior": "flow"}
#: The folder of rows that `benchmarks/sinusoid_bayesflow.py` writes.
RIVALS = "sinusoid_rivals"
#: `cvae-keras quick` trains it, in about a minute.
SMALL = Recipe({**DEEP, "width": 96, "depth": 2}, 24, 256, 4e-3, 5.0, (0.07, 0.003), 100, 200)
#: name of a model -> its class, and its recipe for each task; other tasks take that of task 2.
MODELS = {
    "mixture": (
        SinusoidSolver,
        {
            1: Recipe({"categories": 32, "width": 192}, 60, 512, 2e-3, 10.0),
            2: Recipe({"categories": 80, "width": 256}, 80, 512, 2e-3, 10.0),
        },
    ),
    "conv": (
        SinusoidCVAE,
        {
            1: Recipe(DEEP, 30, 256, 2e-3, 5.0, (0.07, 0.001)),
            2: Recipe(DEEP, 60, 256, 2e-3, 5.0, (0.07, 0.002)),
        },
    ),
    "small": (SinusoidCVAE, {1: SMALL, 2: SMALL}),
}
_PREFIXES = {"mixture": "sinusoid", "conv": "sinusoid_conv", "small": "sinusoid_small"}


def model_name(model, task):
    """The name of the files of a model: of the task's number, or else of its functions.

    Args:
        model: "mixture", "conv" or "small".
        task: 1, 2, or a `SinusoidTask`.

    Returns:
        Text.

    Raises:
        ValueError: an unknown model or task.

    Example:
        >>> model_name("conv", 1), model_name("conv", SinusoidTask([("sin", 7, 2), ("cos", 3, 9)]))
        ('sinusoid_conv_1', 'sinusoid_conv_sin_7_2_cos_3_9')
    """
    check_choice("model", model, MODELS)
    if not isinstance(task, SinusoidTask):
        if task not in (1, 2):
            raise ValueError(f"task must be 1, 2 or a SinusoidTask, got {task!r}: name one.")
        return f"{_PREFIXES[model]}_{task}"
    parts = [f"{name}_{p:g}_{q:g}" for name, p, q in task.functions]
    return "_".join([_PREFIXES[model], *parts])


def train(task, folder, model="mixture", seed=0, epochs=None, force=False):
    """Train a model that solves a task; a killed training continues at its last epoch.

    Args:
        task: 1, 2, or a `SinusoidTask`.
        folder: where `<name>.keras`, its log and its manifest go.
        model: "mixture" for the `SinusoidSolver`, "conv" for the deep `SinusoidCVAE`,
            "small" for a narrower one that trains in about a minute.
        seed: integer.
        epochs: how many; None for those of the recipe.
        force: whether to replace a model that is there.

    Returns:
        Path of the model file.

    Raises:
        ValueError: an unknown task, a folder that cannot be written, or a model that is there.

    Example:
        ```python
        path = train(1, "runs/models", model="conv", epochs=2)
        ```
    """
    name = model_name(model, task)
    folder = claim(folder, "models")
    kind, recipes = MODELS[model]
    recipe = recipes[task if task in recipes else 2]
    epochs = epochs or recipe.epochs
    path, partly = folder / f"{name}.keras", folder / f".{name}_{epochs}_{seed}.npz"
    trains_again(path, partly, force)
    keras.utils.set_random_seed(seed)
    task = task if isinstance(task, SinusoidTask) else TASKS[f"data_{task}"]
    network = kind(task, seed=seed, **recipe.options)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        epochs * recipe.steps,
        alpha=1e-3,
        warmup_target=recipe.rate,
        warmup_steps=recipe.warmup,
    )
    optimizer = FusedAdam(rate, global_clipnorm=recipe.clip)
    network.compile(optimizer, steps_per_execution=at_once(20))
    functions = [list(function) for function in task.functions]
    settings = {"functions": functions, "seed": seed, "epochs": epochs, **network.options}
    settings |= {"steps": recipe.steps, "batch": recipe.batch, "learning_rate": recipe.rate}
    callbacks = [TqdmCallback(verbose=0, desc=name)]
    if recipe.scales is not None:
        settings["min_scale"] = list(recipe.scales)
        scales = fall(*recipe.scales, first=0.6 * epochs, last=epochs - 1)
        callbacks.append(WeightSchedule(min_scale=scales))
    checkpoint = Checkpoint(partly, settings, folder / f"{name}_training.csv")
    batches = FreshBatches(task, recipe.batch, recipe.steps, seed)
    network.fit(batches, epochs=epochs, callbacks=[*callbacks, checkpoint], verbose=0)
    network.compile("sgd")  # what ships is the model; this optimizer has no state of its own
    with replacing(path) as partial:
        network.save(partial)
    seconds = sum(checkpoint.history["seconds"])
    write_json(folder / f"{name}_manifest.json", manifest(settings, seconds))
    checkpoint.remove()
    return path


def score_model(model, curves=1000, n_samples=100, seed=12345):
    """Score a model on fresh curves: independent samples from the prior, raw and refined.

    Args:
        model: a model of a sinusoid task.
        curves: how many fresh y.
        n_samples: samples per y.
        seed: integer.

    Returns:
        `(rows, samples, y)`: a list of dictionaries, one more for a mixture, whose samples can be
        drawn systematically too; and what was drawn for the first.

    Example:
        ```python
        rows, samples, y = score_model(load_pretrained("sinusoid_1"), curves=100)
        ```
    """
    task, categorical = model.task, isinstance(model, SinusoidSolver)
    _, y = task.sample(curves, seed)
    if categorical:
        model.prior.independent = True
    start = time.process_time()
    samples = model.sample(y, n_samples=n_samples, seed=seed)
    sampled = time.process_time()
    refined, ok = refine(task, samples, y)
    done = time.process_time()
    rows = [
        {"samples": "prior", **score_samples(task, samples, y), "seconds": sampled - start},
        {"samples": "refined", **score_samples(task, refined, y, ok), "seconds": done - sampled},
    ]
    if categorical:
        model.prior.independent = False
        systematic = model.sample(y, n_samples=n_samples, seed=seed)
        rows.append({"samples": "prior, systematic", **score_samples(task, systematic, y)})
    return rows, samples, y


def run_solved(folder, models_folder, tasks=(1, 2), n_curves=1000, quick=False):
    """Score the models of each task and write a table and its figure.

    Args:
        folder: where `sinusoid_solved.*` go; with one task of its own functions,
            `sinusoid_solved_<functions>.*`.
        models_folder: where the models are; those that are not there have no row.
        tasks: 1, 2, or a `SinusoidTask`, each.
        n_curves: fresh y of each task.
        quick: whether the title says so.

    Returns:
        The table as Markdown.

    Raises:
        ValueError: a task has no model, or the folder cannot be written.

    Example:
        ```python
        text = run_solved("runs", "results/models", n_curves=100)
        ```
    """
    folder, rows, start = claim(folder, "results"), [], time.perf_counter()
    found = {
        (task, model): path
        for task in tasks
        for model in MODELS
        if (path := expand(models_folder) / f"{model_name(model, task)}.keras").is_file()
    }
    if not found:
        raise ValueError(
            f"{models_folder} holds no model of these tasks: train one with `cvae-keras solve "
            f"sinusoid`, or name another folder."
        )
    figure = Figure(figsize=(13, 3.4 * len(found)), layout="constrained")
    parts = np.ravel(figure.subfigures(len(found), 1, squeeze=False))
    for ((task, name), path), part in zip(tqdm(found.items(), unit="model"), parts, strict=True):
        model = load_model(path)
        scored, samples, y = score_model(model, n_curves)
        label = task if task in (1, 2) else "own"
        rows += [{"task": label, "model": name, **row} for row in scored]
        pairs = mode_weights(model.task, samples, y)[:2]
        plot_solved(model.task, samples, y, pairs, f"task {label}, {name}: samples", part)
        if not any(row["task"] == label and row["model"] == "exact" for row in rows):
            exact = exact_sampling_floor(model.task, y, 100, 12345)
            rows.append({"task": label, "model": "exact", "samples": "independent", **exact})
    for path in sorted((folder / RIVALS).glob("*.json")):
        rows += [row for row in read_json(path)["rows"] if row["task"] in tasks]
    rows.sort(key=lambda row: (str(row["task"]), row["model"] == "exact"))
    own = [model_name("conv", task) for task in tasks if task not in (1, 2)]
    stem = "_".join(["sinusoid_solved", *(name.removeprefix("sinusoid_conv_") for name in own)])
    with replacing(folder / f"{stem}.png") as path:
        figure.savefig(path, dpi=DPI)
    config = {"curves": n_curves, "samples": 100, "seed": 12345}
    write_json(folder / f"{stem}.json", manifest(config, time.perf_counter() - start))
    title = "Sinusoid tasks, solved" + (" (quick profile)" if quick else "")
    text = notes("solved", curves=n_curves)
    return write_table(pd.DataFrame(rows), folder / stem, title, text)
