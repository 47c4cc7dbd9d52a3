"""`cvae-keras table imputation`: `VADImputer` beside scikit-learn's imputers and the exact fill."""

import os
import time
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from cvae_keras.data.missing import draw_mask
from cvae_keras.experiments import rows
from cvae_keras.files import claim, expand, write_table
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.truth.linear_gaussian import conditional_mean

NAME = "imputation"
METHODS = ("mean", "KNN", "iterative", "missForest", "VAD")
GAUSSIANS = ("gaussian wishart", "gaussian AR", "gaussian factors")
FILES = ("letter", "spam")


@dataclass(frozen=True)
class Job(rows.Job):
    """One row: a method on a table.

    Args:
        data: name of the table, see `load`.
        method: one of `METHODS`.
        quick: fewer rows of Gaussian data.
        seed: integer, of the missing cells and of the method.

    Example:
        >>> Job("gaussian AR", "KNN").name
        'gaussian_AR_KNN'
    """

    holds = {"row": ("rmse", "seconds")}

    data: str
    method: str
    quick: bool = False
    seed: int = 0

    @property
    def name(self):
        return f"{self.data}_{self.method}".replace(" ", "_")


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the rows that `folder` does not hold yet, then write the table.

    Each row is kept in `<folder>/imputation_rows/` when it is done.

    Args:
        folder: where the table goes.
        quick: one small bundled table and one Gaussian, without missForest.
        data_dir: folder of `letter.csv` and `spam.csv`, or with them in `uci/`.
        seed: integer, of the missing cells and of the methods.

    Returns:
        The Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, or the files are not there.

    Example:
        ```python
        text = run_table("results/quick", quick=True)
        ```
    """
    folder = claim(folder, "results")
    names = ("cancer", GAUSSIANS[2]) if quick else (*FILES, *GAUSSIANS)
    methods = [method for method in METHODS if not (quick and method == "missForest")]
    jobs = [Job(name, method, quick, seed) for name in names for method in methods]
    run = partial(run_job, data_dir=data_dir)
    results = rows.run_jobs(jobs, run, folder / f"{NAME}_rows", title=NAME)
    frame = pd.DataFrame(
        {"data": job.data, "method": job.method, **result["row"]} for job, result in results
    )
    title = "Imputation of tables" + (" (quick)" if quick else "")
    return write_table(frame, folder / NAME, title, rows.notes(NAME))


def run_job(job, path=None, data_dir=None):
    """Run one job.

    A row that is killed starts anew: the longest, VAD on letter, takes less than two minutes.

    Args:
        job: a `Job`.
        path: not used; nothing is saved beside the result.
        data_dir: as for `run_table`.

    Returns:
        `(result, seconds)`: a dictionary of `row`, and the wall time of the method.

    Example:
        ```python
        result, seconds = run_job(Job("cancer", "KNN"))
        ```
    """
    row = run_row(make(job.method, job.seed), *load(job.data, job.quick, data_dir, job.seed))
    return {"row": row}, row["seconds"]


@lru_cache(maxsize=1)  # the methods of a table follow each other
def load(name, quick=False, data_dir=None, seed=0):
    """A complete table, a mask of what is observed of it, and its covariance where it is known.

    Args:
        name: "letter", "spam", "cancer" or one of `GAUSSIANS`.
        quick: 500 rows of Gaussian data instead of 3,000.
        data_dir: as for `run_table`.
        seed: integer.

    Returns:
        `(x, mask, covariance)`: `(rows, columns)` twice, and `(columns, columns)` or None.

    Raises:
        ValueError: the file is not there.

    Example:
        >>> x, mask, covariance = load("gaussian AR", quick=True)
        >>> x.shape
        (500, 20)
    """
    rng, covariance = np.random.default_rng([seed, 7]), None
    if name in GAUSSIANS:
        factors = rng.normal(size=(20, 4))
        square = rng.normal(size=(20, 20))
        covariance = {
            "gaussian wishart": square @ square.T / 20 + 0.1 * np.eye(20),
            "gaussian AR": 0.8 ** np.abs(np.subtract.outer(np.arange(20), np.arange(20))),
            "gaussian factors": factors @ factors.T + 0.3 * np.eye(20),
        }[name]
        x = rng.multivariate_normal(np.zeros(20), covariance, size=500 if quick else 3000)
    elif name == "cancer":
        from sklearn.datasets import load_breast_cancer

        x = load_breast_cancer().data
    else:
        x = _read(name, data_dir or os.environ.get("CVAE_KERAS_DATA"))
    if covariance is None:
        x = (x - x.min(axis=0)) / np.maximum(np.ptp(x, axis=0), 1e-12)
    return x, draw_mask(x.shape, 0.2 if covariance is None else 0.5, [seed, 8]) > 0, covariance


def _read(name, data_dir):
    if data_dir is None:
        raise ValueError(
            f"{name}.csv comes from archive.ics.uci.edu: name its folder with --data-dir, or "
            f"CVAE_KERAS_DATA."
        )
    for path in (expand(data_dir) / "uci" / f"{name}.csv", expand(data_dir) / f"{name}.csv"):
        if path.is_file():
            return pd.read_csv(path).to_numpy("float64")
    raise ValueError(f"{data_dir} holds neither {name}.csv nor uci/{name}.csv: put it there.")


def make(method, seed):
    """The imputer of a row.

    Args:
        method: one of `METHODS`.
        seed: integer.

    Example:
        >>> make("KNN", 0).n_neighbors
        5
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401, scikit-learn asks for it
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    if method == "missForest":
        forest = RandomForestRegressor(20, max_features=1 / 3, n_jobs=-1, random_state=seed)
        return IterativeImputer(forest, max_iter=3, random_state=seed)
    return {
        "mean": SimpleImputer,
        "KNN": KNNImputer,
        "iterative": lambda: IterativeImputer(random_state=seed),
        "VAD": lambda: VADImputer(random_state=seed),
    }[method]()


def run_row(imputer, x, mask, covariance=None, draws=200):
    """Remove cells, fit, fill, and compare with what was removed.

    Args:
        imputer: with scikit-learn's `fit_transform`.
        x: `(rows, columns)`, complete.
        mask: `(rows, columns)` of booleans, True where x is observed.
        covariance: `(columns, columns)`, or None where it is not known.
        draws: posterior draws for the intervals, where the covariance is known and the imputer has
            a `sample`.

    Returns:
        Dictionary of `rmse`, `over_best`, `covered`, `seconds` and `cpu_seconds`.

    Example:
        >>> 0.1 < run_row(make("mean", 0), *load("cancer"))["rmse"] < 0.2
        True
    """
    incomplete, missing = np.where(mask, x, np.nan), ~mask
    wall, cpu = time.perf_counter(), time.process_time()
    filled = imputer.fit_transform(incomplete)
    row = {"rmse": float(np.sqrt(np.mean((filled - x)[missing] ** 2)))}
    spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    if covariance is not None:
        best = conditional_mean(x, mask, np.zeros(x.shape[1]), covariance)
        row["over_best"] = row["rmse"] ** 2 / float(np.mean((best - x)[missing] ** 2))
        if hasattr(imputer, "sample"):
            low, high = np.quantile(imputer.sample(incomplete, draws), (0.05, 0.95), axis=0)
            row["covered"] = float(np.mean(((x >= low) & (x <= high))[missing]))
    return {**row, **spent}
