"""A search from its settings to its results: started, resumed, shared among processes."""

import json
import time
from contextlib import nullcontext

import keras_tuner
import numpy as np
from tqdm.auto import tqdm

from cvae_keras import files
from cvae_keras.checks import RunError, check_choice, check_count
from cvae_keras.search import report, workers
from cvae_keras.search.journal import Journal
from cvae_keras.search.oracles import STRATEGIES, grid_cells
from cvae_keras.search.tuner import ERRORS, SEEDS, TRIALS, Tuner, delete_model

TRIALS_ASKED = 30
CONTENT, SETTINGS, JOURNAL = "search", "search.json", "journal.jsonl"
#: The settings that every search has, and their types.
COUNTS = ("epochs", "executions", "patience", "seed")
#: Hypermodels as older searches name them -> their names now.
RENAMED = {"TestbedHyperModel": "DenseHyperModel", "VADHyperModel": "AutoDecoderHyperModel"}


def run(
    hypermodel,
    space=None,
    folder="runs/search",
    strategy="bayesian",
    trials=None,
    epochs=10,
    executions=1,
    patience=3,
    seed=0,
    resume=False,
    processes=None,
    prune=False,
):
    """Search hyperparameters: try, score, keep the best, write tables and figures.

    Args:
        hypermodel: a `SystemHyperModel`.
        space: `keras_tuner.HyperParameters`, what to tune; all else keeps the default that the
            hypermodel gives it. By default all that the hypermodel's `build` asks for, and for a
            grid the hypermodel's `grid()`.
        folder: where `trials.csv`, `summary.md`, figures, `best.keras`, and the journal go.
        strategy: "bayesian", "random", "grid" (every combination once) or "hyperband" (many trials
            of few epochs, of which the best go on).
        trials: how many; by default 30, and for a grid all; Hyperband decides that itself.
        epochs: of a trial, at most.
        executions: trainings per trial, whose scores are averaged.
        patience: epochs without a lower validation loss before a training stops.
        seed: integer in [0, 2^32); the seeds of all trials follow from it and their number.
        resume: go on with the search that the folder holds; its settings must be the same.
        processes: workers that `workers.on_this_machine` started, if there are any.
        prune: stop a trial early if its score is worse than the median of the trials before it, see
            `cvae_keras.search.pruning.MedianRule`. It is recorded as "pruned" and has no score.

    Returns:
        pandas DataFrame, one row per trial, as in `trials.csv`; None in a worker process.

    Raises:
        ValueError: the folder holds a search and resume is False, one with other settings, or files
            of others; an unknown strategy, a space that has no grid, a damaged file.
        RunError: three trials in a row raised, no trial gave a result, all workers ended, or no
            chief answers.

    Example:
        ```python
        rows = search.run(SinusoidHyperModel(), folder="runs/mine", strategy="random", trials=5)
        rows.sort_values("score").iloc[0]
        ```
    """
    check_choice("strategy", strategy, STRATEGIES)
    counts = {"epochs": epochs, "executions": executions, "patience": patience}
    counts = {name: check_count(name, value) for name, value in counts.items()}
    if space is None and strategy == "grid":
        space = hypermodel.grid()
    size = _size(strategy, space, trials, counts)
    if prune and (strategy == "hyperband" or counts["executions"] > 1):
        raise ValueError(
            "prune needs trials of one training each, and a strategy other than hyperband, which "
            "stops trials itself: leave it out."
        )
    if strategy == "bayesian":
        size["ratios"] = hypermodel.ratios
    seed, who = _check_seed(seed), workers.role()
    if who == "worker":
        workers.end_with_parent()
        workers.await_chief()
    listening = workers.listening() if who == "chief" else nullcontext()
    with listening as server:
        folder = _open(folder, resume or who == "worker")
        journal = None if who == "worker" else Journal(folder / JOURNAL)
        oracle = STRATEGIES[strategy](
            journal=journal,
            objective=hypermodel.objective,
            hyperparameters=space,
            tune_new_entries=space is None,
            seed=seed,
            **size,
        )
        # asks `build` for its space
        tuner = Tuner(oracle, hypermodel, folder, **counts, seed=seed, prune=prune)
        settings = {"strategy": strategy, "trials": size.get("max_trials"), "seed": seed, **counts}
        settings["space"] = oracle.get_space().get_config()["space"]
        settings["hypermodel"] = hypermodel.get_config()
        settings |= {"prune": True} if prune else {}  # older searches do not name it
        plain = json.loads(json.dumps(settings))
        claim(folder, plain, resume or who == "worker", write=who != "worker")
        if who == "worker":
            workers.work(tuner)
            return None
        return _lead(tuner, oracle, settings, server, processes)


def _check_seed(seed):
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < SEEDS:
        raise ValueError(
            f"seed must be an integer in [0, 2^32), got {seed!r}: choose for instance 0."
        )
    return int(seed)


def _open(folder, resume):
    """Make sure that a folder is of a search, before anything in it is touched."""
    folder = files.expand(folder)
    held = (folder / SETTINGS).exists()
    if held:
        read_settings(folder)  # a folder of an older version has this and no marker
        if not resume:
            _refuse_to_start(folder)
    for name in (TRIALS, ERRORS):
        if (folder / name).is_symlink():
            raise ValueError(f"{folder / name} is a link: remove it, or name another folder.")
    return files.claim(folder, CONTENT, older=held)


