"""`cvae-keras table inference`: one CVAE on the benchmark sbibm, beside published scores."""

from dataclasses import dataclass
from functools import partial
from time import perf_counter

import keras
import numpy as np
import pandas as pd

from cvae_keras.checks import check_choice
from cvae_keras.data.inference import INFERENCE_TASKS, load_reference
from cvae_keras.experiments import rows
from cvae_keras.files import claim, expand, manifest, write_json, write_table
from cvae_keras.metrics.two_sample import c2st
from cvae_keras.systems.cvae.model import CVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import FusedAdam

NAME, FOLDER = "inference", "inference_rows"
#: Simulations -> examples in a batch, and epochs.
BUDGETS = {1_000: (50, 100), 10_000: (100, 60), 100_000: (500, 60)}
#: Settings of the tasks with so many parameters or more, whose networks overfit otherwise.
MANY = 10
REGULARIZED = {"rate": 5e-4, "decay": 4.0, "spared": ("bias", "gamma", "beta"), "average": 0.99}
PUBLISHED = "published_c2st.csv"


@dataclass(frozen=True)
class InferenceJob(rows.Job):
    """A `CVAE` of the parameters of a simulator given its data.

    Args:
        task: name of the task, see `INFERENCE_TASKS`.
        simulations: of training and validation together.
        seed: integer.
        batch: simulations in a batch.
        epochs: of training, at most.
        rate: highest learning rate.
        decay: weight decay.
        dropout: of the features of the data.
        observations: of the five with reference samples, how many are scored.
        spared: parts of the names of weights that do not decay.
        average: momentum of the running mean of the weights, which is then used; 0 for the weights
            themselves.
        link: of the bounds of parameters, see `CVAE`; "probit" under a uniform prior.

    Example:
        >>> InferenceJob("two_moons", 1000).name
        'two_moons_1000'
    """

    holds = {"row": ("c2st", "c2st_worst", "validation", "seconds")}

    task: str
    simulations: int
    seed: int = 0
    batch: int = 100
    epochs: int = 60
    rate: float = 1e-3
    decay: float = 0.1
    dropout: float = 0.0
    observations: int = 5
    spared: tuple = ()
    average: float = 0.0
    link: str = "logit"

    @property
    def name(self):
        return f"{self.task}_{self.simulations}"

    @staticmethod
    def upgrade(config):
        return {"spared": [], "average": 0.0, "link": "logit", **config}


def jobs_of(quick=False, seed=0, tasks=None, simulations=None):
    """The rows of the table.

    Args:
        quick: two moons, 1,000 simulations and few epochs.
        seed: integer.
        tasks: list of names; None for all seven.
        simulations: list of budgets among `BUDGETS`; None for all three.

    Returns:
        List of `InferenceJob`, those of the smallest budget first.

    Example:
        >>> len(jobs_of())
        21
    """
    if quick:
        return [InferenceJob("two_moons", 1_000, seed, 50, 10, observations=1, link="probit")]
    for task in tasks or []:
        check_choice("tasks", task, INFERENCE_TASKS)
    settings = {}
    for name, task in INFERENCE_TASKS.items():
        settings[name] = {"link": "probit" if task.prior == "uniform" else "logit"}
        settings[name] |= REGULARIZED if task.dim >= MANY else {}
    return [
        InferenceJob(task, budget, seed, *BUDGETS[budget], **settings[task])
        for budget in simulations or BUDGETS
        for task in tasks or INFERENCE_TASKS
    ]


