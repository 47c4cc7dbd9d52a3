"""`cvae-keras vad ...`: the experiments of the auto-decoder, one configuration at a time."""

import zlib
from pathlib import Path

import click

from cvae_keras.cli import options

OUT = click.option("--out", type=options.PATH, default=Path("runs/vad"), show_default=True)
NAME = click.argument("name", type=options.Name())
RUN = options.combine(
    click.argument("dataset"),
    NAME,
    click.argument("number", type=click.IntRange(min=0)),
    click.option("--dataset-path", type=options.PATH, help="Your own .npz, for artificial."),
    options.data_dir("Folder with the image files."),
    OUT,
)


@click.group()
def vad():
    """Variational auto-decoder: grids of options, training, tests with missing entries."""


@vad.command()
@NAME
@click.option(
    "--options", "grid", type=options.JsonFile(), help='JSON file, {"latent_dim": [25, 50], ...}.'
)
@OUT
def grid(name, grid, out):
    """Write one JSON configuration for each combination of a grid of options."""
    from cvae_keras.experiments.auto_decoder.run import GRID, write_grid

    paths = write_grid(out / name, GRID if grid is None else grid)
    click.echo(f"{len(paths)} configurations: {paths[0]} to {paths[-1].name}")


@vad.command()
@RUN
@click.option("--force", is_flag=True, help="Train again if there is a model already.")
def train(dataset, name, number, dataset_path, data_dir, out, force):
    """Train configuration NUMBER of the grid NAME; a killed training continues where it was.

    DATASET is mnist, fashion_mnist, digits, artificial (with --dataset-path), artificial_2,
    artificial_10 or the path of a .csv file of numbers, of which empty cells are missing entries.
    """
    from tqdm.keras import TqdmCallback

    from cvae_keras.data.missing import load_rows
    from cvae_keras.experiments.auto_decoder.run import CONTENT, read_config, save_run
    from cvae_keras.experiments.auto_decoder.run import train as train_model
    from cvae_keras.files import claim
    from cvae_keras.training import Checkpoint

    config = read_config(out / name, number)
    folder = claim(out / name, CONTENT)
    path, partly = folder / f"model_{number}.keras", folder / f".checkpoint_{number}.npz"
    if path.exists() and not partly.exists():
        if not force:
            raise ValueError(f"{path} is there: give --force to train it again and replace it.")
        click.echo(f"Replaces {path} and train_{number}.json when the training is done.")
    rows = config["train_rows"], config["test_rows"]
    x, _ = load_rows(dataset, dataset_path, data_dir, *rows)
    checkpoint = Checkpoint(partly, {**config, "data": dataset, "crc32": zlib.crc32(x.tobytes())})
    bar = TqdmCallback(verbose=0, desc=f"model {number}")
    model, history = train_model(config, x, [bar, checkpoint])
    seconds = sum(history.history["seconds"])
    save_run(folder, number, model, history, config, seconds, dataset)
    checkpoint.remove()
    click.echo(f"mse {history.history['mse'][-1]:.5f} on observed entries. Model: {path}")


def _load(dataset, name, number, dataset_path, data_dir, out):
    from cvae_keras.data.missing import load_rows
    from cvae_keras.experiments.auto_decoder.run import read_config
    from cvae_keras.systems.saved import load_model

    config = read_config(_owned(out / name), number)
    model = load_model(out / name / f"model_{number}.keras")
    rows = config["train_rows"], config["test_rows"]
    return model, config, load_rows(dataset, dataset_path, data_dir, *rows)[1]


def _owned(folder):
    """The folder of a grid, refused if it is of others."""
    from cvae_keras.experiments.auto_decoder.run import CONTENT
    from cvae_keras.files import claim

    if not folder.is_dir():
        raise ValueError(f"{folder} is not there: make it with `cvae-keras vad grid`.")
    return claim(folder, CONTENT)


def _test(folder, number, kind, dataset, ratios, masks, model, config, x):
    from cvae_keras.experiments.auto_decoder.run import score_missing
    from cvae_keras.files import write_json

    rows = []
    for ratio in ratios:
        row = score_missing(model, config, x, ratio, [masks, round(10 * ratio)])
        rows.append({"ratio": ratio, **row})
        click.echo(f"missing {ratio:.1f}: mse {row['mse']:.5f}  {row['ms_per_row']:.2f} ms per row")
    path = folder / f"{kind}_{number}.json"
    write_json(path, {"data": dataset, "kind": kind, "config": config, "rows": rows})
    click.echo(f"File: {path}")


@vad.command("test-missing")
@RUN
@click.option("--missing-mode", type=click.Choice(["fixed", "random"]), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the random masks.")
def test_missing(dataset, name, number, dataset_path, data_dir, out, missing_mode, seed):
    """Test with 0.1 to 0.9 missing: the same masks for every model (fixed), or fresh ones."""
    from cvae_keras.experiments.auto_decoder.run import RATIOS

    loaded = _load(dataset, name, number, dataset_path, data_dir, out)
    masks = 0 if missing_mode == "fixed" else 1 + seed
    _test(out / name, number, f"test_missing_{missing_mode}", dataset, RATIOS, masks, *loaded)


@vad.command("test-clean")
@RUN
def test_clean(dataset, name, number, dataset_path, data_dir, out):
    """Test with nothing missing."""
    loaded = _load(dataset, name, number, dataset_path, data_dir, out)
    _test(out / name, number, "test_clean", dataset, (0.0,), 0, *loaded)


@vad.command()
@NAME
@OUT
def collect(name, out):
    """Gather all test results of the grid NAME in one CSV file."""
    from cvae_keras.experiments.auto_decoder.run import collect as collect_results

    folder = _owned(out / name)
    frame = collect_results(folder)
    click.echo(f"{len(frame)} rows: {folder / 'results.csv'}")


@vad.command()
@RUN
@click.option("--ratio", type=click.FloatRange(0, 1, max_open=True), default=0.5, show_default=True)
def plot(dataset, name, number, dataset_path, data_dir, out, ratio):
    """A figure of eight test rows: original, observed, reconstruction."""
    from cvae_keras.data.missing import draw_mask, observed_entries
    from cvae_keras.files import replacing
    from cvae_keras.plots.auto_decoder import plot_rows

    model, _, x = _load(dataset, name, number, dataset_path, data_dir, out)
    x, known = observed_entries(x[:8])
    mask = known * draw_mask(x.shape, ratio, [0, round(10 * ratio)])
    rows = [x, x, model.reconstruct(x * mask, mask)]
    path = out / name / f"plot_{number}.png"
    with replacing(path) as partial:
        plot_rows(rows, ["original", "observed", "reconstruction"], mask).savefig(partial, dpi=120)
    click.echo(f"Figure: {path}")
