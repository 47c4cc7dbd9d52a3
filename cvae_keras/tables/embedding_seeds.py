"""`cvae-keras table embedding --seeds N`: how far CompressionVAE's scores depend on the seed."""

import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.images import load_images
from cvae_keras.results import open_folder, write_table
from cvae_keras.tables.embedding import Job, run_row, saved_row

NAME = "embedding_seeds"
NOTES = """
`CompressionVAE` at its defaults in 2 dimensions, one row a seed, which draws the validation rows,
the weights, the batches and the noise; columns as in `embedding.md`. {verdict}
"""


def run_table(folder, quick=False, data_dir=None, seeds=20):
    """Fit with each seed that `folder` does not hold yet, then write the table.

    Each row is kept in `<folder>/embedding_rows/seed_<number>/` as soon as it is there.

    Args:
        folder: where `embedding_seeds.{csv,md}` go; quick: scikit-learn's digits instead of MNIST;
            data_dir: see `load_images`; seeds: how many, 0 to seeds - 1.

    Returns:
        Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, or the data cannot be read.

    Example:
        >>> text = run_table("results/quick", quick=True, seeds=3)
    """
    folder, job = open_folder(folder), Job("digits" if quick else "mnist", "CompressionVAE", 2)
    rows, images = [], None
    for seed in tqdm(range(seeds), desc="seeds", unit="fit"):
        kept = open_folder(folder / "embedding_rows" / f"seed_{seed}")
        if saved_row(job, kept, seed) is None:
            images = images or load_images(job.data, data_dir)
            run_row(job, images, kept, seed, draw=False)
        rows.append({"seed": seed, **saved_row(job, kept, seed)})
        text = _write(pd.DataFrame(rows), folder, job)
    return text


def _write(frame, folder, job):
    near = frame["5-NN"]
    said = f"5-NN: {near.min():.3f} to {near.max():.3f}, mean {near.mean():.3f}"
    if len(frame) > 1:
        said += f", standard deviation {near.std():.4f}"
    order = ["seed", "1-NN", "5-NN", "trust", "rmse", "cpu_seconds_fit"]
    title = f"CompressionVAE, {len(frame)} seeds, {job.data}"
    return write_table(frame[order], folder / NAME, title, NOTES.format(verdict=said + "."))
