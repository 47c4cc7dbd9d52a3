"""`cvae-keras table testbed`: rate and distortion against the optimum, for every condition."""

import time
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from cvae_keras.checks import check_part
from cvae_keras.data.conditions import ALL_PATTERNS_UP_TO
from cvae_keras.experiments import rows
from cvae_keras.files import claim, expand, manifest, replacing, write_json, write_table
from cvae_keras.plots.dense import plot_rate_distortion
from cvae_keras.plots.style import DPI
from cvae_keras.systems.dense.config import measure_by_count, read_config, train

ZERO = 1e-6  # an optimum below this counts as 0


@dataclass(frozen=True)
class Experiment:
    """A shipped configuration, and what the table changes in it; None keeps what it says.

    Args:
        label: printed in the table and in the names of files; nothing else depends on it.
        config: name of the shipped configuration.
        dim: of the data.
        rank: of the data.
        latent_dim: of the model.
        epochs: of the training.
        missing: percentage of the values that are missing.
        betas: weights of the KL, a training each.
        warm_up: False where beta does not rise at the start although the configuration says so:
            shown in the table, not counted in its verdict.
        seeds: how many, of the full table.
    """

    label: str
    config: str
    dim: int | None = None
    rank: int | None = None
    latent_dim: int | None = None
    epochs: int | None = None
    missing: int | None = None
    betas: tuple | None = None
    warm_up: bool = True
    seeds: int = 1


EXPERIMENTS = (
    Experiment("independent, 2", "baseline", seeds=10),
    Experiment("independent, 8", "baseline", dim=8, latent_dim=32, epochs=80),
    Experiment(
        "independent, 8, no warm-up", "baseline", dim=8, latent_dim=32, epochs=80, warm_up=False
    ),
    Experiment("correlated, 4", "correlated"),
    Experiment("projected 2 to 8, rank 2", "projected"),
    Experiment("projected 2 to 8, rank 1", "projected", rank=1),
    Experiment("projected 2 to 8, 20 % missing", "projected_with_mask", missing=20, betas=(0.25,)),
    Experiment("projected 2 to 8, 50 % missing", "projected_with_mask", missing=50, betas=(0.25,)),
)


