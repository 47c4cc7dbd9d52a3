"""`cvae-keras table search`: the strategies side by side, and against the test-case table."""

import re

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from cvae_keras.data.arrays import read_arrays
from cvae_keras.data.sinusoid import TASKS, load
from cvae_keras.experiments import rows as shared
from cvae_keras.experiments.sinusoid.cases import read_best, searched_network
from cvae_keras.files import expand, markdown, read_json, replacing, write_table
from cvae_keras.metrics.modes import combine, posterior_score
from cvae_keras.systems.saved import load_model

NAME = re.compile(r"search_sinusoid_(?:conv_)?(\d)_(\w+)_(\d+)")
SAME = ["network", "seed", "trials"]
PAIRS = 2  # of searches, without which there is no test


def run_table(folder, task, rows_folder=None):
    """Gather the sinusoid searches in a folder in one table, and compare their strategies.

    Args:
        folder: which holds `search_sinusoid_conv_<task>_<strategy>_<seed>/`, of the deep network,
            and `search_sinusoid_<task>_<strategy>_<seed>/`, of the original one, or some of them,
            and where the table `search_sinusoid_<task>.{csv,md}` goes.
        task: 1 or 2.
        rows_folder: of the rows of the test-case table; None for `sinusoid_rows` in the folder.

    Returns:
        The table as Markdown.

    Raises:
        ValueError: there are no searches, or no rows to compare them with.

    Example:
        ```python
        text = run_table(RESULTS, task=1)
        ```
    """
    folder, name = expand(folder), f"data_{task}"
    published = best_published(rows_folder or folder / "sinusoid_rows", name)
    rows = []
    for path in sorted(folder.glob("search_sinusoid_*/best.json")):
        found = NAME.fullmatch(path.parent.name)
        if not found or int(found[1]) != task:
            continue
        trials, best = pd.read_csv(path.parent / "trials.csv"), read_best(path)
        test = float(on_test(path.parent, name)["score"])
        row = {"network": searched_network(best), "strategy": found[2], "seed": int(found[3])}
        row["trials"] = len(trials)
        row |= {name: int((trials["status"] == name).sum()) for name in ("diverged", "pruned")}
        row |= {"score": best["score"], "score_on_test": test, "published_row": published["score"]}
        row["better_than_published"] = test < published["score"]
        rows.append({**row, "minutes": trials["seconds"].sum() / 60})
    if not rows:
        raise ValueError(f"{folder} holds no finished search of task {task}: run one first.")
    frame = pd.DataFrame(rows)
    random = _random_scores(frame)
    same = zip(*(frame[name] for name in SAME), strict=True)
    pairs = zip(frame["strategy"], same, frame["score"], strict=True)
    frame["better_than_random"] = [
        str(score < random[key]) if strategy != "random" and key in random.index else ""
        for strategy, key, score in pairs
    ]
    compared = markdown(strategies(frame))
    notes = shared.notes("searches", **published, strategies=compared)
    title = f"Hyperparameter searches of sinusoid task {task}"
    return write_table(frame, folder / f"search_sinusoid_{task}", title, notes)


def strategies(frame):
    """The searches of a network and a strategy in one row, over their seeds.

    Args:
        frame: pandas DataFrame of `network`, `strategy`, `seed`, `trials`, `score`,
            `score_on_test`, `minutes`; a row is a search.

    Returns:
        pandas DataFrame: means, and standard deviations of the scores (missing for one seed); `p`,
        that of the one-sided Wilcoxon signed-rank test of the scores against those of the random
        searches of the same network, seed and number of trials, missing for fewer than two pairs.

    Example:
        ```python
        strategies(pd.read_csv(RESULTS / "search_sinusoid_1.csv"))
        ```
    """
    random, rows = _random_scores(frame).rename("random"), []
    for (network, strategy), group in frame.groupby(["network", "strategy"]):
        row = {"network": network, "strategy": strategy, "seeds": len(group)}
        row |= {name: group[name].mean() for name in ("trials", "minutes")}
        for name in ("score", "score_on_test"):
            row |= {f"{name}_mean": group[name].mean(), f"{name}_std": group[name].std()}
        pairs = group.join(random, on=SAME, how="inner") if strategy != "random" else []
        p = np.nan
        if len(pairs) >= PAIRS:
            p = float(wilcoxon(pairs["score"], pairs["random"], alternative="less").pvalue)
        rows.append({**row, "pairs": len(pairs), "p": p})
    return pd.DataFrame(rows)


def _random_scores(frame):
    """The scores of the random searches, by what a search must share to be compared with one."""
    random = frame[frame["strategy"] == "random"].drop_duplicates(SAME)
    return random.set_index(SAME)["score"]


def on_test(folder, name):
    """The best model of a search on the scoring curves, kept in `<folder>/on_test.npz`.

    Args:
        folder: of the search.
        name: of the data set.

    Returns:
        Dictionary of arrays: the parts of `posterior_score`, and `samples` `(100, 3, points, 2)` of
        the first three curves.

    Raises:
        ValueError: it is not kept, and the search's model is not there.

    Example:
        ```python
        float(on_test(RESULTS / "search_sinusoid_1_bayesian_0", "data_1")["score"])
        ```
    """
    path, trial = folder / "on_test.npz", read_best(folder / "best.json")["trial"]
    kept = _read(path)
    if kept.get("trial") != trial:
        if not (folder / "best.keras").exists():
            raise ValueError(f"{folder} holds no best.keras: run its search again in a new folder.")
        _, y = load(name, "score")
        samples = load_model(folder / "best.keras").sample(y, n_samples=100, seed=0)
        parts = posterior_score(TASKS[name], samples, y)
        with replacing(path) as partial:
            np.savez_compressed(partial, trial=trial, samples=samples[:, :3], **parts)
        kept = _read(path)
    return kept


def _read(path):
    return read_arrays(path, kinds="fiubU") if path.exists() else {}


def best_published(folder, name):
    """The best score among the rows of the original reduction, that of SidWorks01's network.

    Args:
        folder: of the rows, `<data>_<label>_original.json`.
        name: of the data set.

    Returns:
        Dictionary of `score`, `label`, `examples`, `epochs`.

    Raises:
        ValueError: there are none.

    Example:
        ```python
        best_published(RESULTS / "sinusoid_rows", "data_1")["label"]
        ```
    """
    rows = []
    for path in expand(folder).glob(f"{name}_*_original.json"):
        saved = read_json(path)
        row, config = saved["row"], saved["manifest"]["config"]
        score = combine(row["residual"], row["recall"], row["total_variation"])
        rows.append({"score": score, **{k: config[k] for k in ("label", "examples", "epochs")}})
    if not rows:
        raise ValueError(f"{folder} holds no rows of {name}: run `cvae-keras table sinusoid`.")
    return min(rows, key=lambda row: row["score"])
