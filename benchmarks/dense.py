"""How fast the network of CVAE_testbed trains: our `DenseCVAE` against a plain PyTorch loop.

Both sides train the recipe of CVAE_testbed (Allen Institute): 2 independent dimensions, three
hidden layers of 64 with batch normalization and ReLU in encoder and decoder, 8 latent dimensions,
Adam 1e-3, batch 64, on the same examples. Keras runs through `fit`, its metrics and
`steps_per_execution`, on every backend that is installed; PyTorch is a plain eager loop over
slices, with its default Adam and with `fused=True`. Fresh processes, one thread, alternating; the
first epoch is a warm-up and is not counted. At this size the overhead is measured, not the
arithmetic.

    pip install -e .[benchmark]                    # adds torch and jax; CPU builds are enough
    python benchmarks/dense.py --repeats 5

Writes `dense.md` and `dense.json` beside this file.
"""

import time

import click
import numpy as np

import runs as bench

DIM, LATENT, LAYERS, BATCH, BETA = 2, 8, [64, 64, 64], 64, 0.25
HEAD = """# Training the network of CVAE_testbed (Allen Institute): Keras against plain PyTorch

{about}

Median (least to greatest) over the repeats; loss of the last epoch: mean +- standard deviation.

| | steps/s | steps per processor second | loss |
|---|---|---|---|"""


KINDS = ("keras", "torch", "torch fused")
RATIOS = [("keras", "torch"), ("keras", "torch fused")]


def run_keras(arrays, epochs, seed):
    """Train with the package; returns the clocks at the end of each epoch, and the losses."""
    import keras

    from cvae_keras.systems.dense.model import DenseCVAE
    from cvae_keras.training import FusedAdam, at_once

    keras.utils.set_random_seed(seed)
    options = {"batch_norm": True, "gated": False, "activation": "relu", "beta": BETA}
    model = DenseCVAE(DIM, LATENT, LAYERS, LAYERS, **options)
    model.compile(FusedAdam(1e-3), steps_per_execution=at_once(50))
    marks = []
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.append(bench.clocks()))
    fit = {"batch_size": BATCH, "epochs": epochs, "callbacks": [mark], "verbose": 0}
    history = model.fit(arrays, **fit)
    return marks, history.history["loss"]


def run_torch(arrays, epochs, seed, fused):
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
    for name, weight in parts.named_parameters():  # as Keras initializes
        if weight.ndim == 2:
            nn.init.xavier_uniform_(weight)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
    adam = torch.optim.Adam(parts.parameters(), 1e-3, eps=1e-7, fused=fused)
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
        marks.append(bench.clocks())
    return marks, losses


def work(job):
    """One run, in this process: steps per second after the first epoch, and the last loss."""
    from cvae_keras.data.conditions import Conditioned
    from cvae_keras.data.gaussian import IndependentGaussian

    bench.keep_cores(1)
    arrays = Conditioned(IndependentGaussian(DIM)).examples(job["steps"] * BATCH, seed=0)
    options = {"epochs": job["epochs"], "seed": job["seed"]}
    if job["kind"].startswith("torch"):
        marks, losses = run_torch(arrays, fused=job["kind"] == "torch fused", **options)
    else:
        marks, losses = run_keras(arrays, **options)
    wall, processor = np.subtract(marks[-1], marks[0])
    steps = job["steps"] * (job["epochs"] - 1)
    speed = {"wall": steps / wall, "processor": steps / processor}
    return {**job, **speed, "loss": losses[-1]}


def table(by_kind, about):
    """The Markdown of all runs."""
    lines = [HEAD.format(about=about)]
    for kind, rows in by_kind.items():
        wall, cpu = ([row[name] for row in rows] for name in ("wall", "processor"))
        speeds = f"{bench.spread(wall, ',.0f')} | {bench.spread(cpu, ',.0f')}"
        lines.append(f"| {kind} | {speeds} | {bench.final_loss(rows, '.4f')} |")
    return "\n".join([*lines, *bench.ratio_rows(by_kind, RATIOS)]) + "\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--repeats", type=click.IntRange(2), default=3, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=2000, show_default=True, help="Per epoch.")
@click.option("--epochs", type=click.IntRange(2), default=4, show_default=True)
@bench.command(__file__, work)
def main(repeats, steps, epochs, out):
    bench.need("torch")
    began, recipe = time.perf_counter(), {"steps": steps, "epochs": epochs}
    line = (
        "{kind:16} seed {seed}: {wall:6,.0f} steps/s, {processor:6,.0f} per processor second, "
        "loss {loss:.4f}"
    )
    runs = bench.collect(__file__, KINDS, repeats, lambda *_: recipe, line)
    bench.write_steps(out, runs, repeats, epochs, steps, BATCH, began, table)


if __name__ == "__main__":
    main()
