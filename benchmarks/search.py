"""What a search costs beyond building and fitting its models, in time and in memory.

    python benchmarks/search.py [--trials 100] [--shared 16] [--out benchmarks/search.md]

Trials of the sinusoid search on few examples, one epoch each; in processor time, since other work
on the machine increases the wall time. Overhead is all of a trial except `build` and `fit`: the
oracle, the score of 100 samples for each of 200 curves, saving the model, clearing the session.
Then one process against two workers: the same random search of 20,000 examples and 2 epochs, in
wall time, with the start of the processes. Each worker has one thread, the single process all
cores: sums are rounded differently, so their scores differ as those of two seeds do.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from cvae_keras import search
from cvae_keras.files import manifest, write_json

PAGE = resource.getpagesize()


class Timed(search.SinusoidHyperModel):
    """Records the processor time of `build` and `fit`, and the memory after each trial."""

    def __init__(self, **options):
        super().__init__(**options)
        self.bare, self.memory, self.spent = [], [], []

    def build(self, hp):
        start = time.process_time()
        model = super().build(hp)
        self.bare.append(time.process_time() - start)
        return model

    def fit(self, hp, model, **options):
        start = time.process_time()
        history = super().fit(hp, model, **options)
        self.bare[-1] += time.process_time() - start
        return history

    def score(self, model):
        numbers = super().score(model)
        self.memory.append(memory())
        self.spent.append(time.process_time())
        return numbers


def memory():
    """Memory of this process now, in MB; on macOS its maximum so far."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * PAGE / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def shared(trials, folder):
    """Trials per minute of one process and of two workers on one search."""
    rates, scores = {}, []
    for workers in (1, 2):
        out = Path(folder) / str(workers)
        command = [sys.executable, "-m", "cvae_keras", "search", "sinusoid", "--task", "1"]
        command += ["--network", "original", "--strategy", "random", "--epochs", "2"]
        command += ["--trials", str(trials), "--workers", str(workers), "--out", str(out)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        rates[workers] = trials / (time.perf_counter() - start) * 60
        rows = pd.read_csv(out / "trials.csv").sort_values("trial")
        assert list(rows["trial"]) == list(range(trials)), "a trial was lost or doubled"
        scores.append(rows["score"])
    return rates, float(np.abs(scores[0].to_numpy() - scores[1].to_numpy()).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--shared", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    hypermodel = Timed(network="original", examples=500)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        search.run(hypermodel, folder=folder, trials=arguments.trials, epochs=1)
        rates, apart = shared(arguments.shared, Path(folder) / "shared")
        seconds = time.perf_counter() - start
    bare = hypermodel.bare[1:]  # the first build only reads the space
    # from the score of one trial to that of the next: all of a trial
    whole = [b - a for a, b in zip(hypermodel.spent, hypermodel.spent[1:], strict=False)]
    over = sorted(w - b for w, b in zip(whole, bare[1:], strict=True))
    tenth = hypermodel.memory[min(9, len(hypermodel.memory) - 1)]
    numbers = {
        "trials": arguments.trials,
        "overhead_median_s": over[len(over) // 2],
        "overhead_worst_s": over[-1],
        "build_and_fit_median_s": sorted(bare)[len(bare) // 2],
        "memory_after_10_mb": tenth,
        "memory_after_all_mb": hypermodel.memory[-1],
        "memory_growth_after_10": hypermodel.memory[-1] / tenth - 1,
        "trials_a_minute_of_one_process": rates[1],
        "trials_a_minute_of_two_workers": rates[2],
        "largest_difference_of_their_scores": apart,
    }
    lines = ["# What a search costs in addition to its trainings", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value:.4g} |" for name, value in numbers.items()]
    arguments.out.write_text("\n".join([*lines, "", __doc__.split("\n\n")[-1]]))
    config = {"examples": 500, "epochs": 1, "command": "benchmarks/search.py", "seed": 0}
    about = {**numbers, "memory_mb": hypermodel.memory, "manifest": manifest(config, seconds)}
    write_json(arguments.out.with_suffix(".json"), about)
    print(arguments.out.read_text(), keras.backend.backend(), file=sys.stdout)


if __name__ == "__main__":
    main()
