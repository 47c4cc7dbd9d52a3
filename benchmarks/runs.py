"""How the benchmarks are run: each side in a new process, alternating, timed by two clocks.

The wall time is what a user waits; the processor time depends less on other work of the machine.
Ratios are taken between the runs of one repeat.
"""

import functools
import itertools
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

BACKENDS = ("tensorflow", "jax", "torch")
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


def installed():
    """The backends of Keras that are installed."""
    return [name for name in BACKENDS if find_spec(name)]


def on_each_backend(kinds):
    """Names of runs: "keras 2-D" once for each installed backend, as "keras jax 2-D"; the others.

    Args:
        kinds: sequence of names, or of pairs of names, the ratios.

    Returns:
        List of names, or of pairs.
    """
    found = []
    for kind in kinds:
        if isinstance(kind, tuple):
            found += itertools.product(*(on_each_backend([name]) for name in kind))
        elif kind.split()[0] == "keras":
            found += [kind.replace("keras", f"keras {name}", 1) for name in installed()]
        else:
            found.append(kind)
    return found


def alternate(kinds, repeats):
    """`(repeat, kind)` of each run; every second repeat is in reverse order."""
    for seed in range(repeats):
        yield from ((seed, kind) for kind in kinds[:: 1 if seed % 2 == 0 else -1])


def collect(script, kinds, repeats, config, line, threads=1):
    """Run each kind `repeats` times, alternating, and print a line of each run.

    Args:
        script: path of the benchmark.
        kinds: sequence of names; those that begin with "keras" are run on each backend.
        repeats: how often each is run.
        config: function of `(kind, seed)` that returns further entries of the job.
        line: format of the line, with the entries of a run.
        threads: of each run.

    Returns:
        List of runs, in the order of the kinds.
    """
    runs, kinds = [], on_each_backend(kinds)
    for seed, kind in alternate(kinds, repeats):
        job = {**config(kind, seed), "kind": kind, "seed": seed}
        library, *words = kind.split()
        backend = words[0] if library == "keras" else installed()[0]
        runs.append(start(script, job, threads, backend))
        print(line.format(**runs[-1]), flush=True)
    return sorted(runs, key=lambda run: kinds.index(run["kind"]))


def write_steps(out, runs, repeats, epochs, steps, batch, began, table):
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
    """Markdown rows of the ratios `(top, bottom)` of kinds, by the wall and by processor time."""
    lines = ["", "| ratio | wall | processor time |", "|---|---|---|"]
    for top, bottom in on_each_backend(ratios):
        pairs = list(zip(by_kind[top], by_kind[bottom], strict=True))
        wall, cpu = ([a[clock] / b[clock] for a, b in pairs] for clock in ("wall", "processor"))
        lines.append(f"| {top} / {bottom} | {spread(wall, '.2f')} | {spread(cpu, '.2f')} |")
    return lines


def write(out, runs, settings, began, table, machine=None):
    """Write `<out>.md` and `<out>.json` with a manifest, and print the Markdown.

    Args:
        out: path without suffix.
        runs: list of dictionaries.
        settings: dictionary of the benchmark's settings.
        began: `time.perf_counter()` at its start.
        table: function of (runs by kind, versions as text) that returns the Markdown.
        machine: further entries about the machine for the manifest.
    """
    from cvae_keras.files import manifest, write_json

    about = manifest(settings, time.perf_counter() - began)
    about["versions"] |= {name: version(name) for name in installed() if name != "tensorflow"}
    about["machine"] |= machine or {}
    by_kind = {}
    for run in runs:
        by_kind.setdefault(run["kind"], []).append(run)
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    text = table(by_kind, versions)
    out.with_suffix(".md").write_text(text)
    write_json(out.with_suffix(".json"), {"runs": runs, "manifest": about})
    print("\n" + text)
