"""`cvae-keras table imputation`: `VADImputer` beside other imputers and the exact fill."""

import os
import time
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from cvae_keras.checks import check_choice, check_count
from cvae_keras.data.missing import draw_mar_mask, draw_mask
from cvae_keras.experiments import rows
from cvae_keras.experiments.auto_decoder.contests import CONTEST, average_ranks, rivals_of
from cvae_keras.experiments.auto_decoder.network_imputer import NetworkImputer
from cvae_keras.files import claim, expand, markdown, write_table
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.systems.auto_decoder.miwae import MIWAE
from cvae_keras.truth.linear_gaussian import conditional_mean

NAME = "imputation"
METHODS = (
    *("mean", "KNN", "iterative", "missForest", "missForest 100"),
    *("VAE redrawn masks", "MIWAE", "VAD"),
)
SLOW = ("missForest", "missForest 100", "VAE redrawn masks", "MIWAE")  # not in quick
GAUSSIANS = ("gaussian wishart", "gaussian AR", "gaussian factors")
FILES = ("letter", "spam")
BUNDLED = ("cancer", "diabetes", "wine", "digits")
TABLES = (*FILES, *BUNDLED, *GAUSSIANS)
SHARES = (0.2, 0.5)
MECHANISMS = ("MCAR", "MAR")  # missing completely at random, and at random


@dataclass(frozen=True)
class Job(rows.Job):
    """One row: a method on a table.

    Args:
        data: name of the table, see `load`.
        method: one of `METHODS`.
        quick: fewer rows of Gaussian data.
        seed: integer, of the missing cells and of the method.
        share: of the cells that are missing; None for 0.5 of Gaussian data and 0.2 of others. With
            "MAR" of those in columns that are not always observed.
        mechanism: one of `MECHANISMS`.

    Example:
        >>> Job("gaussian AR", "KNN").name, Job("wine", "KNN", seed=1, share=0.5).name
        ('gaussian_AR_KNN', 'wine_KNN_0.5_1')
        >>> Job("wine", "KNN", mechanism="MAR").name
        'wine_KNN_MAR'
    """

    holds = {"row": ("rmse", "seconds")}

    data: str
    method: str
    quick: bool = False
    seed: int = 0
    share: float | None = None
    mechanism: str = "MCAR"

    def __post_init__(self):
        if self.share is None:
            object.__setattr__(self, "share", _usual_share(self.data))

    @property
    def name(self):
        share = "" if self.share == _usual_share(self.data) else f"_{self.share:g}"
        mechanism = "" if self.mechanism == "MCAR" else f"_{self.mechanism}"
        seed = f"_{self.seed}" if self.seed else ""
        return f"{self.data}_{self.method}{share}{mechanism}{seed}".replace(" ", "_")

    @staticmethod
    def upgrade(config):
        """Files of earlier versions hold no share and no mechanism: each table had one."""
        return {"share": _usual_share(config["data"]), "mechanism": "MCAR", **config}


def _usual_share(data):
    return 0.5 if data in GAUSSIANS else 0.2


def run_table(
    folder, quick=False, data_dir=None, seed=0, data=None, masks=1, mechanisms=MECHANISMS
):
    """Run the rows that `folder` does not hold yet, then write the table.

    Each row is kept in `<folder>/imputation_rows/` when it is done. The table shows every row that
    the folder holds.

    Args:
        folder: where the table goes.
        quick: one small bundled table and one Gaussian, missing completely at random, without the
            methods in `SLOW`.
        data_dir: folder of `letter.csv` and `spam.csv`, or with them in `uci/`.
        seed: integer, of the missing cells and of the methods; with several masks, of the first.
        data: names of the tables that are run; None for all.
        masks: number of masks of each share, with the seeds that follow `seed`.
        mechanisms: some of `MECHANISMS`.

    Returns:
        The Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, the files are not there, an unknown table, or
            masks that are no positive number.

    Example:
        ```python
        text = run_table("results/quick", quick=True)
        ```
    """
    folder, masks = claim(folder, "results"), check_count("masks", masks)
    names = [check_choice("data", name, TABLES) for name in data or ()]
    names = names or (("cancer", GAUSSIANS[2]) if quick else TABLES)
    mechanisms = [check_choice("mechanism", each, MECHANISMS) for each in mechanisms]
    jobs = jobs_of(names, range(seed, seed + masks), quick, mechanisms)
    run = partial(run_job, data_dir=data_dir)
    rows.run_jobs(jobs, run, folder / f"{NAME}_rows", title=NAME)
    return write_saved(folder, quick, range(seed, seed + max(masks, 5)), names)


