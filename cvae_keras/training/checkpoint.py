"""Checkpoints: a training that is killed at any moment continues as if it had not been."""

import copy
import json
import time

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from cvae_keras.data.arrays import read_arrays
from cvae_keras.files import expand, open_folder, parse_json, replacing, write_csv

FORMAT = "cvae_keras checkpoint 1"
#: Attributes of callbacks that Keras sets anew (it negates min_delta when training begins).
NO_STATE = ("params", "min_delta")
#: What is raised for a file that is truncated, damaged, none, or of another content.
UNREADABLE = (ValueError, KeyError, TypeError)


class Checkpoint(keras.callbacks.Callback):
    """Saves the state of a training after each epoch, and restores it when training begins.

    One `.npz` file holds all variables of the model and its optimizer, random states among them,
    the epoch, the history, and the state of the other callbacks. It is written to a new file, which
    is flushed to the disk and then renamed; the one before is kept with the ending `.previous.npz`
    and used where the last one is damaged. After `fit`, `model.history` has the epochs of all
    processes.

    Give it as the last of the callbacks; `ELBOModel.fit` orders them so, and tells it the others.
    The model must be built. After training, and once its results are saved, call `remove`.

    Args:
        path: of the checkpoint, ending in `.npz`.
        settings: plain values on which the training depends; a checkpoint of other settings is not
            used.
        log: a CSV file of the history, written after each checkpoint, or None.

    Attributes:
        history: name -> list of the logs of each epoch, `seconds` (wall time) and `cpu_seconds`
            (processor time) among them.
        earlier: `seconds` and `cpu_seconds` of the epochs that the checkpoint brought.

    Raises:
        ValueError: the path does not end in `.npz`; its folder cannot be written.

    Example:
        ```python
        checkpoint = Checkpoint("runs/.checkpoint.npz", {"seed": 0}, log="runs/training.csv")
        model.fit(batches, epochs=50, callbacks=[checkpoint])
        model.save("runs/model.keras")
        checkpoint.remove()
        ```
    """

    def __init__(self, path, settings=None, log=None):
        super().__init__()
        self.path = expand(path)
        if self.path.suffix != ".npz":
            raise ValueError(f"path must end in .npz, got {str(path)!r}: change it.")
        open_folder(self.path.parent)
        self.settings = json.loads(json.dumps(settings))
        self.log = log
        self.others, self.history, self.epochs = [], {}, 0
        self.earlier = dict.fromkeys(("seconds", "cpu_seconds"), 0.0)

    @property
    def previous(self):
        """The file of the checkpoint before the last."""
        return self.path.with_suffix(".previous.npz")

    def watch(self, callbacks):
        """Tell it the other callbacks, whose state belongs to the training."""
        self.others = [each for each in callbacks if each is not self]

    def remove(self):
        """Delete the files of the checkpoint: training and all that follows from it are done."""
        for path in (self.previous, self.path):  # the last one says that it is not done
            path.unlink(missing_ok=True)

    # -- what Keras calls -----------------------------------------------------------------------
    def on_train_begin(self, logs=None):
        self.history, self.epochs = {}, 0
        self.model._initial_epoch = None  # of an earlier `fit`
        self.model.optimizer.build(self.model.trainable_variables)
        self.first = {name: _split(vars(callback)) for name, callback in self._named()}
        state, arrays = self._read()
        if state is None:
            return
        for variable, array in zip(self._variables(), arrays["variables"], strict=True):
            variable.assign(array)
        for name, callback in self._named():
            vars(callback).update(state["callbacks"].get(name, {}))
            vars(callback).update(arrays["callbacks"].get(name, {}))
        self.history, self.epochs = state["history"], state["epoch"]
        self.earlier = {name: sum(self.history[name]) for name in self.earlier}
        # where a callback had stopped the training, no epoch is left
        self.model._initial_epoch = self.params["epochs"] if state["stopped"] else self.epochs
        self._write_log()

    def on_epoch_begin(self, epoch, logs=None):
        self.start, self.start_cpu = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        logs["cpu_seconds"] = time.process_time() - self.start_cpu
        logs["seconds"] = time.perf_counter() - self.start
        for name, value in logs.items():
            # a log that first appears in a later epoch is None in those before
            self.history.setdefault(name, [None] * self.epochs).append(value)
        self.epochs = epoch + 1
        self._save()
        self._write_log()

    def on_train_end(self, logs=None):
        self.model.history.history = {k: list(v) for k, v in self.history.items()}
        self.model.history.epoch = list(range(self.epochs))
        self.model._initial_epoch = None

    # -- the file -------------------------------------------------------------------------------
    def _variables(self):
        model = self.model
        return [*model.variables, *model.metrics_variables, *model.optimizer.variables]

    def _named(self):
        """The other callbacks, each with its class and its number in that class as name."""
        count, named = {}, []
        for callback in self.others:
            kind = type(callback).__name__
            count[kind] = count.get(kind, -1) + 1
            named.append((f"{kind}{count[kind]}", callback))
        return named

    def _save(self):
        states = {name: _split(vars(each), self.first[name]) for name, each in self._named()}
        state = {"format": FORMAT, "settings": self.settings, "epoch": self.epochs}
        state |= {"stopped": bool(self.model.stop_training), "history": self.history}
        state["callbacks"] = {name: plain for name, (plain, _) in states.items()}
        arrays = {f"variable.{i}": ops.convert_to_numpy(v) for i, v in enumerate(self._variables())}
        for callback, (_, lists) in states.items():
            for name, values in lists.items():
                arrays |= {f"{callback}.{name}.{i}": value for i, value in enumerate(values)}
        arrays["state"] = np.frombuffer(json.dumps(state).encode(), "uint8")
        with replacing(self.path) as partial:
            np.savez(partial, **arrays)
            if self.path.exists():
                self.path.replace(self.previous)

    def _read(self):
        """State and arrays of the last checkpoint that is whole; None, None if there is none."""
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            try:
                state, arrays = self._open(path)
            except UNREADABLE:
                tqdm.write(f"{path} is damaged and not used.")
                continue
            if state["settings"] != self.settings:
                tqdm.write(f"{path} is of other settings and not used: training starts anew.")
                return None, None
            return state, arrays
        return None, None

    def _open(self, path):
        held = read_arrays(path)
        state = parse_json(bytes(held["state"]), path)
        missing = {"settings", "epoch", "stopped", "history", "callbacks"} - set(state)
        if state.get("format") != FORMAT or missing:
            raise ValueError("of another version")
        found = [held[f"variable.{i}"] for i, _ in enumerate(self._variables())]
        lists = {}
        for callback, name, _ in sorted(_place(n) for n in held if n.count(".") == 2):
            values = lists.setdefault(callback, {}).setdefault(name, [])
            values.append(held[f"{callback}.{name}.{len(values)}"])
        for variable, array in zip(self._variables(), found, strict=True):
            if tuple(variable.shape) != array.shape:
                raise ValueError("of another model")
        return state, {"variables": found, "callbacks": lists}

    def _write_log(self):
        if self.log is not None:
            import pandas as pd

            frame = pd.DataFrame(self.history)
            frame.insert(0, "epoch", range(self.epochs))
            write_csv(frame, self.log, digits=9)


