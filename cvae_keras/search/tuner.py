"""One trial of a search: build, train, score, keep the model."""

import gc
import logging
import math
import time
import traceback
from pathlib import Path

import keras
import numpy as np
from keras_tuner.engine.base_tuner import BaseTuner

from cvae_keras.checks import RunError
from cvae_keras.files import delete, open_folder, replacing, write_text
from cvae_keras.search.compiled import CompiledModels
from cvae_keras.search.journal import PRUNED, RUNG_SCORE, results_of
from cvae_keras.search.pruning import MedianRule
from cvae_keras.training.backends import forgets_graphs
from cvae_keras.training.checkpoint import Checkpoint

TRIALS, ERRORS = "trials", "errors"
SEEDS, MODEL_SEEDS = 2**32, 2**31  # limits of the seeds of NumPy, and of models
# TensorFlow warns of a new model in each trial, in the middle of the progress bar.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())


def trial_seed(seed, number, execution=0):
    """The seed of one training: it follows from the seed of the search and the number of the trial.

    Args:
        seed: of the search.
        number: of the trial.
        execution: number of the training of this trial.

    Returns:
        An integer in [0, 2^32).

    Example:
        >>> trial_seed(seed=1, number=12)
        101200
    """
    return ((1000 * seed + number) * 100 + execution) % SEEDS


