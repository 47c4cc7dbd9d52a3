"""What a search asked for and what it got, one event per line: all that a resumed search needs."""

import copy
import json
import math
import os
import warnings
from pathlib import Path

import numpy as np
from keras_tuner import synchronized
from keras_tuner.engine.trial import TrialStatus


class Journal:
    """A file of events, one JSON object per line, that is only appended to.

    A process that is killed leaves at most an incomplete last line; opening it again drops that.

    Args:
        path: of the file; made when the first event comes.

    Raises:
        ValueError: a line other than the last is not JSON.

    Example:
        ```python
        journal = Journal("runs/journal.jsonl")
        journal.append({"event": "open"})
        journal.events                                                # [{"event": "open"}]
        ```
    """

    def __init__(self, path):
        self.path = Path(path)
        content = self.path.read_bytes() if self.path.exists() else b""
        complete = content[: content.rfind(b"\n") + 1]
        if len(complete) < len(content):
            os.truncate(self.path, len(complete))
        try:
            self.events = [json.loads(line) for line in complete.splitlines()]
        except ValueError as error:
            raise ValueError(
                f"{self.path} is damaged ({error}): start the search again in another folder."
            ) from error

    def append(self, event):
        """Write one event and flush it to the disk; NaN is written as null."""
        line = json.dumps(_without_nan(event), allow_nan=False) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.events.append(json.loads(line))


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


FAILURES = 3  # trials that raise one after the other end the search
STRIDE = 100_000  # seeds of one trial: more than its draws


class Journaled:
    """Mixin of a keras-tuner `Oracle`: every event goes to a journal, and is replayed from there.

    Args:
        journal: a `Journal`, or None in a worker, which asks the chief.
        seed: integer >= 0.
        options: of the oracle.

    Attributes:
        listener: None, or a function that is called after each trial.
        broken: None, or the trial after which the search stopped, since it and those before it
            raised. A resumed search runs trials that raised again.

    Example:
        ```python
        class MyRandom(Journaled, keras_tuner.oracles.RandomSearchOracle): ...

        oracle = MyRandom(Journal("runs/journal.jsonl"), max_trials=30, objective=objective)
        ```
    """

    follows_from_trials = True  # what is proposed depends on the trials so far and the seed alone

    def __init__(self, journal, seed=0, **options):
        # keras-tuner takes seed 0 for none
        super().__init__(seed=seed + 1, max_retries_per_trial=0, **options)
        self.verbose, self.asked = 0, self.max_trials
        self.journal, self.listener, self.broken, self._recorded = journal, None, None, None

    def replay(self):
        """Repeat what the journal holds, and open it for a new process."""
        for event in self.journal.events:
            self._repeat(event)
        self._repeat({"event": "open"})
        self.journal.append({"event": "open"})

    def _repeat(self, event):
        kind = event["event"]
        if kind == "open":  # the process before this one ended: nothing is running any more
            for tuner in sorted(self.ongoing_trials):
                self._drop(tuner)
            again = [i for i, trial in self.trials.items() if raised(trial)]
            self._retry_queue += [i for i in again if i not in self._retry_queue]
            self.tuner_ids, self.broken, self.max_trials = set(), None, self.asked
        elif kind == "lost":
            self._drop(event["tuner"])
        elif kind == "start":
            self._recorded = event["values"]
            super().create_trial(event["tuner"])
            self._recorded = None
        elif kind == "end":
            trial = self.trials[event["trial"]]
            metrics = {k: np.nan if v is None else v for k, v in event["metrics"].items()}
            self._finish(trial, event["status"], metrics)

    def _finish(self, trial, status, metrics):
        with warnings.catch_warnings():  # of a trial that diverged
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            if metrics:
                super().update_trial(trial.trial_id, metrics)
            trial.status = status
            super().end_trial(trial)

    def _drop(self, tuner):
        trial = self.ongoing_trials.pop(tuner, None)
        self.tuner_ids.discard(tuner)
        if trial is not None:
            self._retry_queue.append(trial.trial_id)

    # -- what keras-tuner calls -----------------------------------------------------------------
    def seed_draws(self, trial_id):
        """Seeds follow from the number of the trial, so that a replay need not draw again."""
        self._seed_state = (self.seed * 10_000 + int(trial_id)) * STRIDE

    def populate_space(self, trial_id):
        self.seed_draws(trial_id)
        if self._recorded is not None and self.follows_from_trials:
            return {"status": TrialStatus.RUNNING, "values": self._recorded}
        return super().populate_space(trial_id)

    @synchronized
    def create_trial(self, tuner_id):
        known = tuner_id in self.ongoing_trials
        trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.RUNNING and not known:
            event = {"event": "start", "trial": trial.trial_id, "tuner": tuner_id}
            self.journal.append({**event, "values": trial.hyperparameters.values})
        return copy.deepcopy(trial)  # building a model adds its defaults, which are not tuned

    @synchronized
    def update_trial(self, trial_id, metrics, step=0):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            return super().update_trial(trial_id, metrics, step)

    @synchronized
    def end_trial(self, trial):
        status, trial = trial.status, self.trials[trial.trial_id]
        self._finish(trial, status, {})
        event = {"event": "end", "trial": trial.trial_id, "status": status}
        self.journal.append({**event, "metrics": results_of(trial)})
        if self.listener:
            self.listener(self)

    @synchronized
    def lose(self, tuner_id):
        """Take back the trial of a worker that is gone; another will run it."""
        if tuner_id in self.tuner_ids:
            self._drop(tuner_id)
            self.journal.append({"event": "lost", "tuner": tuner_id})

    def _check_consecutive_failures(self):
        """Stop after trials that raised; those that diverged are a result."""
        last = [self.trials[i] for i in self.end_order[-FAILURES:]]
        if len(last) == FAILURES and all(raised(trial) for trial in last):
            self.broken, self.max_trials = last[-1].trial_id, len(self.trials)

    def save(self):
        """Nothing: the journal is all."""

    def reload(self):
        """Nothing: see `replay`."""

    def _save_trial(self, trial):
        """Nothing: see `end_trial`."""


def results_of(trial):
    """What a trial gave, name -> number; empty if it raised."""
    return {name: float(trial.metrics.get_last_value(name)) for name in trial.metrics.metrics}


def diverged(trial):
    """Whether a trial ended with an objective that is NaN."""
    return trial.status == TrialStatus.FAILED and bool(trial.metrics.metrics)


def raised(trial):
    """Whether a trial ended with an error: it has no results. One that diverged has."""
    return trial.status == TrialStatus.FAILED and not trial.metrics.metrics
