"""`cvae-keras vad ...`: the experiments of the auto-decoder, one configuration at a time."""

import json
import time
from pathlib import Path

import click

from cvae_keras.cli import options

OUT = click.option("--out", type=options.PATH, default=Path("runs/vad"), show_default=True)
RUN = options.combine(
    click.argument("dataset"),
    click.argument("name"),
    click.argument("number", type=click.IntRange(min=0)),
    click.option("--dataset-path", type=options.PATH, help="Your own .npz, for artificial."),
    options.data_dir("Folder with the image files."),
    OUT,
)


@click.group()
def vad():
    """Variational auto-decoder: grids of options, training, tests with missing entries."""


@vad.command()
@click.argument("name")
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
    import keras
    from tqdm.keras import TqdmCallback

    from cvae_keras.data.missing import load_rows
    from cvae_keras.experiments.auto_decoder.run import read_config, save_run
    from cvae_keras.experiments.auto_decoder.run import train as train_model

    folder, path = out / name, out / name / f"model_{number}.keras"
    config = read_config(folder, number)
    if path.exists() and not force:
        raise click.ClickException(f"{path} is there: give --force to train it again.")
    rows = config["train_rows"], config["test_rows"]
    x, _ = load_rows(dataset, dataset_path, data_dir, *rows)
    begin = time.perf_counter()
    backup = keras.callbacks.BackupAndRestore(folder / f".backup_{number}")
    model, history = train_model(config, x, [TqdmCallback(verbose=0), backup])
    seconds = time.perf_counter() - begin
    save_run(folder, number, model, history, config, seconds, dataset)
    click.echo(f"mse {history.history['mse'][-1]:.5f} on observed entries. Model: {path}")


def _load(dataset, name, number, dataset_path, data_dir, out):
    from cvae_keras.data.missing import load_rows
    from cvae_keras.experiments.auto_decoder.run import read_config
    from cvae_keras.systems.saved import load_model

    config = read_config(out / name, number)
    model = load_model(out / name / f"model_{number}.keras")
    rows = config["train_rows"], config["test_rows"]
    return model, config, load_rows(dataset, dataset_path, data_dir, *rows)[1]


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
@click.argument("name")
@OUT
def collect(name, out):
    """Gather all test results of the grid NAME in one CSV file."""
    import pandas as pd

    folder, rows = out / name, []
    for path in sorted(folder.glob("test_*.json")):
        run = json.loads(path.read_text())
        number = int(path.stem.rsplit("_", 1)[1])
        head = {"number": number, "data": run["data"], "kind": run["kind"]}
        rows += [{**head, **row, **run["config"]} for row in run["rows"]]
    if not rows:
        raise click.ClickException(
            f"{folder} holds no test results: run `cvae-keras vad test-missing` first."
        )
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "results.csv", index=False)
    click.echo(f"{len(frame)} rows: {folder / 'results.csv'}")


@vad.command()
@RUN
@click.option("--ratio", type=click.FloatRange(0, 1, max_open=True), default=0.5, show_default=True)
def plot(dataset, name, number, dataset_path, data_dir, out, ratio):
    """A figure of eight test rows: original, observed, reconstruction."""
    from cvae_keras.data.missing import draw_mask, observed_entries
    from cvae_keras.plots.auto_decoder import plot_rows

    model, _, x = _load(dataset, name, number, dataset_path, data_dir, out)
    x, known = observed_entries(x[:8])
    mask = known * draw_mask(x.shape, ratio, [0, round(10 * ratio)])
    rows = [x, x, model.reconstruct(x * mask, mask)]
    path = out / name / f"plot_{number}.png"
    plot_rows(rows, ["original", "observed", "reconstruction"], mask).savefig(path, dpi=120)
    click.echo(f"Figure: {path}")
