"""`cvae-keras table sinusoid`: the test cases of both tasks, each run with two reductions."""

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.checks import check_part
from cvae_keras.data.sinusoid_files import load
from cvae_keras.results import open_folder, write_table
from cvae_keras.systems.sinusoid import REDUCTIONS
from cvae_keras.tables.sinusoid_cases import (
    CASES,
    case_config,
    epoch_reaching,
    in_table_units,
    run_case,
    saved_case,
    searched_case,
)
from cvae_keras.tables.sinusoid_notes import NOTES

FILES = {"data_1": "sinusoid_test_cases", "data_2": "sinusoid_2_test_cases"}


def run_table(
    folder, quick=False, data=("data_1", "data_2"), precision="float32", seed=0, part=(1, 1)
):
    """Run the rows that `folder` does not hold yet, then write the tables.

    Where the folder holds searches of a task, the best setting they found is the last row.

    A row's result is kept in `<folder>/sinusoid_rows/` as soon as it is there, and the tables are
    written after each, so a killed run leaves the rows so far and continues with the one it was at.

    Args:
        folder: where the tables go; quick: 20,000 examples and 2 epochs a row instead of 100,000
            and the epochs listed; data: names of the data sets; precision: "float32" or
            "mixed_bfloat16"; seed: integer; part: (i, n) runs every n-th row from the i-th only, so
            that n processes share the work.

    Returns:
        Dictionary of data set -> Markdown of its table; its title says when rows are missing.

    Raises:
        ValueError: the folder cannot be written, or part is not 1 <= i <= n.

    Example:
        >>> texts = run_table("runs/quick", quick=True, data=["data_1"])
    """
    index, parts = check_part(part)
    folder = open_folder(folder)
    rows_folder = open_folder(folder / "sinusoid_rows")
    jobs = [
        (case, case_config(name, case, reduction, quick, precision, seed))
        for name in data
        for case in CASES[name]
        for reduction in REDUCTIONS[::-1]
    ]
    for name in data:
        if case := searched_case(name, folder):
            jobs.append((case, case_config(name, case, REDUCTIONS[0], quick, precision, seed)))
    arrays = {}
    for number, (case, config) in enumerate(tqdm(jobs, desc="test cases", unit="row")):
        name = config["data"]
        if number % parts != index - 1:
            continue
        if name not in arrays:
            arrays[name] = {split: load(name, split) for split in ("train", "validation", "score")}
        row, _, fresh = run_case(config, arrays[name], rows_folder)
        if fresh:
            tqdm.write(
                f"{name} {case.label:12s} {config['reduction']:8s} |f(x)-y| {row['residual']:.3f}  "
                f"active units {row['active_units']:.0f}  {row['seconds']:.0f} s"
            )
            write_tables(folder, jobs)
    return write_tables(folder, jobs)


def write_tables(folder, jobs):
    """Write the tables from the rows that `<folder>/sinusoid_rows/` holds, complete or not.

    Args:
        folder: where the tables go; jobs: list of (case, configuration).

    Returns:
        Dictionary of data set -> Markdown of its table, for those with at least one row.

    Example:
        >>> texts = write_tables(Path("results"), jobs)
    """
    texts = {}
    for name in dict.fromkeys(config["data"] for _, config in jobs):
        mine = [(case, config) for case, config in jobs if config["data"] == name]
        found = [(*job, saved_case(job[1], folder / "sinusoid_rows")) for job in mine]
        rows = [_as_row(case, config, saved) for case, config, saved in found if saved]
        if rows:
            title = f"Sinusoid test cases, {name}, {mine[0][1]['examples']:,} examples a row"
            if len(rows) < len(mine):
                title += f": {len(rows)} of {len(mine)} rows so far"
            texts[name] = write_table(pd.DataFrame(rows), folder / FILES[name], title, NOTES)
    return texts


def _as_row(case, config, saved):
    setting = {name: config[name] for name in ("loss", "beta", "wx", "wy", "latent", "lr", "batch")}
    published = (
        case.published if config["reduction"] == "original" and case.published else [np.nan] * 4
    )
    names = ("published_kl", "published_x_loss", "published_y_loss", "published_test")
    x_losses = [
        in_table_units(config, {"kl": 0, "x_loss": x, "y_loss": 0})["x_loss"]
        for x in saved["history"]["x_loss"]
    ]
    return {
        "row": case.label,
        "reduction": config["reduction"],
        **setting,
        "epochs": config["epochs"],
        **saved["row"],
        **dict(zip(names, published, strict=True)),
        "epoch_reaching_published_x": epoch_reaching(x_losses, published[1]),
    }
