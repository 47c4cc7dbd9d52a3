"""How fast CompressionVAE's network trains: in Keras, and as maxfrenzel's in plain PyTorch.

maxfrenzel's CompressionVAE needs TensorFlow 1 and is not run here. Its network is written below in
PyTorch: encoder cells [512, 128], five flow steps with one small network *for each dimension*, the
reversed decoder, batches of 64, Adam. Ours is the same network with masked dense layers over all
dimensions at once (and layer normalization, which maxfrenzel's lacks), without neighbors and
without principal components, on every backend that is installed. Both train on rows of 784 random
numbers. Fresh processes, one thread, alternating; the first epoch is not counted.

    pip install -e .[benchmark]                    # adds torch; its CPU build is enough
    python benchmarks/compression.py --repeats 3

Writes `compression.md` and `compression.json` beside this file.
"""

import time

import click
import numpy as np

import runs as bench

CELLS, FLOW, BATCH, FEATURES, FLOW_WIDTH = (512, 128), 5, 64, 784, 16
KINDS = ("keras 2-D", "torch 2-D", "keras 64-D", "torch 64-D")
RATIOS = [KINDS[:2], KINDS[2:]]
HEAD = """# Training CompressionVAE's network: Keras against plain PyTorch

{about}

Median (least to greatest) over the repeats.

| | examples/s | examples a processor second |
|---|---|---|"""


def run_keras(x, latent, epochs, seed):
    """Train with the package; the clocks at the end of each epoch."""
    import keras

    from cvae_keras.systems.compression.model import CompressionModel
    from cvae_keras.systems.compression.neighbors import PairedBatches
    from cvae_keras.training import LazyAdam, at_once

    keras.utils.set_random_seed(seed)
    model = CompressionModel(FEATURES, latent, FLOW, CELLS)
    model.compile(LazyAdam(1e-3), steps_per_execution=at_once(20))
    marks = []
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.append(bench.clocks()))
    batches = PairedBatches(x, None, BATCH, len(x) // BATCH, seed)
    model.fit(batches, epochs=epochs, callbacks=[mark], verbose=0)
    return marks


def torch_parts(latent):
    """Encoder, its two heads, the flow's steps and the decoder, in PyTorch."""
    import torch
    from torch import nn

    def dense(sizes):
        layers = []
        for inner, outer in zip(sizes, sizes[1:], strict=False):
            layers += [nn.Linear(inner, outer), nn.ReLU()]
        return nn.Sequential(*layers)

    class Step(nn.Module):
        """m_i and s_i from z_1 .. z_(i-1) and the context, one small network a dimension."""

        def __init__(self):
            super().__init__()
            sizes = [(i + CELLS[-1], FLOW_WIDTH) for i in range(latent)]
            self.nets = nn.ModuleList(
                nn.Sequential(dense(size), nn.Linear(FLOW_WIDTH, 2)) for size in sizes
            )

        def forward(self, z, context):
            out = [net(torch.cat([z[:, :i], context], 1)) for i, net in enumerate(self.nets)]
            m, logit = torch.stack(out, 1).unbind(-1)
            s = torch.sigmoid(logit + 2.0)
            return s * z + (1 - s) * m, torch.log(s)

    encoder, heads = dense((FEATURES, *CELLS)), nn.Linear(CELLS[-1], 2 * latent)
    steps = nn.ModuleList(Step() for _ in range(FLOW))
    decoder = nn.Sequential(dense((latent, *CELLS[::-1])), nn.Linear(CELLS[0], FEATURES))
    return nn.ModuleList([encoder, heads, steps, decoder])


def run_torch(x, latent, epochs, seed):
    """The same recipe in PyTorch; returns what `run_keras` does."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    parts = torch_parts(latent)
    encoder, heads, steps, decoder = parts
    adam = torch.optim.Adam(parts.parameters(), 1e-3)
    x, marks = torch.from_numpy(x), []
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            batch = x[rows]
            context = encoder(batch)
            mean, log_var = heads(context).chunk(2, 1)
            noise = torch.randn_like(mean)
            z, log_q = mean + torch.exp(log_var / 2) * noise, -0.5 * (noise**2 + log_var)
            for number, step in enumerate(steps):
                z = z.flip(1) if number else z
                z, log_s = step(z, context)
                log_q = (log_q.flip(1) if number else log_q) - log_s
            kl = (log_q + 0.5 * z**2).sum(1)
            loss = (0.5 * (decoder(z) - batch).square().sum(1) + kl).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        marks.append(bench.clocks())
    return marks


def work(job):
    """One run, in this process: examples a second after the first epoch."""
    bench.keep_cores(1)
    x = np.random.default_rng(0).normal(size=(job["steps"] * BATCH, FEATURES)).astype("float32")
    library, *_, size = job["kind"].split()
    run = {"keras": run_keras, "torch": run_torch}[library]
    marks = run(x, int(size.removesuffix("-D")), job["epochs"], job["seed"])
    wall, processor = np.subtract(marks[-1], marks[0])
    examples = job["steps"] * BATCH * (job["epochs"] - 1)
    return {**job, "wall": examples / wall, "processor": examples / processor}


def table(by_kind, about):
    """The Markdown of all runs."""
    lines = [HEAD.format(about=about)]
    for kind, rows in by_kind.items():
        wall, cpu = ([row[name] for row in rows] for name in ("wall", "processor"))
        lines.append(f"| {kind} | {bench.spread(wall, ',.0f')} | {bench.spread(cpu, ',.0f')} |")
    return "\n".join([*lines, *bench.ratio_rows(by_kind, RATIOS)]) + "\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--repeats", type=click.IntRange(2), default=3, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=200, show_default=True, help="An epoch.")
@click.option("--epochs", type=click.IntRange(2), default=3, show_default=True)
@bench.command(__file__, work)
def main(repeats, steps, epochs, out):
    bench.need("torch")
    began, recipe = time.perf_counter(), {"steps": steps, "epochs": epochs}
    line = "{kind:21} seed {seed}: {wall:6,.0f} examples/s, {processor:6,.0f} a processor second"
    runs = bench.collect(__file__, KINDS, repeats, lambda *_: recipe, line)
    bench.write_steps(out, runs, repeats, epochs, steps, BATCH, began, table)


if __name__ == "__main__":
    main()
