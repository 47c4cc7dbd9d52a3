"""`cvae-keras table imputation`: `VADImputer` beside scikit-learn's imputers and the exact fill."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.missing import draw_mask
from cvae_keras.files import manifest, open_folder, saved_result, write_json, write_table
from cvae_keras.systems.auto_decoder.imputer import VADImputer
from cvae_keras.truth.linear_gaussian import conditional_mean

NAME = "imputation"
METHODS = ("mean", "KNN", "iterative", "missForest", "VAD")
GAUSSIANS = ("gaussian wishart", "gaussian AR", "gaussian factors")
FILES = ("letter", "spam")
NOTES = """
rmse: root mean squared error on the hidden cells of the table that the method was fitted on. The
UCI tables (letter, spam) and scikit-learn's cancer are brought to [0, 1] by the least and greatest
value of each column, and a fifth of the cells is hidden completely at random.

gaussian: 3,000 rows (quick: 500) of 20 Gaussian columns of known covariance, half of the cells
hidden; over_best is the mean squared error over that of the conditional mean, the best there is;
covered the share of hidden values within 90 % intervals of 200 posterior draws.

mean, KNN and iterative are scikit-learn's `SimpleImputer`, `KNNImputer` and `IterativeImputer` as
they come; missForest is `IterativeImputer` with random forests (20 trees, a third of the columns a
split, 3 rounds: the original has 100 trees and up to 10 rounds); VAD is `VADImputer` as it comes.
"""


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the rows that `folder` does not hold yet, then write the table.

    Each row is kept in `<folder>/imputation_rows/` as soon as it is there.

    Args:
        folder: where the table goes; quick: one small bundled table and one Gaussian, without
            missForest; data_dir: folder of `letter.csv` and `spam.csv`, or with them in `uci/`;
            seed: integer, of the holes and of the methods.

    Returns:
        The Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, or the files are not there.

    Example:
        >>> text = run_table("results/quick", quick=True)
    """
    folder = open_folder(folder)
    rows_folder = open_folder(folder / f"{NAME}_rows")
    names = ("cancer", GAUSSIANS[2]) if quick else (*FILES, *GAUSSIANS)
    rows = []
    for name in tqdm(names, desc="tables", unit="table"):
        x, mask, covariance = load(name, quick, data_dir, seed)
        for method in METHODS:
            if quick and method == "missForest":
                continue
            config = {"data": name, "method": method, "quick": quick, "seed": seed}
            path = rows_folder / f"{name}_{method}.json".replace(" ", "_")
            if saved_result(path, config) is None:
                row = run_row(make(method, seed), x, mask, covariance)
                about = manifest(config, row["seconds"])
                write_json(path, {"row": row, "manifest": about})
            rows.append({"data": name, "method": method, **saved_result(path, config)["row"]})
    title = "Imputation of tables" + (" (quick)" if quick else "")
    return write_table(pd.DataFrame(rows), folder / NAME, title, NOTES)


def load(name, quick=False, data_dir=None, seed=0):
    """A table without holes, a mask of what is seen of it, and its covariance where it is known.

    Args:
        name: "letter", "spam", "cancer" or one of `GAUSSIANS`; the others as for `run_table`.

    Returns:
        `(x, mask, covariance)`: `(rows, columns)` twice, and `(columns, columns)` or None.

    Raises:
        ValueError: the file is not there.

    Example:
        >>> x, mask, covariance = load("gaussian AR", quick=True)
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
    for path in (Path(data_dir) / "uci" / f"{name}.csv", Path(data_dir) / f"{name}.csv"):
        if path.is_file():
            return pd.read_csv(path).to_numpy("float64")
    raise ValueError(f"{data_dir} holds neither {name}.csv nor uci/{name}.csv: put it there.")


def make(method, seed):
    """The imputer of a row."""
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
    """Hide, fit, fill, and compare with what was hidden.

    Args:
        imputer: of scikit-learn's kind; x, mask, covariance: of `load`; draws: for the intervals,
            where the covariance is known and the imputer has `sample`.

    Returns:
        Dictionary of `rmse`, `over_best`, `covered`, `seconds` and `cpu_seconds`.

    Example:
        >>> run_row(make("KNN", 0), *load("cancer"))["rmse"]
    """
    holed, hidden = np.where(mask, x, np.nan), ~mask
    wall, cpu = time.perf_counter(), time.process_time()
    filled = imputer.fit_transform(holed)
    row = {"rmse": float(np.sqrt(np.mean((filled - x)[hidden] ** 2)))}
    spent = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    if covariance is not None:
        best = conditional_mean(x, mask, np.zeros(x.shape[1]), covariance)
        row["over_best"] = row["rmse"] ** 2 / float(np.mean((best - x)[hidden] ** 2))
        if hasattr(imputer, "sample"):
            low, high = np.quantile(imputer.sample(holed, draws), (0.05, 0.95), axis=0)
            row["covered"] = float(np.mean(((x >= low) & (x <= high))[hidden]))
    return {**row, **spent}
