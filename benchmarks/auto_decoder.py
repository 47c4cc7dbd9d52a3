"""Speed of the auto-decoder in training and inference, compared with Zadeh et al.'s in PyTorch.

Training: a decoder with two hidden layers of 200 and a table of 50 latents per row, complete data,
batches of 32 and 256; PyTorch with a dense Adam over the whole table, as Zadeh et al. (2019). Test:
the latents of new rows at four missing ratios; PyTorch with 100 epochs of Adam in batches of 256,
Keras with `--inner` steps; both report their error over all pixels. Keras runs on every backend
that is installed. The runs alternate, each in a fresh process with one thread; the first epoch of a
training is not counted.

    pip install -e .[benchmark]                    # adds torch; its CPU build is enough
    CVAE_KERAS_DATA=folder python benchmarks/auto_decoder.py --repeats 2

Writes `auto_decoder.md` and `auto_decoder.json` beside this file. MNIST is read from the folder in
`CVAE_KERAS_DATA`, or downloaded.
"""

import time

import click
import numpy as np

import runs as bench

LATENT, HIDDEN, RATIOS = 50, 200, (0.1, 0.5, 0.7, 0.9)
KINDS = ("keras 32", "torch 32", "keras 256", "torch 256")
RATIOS_OF_KINDS = [KINDS[:2], KINDS[2:]]
HEAD = """# Auto-decoder: Keras against plain PyTorch

{about}

Median (minimum to maximum) over the repeats; errors are means.

| library, batch | examples/s | examples per CPU second | ms per row, test | {ratios} |
|---|---|---|---|{lines}"""


def rows(config):
    from cvae_keras.data.missing import load_rows

    return load_rows(config["data"], None, None, config["train"], config["test"])


def run_keras(config):
    """Train and test the Keras model; returns clock marks, milliseconds per row and errors."""
    import keras

    from cvae_keras.experiments.auto_decoder.run import complete, score_missing, train

    marks = []
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: marks.append(bench.clocks()))
    x, x_test = rows(config)
    options = complete({"epochs": config["epochs"], "batch_size": config["batch"]})
    options |= {"seed": config["seed"], "test_method": "gradient", "test_steps": config["inner"]}
    model, _ = train(options, x, [mark])
    results = [score_missing(model, options, x_test, r, [0, round(10 * r)]) for r in RATIOS]
    milliseconds = np.mean([result["ms_per_row"] for result in results])
    return marks, milliseconds, [result["mse"] for result in results]


def run_torch(config):
    """As Zadeh et al.: two Adams, dense steps on the whole table, masked mean of squares."""
    import torch

    from cvae_keras.data.missing import draw_mask

    torch.set_num_threads(1)
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
            marks.append(bench.clocks())

    z = (0.001 * torch.randn(len(x), LATENT)).requires_grad_()
    both = [torch.optim.Adam(net.parameters(), 1e-3), torch.optim.Adam([z], config["latent_lr"])]
    epochs(z, both, x, torch.ones_like(x), config["epochs"], config["batch"])
    trained, errors, begin = list(marks), [], time.perf_counter()
    net.requires_grad_(False)
    for ratio in RATIOS:
        mask = torch.from_numpy(draw_mask(x_test.shape, ratio, [0, round(10 * ratio)]))
        z = (0.001 * torch.randn(len(x_test), LATENT)).requires_grad_()
        epochs(z, [torch.optim.Adam([z], config["latent_lr"])], x_test, mask, 100, 256)
        with torch.no_grad():
            errors.append(float(((net(z) - x_test) ** 2).mean()))
    spent = (time.perf_counter() - begin) / len(RATIOS) / len(x_test)
    return trained, 1e3 * spent, errors


def work(config):
    """One run, in this process."""
    bench.keep_cores(1)
    library, *_, batch = config["kind"].split()
    run = {"keras": run_keras, "torch": run_torch}[library]
    marks, milliseconds, errors = run({**config, "batch": int(batch)})
    wall, processor = np.subtract(marks[-1], marks[0])
    examples = config["train"] * (len(marks) - 1)
    speed = {"wall": examples / wall, "processor": examples / processor}
    return {**config, **speed, "ms": milliseconds, "mse": errors}


def table(by_kind, about):
    """The Markdown of all runs."""
    ratios = " | ".join(f"mse at {ratio}" for ratio in RATIOS)
    lines = [HEAD.format(about=about, ratios=ratios, lines="---|" * len(RATIOS))]
    for kind, rows in by_kind.items():
        wall, cpu, ms = ([row[name] for row in rows] for name in ("wall", "processor", "ms"))
        cells = [bench.spread(wall, ",.0f"), bench.spread(cpu, ",.0f"), bench.spread(ms, ".3f")]
        cells += [f"{error:.4f}" for error in np.mean([row["mse"] for row in rows], axis=0)]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join([*lines, *bench.ratio_rows(by_kind, RATIOS_OF_KINDS)]) + "\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--repeats", type=click.IntRange(1), default=2, show_default=True)
@click.option("--data", default="mnist", show_default=True)
@click.option("--train", type=click.IntRange(256), default=10_000, show_default=True)
@click.option("--test", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--epochs", type=click.IntRange(2), default=30, show_default=True)
@click.option(
    "--inner",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="Steps of Keras.",
)
@click.option("--latent-lr", type=float, default=1e-2, show_default=True, help="Of PyTorch.")
@bench.command(__file__, work)
def main(repeats, out, **settings):
    bench.need("torch")
    began = time.perf_counter()
    line = (
        "{kind:20} seed {seed}: {wall:6,.0f} examples/s, {processor:6,.0f} per CPU second, "
        "{ms:.3f} ms per row, errors {mse}"
    )
    runs = bench.collect(__file__, KINDS, repeats, lambda *_: settings, line)
    about = ", ".join(f"{name} {value}" for name, value in settings.items())
    bench.write(
        out,
        runs,
        {"repeats": repeats, **settings},
        began,
        lambda by_kind, versions: table(by_kind, f"{about}; {repeats} repeats. {versions}."),
    )


if __name__ == "__main__":
    main()
