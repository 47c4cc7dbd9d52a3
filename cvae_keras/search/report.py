"""The results of a search on disk: a table of all trials, a summary, figures, the best model."""

import json
import shutil
from pathlib import Path

import pandas as pd

from cvae_keras.files import (
    fill_template,
    manifest,
    markdown,
    replacing,
    write_csv,
    write_json,
    write_text,
)
from cvae_keras.plots.search import (
    plot_best_so_far,
    plot_marginals,
    plot_parallel,
    plot_weighted_loss,
)
from cvae_keras.plots.style import DPI
from cvae_keras.search.journal import PRUNED, diverged, pruned, raised, results_of
from cvae_keras.search.oracles import grid_cells
from cvae_keras.search.pruning import SHARE
from cvae_keras.search.tuner import delete_trial, model_path

PACKAGE = "cvae_keras.search"
SHOWN = 10
LAST = ["val_loss", "epochs", "seed", "seconds"]


def table(oracle, objective):
    """All trials that ended, in the order of their numbers.

    Args:
        oracle: of `cvae_keras.search.oracles`.
        objective: name of the objective.

    Returns:
        pandas DataFrame: `trial`, `status` ("completed", "pruned", "diverged", "failed"),
        hyperparameters, the objective, its parts, and `val_loss`, `epochs`, `seed`, `seconds`.

    Example:
        ```python
        table(oracle, "score").sort_values("score")
        ```
    """
    rows = []
    for trial_id in sorted(set(oracle.end_order)):
        trial = oracle.trials[trial_id]
        metrics = results_of(trial)
        kinds = {"failed": raised, "diverged": diverged, "pruned": pruned}
        status = next((name for name, is_so in kinds.items() if is_so(trial)), "completed")
        metrics.pop(PRUNED, None)
        rows.append({"trial": int(trial_id), "status": status, **trial.hyperparameters.values})
        rows[-1] |= {name: metrics[name] for name in metrics if name not in LAST}
        rows[-1] |= {name: metrics.get(name) for name in LAST}
    frame = pd.DataFrame(rows)
    if rows:  # a failed trial has none, which would turn those of the others into floats
        frame = frame.astype({"epochs": "Int64", "seed": "Int64"})
    if objective in frame:  # first of the results
        names = [*tuned(oracle), objective]
        others = [name for name in frame if name not in {"trial", "status", *names}]
        frame = frame[["trial", "status", *(n for n in names if n in frame), *others]]
    return frame


def tuned(oracle):
    """Names of the hyperparameters of a search."""
    return [hp.name for hp in oracle.get_space().space]


def write_trials(folder, oracle):
    """Write `trials.csv` with the trials that ended so far, and return them."""
    frame = table(oracle, oracle.objective.name)
    write_csv(frame, Path(folder) / "trials.csv", digits=8)
    return frame


def write(folder, oracle, settings, seconds, weights=("beta",)):
    """Write all results of a search.

    Args:
        folder: where to.
        oracle: of a search that is over, or was stopped.
        settings: as of `search.run`.
        seconds: wall time of this process.
        weights: names of the hyperparameters that are weights of the loss.

    Returns:
        The table of the trials.

    Example:
        ```python
        write(Path("runs"), oracle, settings, 60.0, hypermodel.weights)
        ```
    """
    folder, goal = Path(folder), oracle.objective
    frame = write_trials(folder, oracle)
    done = frame[frame["status"] == "completed"] if len(frame) else frame
    if not len(done):
        return frame
    done = done.sort_values(goal.name, ascending=goal.direction == "min", kind="stable")
    best, names = done.iloc[0], tuned(oracle)
    values = {name: done[name].tolist()[0] for name in names if pd.notna(best[name])}
    source = model_path(folder, oracle.get_best_trials(1)[0].trial_id)
    if source.exists():
        with replacing(folder / "best.keras") as path:
            shutil.copyfile(source, path)
    about = manifest(settings, seconds) | {"seconds_of_trials": float(frame["seconds"].sum())}
    result = {"trial": int(best["trial"]), goal.name: float(best[goal.name])}
    write_json(folder / "best.json", {**result, "hyperparameters": values, "manifest": about})
    figures = {
        "best_so_far.png": plot_best_so_far(frame, goal),
        "marginals.png": plot_marginals(frame, names, goal),
        "parallel.png": plot_parallel(frame, names, goal),
    }
    text = _summary(frame, done, oracle, settings)
    weights = [name for name in weights if name in names]
    if weights and len(done) > 2:
        figures["weighted_loss.png"] = plot_weighted_loss(done, goal, weights)
        text += _weighted(done, weights, goal)
    for name, figure in figures.items():
        with replacing(folder / name) as path:
            figure.savefig(path, dpi=DPI)
    write_text(folder / "summary.md", text)
    return frame


def _summary(frame, done, oracle, settings):
    goal = oracle.objective
    counts = frame["status"].value_counts().to_dict()
    counted = ", ".join(f"{number} {status}" for status, number in counts.items())
    counted = f"{len(frame)} trials: {counted}; {frame['seconds'].sum():,.0f} s in trials."
    if settings["strategy"] == "grid":
        counted += f" The grid has {len(grid_cells(oracle.get_space()))} cells."
    if settings.get("prune"):
        counted += (
            f" A pruned trial was stopped after {SHARE:.0%} of its epochs, since its score, "
            f"`rung_score`, was worse there than the median of the trials before it."
        )
    hypermodel = settings["hypermodel"]
    data = hypermodel.get("data") or hypermodel.get("config", "")
    shown = done.head(SHOWN).drop(columns="status")
    return fill_template(
        PACKAGE,
        "summary",
        title=f"{hypermodel['class']} {data}, {settings['strategy']}, seed {settings['seed']}",
        counts=f"{counted}\n\n`{json.dumps({k: v for k, v in settings.items() if k != 'space'})}`",
        name=goal.name,
        direction={"min": "lower is better", "max": "higher is better"}[goal.direction],
        shown=len(shown),
        table=markdown(shown),
        patience=settings["patience"],
    )


def _weighted(done, weights, goal):
    chosen = done.loc[done["val_loss"].idxmin()]
    ranks = done[["val_loss", goal.name]].assign(weights=done[weights].sum(axis=1)).rank().corr()
    return fill_template(
        PACKAGE,
        "weighted_loss",
        least=chosen["val_loss"],
        chosen=int(chosen["trial"]),
        values=", ".join(f"{name} {chosen[name]:.3g}" for name in weights),
        score=chosen[goal.name],
        best=done[goal.name].iloc[0],
        correlation=ranks.loc["val_loss", goal.name],
        weights=ranks.loc["val_loss", "weights"],
    )


def clean(folder, oracle, executions):
    """Delete the models and checkpoints of single trials, once the best is saved.

    They stay where a trial raised: a resumed search will run it again.

    Args:
        folder: of the search.
        oracle: of a search that is over.
        executions: trainings per trial.

    Example:
        ```python
        clean(Path("runs"), oracle, executions=1)
        ```
    """
    if not any(raised(trial) for trial in oracle.trials.values()):
        for trial_id in oracle.trials:
            delete_trial(folder, trial_id, executions)
