"""The command line: `cvae-keras`, or `python -m cvae_keras`. The work itself is done elsewhere.

Each command imports what it needs when it runs: `--help` takes no longer than the package itself.
"""

from pathlib import Path

import click

from cvae_keras.cli import options
from cvae_keras.cli.auto_decoder import vad
from cvae_keras.cli.impute import impute
from cvae_keras.cli.search import search
from cvae_keras.cli.tables import table
from cvae_keras.cli.terminal import OneSentence


@click.group(cls=OneSentence)
@options.backend
def main():
    """Conditional variational autoencoders in Keras, each compared with an exact solution."""


@main.command()
@options.out("the repository, or the working directory where there is none")
@click.option("--force", is_flag=True, help="Replace files whose content differs.")
def data(out, force):
    """Write the sinusoid data sets data_1 and data_2, bit for bit as they are shipped."""
    from cvae_keras.data.sinusoid import TASKS, changed, write
    from cvae_keras.files import ROOT

    for name in TASKS:
        try:
            for path in changed(name, out or ROOT) if force else []:
                click.echo(f"Replaces {path}")
            paths = write(name, out or ROOT, force)
        except ValueError as error:
            raise click.ClickException(str(error).replace("force=True", "--force")) from error
        click.echo("\n".join(str(path) for path in paths))


for command in (table, vad, search, impute):
    main.add_command(command)


@main.command()
@click.option("--config", required=True, help="A JSON file, or the name of a shipped one.")
@options.out("results/testbed/NAME")
def testbed(config, out):
    """Train the dense CVAE of a JSON file at each of its betas; a killed run continues."""
    from cvae_keras.experiments.dense.run import run_config
    from cvae_keras.files import RESULTS

    folder = out or RESULTS / "testbed" / Path(config).stem
    run_config(config, folder)
    click.echo(f"Files: {folder}")


@main.command("convert-testbed")
@click.argument("theirs", type=options.JsonFile())
@click.argument("ours", type=options.PATH)
@click.option("--dataloader", help="The class of their data.  [default: by the entries of THEIRS]")
@click.option("--loss_fn", "--loss-fn", default="synthetic_loss", show_default=True)
@click.option("--batch_size", "--batch-size", type=options.COUNT, default=64, show_default=True)
@click.option("--num_batches", "--num-batches", type=options.COUNT, default=1000, show_default=True)
@click.option("--n_epochs", "--n-epochs", type=options.COUNT, default=30, show_default=True)
@click.option("--lr", type=float, default=0.001, show_default=True)
@click.option("--beta_vae", "--beta-vae", type=float, default=1.0, show_default=True)
@click.option("--force", is_flag=True, help="Replace OURS if there is a file of that name.")
def convert_testbed(theirs, ours, force, **training):
    """Write the model_kwargs and options of CVAE_testbed as a configuration of `testbed`."""
    from cvae_keras.files import write_json
    from cvae_keras.systems.dense.testbed_kwargs import convert_kwargs

    config = convert_kwargs(theirs, **training)
    write_json(_free(ours, force), config)
    kind = config["data"]["kind"]
    click.echo(f"Data: {kind}. Train it with: cvae-keras testbed --config {ours}")


@main.group()
def solve():
    """Train the final models of a system and compare them with the exact solution."""


@solve.command("sinusoid")
@options.task(required=False)
@click.option("--functions", type=options.Functions(), help="A task of your own, instead.")
@options.solution
@click.option("--epochs", type=options.COUNT, help="[default: as for the shipped models]")
@options.out("results")
@options.seed
@click.option("--force", is_flag=True, help="Train again, and replace the model that is there.")
def solve_sinusoid(task, functions, model, epochs, out, seed, force):
    """The models that solve the sinusoid tasks; a killed training continues."""
    from cvae_keras.experiments.sinusoid.solved import run_solved, train
    from cvae_keras.files import RESULTS, claim

    if task and functions:
        raise click.UsageError("--task and --functions each name a task: give one of them.")
    folder = claim(out or RESULTS, "results")
    models = folder / "models"
    tasks = [task or functions] if task or functions else [1, 2]
    for each in tasks:
        click.echo(f"Trained: {train(each, models, model, seed, epochs, force)}")
    click.echo(run_solved(folder, models, tasks if functions else [1, 2]))
    click.echo(f"Files: {folder / 'sinusoid_solved'}*.csv, .md, .png")


