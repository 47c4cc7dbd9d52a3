"""`cvae-keras vad ...`: the experiments of the auto-decoder, one configuration at a time."""

import zlib
from contextlib import nullcontext
from pathlib import Path

import click

from cvae_keras.cli import options

OUT = click.option("--out", type=options.PATH, default=Path("runs/vad"), show_default=True)
NAME = click.argument("name", type=options.Name())
RUN = options.combine(
    click.argument("dataset"),
    NAME,
    click.argument("number", type=click.IntRange(min=0)),
    click.option(
        "--dataset-path",
        type=options.PATH,
        help="An .npz file for artificial; or an .h5 file, its ending may be left out.",
    ),
    options.data_dir("Folder with the image files."),
    OUT,
)


#: Options of a command that replace those of the configuration's file.
OVERRIDES = options.combine(
    click.option(
        "--model", "variant", type=click.Choice(["ae", "vae", "vae_free"]), help="The variant."
    ),
    click.option("--log-var", type=float, help="Log-variance of the latents, of --model vae."),
    click.option("--n-train-epochs", "epochs", type=options.COUNT, help="Epochs of training."),
    click.option("--n-test-epochs", "test_steps", type=options.COUNT, help="Steps in a test."),
    click.option("--batch-size", type=options.COUNT, help="Training rows of a batch."),
    click.option("--test-batch-size", type=options.COUNT, help="Test rows searched at a time."),
    click.option("--kl/--no-kl", default=None, help="With weight 1 or --ratio-kl; or without KL."),
    click.option("--ratio-kl", type=click.FloatRange(min=0), help="Weight of the KL term."),
    click.option("--reduce", is_flag=True, help="Halve the learning rates on a plateau."),
    click.option("--cuda", is_flag=True, help="Compute on a GPU, if there is one."),
    click.option("--cuda-device", type=click.IntRange(min=0), help="Number of the GPU."),
)


@click.group(context_settings={"token_normalize_func": lambda name: name.replace("_", "-")})
def vad():
    """Variational auto-decoder: grids of options, training, tests with missing entries.

    Options and commands may be written with underscores as well, test_missing --n_test_epochs 500.
    """


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


def _given(kl, ratio_kl, reduce, cuda, cuda_device, **given):
    """The options of the experiment that the command's options name."""
    if kl is False and ratio_kl is not None:
        raise ValueError("--no-kl and --ratio-kl exclude each other: leave one of them out.")
    given = {name: value for name, value in given.items() if value is not None}
    if kl is not None or ratio_kl is not None:
        given["beta"] = (1.0 if ratio_kl is None else ratio_kl) if kl is not False else 0.0
    return {**given, "schedule": "plateau"} if reduce else given


def _device(cuda, cuda_device):
    """A context in which Keras computes on the GPU that was asked for, if there is one."""
    if not cuda and cuda_device is None:
        return nullcontext()
    import keras

    from cvae_keras.training.backends import gpus

    count, number = gpus(), cuda_device or 0
    if not count:
        backend = keras.backend.backend()
        click.echo(f"{backend} finds no GPU: this runs on the processor.", err=True)
        return nullcontext()
    if number >= count:
        raise ValueError(
            f"--cuda-device is {number}, but there are {count} GPUs: give 0 to {count - 1}."
        )
    return keras.device(f"gpu:{number}")


@vad.command()
@RUN
@OVERRIDES
@click.option("--force", is_flag=True, help="Train again if there is a model already.")
def train(dataset, name, number, dataset_path, data_dir, out, force, **given):
    """Train configuration NUMBER of the grid NAME; a killed training continues where it was.

    DATASET is mnist, fashion_mnist, digits, artificial (with --dataset-path), artificial_2,
    artificial_10 or the path of a .csv file of numbers, of which empty cells are missing entries.
    Options given here replace those of the configuration's file.
    """
    from tqdm.keras import TqdmCallback

    from cvae_keras.data.missing import load_rows
    from cvae_keras.experiments.auto_decoder.run import CONTENT, complete, read_config, save_run
    from cvae_keras.experiments.auto_decoder.run import train as train_model
    from cvae_keras.files import claim
    from cvae_keras.training.checkpoint import Checkpoint, trains_again

    replaced = _given(**given)
    config = complete({**read_config(out / name, number), **replaced})
    folder = claim(out / name, CONTENT)
    path, partly = folder / f"model_{number}.keras", folder / f".checkpoint_{number}.npz"
    if trains_again(path, partly, force):
        click.echo(f"Replaces {path} and train_{number}.json when the training is done.")
    rows = config["train_rows"], config["test_rows"]
    x, _ = load_rows(dataset, dataset_path, data_dir, *rows)
    checkpoint = Checkpoint(partly, {**config, "data": dataset, "crc32": zlib.crc32(x.tobytes())})
    bar = TqdmCallback(verbose=0, desc=f"model {number}")
    with _device(given["cuda"], given["cuda_device"]):
        model, history = train_model(config, x, [bar, checkpoint])
    seconds = sum(history.history["seconds"])
    data = str(dataset_path or dataset)
    save_run(folder, number, model, history, config, seconds, data, replaced)
    checkpoint.remove()
    click.echo(f"mse {history.history['mse'][-1]:.5f} on observed entries. Model: {path}")


