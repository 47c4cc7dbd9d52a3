"""`cvae-keras table sinusoid`: the test cases of both tasks, each run with two reductions."""

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.checks import check_part
from cvae_keras.experiments import rows
from cvae_keras.experiments.sinusoid.cases import (
    CASES,
    Job,
    epoch_reaching,
    in_table_units,
    run_case,
    searched_case,
)
from cvae_keras.files import claim, write_table
from cvae_keras.systems.sinusoid.model import REDUCTIONS

FILES = {"data_1": "sinusoid_test_cases", "data_2": "sinusoid_2_test_cases"}
FOLDER = "sinusoid_rows"
TOLERANCE = 0.15


def run_table(
    folder,
    quick=False,
    data=("data_1", "data_2"),
    precision="float32",
    seed=0,
    part=(1, 1),
    processes=1,
):
    """Run the rows that `folder` does not hold yet, then write the tables.

    Where the folder holds searches of a task, the best setting they found is the last row.

    The result of a row is kept in `<folder>/sinusoid_rows/` when it is done, and the tables are
    written after each: a killed run loses only the rows that were running.

    Args:
        folder: where the tables go.
        quick: 20,000 examples and 2 epochs per row instead of 100,000 and the epochs listed.
        data: names of the data sets.
        precision: "float32" or "mixed_bfloat16".
        seed: integer.
        part: (i, n) runs every n-th row from the i-th only, so that n machines share the work.
        processes: how many share the work, each with one thread.

    Returns:
        Dictionary of data set -> Markdown of its table; its title says when rows are missing.

    Raises:
        ValueError: the folder cannot be written, or part is not 1 <= i <= n.

    Example:
        ```python
        texts = run_table("runs/quick", quick=True, data=["data_1"])
        ```
    """
    check_part(part)  # before a folder is made
    folder = claim(folder, "results")
    jobs = jobs_of(folder, quick, data, precision, seed)

    def show(job, result):
        row = result["row"]
        tqdm.write(
            f"{job.data} {job.case.label:12s} {job.reduction:8s} |f(x)-y| {row['residual']:.3f}  "
            f"active units {row['active_units']:.0f}  {row['seconds']:.0f} s"
        )
        write_tables(folder, jobs)

    rows.run_jobs(jobs, run_case, folder / FOLDER, part, processes, "test cases", show)
    return write_tables(folder, jobs)


def jobs_of(folder, quick=False, data=("data_1", "data_2"), precision="float32", seed=0):
    """The rows of the tables: each case with both reductions, and the best setting of searches.

    Args:
        folder: which may hold searches.
        quick: as for `run_table`.
        data: names of the data sets.
        precision: as for `run_table`.
        seed: integer.

    Returns:
        List of `Job`.

    Example:
        ```python
        jobs = jobs_of(RESULTS, precision="mixed_bfloat16")
        ```
    """
    options = (quick, precision, seed)
    jobs = [
        Job(name, case, reduction, *options)
        for name in data
        for case in CASES[name]
        for reduction in REDUCTIONS[::-1]
    ]
    for name in data:
        if case := searched_case(name, folder):
            jobs.append(Job(name, case, REDUCTIONS[0], *options))
    return jobs


def write_tables(folder, jobs):
    """Write the tables from the rows that `<folder>/sinusoid_rows/` holds, complete or not.

    Args:
        folder: where the tables go.
        jobs: list of `Job`.

    Returns:
        Dictionary of data set -> Markdown of its table, for those with at least one row.

    Example:
        ```python
        texts = write_tables(Path("results"), jobs)
        ```
    """
    texts = {}
    for name in dict.fromkeys(job.data for job in jobs):
        mine = [job for job in jobs if job.data == name]
        kept = folder / FOLDER
        saved = [(job, job.saved(kept) or job.earlier(kept)) for job in mine]
        found = [as_row(job, result) for job, result in saved if result]
        if found:
            examples = mine[0].config()["examples"]
            title = f"Sinusoid test cases, {name}, {examples:,} examples a row"
            if len(found) < len(mine):
                title += f": {len(found)} of {len(mine)} rows so far"
            frame = pd.DataFrame(found)
            notes = rows.notes("sinusoid", tolerance=TOLERANCE, **agreement(frame))
            texts[name] = write_table(frame, folder / FILES[name], title, notes)
    return texts


def agreement(frame):
    """Which rows with published figures have x_loss and y_loss within `TOLERANCE` of them.

    Args:
        frame: of rows as `as_row` gives them.

    Returns:
        Dictionary of `within` and `beyond`, the labels of the rows, or "none".

    Example:
        >>> values = {"x_loss": 1.1, "y_loss": 2, "published_x_loss": 1, "published_y_loss": 2}
        >>> agreement(pd.DataFrame([{"row": "4", **values}]))
        {'within': '4', 'beyond': 'none'}
    """
    known = frame[frame["published_x_loss"].notna()]
    names = ("x_loss", "y_loss")
    ratios = np.array([known[name] / known[f"published_{name}"] for name in names])
    close = (np.abs(ratios - 1) <= TOLERANCE).all(axis=0)
    labels = {"within": known["row"][close], "beyond": known["row"][~close]}
    return {name: ", ".join(found) or "none" for name, found in labels.items()}


def as_row(job, result):
    """The columns of one row: its setting, what was measured, and what was published.

    Args:
        job: a `Job`.
        result: dictionary of `row` and `history`, as `run_case` returns.

    Returns:
        Dictionary of column -> value.

    Example:
        ```python
        as_row(job, job.saved(Path("results/sinusoid_rows")))["residual"]
        ```
    """
    config, published = job.config(), [np.nan] * 4
    if job.reduction == "original" and job.case.published:
        published = job.case.published
    names = ("published_kl", "published_x_loss", "published_y_loss", "published_test")
    x_losses = [
        in_table_units(config, {"kl": 0, "x_loss": x, "y_loss": 0})["x_loss"]
        for x in result["history"]["x_loss"]
    ]
    setting = ("loss", "beta", "wx", "wy", "latent", "lr", "batch", "epochs")
    return {
        "row": job.case.label,
        "reduction": job.reduction,
        "encoder_reads": result["manifest"]["config"].get("encoder_reads", "xy"),
        **{name: config[name] for name in setting},
        **result["row"],
        **dict(zip(names, published, strict=True)),
        "epoch_reaching_published_x": epoch_reaching(x_losses, published[1]),
    }