@main.command()
@options.task()
@options.solution
@click.option("--n", type=options.COUNT, default=5, show_default=True, help="Pairs of curves.")
@click.option("--samples", type=options.COUNT, default=100, show_default=True, help="Per pair.")
@options.out("results/quick/sinusoid_TASK_samples.png", "Figure")
@click.option("--force", is_flag=True, help="Replace the figure if there is one of that name.")
@options.seed
@click.option(
    "--save",
    type=options.PATH,
    help="Instead, write an .npy of 30 samples for each of the 50 scoring curves: (30, 50, 50, 2).",
)
def sample(task, model, n, samples, out, force, seed, save):
    """Sample solutions of fresh curves with a shipped model, refine them, score both."""
    from cvae_keras.data.sinusoid import TASKS
    from cvae_keras.experiments.sinusoid.solved import model_name
    from cvae_keras.files import RESULTS, claim, replacing
    from cvae_keras.metrics.modes import score_samples
    from cvae_keras.plots.sinusoid import plot_samples
    from cvae_keras.plots.style import DPI
    from cvae_keras.systems.saved import load_pretrained
    from cvae_keras.systems.sinusoid.refine import refine

    name = model_name(model, task)
    if save is not None:
        click.echo(f"File: {_save_samples(task, name, save, force, seed)}")
        return
    if out is None:
        out = claim(RESULTS / "quick", "results") / f"{name}_samples.png"
    else:
        _free(out, force)
    sinusoid = TASKS[f"data_{task}"]
    _, y = sinusoid.sample(n, seed)
    raw = load_pretrained(name).sample(y, n_samples=samples, seed=seed)
    refined, ok = refine(sinusoid, raw, y)
    measures = ("residual", "precision", "recall", "accepted")
    click.echo(f"{'':8s}" + "".join(f"{name:>11s}" for name in measures))
    for label, drawn, accepted in [("raw", raw, None), ("refined", refined, ok)]:
        score = score_samples(sinusoid, drawn, y, accepted)
        click.echo(f"{label:8s}" + "".join(f"{score[name]:11.3g}" for name in measures))
    title = f"task {task}, samples for the first of the curves"
    with replacing(out) as path:
        plot_samples(sinusoid, raw[:, 0], y[0], title).savefig(path, dpi=DPI)
    click.echo(f"Figure: {out}")


def _free(path, force):
    """A path for a file of ours, in a folder that is there; one that is taken needs --force."""
    from cvae_keras.files import open_folder

    if path.exists() and not force:
        raise ValueError(f"{path} is there: give --force to replace it, or name another file.")
    open_folder(path.parent)
    return path


def _save_samples(task, name, path, force, seed):
    """Write samples for the scoring curves, as the result data set of SidWorks01's project has."""
    import numpy as np

    from cvae_keras.data.sinusoid import load
    from cvae_keras.files import replacing
    from cvae_keras.systems.saved import load_pretrained

    if path.suffix != ".npy":
        raise ValueError(f"--save must name an .npy file, got {path}: change its ending.")
    _free(path, force)
    _, y = load(f"data_{task}", "score")
    drawn = load_pretrained(name).sample(y, n_samples=30, seed=seed)
    with replacing(path) as partial:
        np.save(partial, drawn, allow_pickle=False)
    return path


@main.command()
@options.out("results/quick")
@options.seed
@click.option("--force", is_flag=True, help="Run again, and replace the report that is there.")
def quick(out, seed, force):
    """Train a small CVAE, sample it and the shipped models, and write a report (`make run`)."""
    from cvae_keras.experiments.sinusoid.quick import run_quick
    from cvae_keras.files import RESULTS

    report = run_quick(out or RESULTS / "quick", seed=seed, force=force)
    click.echo(f"Open in a browser: {report}")


@main.command()
@click.option("--task", type=click.Choice([1, 2]), default=2, show_default=True)
@options.out("results")
@options.seed
def collapse(task, out, seed):
    """A CVAE whose latent is not used, beside a model that finds every solution: a figure."""
    import pandas as pd

    from cvae_keras.experiments.sinusoid.collapse import NAME, run_collapse
    from cvae_keras.files import RESULTS, markdown

    folder = out or RESULTS
    rows = run_collapse(folder, task, seed=seed)["rows"]
    click.echo(markdown(pd.DataFrame(rows)))
    click.echo(f"Files: {folder / NAME}.json, .png")
