"""`cvae-keras table vad`: error over the missing ratio, the auto-decoder against its rivals."""

import time
from dataclasses import dataclass
from functools import lru_cache, partial

import keras
import numpy as np
import pandas as pd

from cvae_keras.data.arrays import read_arrays
from cvae_keras.data.missing import NAMES, draw_mask, load_rows, observed_entries
from cvae_keras.experiments import rows
from cvae_keras.experiments.auto_decoder.run import RATIOS, complete, score_missing, train
from cvae_keras.files import claim, manifest, replacing, write_json, write_table
from cvae_keras.plots.auto_decoder import plot_curves, plot_panel
from cvae_keras.plots.style import DPI
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.miwae import MIWAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.masks import RedrawnMasks
from cvae_keras.training.optimizers import FusedAdam

NAME, FOLDER = "vad", "vad_rows"
OURS = ("VAD", "VAD table prior")
MODELS = (*OURS, "VAE zero-filled", "VAE mask-aware", "VAE redrawn masks", "MIWAE", "mean")
CASES = ("a: same ratio", "b: clean training")
#: Column of a row -> what the table adds to the name of the model.
ERRORS = {"mse": "", "mse_missing": ", missing", "mse_observed": ", observed"}
PANEL = (0.1, 0.3, 0.5, 0.7, 0.9)
QUICK = {"train_rows": 1000, "test_rows": 200, "epochs": 20}
#: What a data set needs that others do not; the same for every model.
OPTIONS = {
    "digits": {"latent_dim": 20, "epochs": 100},
    "artificial_2": {"latent_dim": 5, "epochs": 30},
    "artificial_10": {"latent_dim": 20, "epochs": 30},
}


@dataclass(frozen=True)
class Job(rows.Job):
    """The training of one model on one data set.

    Args:
        data: name of the data set, see `load_rows`.
        model: one of `MODELS`.
        missing: share of the training entries that are missing; 0 is the case of clean training.
        ratios: shares of missing entries to test at.
        quick: fewer rows and epochs.
        seed: integer.

    Example:
        >>> Job("digits", "VAE zero-filled", 0.5, (0.5,)).name
        'digits_VAE-zero-filled_0.5'
    """

    holds = {"rows": ("ratio", "mse")}

    data: str
    model: str
    missing: float
    ratios: tuple
    quick: bool = False
    seed: int = 0

    @property
    def name(self):
        return f"{self.data}_{self.model.replace(' ', '-')}_{self.missing:g}"

    @property
    def case(self):
        """One of `CASES`."""
        return CASES[0] if self.missing else CASES[1]

    @property
    def options(self):
        """The options of the training, see `cvae_keras.experiments.auto_decoder.run.DEFAULTS`."""
        quick = QUICK if self.quick else {}
        options = complete({**OPTIONS.get(self.data, {}), **quick, "seed": self.seed})
        # with missing entries the latents of some rows are less certain than those of others
        variant = "vae_free" if self.missing else options["variant"]
        return {**options, "missing": self.missing, "variant": variant}

    def config(self):
        names = {"stem": self.name, "data": self.data, "model": self.model, "case": self.case}
        return {**names, "test": list(self.ratios), "options": self.options}

    @staticmethod
    def upgrade(config):
        """Files of earlier versions do not hold the test's batch size, which was 1000."""
        return {**config, "options": {"test_batch_size": 1000, **config["options"]}}


def jobs_of(name, ratios, quick=False, seed=0):
    """The trainings of a data set: each model on clean data, and at each missing ratio.

    Args:
        name: of the data set.
        ratios: shares of missing entries.
        quick: fewer rows and epochs.
        seed: integer.

    Returns:
        List of `Job`.

    Example:
        >>> len(jobs_of("digits", (0.3, 0.5, 0.9)))
        28
    """
    return [
        Job(name, model, missing, (missing,) if missing else tuple(ratios), quick, seed)
        for model in MODELS
        for missing in (0.0, *ratios)
    ]


def run_table(folder, quick=False, data=None, data_dir=None, seed=0):
    """Run the trainings that `folder` does not hold yet, then write the table and the figures.

    A training is kept in `<folder>/vad_rows/` when it is done. Case (a) trains a model for each
    ratio, case (b) one on clean data, tested at all ratios. The table shows every row that the
    folder holds, also of the other data sets.

    Args:
        folder: where the table goes.
        quick: digits and artificial data, three ratios, few epochs.
        data: names of the data sets that are run.
        data_dir: of the image files.
        seed: integer.

    Returns:
        The Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, or a data set is unknown or not there.

    Example:
        ```python
        text = run_table("results/quick", quick=True)
        ```
    """
    folder = claim(folder, "results")
    names = data or (["digits", "artificial_2"] if quick else NAMES)
    ratios = (0.3, 0.5, 0.9) if quick else RATIOS
    mine = [job for name in names for job in jobs_of(name, ratios, quick, seed)]
    run = partial(run_job, data_dir=data_dir)
    rows.run_jobs(mine, run, folder / FOLDER, title="trainings")
    return write_saved(folder, ratios, quick, seed, names)


