"""How fast SidWorks01's sinusoid network trains: our Keras model against a plain PyTorch loop.

Both sides train row 4 of the test-case table (Conv1D encoder 32 x 16, 64 x 8; 100 latent
dimensions; transposed-convolution decoder; x term, y term with its gradient, KL; Adam 1e-3; batch
250) on the same examples in the same order from weights of the same distribution. Keras runs as
the table does, through `SinusoidCVAE`, its metrics and `fit`, on every backend that is installed;
PyTorch as a plain eager loop, its data laid out channels-first once and indexed by batch.

Each run is a fresh process with the same threads, on as many cores as threads where the system
lets it choose; Keras and PyTorch alternate; the first epoch is a warm-up and is not counted. Each
run is timed in wall time and in processor time, which is the fairer on a machine that also does
other work. Each also times a float32 matmul of 2048 x 2048 in its own framework, the peak of the
machine, of which training reaches a share (10.2 MFLOP per example). bfloat16 is `mixed_bfloat16` in
Keras, autocast in PyTorch: it helps only where the processor computes in it.

    pip install -e .[benchmark]                    # adds torch; its CPU build is enough
    python benchmarks/sinusoid.py --repeats 5 --threads 1

Writes `sinusoid.md` and `sinusoid.json` beside this file.
"""

import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

import runs as bench

FLOP_PER_EXAMPLE = 10.2e6
KINDS = ("keras float32", "torch float32", "keras bfloat16", "torch bfloat16")
RATIOS = [
    ("keras float32", "torch float32"),
    ("keras bfloat16", "torch float32"),
    ("keras bfloat16", "torch bfloat16"),
]


HEAD = """# Training SidWorks01's sinusoid network: Keras against plain PyTorch

{about}

Median (least to greatest) over the repeats; loss of the last epoch: mean +- standard deviation.
The share is that of the speed of a float32 matmul in the same framework, in processor time.

| | examples/s | examples per processor second | share of the matmul peak | loss |
|---|---|---|---|---|"""


def peak(matmul, repeats=6):
    """FLOP per processor second of the best of some 2048 x 2048 products."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        matmul()
        seconds.append(time.process_time() - start)
    return 2 * 2048**3 / min(seconds)


def run_keras(config, train):
    """Train as the table does; returns `(clocks at the end of each epoch, losses, peak)`."""
    import keras

    from cvae_keras.experiments.sinusoid.cases import train_case

    a = keras.random.normal((2048, 2048))
    flops = peak(lambda: keras.ops.convert_to_numpy(keras.ops.matmul(a, a)))
    marks = []
    mark = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: marks.append(bench.clocks())
    )
    _, history = train_case(config, train, [mark])
    return marks, history.history["loss"], flops


def torch_model(latent):
    """The network in PyTorch: called with x and y, channels first; (x_hat, mean, log_var)."""
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv1d(4, 32, 16), nn.ReLU(), nn.Conv1d(32, 64, 8), nn.ReLU(), nn.Flatten()
            )
            self.mean, self.log_var = nn.Linear(28 * 64, latent), nn.Linear(28 * 64, latent)
            self.decoder = nn.Sequential(
                nn.Linear(latent + 100, 28 * 64), nn.ReLU(), nn.Unflatten(1, (64, 28)),
                nn.ConvTranspose1d(64, 32, 8), nn.ReLU(), nn.ConvTranspose1d(32, 2, 16), nn.ReLU(),
            )  # fmt: skip
            for name, weight in self.named_parameters():  # as Keras initializes
                (nn.init.zeros_ if name.endswith("bias") else nn.init.xavier_uniform_)(weight)

        def forward(self, x, y):
            h = self.encoder(torch.cat([x, y], 1))
            mean, log_var = self.mean(h).float(), self.log_var(h).float().clamp(-20, 20)
            z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
            return self.decoder(torch.cat([z, y.flatten(1)], 1)).float(), mean, log_var

    return Model()


def run_torch(config, train):
    """The same recipe in PyTorch; returns what `run_keras` does."""
    import torch

    from cvae_keras.data.sinusoid import TASKS

    torch.set_num_threads(config["threads"])
    torch.manual_seed(config["seed"])
    a = torch.randn(2048, 2048)
    flops = peak(lambda: a @ a)

    functions = TASKS[config["data"]].functions
    distance = {"mse": torch.square, "l1_mean": torch.abs}[config["loss"]]
    model = torch_model(config["latent"])
    adam = torch.optim.Adam(model.parameters(), config["lr"], eps=1e-7, fused=True)
    x_all, y_all = (torch.from_numpy(part.transpose(0, 2, 1).copy()) for part in train)
    marks, losses, batch = [], [], config["batch"]
    for epoch in range(config["epochs"]):
        order = np.random.default_rng([config["seed"], epoch]).permutation(len(x_all))
        total, batches = 0.0, torch.from_numpy(order).split(batch)
        for rows in batches:
            x, y = x_all[rows], y_all[rows]
            with torch.autocast("cpu", torch.bfloat16, enabled=config["precision"] == "bfloat16"):
                x_hat, mean, log_var = model(x, y)
            y_hat = [getattr(torch, f)(p * x_hat[:, 0] + q * x_hat[:, 1]) for f, p, q in functions]
            y_hat = torch.stack(y_hat, 1)
            kl = 0.5 * (log_var.exp() + mean.square() - log_var - 1).sum()
            x_loss, y_loss = distance(x - x_hat).sum(), distance(y - y_hat).sum()
            loss = (config["wx"] * x_loss + config["wy"] * y_loss + config["beta"] * kl) / batch
            adam.zero_grad()
            loss.backward()
            adam.step()
            total += loss.detach()
        losses.append(float(total) / len(batches))
        marks.append(bench.clocks())
    return marks, losses, flops


def work(config):
    """One run, in this process: its speed after the first epoch, its last loss, its peak."""
    from cvae_keras.data.sinusoid import TASKS

    bench.keep_cores(config["threads"])
    train = TASKS[config["data"]].sample(config["examples"], seed=0)
    run = run_keras if config["kind"].startswith("keras") else run_torch
    marks, losses, flops = run(config, train)
    wall, processor = np.subtract(marks[-1], marks[0])
    examples = config["examples"] * (len(marks) - 1)
    return {
        "kind": config["kind"],
        "seed": config["seed"],
        "wall": examples / wall,
        "processor": examples / processor,
        "share": examples / processor * FLOP_PER_EXAMPLE / flops,
        "gflops": flops / 1e9,
        "loss": losses[-1],
    }


def processor():
    """Whether the processor computes in bfloat16, where the system says so."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "not known"
    names = [name for name in ("amx_bf16", "avx512_bf16") if name in flags]
    return ", ".join(names) or "neither amx_bf16 nor avx512_bf16"