def _refuse_to_start(folder):
    raise ValueError(f"{folder} holds a search: resume it (--resume), or name another folder.")


def read_settings(folder):
    """The settings of the search that a folder holds.

    Args:
        folder: with a `search.json`.

    Returns:
        Dictionary, as `claim` was given it.

    Raises:
        ValueError: the file is damaged, or not of a search.

    Example:
        ```python
        read_settings("runs/mine")["strategy"]
        ```
    """
    path = files.expand(folder) / SETTINGS
    settings = files.read_json(path).get("config")
    wrong = "config" if not isinstance(settings, dict) else None
    if wrong is None and not isinstance(settings.get("hypermodel"), dict):
        wrong = "hypermodel"
    if wrong is None:
        counts = [name for name in COUNTS if not isinstance(settings.get(name, 0), int)]
        wrong = counts[0] if counts else None
    if wrong:
        raise ValueError(f"{path} has no {wrong} of a search: restore it, or name another folder.")
    return settings


def _size(strategy, space, trials, counts):
    """How many trials an oracle is to make, and how it begins: its arguments."""
    if strategy == "hyperband":
        if trials is not None or counts["executions"] > 1:
            raise ValueError("hyperband decides on trials and trains each once: leave both out.")
        return {"max_epochs": counts["epochs"]}
    cells = len(grid_cells(space)) if strategy == "grid" else None
    number = check_count("trials", (cells or TRIALS_ASKED) if trials is None else trials)
    if strategy == "bayesian":  # keras-tuner's 3 per dimension would leave few to learn from
        return {"max_trials": number, "num_initial_points": max(3, number // 3)}
    return {"max_trials": min(cells, number) if cells else number}


def claim(folder, settings, resume, write=True):
    """Make sure that a folder holds no search, or this one and that it is to go on.

    Args:
        folder: of the search.
        settings: plain values.
        resume: whether a search may be there.
        write: whether to write the settings if none is.

    Raises:
        ValueError: a search is there and resume is False, or its settings differ.

    Example:
        ```python
        claim(Path("runs"), {"seed": 0}, resume=False)
        ```
    """
    path = folder / SETTINGS
    if not path.exists():
        if write:
            files.write_json(path, files.manifest(settings, 0.0))
        return
    if not resume:
        _refuse_to_start(folder)
    held, settings = _flat(read_settings(folder)), _flat(settings)
    changed = [k for k in {**held, **settings} if held.get(k) != settings.get(k)]
    if changed:
        was, now = ({k: s.get(k) for k in changed} for s in (held, settings))
        raise ValueError(
            f"{folder} holds a search with {was}, now given {now}: give the same to resume it, "
            f"or name another folder."
        )


def _flat(settings):
    """Settings with the hypermodel's one by one, so that only those that changed are shown."""
    own = {f"hypermodel {k}": v for k, v in settings.get("hypermodel", {}).items()}
    if "hypermodel class" in own:
        own["hypermodel class"] = RENAMED.get(own["hypermodel class"], own["hypermodel class"])
    return {k: v for k, v in settings.items() if k != "hypermodel"} | own


def _lead(tuner, oracle, settings, server, processes):
    """Run all trials, here or in workers, behind one line of progress, and report."""
    start, folder = time.perf_counter(), tuner.folder
    oracle.replay()
    total = oracle.max_trials or oracle.size()
    with tqdm(total=total, initial=ended(oracle), desc="search", unit="trial") as bar:

        def show(oracle):
            bar.n = ended(oracle)
            if best := best_trial(oracle):
                keep_best(folder, oracle, best)
                bar.set_postfix_str(f"best {best.score:.4g} in trial {best.trial_id}", False)
            bar.refresh()
            report.write_trials(folder, oracle)

        show(oracle)
        oracle.listener = show
        if server is not None:
            workers.serve(server, oracle, processes)
        else:
            tuner.search()
    seconds = time.perf_counter() - start
    rows = report.write(folder, oracle, settings, seconds, tuner.hypermodel.weights)
    if oracle.broken:
        message = folder / ERRORS / f"{oracle.broken}.txt"  # absent if a worker has its own folder
        lines = message.read_text().strip().splitlines() if message.is_file() else ["an error"]
        raise RunError(
            f"three trials one after the other failed, the last with {lines[-1]}; see "
            f"{folder}/{ERRORS}."
        )
    if best_trial(oracle) is None:
        counted = ", ".join(f"{n} {status}" for status, n in rows["status"].value_counts().items())
        raise RunError(
            f"no trial gave a result ({counted}): see {folder}/{ERRORS}, or narrow the space, for "
            f"instance to smaller learning rates."
        )
    report.clean(folder, oracle, settings["executions"])
    return rows


def ended(oracle):
    """How many trials have ended."""
    return len(set(oracle.end_order))


def best_trial(oracle):
    """The best trial that completed, or None."""
    best = oracle.get_best_trials(1)
    return best[0] if best and best[0].status == "COMPLETED" else None


def keep_best(folder, oracle, best):
    """Delete the models that are not the best, except those that Hyperband may continue."""
    if isinstance(oracle, keras_tuner.oracles.HyperbandOracle):
        return
    running = {trial.trial_id for trial in oracle.ongoing_trials.values()}
    for trial_id in set(oracle.end_order) - running - {best.trial_id}:
        delete_model(folder, trial_id)