def write_saved(folder, ratios=RATIOS, quick=False, seed=0, names=()):
    """Write the table and the figures of the trainings that `folder` holds.

    Args:
        folder: with `vad_rows/`.
        ratios: shares of missing entries.
        quick: as of `run_table`.
        seed: integer.
        names: of data sets that come first.

    Returns:
        The Markdown of the table.

    Example:
        ```python
        text = write_saved(Path("results"))
        ```
    """
    jobs = {name: jobs_of(name, ratios, quick, seed) for name in dict.fromkeys((*names, *NAMES))}
    results = [(job, job.saved(folder / FOLDER)) for each in jobs.values() for job in each]
    absent = [job for job, result in results if result is None]
    results = [(job, result) for job, result in results if result is not None]
    frame = pd.DataFrame(
        {"data": job.data, "case": job.case, "model": job.model, **row}
        for job, result in results
        for row in result["rows"]
    )
    with replacing(folder / f"{NAME}.png") as path:
        plot_curves(frame).savefig(path, dpi=DPI)
    for name in jobs:
        draw_panel(name, folder / FOLDER, folder)
    total = sum(result["manifest"]["seconds"] for _, result in results)
    configs = [job.config() for job, _ in results]
    write_json(folder / f"{NAME}.json", manifest({"jobs": configs}, total))
    shown = set(frame["data"])
    return write(folder, frame, [job for job in absent if job.data in shown])


@lru_cache(maxsize=1)  # the trainings of a data set follow each other
def _load(name, data_dir, train_rows, test_rows):
    return load_rows(name, None, data_dir, train_rows, test_rows)


def run_job(job, path, data_dir=None):
    """Train one model and test it; the images of the panel of case (b) are saved beside `path`.

    Args:
        job: a `Job`.
        path: of the result; the images have the same name and end in `.npz`.
        data_dir: of the image files.

    Returns:
        `(result, seconds)`: a dictionary of `rows`, one per test ratio, and the wall time.

    Example:
        ```python
        result, seconds = run_job(jobs_of("digits", (0.5,), True)[0], Path("runs/row.json"))
        ```
    """
    config = job.options
    x, x_test = _load(job.data, data_dir, config["train_rows"], config["test_rows"])
    found, images = [], {}
    saves = rows.checkpoint(job, path)
    model = fit(job, x, [saves])
    tested = time.perf_counter()
    for ratio in job.ratios:
        masks = [config["seed"], round(10 * ratio)]
        found.append({"ratio": ratio, **score_missing(model, config, x_test, ratio, masks)})
        if not job.missing and ratio in PANEL:
            mask = draw_mask(x_test.shape, ratio, masks)[:1]
            images[f"x_hat_{ratio}"] = model.reconstruct(x_test[:1] * mask, mask)[0]
            images[f"mask_{ratio}"] = mask[0]
    if images:
        with replacing(path.with_suffix(".npz")) as file:
            np.savez_compressed(file, **images, x=x_test[0])
    seconds = sum(saves.history.get("seconds", [])) + time.perf_counter() - tested
    return {"rows": found}, seconds


class ColumnMeans:
    """Fills with the mean of the observed training entries of each column.

    Args:
        x: `(rows, features)`, NaN where a value is missing.

    Example:
        >>> ColumnMeans(np.array([[1.0, 2.0], [3.0, np.nan]])).reconstruct(np.zeros((1, 2)), None)
        array([[2., 2.]])
    """

    def __init__(self, x):
        x, mask = observed_entries(x)
        self.mean = x.sum(axis=0, dtype="float64") / np.maximum(mask.sum(axis=0), 1.0)

    def reconstruct(self, x, mask):
        return np.tile(self.mean, (len(x), 1))


@dataclass(frozen=True)
class TablePrior:
    """An auto-decoder whose reconstruction is its mean under the table as prior.

    Args:
        model: a `VariationalAutoDecoder`.

    Example:
        ```python
        x_hat = TablePrior(model).reconstruct(x_test, mask_test)
        ```
    """

    model: keras.Model

    def reconstruct(self, x, mask):
        return self.model.posterior_mean(x, mask, prior="table")


def fit(job, x, callbacks=()):
    """The trained model of a job.

    Args:
        job: a `Job`.
        x: `(rows, features)`, complete; the job says what is hidden of it.
        callbacks: further Keras callbacks.

    Returns:
        An object with `reconstruct(x, mask)`.

    Example:
        ```python
        model = fit(Job("digits", "MIWAE", 0.0, (0.5,)), x)
        ```
    """
    if job.model == "mean":
        mask = draw_mask(x.shape, job.options["missing"], [job.options["seed"], 1])
        return ColumnMeans(np.where(mask > 0, x, np.nan))
    if job.model not in OURS:
        return train_vae(job, x, callbacks)
    model = train(job.options, x, callbacks)[0]
    return model if job.model == OURS[0] else TablePrior(model)


