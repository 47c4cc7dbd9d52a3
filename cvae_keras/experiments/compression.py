"""`cvae-keras table embedding`: CompressionVAE beside PCA, t-SNE and UMAP, run in one table."""

import time
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.images import GARMENTS, load_images
from cvae_keras.files import manifest, open_folder, saved_result, write_json, write_table
from cvae_keras.metrics.embedding import embedding_scores
from cvae_keras.plots.compression import plot_embedding
from cvae_keras.systems.compression.estimator import CompressionVAE

_PAPER = "published: Parametric UMAP, notebooks"
_ORIGINAL = "measured for this project, other machine"


def _row(data, dim, method, source, one, five, trust, seconds=float("nan")):
    row = {"data": data, "dim": dim, "method": method, "source": source, "1-NN": one}
    return {**row, "5-NN": five, "trust": trust, "seconds_fit": seconds}


_NONE = float("nan")

#: Rows that were not run here.
PUBLISHED = [
    _row("mnist", 2, "the original, defaults", _ORIGINAL, 0.578, 0.637, 0.884, 65.0),
    _row("mnist", 64, "the original, [512, 256]", _ORIGINAL, 0.768, 0.780, 0.890, 105.0),
    _row("mnist", 2, "conv VAE", _PAPER, 0.724, 0.765, 0.951),
    _row("mnist", 64, "conv VAE", _PAPER, 0.979, _NONE, _NONE),
    _row("mnist", 2, "UMAP", _PAPER, 0.932, 0.954, 0.960),
    _row("mnist", 64, "UMAP", _PAPER, 0.945, _NONE, _NONE),
    _row("fashion_mnist", 2, "conv VAE", _PAPER, 0.665, 0.716, 0.975),
    _row("fashion_mnist", 2, "UMAP", _PAPER, 0.714, 0.761, 0.978),
]

NOTES = """
No method sees a label. 1-NN and 5-NN: nearest neighbours, fitted on the embedding of the training
data, scored on that of the test data (MNIST and Fashion-MNIST: 60,000 and 10,000; digits: 1,500 and
297). trust: trustworthiness of the first 10,000 training points with 5 neighbours. rmse: of test
data decoded from their embedding, in units of the largest pixel; t-SNE and UMAP have none here
(UMAP's inverse takes minutes). seconds_fit and cpu_seconds_fit: to fit and embed the training data,
by the wall clock and of all cores; seconds_embed: to embed the test data. Compilation is counted:
of TensorFlow's graph for CompressionVAE, of numba's code for UMAP in the first of its rows.

Rows whose source is not "run here" were not run for this table, and their seconds are from other
machines.
"""


NAME = "embedding"
METHODS = ("CompressionVAE", "PCA", "t-SNE", "UMAP")


@dataclass(frozen=True)
class Job:
    """One row: a method, a data set, a number of dimensions.

    Example:
        >>> Job("mnist", "PCA", 2).path(Path("rows"), quick=False).name
        'mnist_PCA_2.json'
    """

    data: str
    method: str
    dimensions: int

    def path(self, folder):
        return folder / f"{self.data}_{self.method}_{self.dimensions}.json"