def write_saved(folder, quick=False, seeds=range(5), names=()):
    """Write the table of the rows that `folder` holds.

    Args:
        folder: with `imputation_rows/`.
        quick: as of `run_table`.
        seeds: of the masks.
        names: of tables beside those of the full table.

    Returns:
        The Markdown of the table.

    Example:
        ```python
        text = write_saved(Path("results"))
        ```
    """
    shown = jobs_of(dict.fromkeys((*TABLES, *names)), seeds, quick)
    saved = [(job, job.saved(folder / f"{NAME}_rows")) for job in shown]
    frame = pd.DataFrame(
        {name: getattr(job, name) for name in (*CONTEST, "method", "seed")} | held["row"]
        for job, held in saved
        if held is not None
    )
    title = "Imputation of tables" + (" (quick)" if quick else "")
    ranks, rivals = markdown(average_ranks(frame)), markdown(rivals_of("VAD", frame))
    absent = [method for method in METHODS if method not in set(frame["method"])]
    text = rows.notes(NAME, ranks=ranks, rivals=rivals, absent=", ".join(absent) or "none")
    table = summary(frame.drop(columns="seconds"))  # wall time depends on what else was running
    return write_table(table, folder / NAME, title, text)


def jobs_of(names, seeds, quick=False, mechanisms=MECHANISMS):
    """The rows of some tables: each method, mechanism, share of missing cells, and mask.

    Args:
        names: of the tables.
        seeds: of the masks.
        quick: one share of each table, completely at random, and no method in `SLOW`.
        mechanisms: some of `MECHANISMS`.

    Returns:
        List of `Job`.

    Example:
        >>> len(jobs_of(["wine"], range(2), quick=True))
        8
    """
    methods = [method for method in METHODS if not (quick and method in SLOW)]
    return [
        Job(name, method, quick, seed, share, mechanism)
        for name in names
        for mechanism in (MECHANISMS[:1] if quick else mechanisms)
        for share in ([None] if quick else SHARES)
        for seed in seeds
        for method in methods
    ]


def summary(frame):
    """Mean and standard deviation over the masks of each table, mechanism, share and method.

    Args:
        frame: `data`, `mechanism`, `share`, `method`, `seed` and the numbers of `run_row`.

    Returns:
        DataFrame, one row for each of these but the seed, with the number of `masks`.

    Example:
        >>> frame = pd.DataFrame({"data": ["a"] * 2, "mechanism": "MAR", "share": 0.2,
        ...                       "method": "KNN", "seed": [0, 1], "rmse": [1.0, 3.0]})
        >>> summary(frame)[["rmse", "rmse_std", "masks"]].iloc[0].tolist()
        [2.0, 1.4142135623730951, 2.0]
    """
    groups = frame.drop(columns="seed").groupby([*CONTEST, "method"], sort=False)
    table = groups.mean().reset_index()
    table.insert(5, "rmse_std", groups["rmse"].std().to_numpy())
    table.insert(6, "masks", groups.size().to_numpy())
    return table


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
    table = load(job.data, job.quick, data_dir, job.seed, job.share, job.mechanism)
    row = run_row(make(job.method, job.seed), *table)
    return {"row": row}, row["seconds"]


@lru_cache(maxsize=1)  # the methods of a table follow each other
def load(name, quick=False, data_dir=None, seed=0, share=None, mechanism="MCAR"):
    """A complete table, a mask of what is observed of it, and its covariance where it is known.

    Args:
        name: one of `TABLES`.
        quick: 500 rows of Gaussian data instead of 3,000.
        data_dir: as for `run_table`.
        seed: integer.
        share: of the cells that are missing, as for `Job`.
        mechanism: one of `MECHANISMS`.

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
    elif name in BUNDLED:
        import sklearn.datasets

        source = "breast_cancer" if name == "cancer" else name
        x = getattr(sklearn.datasets, f"load_{source}")().data.astype("float64")
        x = x[:, np.ptp(x, axis=0) > 0]  # some pixels of digits are always 0
    else:
        x = _read(name, data_dir or os.environ.get("CVAE_KERAS_DATA"))
    if covariance is None:
        x = (x - x.min(axis=0)) / np.maximum(np.ptp(x, axis=0), 1e-12)
    share = _usual_share(name) if share is None else share
    if mechanism == "MAR":
        return x, draw_mar_mask(x, share, [seed, 9]) > 0, covariance
    return x, draw_mask(x.shape, share, [seed, 8]) > 0, covariance


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

    if method.startswith("missForest"):
        trees, rounds = (100, 10) if method == "missForest 100" else (20, 3)
        forest = RandomForestRegressor(trees, max_features=1 / 3, n_jobs=-1, random_state=seed)
        return IterativeImputer(forest, max_iter=rounds, random_state=seed)
    return {
        "mean": SimpleImputer,
        "KNN": KNNImputer,
        "iterative": lambda: IterativeImputer(random_state=seed),
        "VAE redrawn masks": lambda: NetworkImputer(MaskedVAE, "given", seed),
        "MIWAE": lambda: NetworkImputer(MIWAE, "mask", seed),
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
