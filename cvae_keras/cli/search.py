"""`cvae-keras search ...`: hyperparameter search, one command per system.

The commands are those of `cvae_keras.search.HYPERMODELS`, which a test compares with this file:
`--help` would otherwise have to import keras-tuner.
"""

from pathlib import Path

import click

from cvae_keras.cli import options
from cvae_keras.cli.terminal import SystemGroup


@click.group(cls=SystemGroup)
def search():
    """Search hyperparameters with keras-tuner, for objectives independent of the loss weights.

    On many machines, start the same command on each, with KERASTUNER_ORACLE_IP and
    KERASTUNER_ORACLE_PORT of one of them, and KERASTUNER_TUNER_ID: chief there, tuner0, tuner1, ...
    elsewhere.
    """


#: The options of every system that are arguments of `cvae_keras.search.run`.
SETTINGS = ("strategy", "trials", "epochs", "executions", "patience", "seed", "resume", "prune")
STRATEGIES = click.Choice(["bayesian", "grid", "random", "hyperband"])
SHARED = options.combine(
    click.option("--strategy", type=STRATEGIES, default="bayesian", show_default=True),
    click.option("--trials", type=options.COUNT, help="[default: 30; for a grid all its cells]"),
    click.option("--epochs", type=options.COUNT, default=10, show_default=True, help="Per trial."),
    click.option("--executions", type=options.COUNT, default=1, help="Trainings per trial."),
    click.option("--patience", type=options.COUNT, default=3, show_default=True),
    options.seed,
    click.option(
        "--prune",
        is_flag=True,
        help="Stop a trial whose score after 40 % of its epochs is worse than the median so far.",
    ),
    click.option(
        "--grid",
        type=options.JsonFile(),
        help='JSON file of the values to search, {"beta": [0.5, 1.0], ...}; by grid search unless '
        "--strategy is given.",
    ),
    click.option("--resume", is_flag=True, help="Continue the search in the folder."),
    click.option("--workers", type=options.COUNT, default=1, help="Processes on this machine."),
    options.out("results/search_NAME_STRATEGY_SEED"),
)


def _system(name, *own):
    """Turn a function into the command of a system, whose own options are `own`.

    The function takes the values of these options, and returns the name of the search, for its
    folder, and the arguments of `HYPERMODELS[name]`.
    """

    def decorate(function):
        @search.command(name, help=function.__doc__)
        @options.combine(*own, SHARED)
        def command(workers, out, grid, **values):
            from cvae_keras.files import RESULTS
            from cvae_keras.search import HYPERMODELS

            settings = {key: values.pop(key) for key in SETTINGS}
            if grid is not None and _by_default("strategy"):
                settings["strategy"] = "grid"
            title, arguments = function(**values)
            default = f"search_{title}_{settings['strategy']}_{settings['seed']}"
            hypermodel, folder = HYPERMODELS[name](**arguments), out or RESULTS / default
            space = None if grid is None else _space(hypermodel, grid)
            _run(hypermodel, folder, workers, space=space, **settings)

        return command

    return decorate


def _by_default(option):
    """Whether an option was not given."""
    from click.core import ParameterSource

    return click.get_current_context().get_parameter_source(option) == ParameterSource.DEFAULT


def _space(hypermodel, grid):
    """The hyperparameters of `--grid`, each with its values."""
    import keras_tuner

    from cvae_keras.search import choices

    asked = keras_tuner.HyperParameters()
    hypermodel.build(asked)
    names = [each.name for each in asked.space]
    for name, values in grid.items():
        if name not in names:
            raise ValueError(f"--grid names {name!r}, which is none of {', '.join(names)}.")
        if not isinstance(values, list) or not values:
            raise ValueError(f"--grid needs a list of values for {name}, got {values!r}.")
    return choices(**grid)


def _run(hypermodel, folder, workers, **settings):
    """Run a search, in several processes if asked, and print its best trials."""
    from contextlib import nullcontext

    from cvae_keras.search import run
    from cvae_keras.search.workers import on_this_machine, role, this_command

    start = workers > 1 and role() == "alone"
    with on_this_machine(this_command(), workers) if start else nullcontext() as processes:
        rows = run(hypermodel, folder=folder, processes=processes, **settings)
    if rows is not None:
        goal = hypermodel.objective
        best = rows.sort_values(goal.name, ascending=goal.direction == "min").head(5)
        click.echo(best.to_string(index=False, float_format="{:.4g}".format))
        click.echo(f"Files: {folder}")


IMAGES = [
    click.option("--data", default="digits", show_default=True, help="Or mnist, fashion_mnist."),
    options.data_dir("Folder of mnist.npz and fashion-mnist/."),
]


@_system(
    "sinusoid",
    options.task(),
    click.option(
        "--network", type=click.Choice(["deep", "original"]), default="deep", show_default=True
    ),
    click.option(
        "--examples", type=options.COUNT, default=20_000, show_default=True, help="Of an epoch."
    ),
    click.option(
        "--batch-size", type=options.COUNT, help="[default: 256; of the original network 50]"
    ),
    click.option(
        "--loss",
        type=click.Choice(["l1_mean", "l1_sum", "mse", "normal"]),
        help="Of the original network.  [default: l1_mean]",
    ),
    options.precision,
)
def search_sinusoid(task, network, **arguments):
    """beta, wx, wy, latent_dim, learning rate, prior, noise; scored against the exact solutions.

    All strategies search the same space of the deep network, a grid 48 cells that span it. With
    --network original, that of SidWorks01, a grid covers the ranges that were tried by hand, 144
    cells.
    """
    title = f"sinusoid_conv_{task}" if network == "deep" else f"sinusoid_{task}"
    return title, {"data": f"data_{task}", "network": network, **arguments}


@_system(
    "testbed",
    click.option("--config", default="correlated", show_default=True, help="Name or JSON file."),
)
def search_testbed(config):
    """beta, latent_dim, layers, gates, learning rate; scored by the ELBO at beta 1."""
    return f"testbed_{Path(config).stem}", {"config": config}


@_system("compression", *IMAGES)
def search_compression(data, data_dir):
    """beta, flow length, layers, learning rate; scored by the ELBO at beta 1."""
    return f"compression_{data}", {"data": data, "data_dir": data_dir}


@_system(
    "vad",
    click.option(
        "--data", default="digits", show_default=True, help="As for `cvae-keras vad train`."
    ),
    click.option("--missing", type=click.FloatRange(0, 1, max_open=True), default=0.3),
    options.data_dir("Folder with the image files."),
)
def search_vad(data, **arguments):
    """beta, latent_dim, layers, learning rates; scored by the ELBO at beta 1 of unseen rows."""
    return f"vad_{Path(data).stem}", {"data": data, **arguments}


@_system(
    "multimodal",
    *IMAGES,
    click.option(
        "--given", type=click.Choice(["label", "half"]), default="half", show_default=True
    ),
)
def search_multimodal(data, given, data_dir):
    """beta, latent_dim, layers, prior, learning rate; scored by the ELBO at beta 1."""
    return f"multimodal_{data}_{given}", {"data": data, "given": given, "data_dir": data_dir}
