"""What a search asked for and what it got, one event per line: all that a resumed search needs."""

import copy
import functools
import json
import math
import os
import threading
import warnings
from pathlib import Path

import numpy as np
from keras_tuner.engine.hyperparameters import Float, Int
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.src.engine.oracle import LOCKS, THREADS

from cvae_keras.checks import RunError
from cvae_keras.files import LARGEST, regular_file

#: The kinds of events, and the type of each of their entries.
EVENTS = {
    "open": {},
    "lost": {"tuner": str},
    "start": {"trial": str, "tuner": str, "values": dict},
    "end": {"trial": str, "status": str, "metrics": dict},
}
#: Metrics of a trial in a search with pruning: its score when it was compared, and 1 if it was
#: stopped for it.
RUNG_SCORE, PRUNED = "rung_score", "pruned"
ENDED = (TrialStatus.COMPLETED, TrialStatus.INVALID, TrialStatus.FAILED)


class Journal:
    """A file of events, one JSON object per line, that is only appended to.

    A process that is killed leaves at most an incomplete last line, which is not read, and is cut
    off by the next `append`. Nothing is written before that.

    Args:
        path: of the file; made when the first event comes.

    Raises:
        ValueError: it is a link or no file, larger than 256 MiB, or a line other than the last is
            not a JSON object.

    Example:
        ```python
        journal = Journal("runs/journal.jsonl")
        journal.append({"event": "open"})
        journal.events                                                # [{"event": "open"}]
        ```
    """

    def __init__(self, path):
        self.path = Path(path)
        if self.path.is_symlink():
            raise ValueError(f"{self.path} is a link: remove it, or name another folder.")
        content = self._read() if self.path.exists() else b""
        self._complete, self._end = content.rfind(b"\n") + 1, len(content)
        lines = content[: self._complete].split(b"\n")[:-1]
        self.events = [self._parse(line, number) for number, line in enumerate(lines)]

    def _read(self):
        if regular_file(self.path, "a journal").stat().st_size > LARGEST:
            raise ValueError(
                f"{self.path} is larger than {LARGEST:,} bytes: start the search in another folder."
            )
        return self.path.read_bytes()

    def _parse(self, line, number):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self.damaged(number, f"not JSON, {type(error).__name__}") from error
        if not isinstance(event, dict):
            raise self.damaged(number, f"a {type(event).__name__}, not an object")
        return event

    def damaged(self, number, reason):
        """A ValueError that names the line of an event, counted from 0."""
        return ValueError(
            f"{self.path} is damaged in line {number + 1} ({reason}): restore it, or start the "
            f"search again in another folder."
        )

    def append(self, event):
        """Write one event and flush it to the disk; NaN is written as null.

        Raises:
            RunError: another process wrote to the file.
            OSError: it cannot be written; the next event will replace what was.
        """
        line = json.dumps(_without_nan(event), allow_nan=False) + "\n"
        found = self.path.stat().st_size if self.path.exists() else 0
        if found != self._end:
            raise RunError(
                f"{self.path} was changed by another process: let one search at a time write to a "
                f"folder, and resume it (--resume)."
            )
        try:
            with self.path.open("r+b" if self.path.exists() else "xb") as file:
                file.truncate(self._complete)
                file.seek(self._complete)
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._end = self.path.stat().st_size if self.path.exists() else 0
        self._complete = self._end
        self.events.append(json.loads(line))


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def synchronized(method):
    """A method of an oracle that holds keras-tuner's lock, and gives it back where it raises."""

    @functools.wraps(method)
    def locked(oracle, *args, **options):
        thread = threading.current_thread().name
        if THREADS[oracle] == thread:
            return method(oracle, *args, **options)
        with LOCKS[oracle]:
            THREADS[oracle] = thread
            try:
                return method(oracle, *args, **options)
            finally:
                THREADS[oracle] = None

    return locked


FAILURES = 3  # trials that raise one after the other end the search
SLACK = 1e-9  # by which rounding may leave the range of a hyperparameter
STRIDE = 100_000  # seeds of one trial: more than its draws


