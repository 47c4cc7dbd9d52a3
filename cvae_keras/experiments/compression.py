"""`cvae-keras table embedding`: CompressionVAE beside PCA, t-SNE and UMAP, run in one table."""

import time
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.images import GARMENTS, load_images
from cvae_keras.experiments import rows
from cvae_keras.files import claim, replacing, write_table
from cvae_keras.metrics.embedding import embedding_scores
from cvae_keras.plots.compression import plot_embedding
from cvae_keras.systems.compression.estimator import CompressionVAE

NAME, SEEDS_NAME, FOLDER = "embedding", "embedding_seeds", "embedding_rows"
METHODS = ("CompressionVAE", "PCA", "t-SNE", "UMAP")

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


@dataclass(frozen=True)
class Job(rows.Job):
    """One row: a method on a data set.

    Args:
        data: name of the data set, see `load_images`.
        method: one of `METHODS`.
        dimensions: of the embedding.
        seed: integer, of the method.

    Example:
        >>> Job("mnist", "PCA", 2).name
        'mnist_PCA_2'
    """

    holds = {"row": ("seconds_fit", "5-NN", "trust")}

    data: str
    method: str
    dimensions: int
    seed: int = 0

    @property
    def name(self):
        return f"{self.data}_{self.method}_{self.dimensions}"


class SeedJob(Job):
    """A row of the table of seeds, which has a folder for each seed and no figures."""

    @property
    def name(self):
        return f"seed_{self.seed}/{super().name}"


def jobs_of(quick=False, seed=0):
    """The rows of the table.

    Args:
        quick: those of the quick table, on scikit-learn's digits.
        seed: integer.

    Returns:
        List of `Job`.

    Example:
        >>> len(jobs_of())
        11
    """
    found = []
    for data in ("digits",) if quick else ("mnist", "fashion_mnist"):
        found += [Job(data, method, 2, seed) for method in METHODS]
        if data != "fashion_mnist":
            # t-SNE's fast algorithm is limited to 2 dimensions
            many = [method for method in METHODS if method != "t-SNE"]
            found += [Job(data, method, 8 if quick else 64, seed) for method in many]
    return found


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the rows that `folder` does not hold yet, then write the table and its figures.

    Each row is kept in `<folder>/embedding_rows/` when it is done.

    Args:
        folder: where the table goes.
        quick: scikit-learn's digits instead of MNIST and Fashion-MNIST.
        data_dir: see `load_images`.
        seed: integer, of every method.

    Returns:
        Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, the data cannot be read, or openTSNE or umap-learn
            is not installed.

    Example:
        ```python
        text = run_table("results/quick", quick=True)
        ```
    """
    folder, jobs = claim(folder, "results"), jobs_of(quick, seed)

    def show(job, result):
        figures = ", ".join(f"{name} {value:.3f}" for name, value in result["row"].items())
        tqdm.write(f"{job.name}: {figures}")
        write(folder, [(job, job.saved(folder / FOLDER)) for job in jobs])

    run = partial(run_row, data_dir=data_dir)
    return write(folder, rows.run_jobs(jobs, run, folder / FOLDER, title="embeddings", done=show))


@lru_cache(maxsize=1)  # the rows of a data set follow each other
def _images(name, data_dir):
    return load_images(name, data_dir)


def run_row(job, path, data_dir=None):
    """Fit one method, time it and score it; in 2 dimensions its figure is saved beside `path`.

    Args:
        job: a `Job`.
        path: of the result; the figure has the same name and ends in `.png`.
        data_dir: see `load_images`.

    Returns:
        `(result, seconds)`: a dictionary of `row`, and the wall time of the fit.

    Example:
        ```python
        result, seconds = run_row(Job("digits", "PCA", 2), Path("runs/row.json"))
        ```
    """
    (x, y), (x_test, y_test) = _images(job.data, data_dir)
    method = make(job)
    saves = rows.checkpoint(job, path)
    options = {"checkpoint": saves} if isinstance(method, CompressionVAE) else {}
    wall, cpu = time.perf_counter(), time.process_time()
    z = np.asarray(method.fit_transform(x, **options), "float32")
    row = {"seconds_fit": time.perf_counter() - wall + saves.earlier["seconds"]}
    row["cpu_seconds_fit"] = time.process_time() - cpu + saves.earlier["cpu_seconds"]
    start = time.perf_counter()
    z_test = np.asarray(method.transform(x_test), "float32")
    row["seconds_embed"] = time.perf_counter() - start
    row |= embedding_scores(z, y, z_test, y_test, x)
    if job.method in ("CompressionVAE", "PCA"):
        error = method.inverse_transform(z_test) - x_test
        row["rmse"] = float(np.sqrt(np.mean(np.square(error))) / float(x.max()))
    if job.dimensions == 2 and not isinstance(job, SeedJob):
        title = f"{job.method}, {job.data} test data, 5-NN {row['5-NN']:.3f}"
        names = GARMENTS if job.data == "fashion_mnist" else None
        with replacing(path.with_suffix(".png")) as figure:
            plot_embedding(z_test, y_test, names, title, str(figure))
    return {"row": row}, row["seconds_fit"]


class _TSNE:
    """openTSNE with scikit-learn's methods."""

    def __init__(self, dimensions, seed):
        from openTSNE import TSNE

        self.tsne = TSNE(n_components=dimensions, random_state=seed)

    def fit_transform(self, x):
        self.fitted = self.tsne.fit(x.astype("float32"))
        return self.fitted

    def transform(self, x):
        return self.fitted.transform(x.astype("float32"))