class Tuner(BaseTuner):
    """keras-tuner's loop over trials, each seeded and scored by its hypermodel.

    Args:
        oracle: of `cvae_keras.search.oracles`.
        hypermodel: a `SystemHyperModel`.
        folder: where `trials/` goes, with one model per trial.
        epochs: of a trial, at most.
        executions: trainings per trial, whose scores are averaged.
        patience: epochs without a lower validation loss before a training stops.
        seed: of the search.
        prune: whether trials end early by the `MedianRule`.

    Example:
        ```python
        Tuner(oracle, SinusoidHyperModel(), Path("runs"), epochs=10).search()
        ```
    """

    def __init__(
        self, oracle, hypermodel, folder, epochs, executions=1, patience=3, seed=0, prune=False
    ):
        self.folder, self.epochs, self.executions = Path(folder), epochs, executions
        self.patience, self.seed, self.prune = patience, seed, prune
        self.models = CompiledModels()
        super().__init__(oracle, hypermodel, directory=str(folder), project_name=TRIALS)

    def _populate_initial_space(self):
        if self.oracle.tune_new_entries:  # otherwise the space is known without a build
            super()._populate_initial_space()

    def save(self, *args):
        """Nothing: the oracle's journal is all."""

    def search(self, *args, **options):
        """Run trials until the oracle has no more."""
        gc.freeze()  # the garbage collection of each trial can skip all that was imported before
        try:
            super().search(*args, **options)
        finally:
            gc.unfreeze()

    def run_trial(self, trial):
        """Train and score one trial, as keras-tuner asks.

        Returns:
            Dictionary of the means over the executions: what the hypermodel's `score` gives,
            `val_loss`, `epochs`, `seed` (of the first), `seconds`, those of a killed process up to
            its last checkpoint among them; with pruning, the score that was compared, and `pruned`
            where it was too bad. The objective is NaN where a training diverged or was pruned.
        """
        start = time.perf_counter()
        try:
            seeds = [trial_seed(self.seed, int(trial.trial_id), e) for e in range(self.executions)]
            checkpoints = [
                Checkpoint(path, self._settings(trial, seed))
                for path, seed in zip(
                    checkpoint_paths(self.folder, trial.trial_id, self.executions),
                    seeds,
                    strict=True,
                )
            ]
            rows, best = [], None
            for seed, checkpoint in zip(seeds, checkpoints, strict=True):
                row, model = self._execute(trial, seed, checkpoint)
                rows.append(row)
                goal = self.oracle.objective
                found = row[goal.name]
                if math.isfinite(found) and (best is None or goal.better_than(found, best)):
                    best = found
                    with replacing(model_path(self.folder, trial.trial_id)) as path:
                        model.save(path)
                del model
        except Exception:
            errors = open_folder(self.folder / ERRORS)
            write_text(errors / f"{trial.trial_id}.txt", traceback.format_exc())
            raise
        for checkpoint in checkpoints:
            checkpoint.remove()
        names = [name for name in rows[0] if all(name in row for row in rows)]
        means = {name: float(np.mean([row[name] for row in rows])) for name in names}
        earlier = sum(checkpoint.earlier["seconds"] for checkpoint in checkpoints)
        return {**means, "seed": seeds[0], "seconds": earlier + time.perf_counter() - start}

    def _settings(self, trial, seed):
        """All that the training of a trial depends on, beside the settings of the search."""
        return {"values": trial.hyperparameters.values, "seed": seed, "epochs": self.epochs}

    def _execute(self, trial, seed, checkpoint):
        keras.backend.clear_session()  # or memory grows with each trial
        keras.utils.set_random_seed(seed)
        hp, hypermodel = trial.hyperparameters, self.hypermodel
        hypermodel.seed = seed % MODEL_SEEDS
        epochs, first, past = self.epochs, 0, None
        if "tuner/epochs" in hp.values:  # set by Hyperband, which may continue a trial
            epochs, first = hp.values["tuner/epochs"], hp.values["tuner/initial_epoch"]
            past = hp.values.get("tuner/trial_id")
        model = hypermodel.build(hp)
        if "tuner/epochs" not in hp.values:
            model = self.models.take(hypermodel.architecture(hp), model)
        if past:
            model = keras.saving.load_model(model_path(self.folder, past), safe_mode=True)
        stop = keras.callbacks.EarlyStopping(
            "val_loss", patience=self.patience, mode="min", restore_best_weights=True
        )
        callbacks = [stop]
        if self.prune:
            goal = self.oracle.objective
            rule = MedianRule(
                lambda model: hypermodel.score(model)[goal.name],
                epochs,
                self._rung_scores(trial),
                goal.direction,
            )
            callbacks.append(rule)
        checkpoint.watch(callbacks)
        fit = {"epochs": epochs, "initial_epoch": first, "callbacks": [*callbacks, checkpoint]}
        try:
            with forgets_graphs():
                history = hypermodel.fit(hp, model, **fit).history
        except RunError:  # it diverged, in the epoch after those of the checkpoint
            name = self.oracle.objective.name
            reached = max(checkpoint.epochs, first) - first + 1
            return {name: math.nan, "val_loss": math.nan, "epochs": reached}, model
        if self.prune and rule.pruned:
            lost = {self.oracle.objective.name: math.nan, "val_loss": math.nan, PRUNED: 1.0}
            return {**lost, RUNG_SCORE: rule.rung_score, "epochs": len(history["loss"])}, model
        row = self._measure(model, history)
        if self.prune and rule.rung_score is not None:
            row[RUNG_SCORE] = rule.rung_score
        return row, model

    def _rung_scores(self, trial):
        """The scores that earlier trials had when they were compared."""
        numbers, digits = range(int(trial.trial_id)), len(trial.trial_id)
        earlier = [self.oracle.get_trial(f"{number:0{digits}d}") for number in numbers]
        found = [results_of(each).get(RUNG_SCORE, math.nan) for each in earlier]
        return [score for score in found if math.isfinite(score)]

    def _measure(self, model, history):
        """The numbers of one training; an objective that is not finite is NaN."""
        name = self.oracle.objective.name
        losses = np.array([*history["loss"], *history["val_loss"]])
        row = {"val_loss": float(np.min(history["val_loss"])), "epochs": len(history["loss"])}
        if np.isfinite(losses).all():
            row |= {key: float(value) for key, value in self.hypermodel.score(model).items()}
            if name not in row:
                raise ValueError(f"score must hold {name!r}, the objective, got {sorted(row)}.")
        if not math.isfinite(row.get(name, math.nan)):
            row |= {name: math.nan, "val_loss": math.nan}
        return row


def model_path(folder, trial_id):
    """The file of the model of a trial while the search runs."""
    return Path(folder) / TRIALS / f"{trial_id}.keras"


def checkpoint_paths(folder, trial_id, executions):
    """The files of the checkpoints of a trial, one for each of its trainings."""
    return [Path(folder) / TRIALS / f"{trial_id}.{number}.npz" for number in range(executions)]


def delete_model(folder, trial_id):
    """Delete the model of a trial."""
    delete(model_path(folder, trial_id), folder)


def delete_trial(folder, trial_id, executions):
    """Delete the model and the checkpoints of a trial."""
    delete_model(folder, trial_id)
    for path in checkpoint_paths(folder, trial_id, executions):
        for each in (path, path.with_suffix(".previous.npz")):
            delete(each, folder)