class Journaled:
    """Mixin of a keras-tuner `Oracle`: every event goes to a journal, and is replayed from there.

    Args:
        journal: a `Journal`, or None in a worker, which asks the chief.
        seed: integer in [0, 2^32).
        options: of the oracle.

    Attributes:
        listener: None, or a function that is called after each trial.
        failure: None, or the error for which an event or the listener could not write.
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
        # keras-tuner takes seed 0 for none, and NumPy none above
        super().__init__(seed=seed % (2**32 - 1) + 1, max_retries_per_trial=0, **options)
        self.verbose, self.asked = 0, self.max_trials
        self.journal, self.listener, self.broken, self._recorded = journal, None, None, None
        self.failure = None

    def replay(self):
        """Repeat what the journal holds, and open it for a new process.

        Raises:
            ValueError: an event is of no known form, or cannot follow those before it.
        """
        for number, event in enumerate(self.journal.events):
            try:
                wrong = _wrong_form(event) or self._repeat(event)
            except Exception as error:  # of keras-tuner, whose state an edited event contradicts
                raise self.journal.damaged(number, str(error).rstrip(".")) from error
            if wrong:
                raise self.journal.damaged(number, wrong)
        self._repeat({"event": "open"})
        self.journal.append({"event": "open"})

    def _repeat(self, event):
        """Repeat an event; what is wrong with it, or None."""
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
            return self._repeat_start(event)
        elif kind == "end":
            self._check_running(event["trial"])
            if event["status"] == TrialStatus.COMPLETED:
                if self.objective.name not in event["metrics"]:  # null where it diverged
                    return f"no {self.objective.name!r} of a completed trial"
            trial = self.trials[event["trial"]]
            metrics = {k: np.nan if v is None else v for k, v in event["metrics"].items()}
            self._finish(trial, event["status"], metrics)
        return None

    def _repeat_start(self, event):
        space = {hp.name: hp for hp in self.get_space().space}
        if self.follows_from_trials:
            for name, value in event["values"].items():
                if name not in space or not _fits(space[name], value):
                    return f"{name} is {value!r}, which is not in the space of the search"
        self._recorded = event["values"]
        trial = super().create_trial(event["tuner"])
        self._recorded = None
        if trial.status != TrialStatus.RUNNING or trial.trial_id != event["trial"]:
            return f"trial {event['trial']!r} cannot start there"
        if trial.hyperparameters.values != event["values"]:
            return f"trial {event['trial']!r} has other hyperparameters in this search"
        return None

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
            self._record({**event, "values": trial.hyperparameters.values})
        return copy.deepcopy(trial)  # building a model adds its defaults, which are not tuned

    @synchronized
    def update_trial(self, trial_id, metrics, step=0):
        self._check_running(trial_id)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            return super().update_trial(trial_id, metrics, step)

    @synchronized
    def end_trial(self, trial):
        self._check_running(trial.trial_id)
        status, trial = trial.status, self.trials[trial.trial_id]
        self._finish(trial, status, {})
        event = {"event": "end", "trial": trial.trial_id, "status": status}
        self._record({**event, "metrics": results_of(trial)})

    @synchronized
    def lose(self, tuner_id):
        """Take back the trial of a worker that is gone; another will run it."""
        if tuner_id in self.tuner_ids:
            self._drop(tuner_id)
            self._record({"event": "lost", "tuner": tuner_id})

    def _check_running(self, trial_id):
        """Refuse results of a trial that was taken back, or is of another search."""
        if trial_id not in {trial.trial_id for trial in self.ongoing_trials.values()}:
            raise RunError(f"trial {trial_id} is not running: start its worker again.")

    def _record(self, event):
        """Write an event, and tell the listener of a trial that ended."""
        try:
            self.journal.append(event)
            if self.listener and event["event"] == "end":
                self.listener(self)
        except Exception as error:
            self.failure = error
            raise

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


def _wrong_form(event):
    """What is wrong with the form of an event, or None."""
    kind = event.get("event")
    if not isinstance(kind, str) or kind not in EVENTS:
        return f"event {kind!r} is unknown"
    for name, expected in EVENTS[kind].items():
        if not isinstance(event.get(name), expected):
            return f"{name!r} is {event.get(name)!r}, not a {expected.__name__}"
    if kind == "end":
        if event["status"] not in ENDED:
            return f"status {event['status']!r} is unknown"
        for name, value in event["metrics"].items():
            if value is not None and type(value) not in (int, float):
                return f"{name} is {value!r}, not a number"
    return None


def _fits(hp, value):
    """Whether a value, as JSON gives it, is one of a hyperparameter."""
    if isinstance(hp, (Float, Int)):
        kinds = (int,) if isinstance(hp, Int) else (int, float)
        slack = SLACK * max(abs(hp.min_value), abs(hp.max_value))
        return type(value) in kinds and hp.min_value - slack <= value <= hp.max_value + slack
    return any(type(value) is type(each) and value == each for each in hp.values)


def results_of(trial):
    """What a trial gave, name -> number; empty if it raised."""
    return {name: float(trial.metrics.get_last_value(name)) for name in trial.metrics.metrics}


def diverged(trial):
    """Whether a trial ended with an objective that is NaN, and was not pruned."""
    failed = trial.status == TrialStatus.FAILED and bool(trial.metrics.metrics)
    return failed and not pruned(trial)


def pruned(trial):
    """Whether a trial was stopped early; it has no objective, but a score when it was compared."""
    return trial.status == TrialStatus.FAILED and trial.metrics.exists(PRUNED)


def raised(trial):
    """Whether a trial ended with an error: it has no results. One that diverged has."""
    return trial.status == TrialStatus.FAILED and not trial.metrics.metrics
