"""How fast the original's testbed network trains: our `DenseCVAE` against a plain PyTorch loop.

Both sides train the original's recipe (2 independent dimensions, three hidden layers of 64 with
batch normalisation and ReLU in encoder and decoder, 8 latent dimensions, Adam 1e-3, batch 64) on
the same examples. Keras runs through `fit`, its metrics and `steps_per_execution`; PyTorch is a
plain eager loop over slices. Fresh processes, one thread, alternating; the first epoch is a warm-up
and is not counted. At this size it is overhead that is measured, not arithmetic.

    pip install -e .[benchmark]                    # adds torch; its CPU build is enough
    python benchmarks/testbed.py --repeats 5

Writes `testbed.md` and `testbed.json` beside this file.
"""

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

DIM, LATENT, LAYERS, BATCH, BETA = 2, 8, [64, 64, 64], 64, 0.25
HEAD = """# Training the original's testbed network: Keras against plain PyTorch

{about}

Median (least to greatest) over the repeats; loss of the last epoch: mean +- standard deviation.

| | steps/s | steps a processor second | loss |
|---|---|---|---|"""


def clocks():
    """Wall seconds and processor seconds."""
    return time.perf_counter(), time.process_time()


def run_keras(arrays, epochs, seed):
    """Train with the package; the clocks at the end of each epoch, and the losses."""
    import keras

    from cvae_keras.systems.testbed import DenseCVAE

    keras.utils.set_random_seed(seed)
    options = {"batch_norm": True, "gated": False, "activation": "relu", "beta": BETA}
    model = DenseCVAE(DIM, LATENT, LAYERS, LAYERS, **options)
    model.compile(keras.optimizers.Adam(1e-3), steps_per_execution=50)
    marks = []
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.append(clocks()))
    fit = {"batch_size": BATCH, "epochs": epochs, "callbacks": [mark], "verbose": 0}
    history = model.fit(arrays, **fit)
    return marks, history.history["loss"]


def run_torch(arrays, epochs, seed):
    """The same recipe in PyTorch; returns what `run_keras` does."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(seed)

    def stack(inputs):
        layers = []
        for width in LAYERS:
            layers += [nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
            inputs = width
        return nn.Sequential(*layers)

    encoder, decoder = stack(3 * DIM), stack(LATENT + 2 * DIM)
    mean_of, log_var_of, out = (nn.Linear(LAYERS[-1], units) for units in (LATENT, LATENT, DIM))
    parts = nn.ModuleList([encoder, decoder, mean_of, log_var_of, out])
    for name, weight in parts.named_parameters():  # as Keras begins
        if weight.ndim == 2:
            nn.init.xavier_uniform_(weight)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
    adam = torch.optim.Adam(parts.parameters(), 1e-3, eps=1e-7, fused=True)
    x_all, c_all = (torch.from_numpy(arrays[name]) for name in ("x", "c"))
    marks, losses, rng = [], [], np.random.default_rng(seed)
    for _ in range(epochs):
        total, batches = 0.0, torch.from_numpy(rng.permutation(len(x_all))).split(BATCH)
        for rows in batches:
            x, c = x_all[rows], c_all[rows]
            h = encoder(torch.cat([x, c], 1))
            mean, log_var = mean_of(h), log_var_of(h).clamp(-20, 20)
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            known, m = c.chunk(2, 1)
            x_hat = known + (1 - m) * out(decoder(torch.cat([z, c], 1)))
            kl = 0.5 * (log_var.exp() + mean.square() - log_var - 1).sum()
            loss = ((x - x_hat).square().sum() + BETA * kl) / len(x)
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.detach()
        losses.append(float(total) / len(batches))
        marks.append(clocks())
    return marks, losses


def work(job):
    """One run, in this process: steps a second after the first epoch, and the last loss."""
    from cvae_keras.data.conditions import Conditioned
    from cvae_keras.data.gaussian import IndependentGaussian

    if hasattr(os, "sched_setaffinity"):  # one core, for the threads to come too
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    arrays = Conditioned(IndependentGaussian(DIM)).examples(job["steps"] * BATCH, seed=0)
    run = {"keras": run_keras, "torch": run_torch}[job["kind"]]
    marks, losses = run(arrays, job["epochs"], job["seed"])
    wall, processor = np.subtract(marks[-1], marks[0])
    steps = job["steps"] * (job["epochs"] - 1)
    speed = {"wall": steps / wall, "processor": steps / processor}
    return {**job, **speed, "loss": losses[-1]}


def start(job):
    """Run `work` in a fresh process with one thread."""
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    env = os.environ | dict.fromkeys(names, "1") | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--work", json.dumps(job)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{job['kind']} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def spread(values, form):
    """Median, least and greatest, as text."""
    return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def report(runs, about):
    """The Markdown of all runs."""
    sides = {kind: [run for run in runs if run["kind"] == kind] for kind in ("keras", "torch")}
    lines = [HEAD.format(about=about)]
    for kind, rows in sides.items():
        wall, cpu, loss = ([row[name] for row in rows] for name in ("wall", "processor", "loss"))
        loss = f"{np.mean(loss):.4f} +- {np.std(loss, ddof=1):.4f}"
        lines.append(f"| {kind} | {spread(wall, ',.0f')} | {spread(cpu, ',.0f')} | {loss} |")
    pairs = list(zip(sides["keras"], sides["torch"], strict=True))
    wall, cpu = ([a[clock] / b[clock] for a, b in pairs] for clock in ("wall", "processor"))
    lines.append(f"| keras / torch | {spread(wall, '.2f')} | {spread(cpu, '.2f')} | |")
    return "\n".join(lines) + "\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--repeats", type=click.IntRange(2), default=3, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True, help="An epoch.")
@click.option("--epochs", type=click.IntRange(2), default=4, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).with_suffix(""))
@click.option("--work", "job", hidden=True)
def main(repeats, steps, epochs, out, job):
    if job:
        return print(json.dumps(work(json.loads(job))))
    if find_spec("torch") is None:
        raise click.ClickException("torch is missing: pip install -e .[benchmark]")
    from cvae_keras.results import manifest, write_json

    began, runs = time.perf_counter(), []
    for seed in range(repeats):
        for kind in ("keras", "torch")[:: 1 if seed % 2 == 0 else -1]:
            runs.append(start({"kind": kind, "seed": seed, "steps": steps, "epochs": epochs}))
            print(
                "{kind:6} seed {seed}: {wall:6,.0f} steps/s, {processor:6,.0f} a processor second, "
                "loss {loss:.4f}".format(**runs[-1]),
                flush=True,
            )
    settings = {"repeats": repeats, "steps": steps, "epochs": epochs, "batch": BATCH}
    about = manifest(settings, time.perf_counter() - began)
    about["versions"]["torch"] = version("torch")
    numbers = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    text = report(
        runs,
        f"{repeats} repeats of {epochs} epochs (the first not counted) of {steps:,} steps of "
        f"{BATCH} examples, one thread. {numbers}.",
    )
    out.with_suffix(".md").write_text(text)
    write_json(out.with_suffix(".json"), {"runs": runs, "manifest": about})
    print("\n" + text)


if __name__ == "__main__":
    main()