def table(by_kind, about):
    """The Markdown of all runs."""
    lines = [HEAD.format(about=about)]
    for kind, rows in by_kind.items():
        wall, cpu, share = ([row[name] for row in rows] for name in ("wall", "processor", "share"))
        speeds = f"{bench.spread(wall, ',.0f')} | {bench.spread(cpu, ',.0f')}"
        share, loss = bench.spread(share, ".0%"), bench.final_loss(rows, ".3f")
        lines.append(f"| {kind} | {speeds} | {share} | {loss} |")
    return "\n".join([*lines, *bench.ratio_rows(by_kind, RATIOS)]) + "\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--repeats", type=click.IntRange(2), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--examples", type=click.IntRange(250), default=20_000, show_default=True)
@click.option("--epochs", type=click.IntRange(2), default=5, show_default=True)
@click.option("--loss", type=click.Choice(["l1_mean", "mse"]), default="l1_mean", show_default=True)
@bench.command(__file__, work)
def main(repeats, threads, examples, epochs, loss, out):
    bench.need("torch")
    from cvae_keras.experiments.sinusoid.cases import CASES, case_config

    began = time.perf_counter()
    case = replace(CASES["data_1"][3], loss=loss)
    examples -= examples % case.batch  # full batches only, on both sides

    def config(kind, seed):
        precision = kind.split()[-1]
        if kind.startswith("keras"):
            precision = precision.replace("bfloat16", "mixed_bfloat16")
        options = case_config("data_1", case, "elbo", True, precision, seed)
        return options | {"examples": examples, "epochs": epochs, "threads": threads}

    line = (
        "{kind:25} seed {seed}: {wall:6,.0f} examples/s, {processor:6,.0f} per processor second, "
        "{share:.0%} of {gflops:.0f} GFLOP/s, loss {loss:.3f}"
    )
    runs = bench.collect(__file__, KINDS, repeats, config, line, threads)
    settings = {"repeats": repeats, "threads": threads, "examples": examples, "epochs": epochs}
    about = (
        f"{repeats} repeats of {epochs} epochs (the first not counted) of {examples:,} examples, "
        f"{loss}, batch {case.batch}, {threads} thread{'s' * (threads > 1)}. bfloat16 in the "
        f"processor: {processor()}. {{}}."
    )
    bench.write(
        out,
        runs,
        {**settings, "loss": loss, "batch": case.batch},
        began,
        lambda by_kind, versions: table(by_kind, about.format(versions)),
        machine={"bfloat16": processor()},
    )


if __name__ == "__main__":
    main()
