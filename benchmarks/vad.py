"""Speed of the auto-decoder against a plain PyTorch loop of the original's recipe.

Run as `python benchmarks/vad.py` with torch installed. Each training runs in a process of its own,
on the number of threads asked for; examples a second are of processor time, without the first epoch
(tracing). Then both infer the latents of the test rows: PyTorch with 100 epochs of Adam in batches
of 256, ours with the steps that `--steps` names, and both say their error over all pixels.
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

LATENT, HIDDEN, RATIOS = 50, 200, (0.1, 0.5, 0.7, 0.9)
HEAD = """# Auto-decoder: speed against PyTorch

{about}

| library | batch | examples/s, training | ms a row, test | {ratios} |
|---|---|---|---|{lines}
"""


def rows(config):
    from cvae_keras.data.incomplete import load_rows

    return load_rows(config["data"], None, None, config["train"], config["test"])


def run_keras(config):
    """Train and test ours; returns speed, milliseconds a row and errors."""
    import keras

    from cvae_keras.vad_runs import complete, score_missing, train

    class Clock(keras.callbacks.Callback):
        marks = []

        def on_epoch_end(self, epoch, logs=None):
            self.marks.append(time.process_time())

    x, x_test = rows(config)
    options = complete({"epochs": config["epochs"], "batch_size": config["batch"]})
    options |= {"seed": config["seed"], "test_method": "gradient", "test_steps": config["steps"]}
    clock = Clock()
    model, _ = train(options, x, [clock])
    results = [score_missing(model, options, x_test, r, [0, round(10 * r)]) for r in RATIOS]
    milliseconds = np.mean([result["ms_per_row"] for result in results])
    return clock.marks, milliseconds, [result["mse"] for result in results]


def run_torch(config):
    """The original's recipe: two Adams, dense steps on the whole table, masked mean of squares."""
    import torch

    from cvae_keras.data.incomplete import draw_mask

    torch.set_num_threads(config["threads"])
    torch.manual_seed(config["seed"])
    x, x_test = (torch.from_numpy(part) for part in rows(config))
    widths = [LATENT, HIDDEN, HIDDEN, x.shape[1]]
    layers = []
    for read, write in zip(widths, widths[1:], strict=False):
        layers += [torch.nn.Linear(read, write), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    std, marks = np.exp(-14 / 2), []

    def epochs(z, optimizers, x, mask, count, batch):
        for _ in range(count):
            for index in torch.randperm(len(x)).split(batch):
                for optimizer in optimizers:
                    optimizer.zero_grad()
                seen = mask[index]
                noisy = z[index] + std * torch.randn(len(index), LATENT)
                loss = (((net(noisy) - x[index]) * seen) ** 2).sum() / seen.sum()
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
            marks.append(time.process_time())

    z = (0.001 * torch.randn(len(x), LATENT)).requires_grad_()
    both = [torch.optim.Adam(net.parameters(), 1e-3), torch.optim.Adam([z], config["latent_lr"])]
    epochs(z, both, x, torch.ones_like(x), config["epochs"], config["batch"])
    trained, errors, begin = list(marks), [], time.process_time()
    net.requires_grad_(False)
    for ratio in RATIOS:
        mask = torch.from_numpy(draw_mask(x_test.shape, ratio, [0, round(10 * ratio)]))
        z = (0.001 * torch.randn(len(x_test), LATENT)).requires_grad_()
        epochs(z, [torch.optim.Adam([z], config["latent_lr"])], x_test, mask, 100, 256)
        with torch.no_grad():
            errors.append(float(((net(z) - x_test) ** 2).mean()))
    spent = (time.process_time() - begin) / len(RATIOS) / len(x_test)
    return trained, 1e3 * spent, errors


def work(config):
    """One run, in this process."""
    if hasattr(os, "sched_setaffinity"):  # as many cores as threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: config["threads"]])
    marks, milliseconds, errors = {"keras": run_keras, "torch": run_torch}[config["kind"]](config)
    examples = config["train"] * (len(marks) - 1) / (marks[-1] - marks[0])
    return {**config, "examples": examples, "ms_per_row": milliseconds, "mse": errors}


def start(config):
    """Run `work` in a fresh process with `config["threads"]` threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    env = os.environ | dict.fromkeys(names, str(config["threads"]))
    env |= {"TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--work", json.dumps(config)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"{config['kind']} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@click.command(help=__doc__.split("\n")[0])
@click.option("--data", default="mnist", show_default=True)
@click.option("--train", type=click.IntRange(256), default=10_000, show_default=True)
@click.option("--test", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--epochs", type=click.IntRange(2), default=30, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=8, show_default=True)
@click.option("--latent-lr", type=float, default=1e-2, show_default=True, help="Of PyTorch.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).with_suffix(""))
@click.option("--work", "job", hidden=True)
def main(out, job, **settings):
    if job:
        return print(json.dumps(work(json.loads(job))))
    if find_spec("torch") is None:
        raise click.ClickException("torch is missing: pip install -e .[benchmark]")
    from cvae_keras.results import manifest, write_json

    begin, runs, lines = time.perf_counter(), [], []
    for batch in (32, 256):
        for kind in ("torch", "keras"):
            runs.append(start({**settings, "kind": kind, "batch": batch}))
            run = runs[-1]
            errors = " | ".join(f"{error:.4f}" for error in run["mse"])
            lines.append(f"| {kind} | {batch} | {run['examples']:,.0f} | {run['ms_per_row']:.3f} |")
            lines[-1] += f" {errors} |"
            print(lines[-1], flush=True)
    about = manifest(settings, time.perf_counter() - begin)
    about["versions"]["torch"] = version("torch")
    numbers = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    text = HEAD.format(
        about=f"{settings}. {numbers}.",
        ratios=" | ".join(f"mse at {ratio}" for ratio in RATIOS),
        lines="---|" * len(RATIOS),
    )
    out.with_suffix(".md").write_text(text.rstrip() + "\n" + "\n".join(lines) + "\n")
    write_json(out.with_suffix(".json"), {"runs": runs, "manifest": about})


if __name__ == "__main__":
    main()
