"""`cvae-keras table testbed`: rate and distortion against the optimum, for every condition."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.checks import check_count, check_part
from cvae_keras.data.conditions import ALL_PATTERNS_UP_TO
from cvae_keras.files import manifest, open_folder, saved_result, write_json, write_table
from cvae_keras.plots.dense import plot_rate_distortion
from cvae_keras.systems.dense.config import measure_by_count, read_config, train

ZERO = 1e-6  # an optimum below this counts as 0
NOTES = """
known: how many dimensions are given as condition; pattern: which, where there are at most 16
patterns in all (1 known, 0 not), else all of that number on average. rate: KL in nats; distortion:
squared error, summed over dimensions; objective: distortion + beta * rate, with its standard error
objective_se; each beside the exact optimum (`cvae_keras.truth.gaussian`). gap: objective over its
optimum minus 1, or, where the optimum is 0, the objective itself. active: latent dimensions with a
KL above 0.01 nats, on average over the patterns of a row; wrong: patterns in which their number is
not the exact one, those left out in which an eigenvalue lies within 10 % of the threshold. With
missing values a dimension that is missing is neither given nor scored, and the optimum is averaged
over what is missing in these examples. The rows "no warm-up" show what training does when beta does
not rise at first (see `cvae_keras.testbed.train`); the counts below leave them out. {examples:,}
fresh examples a pattern, or a row where there are more than 16.