def jobs(quick):
    """The rows of the table, or of the quick one on scikit-learn's digits."""
    rows = []
    for data in ("digits",) if quick else ("mnist", "fashion_mnist"):
        rows += [Job(data, method, 2) for method in METHODS]
        if data != "fashion_mnist":
            # t-SNE's fast algorithm knows 2 dimensions at most
            rows += [
                Job(data, method, 64 if not quick else 8) for method in METHODS if method != "t-SNE"
            ]
    return rows


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the rows that `folder` does not hold yet, then write the table and its figures.

    Each row is kept in `<folder>/embedding_rows/` as soon as it is there.

    Args:
        folder: where the table goes; quick: scikit-learn's digits instead of MNIST and
            Fashion-MNIST; data_dir: see `load_images`; seed: integer, of every method.

    Returns:
        Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, the data cannot be read, or openTSNE or umap-learn
            is not installed.

    Example:
        >>> text = run_table("results/quick", quick=True)
    """
    folder = open_folder(folder)
    rows_folder = open_folder(folder / "embedding_rows")
    todo, images = jobs(quick), {}
    for job in tqdm(todo, desc="embeddings", unit="row"):
        if saved_row(job, rows_folder, seed) is None:
            if job.data not in images:
                images[job.data] = load_images(job.data, data_dir)
            row = run_row(job, images[job.data], rows_folder, seed)
            tqdm.write(f"{job}: " + ", ".join(f"{k} {v:.3f}" for k, v in row.items()))
        text = _write(folder, todo, rows_folder, seed)
    return text


def saved_row(job, folder, seed):
    """The row that `run_row` kept for this job and seed, or None."""
    saved = saved_result(job.path(folder), _config(job, seed))
    return saved["row"] if saved else None


def run_row(job, images, folder, seed, draw=True):
    """Fit one method, time it, score it, and keep its figures and manifest."""
    (x, y), (x_test, y_test) = images
    method = _method(job, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    z = np.asarray(method.fit_transform(x), "float32")
    row = {"seconds_fit": time.perf_counter() - wall, "cpu_seconds_fit": time.process_time() - cpu}
    start = time.perf_counter()
    z_test = np.asarray(method.transform(x_test), "float32")
    row["seconds_embed"] = time.perf_counter() - start
    row |= embedding_scores(z, y, z_test, y_test, x)
    if job.method in ("CompressionVAE", "PCA"):
        error = method.inverse_transform(z_test) - x_test
        row["rmse"] = float(np.sqrt(np.mean(np.square(error))) / float(x.max()))
    if job.dimensions == 2 and draw:
        stem = str(job.path(folder).with_suffix(""))
        title = f"{job.method}, {job.data} test data, 5-NN {row['5-NN']:.3f}"
        names = GARMENTS if job.data == "fashion_mnist" else None
        plot_embedding(z_test, y_test, names, title, f"{stem}.png")
    config, seconds = _config(job, seed), row["seconds_fit"]
    write_json(job.path(folder), {"row": row, "manifest": manifest(config, seconds)})
    return row


def _config(job, seed):
    return {**asdict(job), "seed": seed}


class _TSNE:
    """openTSNE with scikit-learn's calls; its optimiser is told every core it may use."""

    def __init__(self, dimensions, seed):
        from openTSNE import TSNE

        self.tsne = TSNE(n_components=dimensions, random_state=seed)

    def fit_transform(self, x):
        self.fitted = self.tsne.fit(x.astype("float32"))
        return self.fitted

    def transform(self, x):
        return self.fitted.transform(x.astype("float32"))


def _method(job, seed):
    if job.method == "CompressionVAE":
        return CompressionVAE(dim_latent=job.dimensions, random_state=seed)
    if job.method == "PCA":
        from sklearn.decomposition import PCA

        return PCA(job.dimensions, random_state=seed)
    try:
        if job.method == "t-SNE":
            return _TSNE(job.dimensions, seed)
        from umap import UMAP
    except ImportError as error:
        raise ValueError(
            f"{job.method} is not installed: pip install -e '.[embedding]' brings it."
        ) from error
    return UMAP(n_components=job.dimensions, random_state=seed)


def _write(folder, todo, rows_folder, seed):
    found = [(job, saved_row(job, rows_folder, seed)) for job in todo]
    rows = [
        {"data": job.data, "dim": job.dimensions, "method": job.method, "source": "run here", **row}
        for job, row in found
        if row
    ]
    sets = {job.data for job in todo}
    rows += [row for row in PUBLISHED if row["data"] in sets]
    title = "Embeddings"
    if any(row is None for _, row in found):
        title += f": {sum(row is not None for _, row in found)} of {len(todo)} rows so far"
    frame = pd.DataFrame(rows)
    order = [*frame.columns[:4], "1-NN", "5-NN", "trust", "rmse", "seconds_fit"]
    order += ["cpu_seconds_fit", "seconds_embed"]
    return write_table(frame.reindex(columns=order), folder / NAME, title, NOTES)


SEEDS_NAME = "embedding_seeds"
SEEDS_NOTES = """
`CompressionVAE` at its defaults in 2 dimensions, one row a seed, which draws the validation rows,
the weights, the batches and the noise; columns as in `embedding.md`. {verdict}
"""


def run_seeds(folder, quick=False, data_dir=None, seeds=20):
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
        >>> text = run_seeds("results/quick", quick=True, seeds=3)
    """
    folder, job = open_folder(folder), Job("digits" if quick else "mnist", "CompressionVAE", 2)
    rows, images = [], None
    for seed in tqdm(range(seeds), desc="seeds", unit="fit"):
        kept = open_folder(folder / "embedding_rows" / f"seed_{seed}")
        if saved_row(job, kept, seed) is None:
            images = images or load_images(job.data, data_dir)
            run_row(job, images, kept, seed, draw=False)
        rows.append({"seed": seed, **saved_row(job, kept, seed)})
        text = _write_seeds(pd.DataFrame(rows), folder, job)
    return text


def _write_seeds(frame, folder, job):
    near = frame["5-NN"]
    said = f"5-NN: {near.min():.3f} to {near.max():.3f}, mean {near.mean():.3f}"
    if len(frame) > 1:
        said += f", standard deviation {near.std():.4f}"
    order = ["seed", "1-NN", "5-NN", "trust", "rmse", "cpu_seconds_fit"]
    title = f"CompressionVAE, {len(frame)} seeds, {job.data}"
    notes = SEEDS_NOTES.format(verdict=said + ".")
    return write_table(frame[order], folder / SEEDS_NAME, title, notes)
