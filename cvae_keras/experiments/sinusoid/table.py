"""`cvae-keras table sinusoid`: the test cases of both tasks, each run with two reductions.

The CSV files hold all columns, the Markdown files the few that fit a page.
"""

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
from cvae_keras.files import claim, markdown, write_csv, write_text
from cvae_keras.systems.sinusoid.model import REDUCTIONS

FILES = {"data_1": "sinusoid_test_cases", "data_2": "sinusoid_2_test_cases"}
FOLDER = "sinusoid_rows"
TOLERANCE = 0.15
SETTING = ["row", "loss", "beta", "wx", "wy", "latent"]
#: The results on the page, their headings, and their decimals.
MEASURED = {
    "kl_nats": ("KL", 2),
    "residual": ("residual", 3),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
    "total_variation": ("TV", 3),
}
NOT_RUN = "not run"
UNUSED = 0.01  # nats, at most the KL of a latent that is not used


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
        frame = pd.DataFrame([as_row(job, result) for job, result in saved if result])
        if len(frame):
            examples = mine[0].config()["examples"]
            title = f"Sinusoid test cases, {name}, {examples:,} examples a row"
            if len(frame) < len(mine):
                title += f": {len(frame)} of {len(mine)} rows so far"
            verdict = compared(frame)
            notes = rows.notes("sinusoid", tolerance=TOLERANCE, **agreement(frame))
            texts[name] = f"# {title}\n\n{verdict}\n\n{markdown(page(frame, mine))}\n\n{notes}"
            write_csv(frame, folder / f"{FILES[name]}.csv")
            write_text(folder / f"{FILES[name]}.md", texts[name])
    return texts


def page(frame, jobs):
    """The table of the Markdown file: the setting of each row, and the results that rank it.

    Args:
        frame: of rows as `as_row` gives them.
        jobs: list of `Job`, in the order of the page; those without a row are marked "not run".

    Returns:
        pandas DataFrame of text.

    Example:
        ```python
        page(pd.read_csv(RESULTS / "sinusoid_test_cases.csv"), jobs)
        ```
    """
    found = frame.set_index(["row", "reduction"])
    lines = []
    for job in jobs:
        setting = {"row": job.case.label, **job.config()}
        line = {name: setting[name] for name in SETTING} | {"reduction": job.reduction}
        line = {k: f"{v:.3g}" if isinstance(v, float) else str(v) for k, v in line.items()}
        key = (job.case.label, job.reduction)
        line |= dict.fromkeys((heading for heading, _ in MEASURED.values()), NOT_RUN)
        if key in found.index:
            for name, (heading, decimals) in MEASURED.items():
                value = max(found.loc[key, name], 0.0)  # rounding leaves a KL a little below 0
                line[heading] = f"{value:.{decimals}f}"
        lines.append(line)
    return pd.DataFrame(lines)


def compared(frame):
    """What the rows say of the reductions and of the ratio wy / wx, in Markdown.

    Only settings that train a decoder with a latent that costs something (beta, wx and wy above 0)
    and that were run in both reductions are compared.

    Args:
        frame: of rows as `as_row` gives them.

    Returns:
        Text.

    Example:
        ```python
        print(compared(pd.read_csv(RESULTS / "sinusoid_test_cases.csv")))
        ```
    """
    weighed = frame[(frame[["beta", "wx", "wy"]] > 0).all(axis=1)]
    halves = [weighed[weighed["reduction"] == name].set_index("row") for name in REDUCTIONS[::-1]]
    searched = frame[frame["row"].str.startswith("searched")]
    both = [label for label in halves[0].index if label in halves[1].index]
    if not both:
        return "No setting with beta, wx and wy above 0 is run in both reductions yet."
    before, after = (half.loc[both] for half in halves)
    ratios = (before["wy"] / before["wx"]).agg(["min", "max"])
    values = {
        "settings": len(both),
        "unused": int((before["kl_nats"] < UNUSED).sum()),
        "least": ratios["min"],
        "most": ratios["max"],
        "residual": int((after["residual"] < before["residual"]).sum()),
        "precision": int((after["precision"] > before["precision"]).sum()),
        "best": after["precision"].max(),
    }
    text = rows.notes("sinusoid_verdict", **values).strip()
    if not len(searched):
        return f"{text}\n* **Weights searched for the ELBO**: {NOT_RUN} on this task."
    row = searched.iloc[-1]
    ratio = row["wy"] / row["wx"]
    return f"{text}\n{rows.notes('sinusoid_searched', ratio=ratio, **row).strip()}"


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
