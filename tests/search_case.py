"""A search whose answer is known, on a model that trains in no time; also run as a process."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import keras
import keras_tuner
import numpy as np

from cvae_keras import search
from cvae_keras.search import workers


class Bowl(search.SystemHyperModel):
    """score = log2(width)^2 + (kind is "b") + 0.01 * spread, at best at width 1 and kind "a".

    diverge, fail: values of width at which a trial does; kill: as many trials begin before the
    process kills itself; meet: None, or the journal in which two workers have to appear before a
    trial goes on, so that the quicker to start does not do all.
    """

    objective = keras_tuner.Objective("score", "min")
    kill, begun, meet = 0, 0, None

    def __init__(self, diverge=(), fail=()):
        super().__init__(diverge=list(diverge), fail=list(fail))

    def build(self, hp):
        self.width = hp.Float("width", 0.25, 4.0, sampling="log", default=2.0)
        self.kind = hp.Choice("kind", ["a", "b"])
        if self.width in self.fail:
            raise OSError("no space left")
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def fit(self, hp, model, epochs, initial_epoch, callbacks):
        Bowl.begun += 1
        if Bowl.begun == self.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        for _ in range(600):
            if self.meet is None or len(tuners(self.meet)) > 1:
                break
            time.sleep(0.1)
        history = keras.callbacks.History()
        loss = np.nan if self.width in self.diverge else 1.0
        history.history = dict.fromkeys(("loss", "val_loss"), [loss] * (epochs - initial_epoch))
        return history

    def score(self, model):
        spread = float(np.abs(model.get_weights()[0]).sum())  # of the seed
        return {
            "score": np.log2(self.width) ** 2 + (self.kind == "b") + 0.01 * spread,
            "spread": spread,
        }

    def grid(self):
        return search.choices(width=[0.5, 1.0, 2.0], kind=["a", "b"])


def tuners(journal):
    """Who began a trial. (A `Journal` would cut off a line that is being written.)"""
    events = [json.loads(line) for line in journal.read_text().split("\n")[:-1]]
    return {event["tuner"] for event in events if event["event"] == "start"}


if __name__ == "__main__":
    # folder strategy trials kill [workers]: one search, killed in the trial that has number `kill`
    folder, strategy, trials, Bowl.kill = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
    options = {"folder": folder, "strategy": strategy, "resume": True, "epochs": 3}
    options |= {"trials": trials} if trials else {}
    if len(sys.argv) > 5 and workers.role() == "alone":
        command = [sys.executable, *sys.argv]
        with workers.on_this_machine(command, int(sys.argv[5])) as processes:
            search.run(Bowl(), processes=processes, **options)
    else:
        if workers.role() == "worker":
            Bowl.meet = Path(folder) / "journal.jsonl"
        search.run(Bowl(), **options)
