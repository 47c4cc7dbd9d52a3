"""`cvae-keras search ...`: hyperparameter search, one command a system."""

from pathlib import Path

import click

from cvae_keras.cli.terminal import import_keras

PATH = click.Path(path_type=Path)
COUNT = click.IntRange(min=1)


@click.group()
def search():
    """Search hyperparameters with keras-tuner, on scores that no weight of the loss can bend.

    On many machines, start the same command on each, with KERASTUNER_ORACLE_IP and
    KERASTUNER_ORACLE_PORT of one of them, and KERASTUNER_TUNER_ID: chief there, tuner0, tuner1, ...
    elsewhere.
    """


def _shared(command):
    """The options that all systems share."""
    strategy = click.Choice(["bayesian", "grid", "random", "hyperband"])
    for decorate in reversed(
        [
            click.option("--strategy", type=strategy, default="bayesian", show_default=True),
            click.option("--trials", type=COUNT, help="[default: 30; for a grid all its cells]"),
            click.option("--epochs", type=COUNT, default=10, show_default=True, help="Of a trial."),
            click.option("--executions", type=COUNT, default=1, help="Trainings of a trial."),
            click.option("--patience", type=COUNT, default=3, show_default=True),
            click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
            click.option("--resume", is_flag=True, help="Go on with the search in the folder."),
            click.option("--workers", type=COUNT, default=1, help="Processes on this machine."),
            click.option("--out", type=PATH, help="Folder  [default: results/search_NAME]"),
        ]
    ):
        command = decorate(command)
    return command


def _run(name, hypermodel, strategy, seed, workers, out, **options):
    """Run a search, in several processes if asked, and print its best trials."""
    from contextlib import nullcontext

    from cvae_keras.files import RESULTS
    from cvae_keras.search import run
    from cvae_keras.search.workers import on_this_machine, role, this_command

    folder = out or RESULTS / f"search_{name}_{strategy}_{seed}"
    beside = workers > 1 and role() == "alone"
    with on_this_machine(this_command(), workers) if beside else nullcontext() as processes:
        rows = run(hypermodel, None, folder, strategy, seed=seed, processes=processes, **options)
    if rows is not None:
        goal = hypermodel.objective
        best = rows.sort_values(goal.name, ascending=goal.direction == "min").head(5)
        click.echo(best.to_string(index=False, float_format="{:.4g}".format))
        click.echo(f"Files: {folder}")


@search.command("sinusoid")
@click.option("--task", type=click.Choice(["1", "2"]), required=True)
@click.option("--examples", type=COUNT, default=20_000, show_default=True, help="To train on.")
@click.option("--batch-size", type=COUNT, default=50, show_default=True)
@click.option("--loss", type=click.Choice(["l1_mean", "mse", "normal"]), default="l1_mean")
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="float32")
@_shared
def search_sinusoid(task, examples, batch_size, loss, precision, **options):
    """beta, wx, wy, latent_dim, learning rate, prior; scored against the exact solutions.

    A grid is that of the original's ranges, 144 trials.
    """
    import_keras()
    from cvae_keras.search import SinusoidHyperModel

    hypermodel = SinusoidHyperModel(f"data_{task}", examples, batch_size, loss, precision=precision)
    _run(f"sinusoid_{task}", hypermodel, **options)


@search.command("testbed")
@click.option("--config", default="correlated", show_default=True, help="Name or JSON file.")
@_shared
def search_testbed(config, **options):
    """beta, latent_dim, layers, gates, learning rate; scored by the ELBO at beta 1."""
    import_keras()
    from cvae_keras.search import TestbedHyperModel

    _run(f"testbed_{Path(config).stem}", TestbedHyperModel(config), **options)


@search.command("compression")
@click.option("--data", default="digits", show_default=True, help="Or mnist, fashion_mnist.")
@click.option("--data-dir", type=PATH, help="Folder of mnist.npz and fashion-mnist/.")
@_shared
def search_compression(data, data_dir, **options):
    """beta, flow length, layers, learning rate; scored by the ELBO at beta 1."""
    import_keras()
    from cvae_keras.search import CompressionHyperModel

    _run(f"compression_{data}", CompressionHyperModel(data, data_dir=data_dir), **options)


@search.command("vad")
@click.option("--data", default="digits", show_default=True, help="As for `cvae-keras vad train`.")
@click.option("--missing", type=click.FloatRange(0, 1, max_open=True), default=0.3)
@click.option("--data-dir", type=PATH, help="Folder with the image files.")
@_shared
def search_vad(data, missing, data_dir, **options):
    """beta, latent_dim, layers, learning rates; scored by the ELBO at beta 1 of unseen rows."""
    import_keras()
    from cvae_keras.search import VADHyperModel

    name = f"vad_{Path(data).stem}"
    _run(name, VADHyperModel(data, missing, data_dir=data_dir), **options)


@search.command("multimodal")
@click.option("--data", default="digits", show_default=True, help="Or mnist, fashion_mnist.")
@click.option("--given", type=click.Choice(["label", "half"]), default="half", show_default=True)
@click.option("--data-dir", type=PATH, help="Folder of mnist.npz and fashion-mnist/.")
@_shared
def search_multimodal(data, given, data_dir, **options):
    """beta, latent_dim, layers, prior, learning rate; scored by the ELBO at beta 1."""
    import_keras()
    from cvae_keras.search import MultimodalHyperModel

    hypermodel = MultimodalHyperModel(data, given, data_dir=data_dir)
    _run(f"multimodal_{data}_{given}", hypermodel, **options)
