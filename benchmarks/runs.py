"""How the benchmarks are run: each side in a new process, alternating, timed by two clocks.

The wall time is what a user waits; the processor time depends less on other work of the machine.
Ratios are taken between the runs of one repeat.
"""

import functools
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def clocks():
    """Wall seconds and processor seconds."""
    return time.perf_counter(), time.process_time()


def keep_cores(threads):
    """Restrict this process to as many cores as threads, if the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def command(script, work):
    """Give a main function the option `--out`, and the hidden `--work`, which runs one job.

    Args:
        script: path of the benchmark; the results are written beside it by default.
        work: function of the job, a dictionary; returns what `start` does.

    Returns:
        Decorator of `main(out, ...)`.
    """

    def decorate(main):
        @click.option(
            "--out", type=click.Path(path_type=Path), default=Path(script).with_suffix("")
        )
        @click.option("--work", "job", hidden=True)
        @functools.wraps(main)
        def run(job, **options):
            return print(json.dumps(work(json.loads(job)))) if job else main(**options)

        return run

    return decorate


def start(script, config, threads=1, backend="tensorflow", python=sys.executable):
    """Run `script --work CONFIG` in a new process; returns the JSON of its last line."""
    env = os.environ | dict.fromkeys(THREADS, str(threads))
    env |= {"TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": backend}
    command = [python, script, "--work", json.dumps(config)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{config['kind']} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def alternate(kinds, repeats):
    """`(repeat, kind)` of each run; every second repeat is in reverse order."""
    for seed in range(repeats):
        yield from ((seed, kind) for kind in kinds[:: 1 if seed % 2 == 0 else -1])


def collect(script, kinds, repeats, config, line, threads=1, backends=None):
    """Run each kind `repeats` times, alternating, and print a line of each run.

    Args:
        script: path of the benchmark.
        kinds: sequence of names.
        repeats: how often each is run.
        config: function of `(kind, seed)` that returns further entries of the job.
        line: format of the line, with the entries of a run.
        threads: of each run.
        backends: dictionary of kind -> backend of Keras, where it is not TensorFlow.

    Returns:
        List of runs, in the order of the kinds.
    """
    runs, kinds = [], list(kinds)
    for seed, kind in alternate(kinds, repeats):
        job = {**config(kind, seed), "kind": kind, "seed": seed}
        backend = (backends or {}).get(kind, "tensorflow")
        runs.append(start(script, job, threads, backend))
        print(line.format(**runs[-1]), flush=True)
    return sorted(runs, key=lambda run: kinds.index(run["kind"]))


def write_steps(out, runs, repeats, epochs, steps, batch, began, table, packages=("torch",)):
    """`write` for a benchmark that counts steps of an epoch, on one thread.

    Args:
        out: path without suffix.
        runs: list of dictionaries.
        repeats: of each kind.
        epochs: of a run.
        steps: of an epoch.
        batch: examples of a step.
        began: `time.perf_counter()` at the start.
        table: function of (runs by kind, sentence about the runs) that returns the Markdown.
        packages: as of `write`.
    """
    settings = {"repeats": repeats, "steps": steps, "epochs": epochs, "batch": batch}
    about = (
        f"{repeats} repeats of {epochs} epochs (the first not counted) of {steps:,} steps of "
        f"{batch} examples, one thread. "
    )
    write(
        out,
        runs,
        settings,
        began,
        lambda by_kind, versions: table(by_kind, f"{about}{versions}."),
        packages=packages,
    )


def need(*packages):
    """Refuse to start without these packages."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise click.ClickException(f"{', '.join(missing)} is missing: pip install -e .[benchmark]")


def spread(values, form):
    """Median, minimum and maximum, as text."""
    return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def final_loss(rows, form):
    """Mean and standard deviation of the final losses, as text."""
    losses = [row["loss"] for row in rows]
    return f"{np.mean(losses):{form}} +- {np.std(losses, ddof=1):{form}}"


def ratio_rows(by_kind, ratios):
    """Markdown rows of the ratios `(top, bottom)`, by the wall and by processor time."""
    lines = ["", "| ratio | wall | processor time |", "|---|---|---|"]
    for top, bottom in ratios:
        pairs = list(zip(by_kind[top], by_kind[bottom], strict=True))
        wall, cpu = ([a[clock] / b[clock] for a, b in pairs] for clock in ("wall", "processor"))
        lines.append(f"| {top} / {bottom} | {spread(wall, '.2f')} | {spread(cpu, '.2f')} |")
    return lines


def write(out, runs, settings, began, table, machine=None, packages=("torch",)):
    """Write `<out>.md` and `<out>.json` with a manifest, and print the Markdown.

    Args:
        out: path without suffix.
        runs: list of dictionaries.
        settings: dictionary of the benchmark's settings.
        began: `time.perf_counter()` at its start.
        table: function of (runs by kind, versions as text) that returns the Markdown.
        machine: further entries about the machine for the manifest.
        packages: further packages whose versions go into the manifest.
    """
    from cvae_keras.files import manifest, write_json

    about = manifest(settings, time.perf_counter() - began)
    about["versions"] |= {name: version(name) for name in packages}
    about["machine"] |= machine or {}
    by_kind = {}
    for run in runs:
        by_kind.setdefault(run["kind"], []).append(run)
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    text = table(by_kind, versions)
    out.with_suffix(".md").write_text(text)
    write_json(out.with_suffix(".json"), {"runs": runs, "manifest": about})
    print("\n" + text)