{verdict}
"""


def verdict(frame):
    """How many rows of the table are near the optimum, as text.

    Complete data: gap within 1 % (0.01 where the optimum is 0), rate and distortion within 3 %,
    active dimensions exact. Missing values: at most 5 % above the bound (0.01), and not below it by
    more than 3 standard errors.

    Args:
        frame: the table.

    Returns:
        Markdown list.

    Example:
        >>> print(verdict(pd.read_csv("results/testbed.csv")))
    """
    frame = frame[~frame["experiment"].str.contains("no warm-up")]  # shown, not relied upon
    missing = frame["experiment"].str.contains("missing")
    zero = frame["objective_exact"] <= ZERO
    near = frame["gap"].abs() <= 0.01
    both = near.copy()
    for name in ("rate", "distortion"):
        off, exact = (frame[name] - frame[f"{name}_exact"]).abs(), frame[f"{name}_exact"]
        both &= off <= np.where(exact <= ZERO, 0.01, 0.03 * exact)
    bound = frame["gap"] <= np.where(zero, 0.01, 0.05)
    above = frame["objective"] >= frame["objective_exact"] - 3 * frame["objective_se"] - ZERO
    right = frame["wrong"] == 0
    lines = [
        f"- {what}: {int((met & of).sum())} of {int(of.sum())} rows"
        for what, met, of in [
            ("objective within 1 % of the optimum", near, ~missing),
            ("objective within 1 %, rate and distortion within 3 %", both, ~missing),
            ("active dimensions right in every pattern", right, ~missing),
            ("missing values: within 5 % of the bound", bound, missing),
            ("not below the optimum (by 3 standard errors)", above, missing | ~missing),
        ]
    ]
    beyond = frame[missing & ~bound]
    if len(beyond):
        exact = beyond["objective_exact"]
        lines.append(
            f"- the rows beyond 5 % have an optimum of at most {exact.max():.4f} (such holes are "
            f"rare) and lie within {(beyond['objective'] - exact).max():.4f} of it: the networks' "
            f"own precision"
        )
    gaps = frame["gap"][~missing & ~zero].abs()
    lines.append(f"- gap: median {gaps.median():.2%}, greatest {gaps.max():.2%}")
    groups = (both & right)[frame["experiment"] == "independent, 2"].groupby(frame["seed"])
    lines.append(f"- baseline: all rows so in {groups.all().sum()} of {len(groups)} seeds")
    return "\n".join(lines)


SEEDS = 10
#: Experiment -> the shipped configuration that it runs, and what it changes in it.
EXPERIMENTS = {
    "independent, 2": ("baseline", {}),
    "independent, 8": ("baseline", {"data": {"dim": 8}, "latent_dim": 32, "epochs": 80}),
    "independent, 8, no warm-up": (
        "baseline",
        {"data": {"dim": 8}, "latent_dim": 32, "epochs": 80, "warm_up": 0},
    ),
    "correlated, 4": ("correlated", {}),
    "projected 2 to 8, rank 2": ("projected", {}),
    "projected 2 to 8, rank 1": ("projected", {"data": {"rank": 1}}),
    "projected 2 to 8, 20 % missing": ("projected_with_mask", {"betas": [0.25]}),
    "projected 2 to 8, 50 % missing": (
        "projected_with_mask",
        {"mask_percentage": 50, "betas": [0.25]},
    ),
}


def experiment_config(name, quick=False, seed=0):
    """The configuration of one experiment.

    Args:
        name: of `EXPERIMENTS`; quick: a quarter of the epochs; seed: of model and batches.

    Returns:
        As `read_config`.

    Example:
        >>> experiment_config("independent, 8")["latent_dim"]
        32
    """
    base, changes = EXPERIMENTS[name]
    config = read_config(base)
    data = {**config["data"], **changes.get("data", {})}
    config |= {**changes, "data": data, "seed": seed}
    return config | {"epochs": config["epochs"] // 4} if quick else config


def jobs_of(quick=False, seed=0):
    """All trainings of the table: experiment, beta and seed; the baseline with further seeds.

    Example:
        >>> len(jobs_of())
        32
    """
    jobs = []
    for name in EXPERIMENTS:
        config = experiment_config(name, quick, seed)
        seeds = range(seed, seed + (2 if quick else SEEDS)) if name == "independent, 2" else [seed]
        jobs += [(name, beta, s) for s in seeds for beta in config["betas"]]
    return sorted(jobs, key=lambda job: -experiment_config(job[0])["epochs"])  # longest first


def job_path(job, folder):
    """The file that keeps a job, `<experiment>_beta_<beta>_seed_<seed>.json`."""
    name, beta, seed = job
    words = name.replace(",", "").replace("%", "percent").split()
    return folder / f"{'_'.join(words)}_beta_{beta}_seed_{seed}.json"


def job_settings(job, quick):
    """All that the result of a job depends on."""
    name, beta, seed = job
    examples = 10_000 if quick else 100_000
    return {**experiment_config(name, quick, seed), "betas": [beta], "examples": examples}


def run_job(job, folder, quick=False):
    """Train and measure one job, unless the folder holds it already.

    Args:
        job: of `jobs_of`; folder: for its JSON file; quick: fewer epochs and examples.

    Returns:
        Dictionary of `rows` (of the table), `loss` (of each epoch) and `manifest`.

    Example:
        >>> result = run_job(("independent, 2", 0.25, 0), Path("runs"), quick=True)
    """
    settings, path = job_settings(job, quick), job_path(job, folder)
    if saved := saved_result(path, settings):
        return saved
    start = time.perf_counter()
    model, source, history = train(settings, beta=job[1])
    seconds = time.perf_counter() - start
    counts, patterns = measure_by_count(model, source, settings["examples"])
    result = {"rows": table_rows(job, counts, patterns), "loss": history["loss"]}
    write_json(path, result | {"manifest": manifest(settings, seconds)})
    return saved_result(path, settings)


def table_rows(job, counts, patterns):
    """The rows of one job: each number of known dimensions, and each pattern where they are few.

    Args:
        job: of `jobs_of`; counts, patterns: from `measure_by_count`.

    Returns:
        List of dictionaries, the columns of the table.

    Example:
        >>> rows = table_rows(job, *measure_by_count(model, source, n=1000))
    """
    rows = []
    for row in counts + (patterns if len(patterns) <= ALL_PATTERNS_UP_TO else []):
        mine = [p for p in patterns if row["pattern"] in ("", p["pattern"])]
        mine = [p for p in mine if p["known"] == row["known"] and p["margin"] > 0.1]
        best, complete = row["objective_exact"], "missing" not in job[0]
        columns = dict(zip(("experiment", "beta", "seed"), job, strict=True))
        columns |= {"known": row["known"], "pattern": row["pattern"]}
        for column in ("rate", "distortion", "objective"):
            columns |= {column: row[column], f"{column}_exact": row[f"{column}_exact"]}
        columns["objective_se"] = row["objective_se"]
        columns["gap"] = row["objective"] / best - 1 if best > ZERO else row["objective"]
        columns |= {"active": row["active"], "active_exact": row["active_exact"]}
        wrong = sum(p["active"] != p["active_exact"] for p in mine)
        rows.append(columns | {"wrong": wrong if complete else None})
    return rows


def run_table(folder, quick=False, seed=0, part=(1, 1), processes=1):
    """Run the jobs that `folder` does not hold yet, then write the table and its figure.

    Each job is kept in `<folder>/testbed_runs/` as soon as it is there: a killed run loses the
    trainings it was at.

    Args:
        folder: where `testbed.{csv,md,png}` go; quick: a quarter of the epochs, 10,000 examples, 2
            seeds; seed: integer; part: (i, n) runs every n-th job from the i-th and writes no
            table; processes: how many share the work, each with one thread.

    Returns:
        The table as Markdown, or None for a part.

    Raises:
        ValueError: the folder cannot be written, a bad part or number of processes, or a process
            that failed.

    Example:
        >>> text = run_table("runs/quick", quick=True)
    """
    (index, parts), processes = check_part(part), check_count("processes", processes)
    start, runs = time.perf_counter(), open_folder(open_folder(folder) / "testbed_runs")
    jobs = jobs_of(quick, seed)
    if processes > 1:
        _share(jobs, folder, runs, quick, seed, processes)
    mine = tqdm(jobs[index - 1 :: parts], desc="testbed", unit="model", disable=processes > 1)
    results = [(job, run_job(job, runs, quick)) for job in mine]
    if parts > 1:
        return None
    return write(folder, results, quick, seed, time.perf_counter() - start)


def _share(jobs, folder, runs, quick, seed, processes):
    """Run the jobs in several processes, this command with `--part`, and show how far they are."""
    command = [sys.executable, "-m", "cvae_keras", "table", "testbed", "--out", str(folder)]
    command += ["--seed", str(seed), *(["--quick"] if quick else [])]
    env = os.environ | {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    began = time.time()
    with ExitStack() as stack:
        log = stack.enter_context(TemporaryFile("w+"))
        workers = []
        for index in range(processes):
            part = ["--part", f"{index + 1}/{processes}"]
            worker = subprocess.Popen([*command, *part], env=env, stdout=log, stderr=log)
            stack.callback(worker.wait)
            stack.callback(worker.terminate)
            workers.append(worker)
        bar = stack.enter_context(tqdm(total=len(jobs), desc="testbed", unit="model"))
        while any(worker.poll() is None for worker in workers):
            time.sleep(1)
            paths = [job_path(job, runs) for job in jobs]
            bar.update(sum(p.exists() and p.stat().st_mtime >= began for p in paths) - bar.n)
        if any(worker.returncode for worker in workers):
            log.seek(0)
            raise ValueError(f"a process of the testbed failed: {log.read()[-500:]}")


def write(folder, results, quick, seed, seconds):
    """Write the table, its figure and its manifest from the results of all jobs.

    Args:
        folder: where they go; results: list of (job, what `run_job` returns); quick, seed: as for
            `run_table`; seconds: wall time so far.

    Returns:
        The table as Markdown.

    Example:
        >>> text = write("runs", results, quick=False, seed=0, seconds=900.0)
    """
    frame = pd.DataFrame([row for _, result in results for row in result["rows"]])
    frame["wrong"] = frame["wrong"].astype(float)
    folder = Path(folder)
    trained = sum(result["manifest"]["seconds"] for _, result in results)
    config = {"quick": quick, "seed": seed, "seconds_of_training": round(trained, 1)}
    configs = {name: experiment_config(name, quick, seed) for name in EXPERIMENTS}
    write_json(folder / "testbed.json", manifest(config | {"experiments": configs}, seconds))
    plot_rate_distortion(frame[frame["seed"] == seed]).savefig(folder / "testbed.png", dpi=90)
    examples = results[0][1]["manifest"]["config"]["examples"]
    notes = NOTES.format(examples=examples, verdict=verdict(frame))
    title = "The testbed: rate and distortion against the optimum" + (" (quick)" if quick else "")
    return write_table(frame, folder / "testbed", title, notes)