def make(job):
    """The method of a row: an object with `fit_transform` and `transform`.

    Args:
        job: a `Job`.

    Raises:
        ValueError: openTSNE or umap-learn is not installed.

    Example:
        >>> make(Job("digits", "PCA", 2)).n_components
        2
    """
    if job.method == "CompressionVAE":
        return CompressionVAE(
            dim_latent=job.dimensions, feature_normalization="images", random_state=job.seed
        )
    if job.method == "PCA":
        from sklearn.decomposition import PCA

        return PCA(job.dimensions, random_state=job.seed)
    try:
        if job.method == "t-SNE":
            return _TSNE(job.dimensions, job.seed)
        from umap import UMAP
    except ImportError as error:
        raise ValueError(
            f"{job.method} is not installed: pip install -e '.[embedding]' brings it."
        ) from error
    return UMAP(n_components=job.dimensions, random_state=job.seed)


def write(folder, results):
    """Write the table from the rows that are there, and the published ones.

    Args:
        folder: where `embedding.{csv,md}` go.
        results: list of `(job, result)`, as `rows.run_jobs` returns.

    Returns:
        Markdown of the table.

    Example:
        ```python
        text = write(Path("results"), rows.run_jobs(jobs_of(), run_row, "results/embedding_rows"))
        ```
    """
    found = [
        {"data": job.data, "dim": job.dimensions, "method": job.method, "source": "run here"}
        | result["row"]
        for job, result in results
        if result
    ]
    title = "Embeddings"
    if len(found) < len(results):
        title += f": {len(found)} of {len(results)} rows so far"
    sets = {job.data for job, _ in results}
    frame = pd.DataFrame(found + [row for row in PUBLISHED if row["data"] in sets])
    order = [*frame.columns[:4], "1-NN", "5-NN", "trust", "rmse", "seconds_fit"]
    order += ["cpu_seconds_fit", "seconds_embed"]
    return write_table(frame.reindex(columns=order), folder / NAME, title, rows.notes(NAME))


def run_seeds(folder, quick=False, data_dir=None, seeds=20):
    """Fit with each seed that `folder` does not hold yet, then write the table.

    Each row is kept in `<folder>/embedding_rows/seed_<number>/` when it is done.

    Args:
        folder: where `embedding_seeds.{csv,md}` go.
        quick: scikit-learn's digits instead of MNIST.
        data_dir: see `load_images`.
        seeds: how many, 0 to seeds - 1.

    Returns:
        Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, or the data cannot be read.

    Example:
        ```python
        text = run_seeds("results/quick", quick=True, seeds=3)
        ```
    """
    folder, data = claim(folder, "results"), "digits" if quick else "mnist"
    jobs = [SeedJob(data, "CompressionVAE", 2, seed) for seed in range(seeds)]

    def show(job, result):
        write_seeds(folder, [(job, job.saved(folder / FOLDER)) for job in jobs])

    run = partial(run_row, data_dir=data_dir)
    results = rows.run_jobs(jobs, run, folder / FOLDER, title="seeds", done=show)
    return write_seeds(folder, results)


def write_seeds(folder, results):
    """Write the table of seeds from the rows that are there.

    Args:
        folder: where `embedding_seeds.{csv,md}` go.
        results: list of `(job, result)`, as `rows.run_jobs` returns.

    Returns:
        Markdown of the table.

    Example:
        ```python
        text = write_seeds(Path("results"), results)
        ```
    """
    found = [{"seed": job.seed, **result["row"]} for job, result in results if result]
    frame = pd.DataFrame(found)
    near = frame["5-NN"]
    text = rows.notes(
        SEEDS_NAME,
        least=near.min(),
        greatest=near.max(),
        mean=near.mean(),
        deviation=f"{near.std():.4f}" if len(near) > 1 else "unknown from one seed",
    )
    order = ["seed", "1-NN", "5-NN", "trust", "rmse", "cpu_seconds_fit"]
    title = f"CompressionVAE, {len(frame)} seeds, {results[0][0].data}"
    return write_table(frame[order], folder / SEEDS_NAME, title, text)
