"""Methods compared over contests: average ranks, and one method beside each rival. NumPy, SciPy."""

import numpy as np
import pandas as pd

CONTEST = ("data", "mechanism", "share")


def average_ranks(frame):
    """The average rank of each method by its error, 1 the best, where all methods were run.

    Args:
        frame: `data`, `mechanism`, `share`, `method`, `seed` and `rmse`. Two ways of one method,
            such as "missForest" and "missForest 100", count as two methods.

    Returns:
        DataFrame with `method`, its `average rank`, the number of its `firsts`, and of `contests`:
        those in which every method of the frame has a row with the same mask. A contest is a table,
        mechanism and share; errors are means over such masks.

    Example:
        >>> frame = pd.DataFrame({"data": list("aabb"), "mechanism": "MAR", "share": 0.2,
        ...                       "seed": 0, "method": ["KNN", "VAD"] * 2,
        ...                       "rmse": [2.0, 1.0, 3.0, 1.0]})
        >>> average_ranks(frame)["average rank"].tolist()
        [1.0, 2.0]
    """
    errors = _errors(frame)
    ranks = errors.rank(axis=1)
    found = pd.DataFrame({"average rank": ranks.mean(), "firsts": (ranks == 1).sum()})
    found = found.assign(contests=len(errors)).sort_values("average rank", kind="stable")
    return found.rename_axis("method").reset_index()


def rivals_of(method, frame):
    """One method beside each other one, over the contests in which both were run.

    The test is Wilcoxon's, of the mean logarithm of the ratio of each table: contests on one table
    are not independent.

    Args:
        method: name of the method.
        frame: as for `average_ranks`.

    Returns:
        DataFrame, a row per rival, in the order of the frame: the number of `contests` with rows of
        both for the same mask, the share of them in which the method's error is `lower` (equal
        errors count half), the geometric mean of the `ratio` of its error to the rival's, the
        number of `tables`, and the two-sided `p`.

    Source: Demsar, "Statistical comparisons of classifiers over multiple data sets", 2006.

    Example:
        >>> frame = pd.DataFrame({"data": list("aabb"), "mechanism": "MAR", "share": 0.2,
        ...                       "seed": 0, "method": ["KNN", "VAD"] * 2,
        ...                       "rmse": [2.0, 1.0, 8.0, 1.0]})
        >>> rivals_of("VAD", frame)[["contests", "lower", "ratio", "p"]].iloc[0].tolist()
        [2.0, 1.0, 0.25, 0.5]
    """
    from scipy.stats import wilcoxon  # takes half a second to import

    found = []
    for rival in frame["method"].unique():
        errors = _errors(frame[frame["method"].isin((method, rival))])
        if rival == method or rival not in errors or method not in errors or errors.empty:
            continue
        logs = np.log(errors[method] / errors[rival])
        lower = np.mean((logs < 0) + 0.5 * (logs == 0))
        tables = logs.groupby("data").mean()
        p = wilcoxon(tables, zero_method="zsplit").pvalue if tables.any() else 1.0
        line = {"rival": rival, "contests": len(logs), "lower": lower}
        found.append({**line, "ratio": np.exp(logs.mean()), "tables": len(tables), "p": p})
    return pd.DataFrame(found, columns=["rival", "contests", "lower", "ratio", "tables", "p"])


def _errors(frame):
    """Mean errors over the masks for which all methods have a row: contests x methods."""
    masks = frame.pivot_table("rmse", [*CONTEST, "seed"], "method").dropna()
    return masks.groupby(list(CONTEST)).mean()