def experiment_config(experiment, quick=False, seed=0):
    """The configuration of one experiment.

    Args:
        experiment: an `Experiment`.
        quick: a quarter of the epochs.
        seed: integer, of model and batches.

    Returns:
        Dictionary, as `read_config`.

    Example:
        >>> experiment_config(EXPERIMENTS[1])["latent_dim"]
        32
    """
    config, changes = read_config(experiment.config), asdict(experiment)
    changes = {name: value for name, value in changes.items() if value is not None}
    data = {name: changes[name] for name in ("dim", "rank") if name in changes}
    config |= {name: changes[name] for name in ("latent_dim", "epochs") if name in changes}
    config |= {"data": {**config["data"], **data}, "seed": seed}
    if "missing" in changes:
        config["mask_percentage"] = experiment.missing
    if "betas" in changes:
        config["betas"] = list(experiment.betas)
    if not experiment.warm_up:
        config["warm_up"] = 0
    return config | {"epochs": config["epochs"] // 4} if quick else config


@dataclass(frozen=True)
class Job(rows.Job):
    """The training of one experiment at one beta, with one seed.

    Args:
        experiment: an `Experiment`.
        beta: weight of the KL.
        seed: integer.
        quick: a quarter of the epochs, and 10,000 examples to measure on instead of 100,000.

    Example:
        >>> Job(EXPERIMENTS[0], 0.25).name
        'independent_2_beta_0.25_seed_0'
    """

    holds = {"rows": ("rate", "distortion", "objective")}

    experiment: Experiment
    beta: float
    seed: int = 0
    quick: bool = False

    @property
    def name(self):
        words = self.experiment.label.replace(",", "").replace("%", "percent").split()
        return f"{'_'.join(words)}_beta_{self.beta}_seed_{self.seed}"

    def config(self):
        examples = 10_000 if self.quick else 100_000
        config = experiment_config(self.experiment, self.quick, self.seed)
        return {**config, "betas": [self.beta], "examples": examples}


def jobs_of(quick=False, seed=0):
    """All trainings of the table, the longest first.

    Without warm-up only those betas are trained that the warm-up would raise: the others would
    repeat the training of the experiment that has one.

    Args:
        quick: fewer epochs, and at most 2 seeds per experiment.
        seed: integer, the first.

    Returns:
        List of `Job`.

    Example:
        >>> len(jobs_of())
        31
    """
    jobs = []
    for experiment in EXPERIMENTS:
        config = experiment_config(experiment, quick, seed)
        seeds = min(experiment.seeds, 2) if quick else experiment.seeds
        jobs += [
            Job(experiment, beta, number, quick)
            for number in range(seed, seed + seeds)
            for beta in config["betas"]
            if experiment.warm_up or beta > config["beta_start"]
        ]
    return sorted(jobs, key=lambda job: -experiment_config(job.experiment)["epochs"])


def run_job(job, path):
    """Train and measure one job.

    Args:
        job: a `Job`.
        path: of the result, beside which the checkpoint of the training is.

    Returns:
        `(result, seconds)`: a dictionary of `rows` (of the table) and `loss` (of each epoch), and
        the wall time of the training.

    Example:
        ```python
        result, seconds = run_job(Job(EXPERIMENTS[0], 0.25, quick=True), Path("row.json"))
        ```
    """
    settings = job.config()
    model, source, history = train(settings, job.beta, [rows.checkpoint(job, path)])
    seconds = sum(history["seconds"])
    counts, patterns = measure_by_count(model, source, settings["examples"])
    return {"rows": table_rows(job, counts, patterns), "loss": history["loss"]}, seconds


def table_rows(job, counts, patterns):
    """The rows of one job: each number of known dimensions, and each pattern where they are few.

    Args:
        job: a `Job`.
        counts: first part of what `measure_by_count` returns.
        patterns: second part.

    Returns:
        List of dictionaries, the columns of the table.

    Example:
        ```python
        rows = table_rows(job, *measure_by_count(model, source, n=1000))
        ```
    """
    found = []
    for row in counts + (patterns if len(patterns) <= ALL_PATTERNS_UP_TO else []):
        mine = [p for p in patterns if row["pattern"] in ("", p["pattern"])]
        mine = [p for p in mine if p["known"] == row["known"] and p["margin"] > 0.1]
        best = row["objective_exact"]
        columns = {"experiment": job.experiment.label, "beta": job.beta, "seed": job.seed}
        columns |= {"known": row["known"], "pattern": row["pattern"]}
        for column in ("rate", "distortion", "objective"):
            columns |= {column: row[column], f"{column}_exact": row[f"{column}_exact"]}
        columns["objective_se"] = row["objective_se"]
        columns["gap"] = row["objective"] / best - 1 if best > ZERO else row["objective"]
        columns |= {"active": row["active"], "active_exact": row["active_exact"]}
        wrong = sum(p["active"] != p["active_exact"] for p in mine)
        found.append(columns | {"wrong": None if job.experiment.missing else wrong})
    return found


def gather(results):
    """The rows of all jobs, each once, with what the table does not print of them.

    Args:
        results: list of `(job, result)`, as `rows.run_jobs` returns.

    Returns:
        `(frame, about)`: the table, and with the same index a frame of `missing` (whether values
        are), `warm_up` (of `Experiment`) and `baseline` (whether there are further seeds).

    Example:
        ```python
        frame, about = gather(rows.run_jobs(jobs_of(), run_job, "results/testbed_runs"))
        ```
    """
    found = []
    for job, result in results:
        one = job.experiment
        about = {"missing": bool(one.missing), "warm_up": one.warm_up, "baseline": one.seeds > 1}
        # a pattern of one digit is the only one of its number: the row of that number says it all
        found += [(row, about) for row in result["rows"] if len(set(row["pattern"])) != 1]
    frame, about = (pd.DataFrame(part) for part in zip(*found, strict=True))
    return frame.assign(wrong=frame["wrong"].astype(float)), about


def verdict(frame, about):
    """How many rows of the table are near the optimum, as text.

    Complete data: gap within 1 % (0.01 where the optimum is 0), rate and distortion within 3 %,
    active dimensions exact. Missing values: at most 5 % above the bound (0.01), and not below it by
    more than 3 standard errors. Experiments without warm-up are left out.

    Args:
        frame: the table.
        about: `missing`, `warm_up` and `baseline` of its rows, see `gather`.

    Returns:
        Markdown list.

    Example:
        ```python
        print(verdict(*gather(results)))
        ```
    """
    frame, about = frame[about["warm_up"]], about[about["warm_up"]]
    missing = about["missing"]
    zero = frame["objective_exact"] <= ZERO
    near = frame["gap"].abs() <= 0.01
    both = near.copy()
    for name in ("rate", "distortion"):
        off, exact = (frame[name] - frame[f"{name}_exact"]).abs(), frame[f"{name}_exact"]
        both &= off <= np.where(exact <= ZERO, 0.01, 0.03 * exact)
    bound = frame["gap"] <= np.where(zero, 0.01, 0.05)
    above = frame["objective"] >= frame["objective_exact"] - 3 * frame["objective_se"] - ZERO
    right = frame["wrong"] == 0
    gaps = frame["gap"][~missing & ~zero].abs()
    good = (both & right)[about["baseline"]].groupby(frame["seed"]).all()
    text = rows.notes(
        "dense_verdict",
        near=(near & ~missing).sum(),
        both=(both & ~missing).sum(),
        right=(right & ~missing).sum(),
        complete=(~missing).sum(),
        bound=(bound & missing).sum(),
        missing=missing.sum(),
        above=above.sum(),
        rows=len(frame),
        median=gaps.median(),
        greatest=gaps.max(),
        good_seeds=good.sum(),
        seeds=len(good),
    )
    beyond = frame[missing & ~bound]
    if len(beyond):
        exact = beyond["objective_exact"]
        excess = (beyond["objective"] - exact).max()
        text += rows.notes("dense_beyond", optimum=exact.max(), excess=excess)
    return text.strip()


def run_table(folder, quick=False, seed=0, part=(1, 1), processes=1):
    """Run the jobs that `folder` does not hold yet, then write the table and its figure.

    Each job is kept in `<folder>/testbed_runs/` when it is done: a killed run loses only the
    trainings that were running.

    Args:
        folder: where `testbed.{csv,md,png,json}` go.
        quick: a quarter of the epochs, 10,000 examples, 2 seeds.
        seed: integer.
        part: (i, n) runs every n-th job from the i-th and writes no table.
        processes: how many share the work, each with one thread.

    Returns:
        The table as Markdown, or None for a part.

    Raises:
        ValueError: the folder cannot be written, a bad part or number of processes, or a process
            that was killed.

    Example:
        ```python
        text = run_table("runs/quick", quick=True)
        ```
    """
    check_part(part)  # before a folder is made
    start, runs = time.perf_counter(), claim(folder, "results") / "testbed_runs"
    results = rows.run_jobs(jobs_of(quick, seed), run_job, runs, part, processes, "testbed")
    if part[1] > 1:
        return None
    return write(folder, results, quick, seed, time.perf_counter() - start)


def write(folder, results, quick, seed, seconds):
    """Write the table, its figure and its manifest from the results of all jobs.

    Args:
        folder: where they go.
        results: list of `(job, result)`, as `rows.run_jobs` returns.
        quick: as for `run_table`.
        seed: as for `run_table`.
        seconds: wall time so far.

    Returns:
        The table as Markdown.

    Example:
        ```python
        text = write("runs", results, quick=False, seed=0, seconds=900.0)
        ```
    """
    folder, (frame, about) = expand(folder), gather(results)
    trained = sum(result["manifest"]["seconds"] for _, result in results)
    config = {"quick": quick, "seed": seed, "seconds_of_training": round(trained, 1)}
    configs = {each.label: experiment_config(each, quick, seed) for each in EXPERIMENTS}
    write_json(folder / "testbed.json", manifest(config | {"experiments": configs}, seconds))
    with replacing(folder / "testbed.png") as path:
        plot_rate_distortion(frame[frame["seed"] == seed]).savefig(path, dpi=DPI)
    examples = results[0][1]["manifest"]["config"]["examples"]
    text = rows.notes("dense", examples=examples, verdict=verdict(frame, about))
    title = "The testbed: rate and distortion against the optimum" + (" (quick)" if quick else "")
    return write_table(frame, folder / "testbed", title, text)
