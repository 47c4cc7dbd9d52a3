"""What an imputer has filled in each column of a table, and how uncertain that is."""

import numpy as np
import pandas as pd


def fill_report(frame, filled, draws, probabilities):
    """One row per column with missing cells.

    Args:
        frame: DataFrame with missing cells.
        filled: the completed DataFrame, from `VADImputer.transform`.
        draws: list of completed DataFrames, from `VADImputer.sample`.
        probabilities: from `VADImputer.predict_proba_missing`.

    Returns:
        DataFrame of `column`; `missing`, its number of missing cells; `filled`, how many of them
        are filled; `uncertainty`, the mean over these; and `as`, what that is: "deviation" is the
        standard deviation of a cell's draws, in the unit of the column, and "chance of error" one
        minus the probability of the label that was filled in.

    Example:
        >>> frame = pd.DataFrame({"age": [3.0, None]})
        >>> draws = [frame.fillna(1.0), frame.fillna(3.0)]
        >>> fill_report(frame, frame.fillna(2.0), draws, {}).round(3).to_numpy().tolist()
        [['age', 1, 1, 1.414, 'deviation']]
    """
    rows = []
    for name in frame.columns[frame.isna().any()]:
        missing = frame[name].isna().to_numpy()
        done = int(filled[name][missing].notna().sum())
        row = {"column": name, "missing": int(missing.sum()), "filled": done}
        if not done:
            row |= {"uncertainty": np.nan, "as": "left out"}
        elif name in probabilities:
            error = 1.0 - probabilities[name].max(axis=1).mean()
            row |= {"uncertainty": float(error), "as": "chance of error"}
        else:
            drawn = np.stack([draw[name][missing].to_numpy(dtype="float64") for draw in draws])
            deviation = drawn.std(axis=0, ddof=1).mean()
            row |= {"uncertainty": float(deviation), "as": "deviation"}
        rows.append(row)
    return pd.DataFrame(rows)