def _load(dataset, name, number, dataset_path, data_dir, out, given=None):
    """The model, the options to test it with, and the test rows."""
    from cvae_keras.data.missing import load_rows
    from cvae_keras.experiments.auto_decoder.run import complete, read_trained
    from cvae_keras.systems.saved import load_model

    trained, given = read_trained(_owned(out / name), number), given or {}
    for option, value in given.items():
        if not option.startswith("test_") and value != trained[option]:
            click.echo(
                f"{option} {value} is of training, which used {trained[option]}: not read.",
                err=True,
            )
    tested = {option: given[option] for option in given if option.startswith("test_")}
    config = complete({**trained, **tested})
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


def _test(kind, ratios, masks, save, dataset, name, number, dataset_path, data_dir, out, **given):
    import numpy as np

    from cvae_keras.experiments.auto_decoder.run import data_label, predict_missing
    from cvae_keras.files import replacing, write_json

    chosen = _given(**given)
    model, config, x = _load(dataset, name, number, dataset_path, data_dir, out, chosen)
    rows, predicted = [], {"x": x}
    with _device(given["cuda"], given["cuda_device"]):
        for ratio in ratios:
            seeds = [masks, round(10 * ratio)]
            row, arrays = predict_missing(model, config, x, ratio, seeds)
            rows.append({"ratio": ratio, **row})
            if save:
                predicted |= {f"{key}_{ratio:.1f}": array for key, array in arrays.items()}
            spent = f"{row['ms_per_row']:.2f} ms per row"
            click.echo(f"missing {ratio:.1f}: mse {row['mse']:.5f}  {spent}")
    stem = f"{kind}_{data_label(dataset, dataset_path)}_{number}"
    if save:
        with replacing(out / name / f"predictions_{stem}.npz") as path:
            np.savez_compressed(path, **predicted)
        click.echo(f"Predictions: {out / name / f'predictions_{stem}.npz'}")
    path = out / name / f"{stem}.json"
    data = str(dataset_path or dataset)
    write_json(path, {"data": data, "kind": kind, "config": config, "rows": rows})
    click.echo(f"File: {path}")


SAVE = click.option("--save", is_flag=True, help="Write the masks and the reconstructions as .npz.")


@vad.command("test-missing")
@RUN
@OVERRIDES
@click.option("--missing-mode", type=click.Choice(["fixed", "random"]), required=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the random masks.")
@SAVE
def test_missing(missing_mode, seed, save, **arguments):
    """Test with 0.1 to 0.9 missing: the same masks for every model (fixed), or fresh ones."""
    from cvae_keras.experiments.auto_decoder.run import RATIOS

    masks = 0 if missing_mode == "fixed" else 1 + seed
    _test(f"test_missing_{missing_mode}", RATIOS, masks, save, **arguments)


@vad.command("test-clean")
@RUN
@OVERRIDES
@SAVE
def test_clean(save, **arguments):
    """Test with nothing missing."""
    _test("test_clean", (0.0,), 0, save, **arguments)


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
    from cvae_keras.experiments.auto_decoder.run import search_options
    from cvae_keras.files import replacing
    from cvae_keras.plots.auto_decoder import plot_rows
    from cvae_keras.plots.style import DPI

    model, config, x = _load(dataset, name, number, dataset_path, data_dir, out)
    x, known = observed_entries(x[:8])
    mask = known * draw_mask(x.shape, ratio, [0, round(10 * ratio)])
    rows = [x, x, model.reconstruct(x * mask, mask, **search_options(config))]
    path = out / name / f"plot_{number}.png"
    with replacing(path) as partial:
        plot_rows(rows, ["original", "observed", "reconstruction"], mask).savefig(partial, dpi=DPI)
    click.echo(f"Figure: {path}")