def train(job):
    """Simulate, and train a `CVAE` with the settings of the table.

    Args:
        job: an `InferenceJob`.

    Returns:
        `(model, history)`; the model has the weights of its best epoch on a tenth of the
        simulations, with which it was not trained.

    Example:
        ```python
        model, history = train(InferenceJob("two_moons", 1000))
        ```
    """
    task = INFERENCE_TASKS[job.task]
    examples = task.examples(job.simulations, [job.seed, 0])
    keras.utils.set_random_seed(job.seed)
    bounds = None if np.isinf(task.bounds).all() else task.bounds.T.tolist()
    options = {"bounds": bounds, "link": job.link, "dropout": job.dropout, "seed": job.seed}
    model = CVAE((task.dim,), (task.data_dim,), **options)
    steps = job.epochs * (job.simulations * 9 // 10 // job.batch)
    rate = keras.optimizers.schedules.CosineDecay(
        job.rate / 20, steps - steps // 50, warmup_target=job.rate, warmup_steps=steps // 50
    )
    optimizer = FusedAdam(
        rate,
        weight_decay=job.decay,
        global_clipnorm=5.0,
        use_ema=job.average > 0,
        ema_momentum=job.average,
    )
    if job.spared:
        optimizer.exclude_from_weight_decay(var_names=list(job.spared))
    model.compile(optimizer, steps_per_execution=at_once(10))
    stop = keras.callbacks.EarlyStopping(
        "val_loss", patience=job.epochs // 4, mode="min", restore_best_weights=True
    )
    mean = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if job.average else []
    history = model.fit(
        examples,
        batch_size=job.batch,
        epochs=job.epochs,
        validation_split=0.1,
        verbose=0,
        callbacks=[*mean, stop],  # in this order: the mean is validated, and kept
    )
    return model, history.history


def run_job(job, path, data_dir=None):
    """Train one row of the table, and score its draws for each observation.

    Args:
        job: an `InferenceJob`.
        path: of the result.
        data_dir: folder of the reference samples, see `load_reference`.

    Returns:
        `(result, seconds)`: a dictionary of `row`, and the wall time of simulation and training.

    Example:
        ```python
        result, seconds = run_job(InferenceJob("two_moons", 1000), Path("row.json"), "sbibm")
        ```
    """
    references = load_reference(data_dir, job.task)[: job.observations]
    start = perf_counter()
    model, history = train(job)
    seconds = perf_counter() - start
    scores, compiled = [], keras.backend.backend() == "jax"
    for number, (observation, reference) in enumerate(references):
        draws = model.sample(observation[None], n_samples=len(reference), seed=number)[:, 0]
        scores.append(c2st(reference, draws, seed=1, compiled=compiled).accuracy)
    row = {
        "task": job.task,
        "simulations": job.simulations,
        "c2st": float(np.mean(scores)),
        "c2st_worst": float(np.max(scores)),
        "validation": float(np.min(history["val_loss"])),
        "epochs": len(history["loss"]),
        "seconds": seconds,
    }
    return {"row": row, "each": scores}, seconds


def published(data_dir):
    """Published scores: NPE, and the best of all algorithms, on the same observations.

    Args:
        data_dir: folder of `published_c2st.csv`.

    Returns:
        DataFrame with `npe`, `best` and `best_of` by task and simulations.

    Raises:
        ValueError: the file is absent or lacks a column.
    """
    path = expand(data_dir) / PUBLISHED
    try:
        frame = pd.read_csv(path)
        frame = frame[frame["num_observation"] <= 5]
        means = frame.groupby(["task", "num_simulations", "algorithm"])["c2st"].mean().unstack()
        return pd.DataFrame(
            {"npe": means["NPE"], "best": means.min(axis=1), "best_of": means.idxmin(axis=1)}
        )
    except (OSError, KeyError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as the published scores ({type(error).__name__}): give as "
            f"data_dir the folder with this file and the reference samples."
        ) from error


def run_table(folder, quick=False, data_dir=None, seed=0, tasks=None, simulations=None):
    """Run the rows that `folder` does not hold yet, then write the table.

    Args:
        folder: where `inference.{csv,md,json}` go.
        quick: one short row.
        data_dir: folder of the reference samples and of `published_c2st.csv`.
        seed: integer.
        tasks: list of names; None for all seven.
        simulations: list of budgets; None for all three.

    Returns:
        The table as Markdown. It has all rows that the folder holds.

    Raises:
        ValueError: the folder cannot be written, or the data cannot be read.

    Example:
        ```python
        text = run_table("results", data_dir="sbibm", tasks=["two_moons"])
        ```
    """
    if data_dir is None:
        raise ValueError(
            "data_dir must be the folder of the reference samples of sbibm: name it, with "
            "--data-dir on the command line."
        )
    beside, folder = published(data_dir), claim(folder, "results")
    run = partial(run_job, data_dir=data_dir)
    jobs = jobs_of(quick, seed, tasks, simulations)
    rows.run_jobs(jobs, run, folder / FOLDER, title=NAME)
    every = jobs if quick else jobs_of(seed=seed)
    saved = {job: job.saved(folder / FOLDER) for job in every}
    saved = {job: result for job, result in saved.items() if result is not None}
    frame = pd.DataFrame([result["row"] for result in saved.values()])
    frame = frame.join(beside, on=["task", "simulations"])
    total = sum(result["manifest"]["seconds"] for result in saved.values())
    configs = [job.config() for job in saved]
    write_json(folder / f"{NAME}.json", manifest({"jobs": configs}, total))
    names = ["task", "simulations", "c2st", "npe", "best", "best_of", "c2st_worst", "seconds"]
    frame = frame[names].rename(columns={"c2st": "ours"})
    title = "Inference: sbibm" + (" (quick)" if quick else "")
    text = rows.notes(
        NAME,
        below=int((frame["ours"] < frame["npe"]).sum()),
        rows=len(frame),
        many=MANY,
        decay=REGULARIZED["decay"],
        usual=InferenceJob.decay,
        rate=REGULARIZED["rate"] / InferenceJob.rate,
    )
    return write_table(frame, folder / NAME, title, text)