def train_vae(job, x, callbacks=()):
    """The VAE of a job: the decoder of the auto-decoder, and an encoder of zero-filled rows.

    Args:
        job: a `Job`.
        x: `(rows, features)`.
        callbacks: further Keras callbacks.

    Returns:
        A trained `MaskedVAE`, or `MIWAE`.

    Example:
        ```python
        model = train_vae(Job("digits", "VAE mask-aware", 0.5, (0.5,)), x)
        ```
    """
    config = job.options
    keras.utils.set_random_seed(config["seed"])
    names = ("latent_dim", "hidden", "beta", "seed")
    kind = MIWAE if job.model == "MIWAE" else MaskedVAE
    aware = job.model != "VAE zero-filled"
    model = kind(x.shape[1], sees_mask=aware, **{name: config[name] for name in names})
    batch = min(config["batch_size"], len(x))
    steps = config["epochs"] * (len(x) // batch)
    rate = keras.optimizers.schedules.CosineDecay(config["net_lr"], steps)
    model.compile(FusedAdam(rate), steps_per_execution=at_once(10))
    mask = draw_mask(x.shape, config["missing"], [config["seed"], 1])
    arrays, order = {"x": x * mask, "mask": mask}, (batch, config["seed"])
    if job.model == "VAE redrawn masks":
        batches = RedrawnMasks(arrays, *order, place="given")
    elif job.model == "MIWAE" and not config["missing"]:
        batches = RedrawnMasks(arrays, *order, place="mask")
    else:
        batches = ShuffledBatches(arrays, *order)
    model.fit(batches, epochs=config["epochs"], verbose=0, callbacks=list(callbacks))
    return model


def draw_panel(name, rows_folder, folder):
    """Write `vad_panel_<name>.png` from the images of case (b), if the auto-decoder's are there.

    Args:
        name: of the data set.
        rows_folder: which holds the images.
        folder: where the figure goes.

    Example:
        ```python
        draw_panel("digits", Path("results/vad_rows"), Path("results"))
        ```
    """
    jobs = {model: Job(name, model, 0.0, ()) for model in MODELS}
    paths = {model: job.path(rows_folder).with_suffix(".npz") for model, job in jobs.items()}
    paths = {model: path for model, path in paths.items() if path.exists()}
    if MODELS[0] not in paths:
        return
    files = {model: read_arrays(path) for model, path in paths.items()}
    first = files[MODELS[0]]
    ratios = [ratio for ratio in PANEL if f"mask_{ratio}" in first]
    mask = np.stack([first[f"mask_{ratio}"] for ratio in ratios])
    found = {m: np.stack([file[f"x_hat_{r}"] for r in ratios]) for m, file in files.items()}
    with replacing(folder / f"vad_panel_{name}.png") as path:
        plot_panel(first["x"], mask, found, ratios).savefig(path, dpi=DPI)


def write(folder, frame, absent=()):
    """Write the table, the models side by side.

    Args:
        folder: where `vad.{csv,md}` go.
        frame: `data`, `case`, `model`, `ratio`, `mse`, `mse_missing`, `mse_observed`.
        absent: the `Job`s that were not run.

    Returns:
        The Markdown of the table: data, case, ratio, the error of each model over all entries, the
        model with the lowest, and the errors over the missing and over the observed entries.

    Example:
        ```python
        text = write(Path("results"), frame)
        ```
    """
    index, parts = ["data", "case", "ratio"], []
    for column, ending in ERRORS.items():
        wide = frame.pivot_table(column, index, "model", sort=False)
        parts.append(wide.reindex(columns=list(MODELS)).add_suffix(ending))
    table = pd.concat(parts, axis=1).reset_index()
    table = table.sort_values(index, kind="stable", ignore_index=True)
    lowest = table[list(MODELS)].idxmin(axis=1)
    table.insert(len(index) + len(MODELS), "lowest", lowest)
    groups = {}
    for job in absent:
        groups.setdefault((job.model, job.case), []).append(job.data)
    lacking = [
        f"{model}, case {case}, on {', '.join(dict.fromkeys(data))}"
        for (model, case), data in groups.items()
    ]
    text = rows.notes(
        NAME,
        not_lowest=_places(table[lowest != MODELS[0]], lowest),
        neither=_places(table[~lowest.isin(OURS)], lowest),
        below_mean=_places(table[table[MODELS[0]] >= table["mean"]], lowest),
        absent="; ".join(lacking) or "none",
    )
    return write_table(table, folder / NAME, "Variational auto-decoder against its rivals", text)


def _places(table, lowest):
    found = {}
    for row in table.itertuples():
        found.setdefault((row.data, row.case, lowest[row.Index]), []).append(f"{row.ratio:g}")
    places = [f"{data} {case} {', '.join(r)} ({model})" for (data, case, model), r in found.items()]
    return "; ".join(places) or "nowhere"
