"""`cvae-keras table multimodal`: log p(main | conditions) against the exact one, and on digits."""

import json

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.modalities import picture_modalities
from cvae_keras.metrics.judge import Judge
from cvae_keras.plots_multimodal import plot_multimodal
from cvae_keras.results import (
    ROOT,
    manifest,
    open_folder,
    saved_result,
    write_json,
    write_table,
)
from cvae_keras.tables.multimodal_jobs import jobs_of, run_gaussian, run_pictures, stem_of
from cvae_keras.tables.multimodal_notes import NOTES, verdict

NAME = "multimodal"


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the trainings that `folder` does not hold yet, then write the table and its figure.

    Each training is kept in `<folder>/multimodal_rows/` as soon as it is there.

    Args:
        folder: where `multimodal.{csv,md,png,json}` go; quick: fewer steps, scikit-learn's digits;
            data_dir: of `mnist.npz`, see `load_images`; seed: integer.

    Returns:
        The table as Markdown.

    Raises:
        ValueError: the folder cannot be written, or the data cannot be read.

    Example:
        >>> text = run_table("results/quick", quick=True)
    """
    folder = open_folder(folder)
    rows_folder = open_folder(folder / "multimodal_rows")
    jobs, sets, results, pictures = jobs_of(quick, seed), {}, [], {}
    for job in tqdm(jobs, desc="multimodal", unit="training"):
        path = rows_folder / f"{stem_of(job)}.json"
        if saved_result(path, job) is None:
            if job["data"] == "gaussian":
                result = run_gaussian(job)
            else:
                if job["data"] not in sets:
                    train, test = picture_modalities(job["data"], data_dir)
                    judge = Judge(train["image"], train["label"], epochs=20 if quick else 4)
                    sets[job["data"]] = train, test, judge
                result = run_pictures(job, *sets[job["data"]])
                np.savez_compressed(path.with_suffix(".npz"), pictures=result.pop("pictures"))
            write_json(path, result)
        results.append(saved_result(path, job))
        if job["data"] != "gaussian":
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
                pictures[job["task"], job["prior"]] = file["pictures"].astype("float32")
    frame = pd.DataFrame([row for result in results for row in result["rows"]])
    plot_multimodal(frame, pictures).savefig(folder / f"{NAME}.png", dpi=110)
    total = sum(result["manifest"]["seconds"] for result in results)
    write_json(folder / f"{NAME}.json", manifest({"jobs": jobs}, total))
    title = "The multimodal CVAE" + (" (quick)" if quick else "")
    notes = NOTES.format(verdict=verdict(frame), beside=_beside())
    return write_table(frame, folder / NAME, title, notes)


def _beside():
    """What `benchmarks/multimodal.py` measured, as a sentence for each task."""
    path = ROOT / "benchmarks" / "multimodal.json"
    if not path.exists():
        return "`benchmarks/multimodal.py` puts it beside multivae."
    runs = json.loads(path.read_text())["runs"]
    shown = [f"{run['task']}, {run['kind']}: {run['log_p']:.2f}" for run in runs]
    return (
        f"Beside multivae, {runs[0]['epochs']} epochs (`benchmarks/multimodal.md`): log p "
        + "; ".join(shown)
        + "."
    )