def trains_again(path, checkpoint, force=False):
    """Whether a training will replace a trained model; that is refused without `force`.

    A model beside which there is a checkpoint is not done: its training continues.

    Args:
        path: of the model.
        checkpoint: path of its checkpoint.
        force: whether to replace a model that is done.

    Returns:
        A boolean.

    Raises:
        ValueError: the model is done, and force is False.

    Example:
        >>> trains_again("absent.keras", ".absent.npz")
        False
    """
    path, checkpoint = expand(path), expand(checkpoint)
    if not path.exists() or checkpoint.exists():
        return False
    if not force:
        raise ValueError(f"{path} is there: give --force to train it again and replace it.")
    return True


def _place(name):
    """Callback, attribute and number of the array, of a name in the file."""
    callback, attribute, index = name.split(".")
    return callback, attribute, int(index)


def _split(attributes, first=({}, {})):
    """Of the attributes of a callback: those that are plain values, and lists of arrays.

    Those that are as they were when training began, `first`, are left out: they are settings.
    """
    plain, lists = {}, {}
    for name, value in attributes.items():
        if name.startswith("_") or name in NO_STATE:
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, list) and value and isinstance(value[0], (np.ndarray, np.generic)):
            lists[name] = value
        elif _is_plain(value) and (name not in first[0] or first[0][name] != value):
            plain[name] = copy.deepcopy(value)
    return plain, lists


def _is_plain(value):
    """Whether JSON gives it back as it is."""
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    return value is None or type(value) in (bool, int, float, str)
