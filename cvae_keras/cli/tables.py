"""`cvae-keras table ...`: the test cases of each system, written as a table."""

from importlib import import_module

import click

from cvae_keras.cli import options
from cvae_keras.cli.terminal import SystemGroup, show_table

OUT = options.out("results, or results/quick if --quick")


@click.group(cls=SystemGroup)
def table():
    """Run the test cases of a system and write them as a table."""


def _folder(out, quick):
    """Where a table goes: `--out`, or the default of `OUT`."""
    from cvae_keras.files import RESULTS

    return out or (RESULTS / "quick" if quick else RESULTS)


@table.command("sinusoid")
@options.quick("20,000 examples and 2 epochs per row.")
@OUT
@click.option(
    "--data", multiple=True, type=click.Choice(["data_1", "data_2"]), help="[default: both]"
)
@options.precision
@options.part("i/n: run every n-th row from the i-th.")
@options.seed
def table_sinusoid(quick, out, data, precision, part, seed):
    """The test cases of the sinusoid tasks; rows that the folder holds are not run again."""
    from cvae_keras.experiments.sinusoid.table import FILES, run_table

    folder = _folder(out, quick)
    data = dict.fromkeys(data or FILES)  # each once
    tables = run_table(folder, quick, list(data), precision, seed, part)
    for name in tables:
        show_table(folder / FILES[name])


@table.command("testbed")
@options.quick("A quarter of the epochs, 10,000 examples, 2 seeds.")
@OUT
@options.part("i/n: every n-th model, no table.")
@click.option("--processes", type=options.COUNT, help="[default: one per core, at most 4]")
@options.seed
def table_testbed(quick, out, part, processes, seed):
    """Rate and distortion against the exact optimum; models already measured are not run again."""
    import os

    from cvae_keras.experiments.dense.table import run_table

    folder = _folder(out, quick)
    processes = processes or (min(4, os.cpu_count() or 1) if part == (1, 1) else 1)
    if run_table(folder, quick, seed, part, processes):
        click.echo((folder / "testbed.md").read_text().split("\n\n")[-1])
        click.echo(f"Files: {folder / 'testbed'}.csv, .md, .png")


def _table(name, function, quick, out, data_dir, files, **arguments):
    """Run the table of an experiment, by its module and function, and print where its files are."""
    folder = _folder(out, quick)
    run = getattr(import_module(f"cvae_keras.experiments.{name}"), function)
    click.echo(run(folder, quick, data_dir=data_dir, **arguments))
    endings = sorted(path.suffix for path in folder.glob(f"{files}.*"))
    click.echo(f"Files: {folder / files}{', '.join(endings)}")


@table.command("embedding")
@options.quick("scikit-learn's digits; under a minute or two.")
@OUT
@options.data_dir("Folder of mnist.npz and fashion-mnist/.")
@options.seed
@click.option("--seeds", type=options.COUNT, help="CompressionVAE alone, seeds 0 to N - 1.")
def table_embedding(seeds, **arguments):
    """CompressionVAE beside PCA, t-SNE and UMAP; rows that the folder holds are not run again."""
    if seeds is None:
        return _table("compression", "run_table", files="embedding", **arguments)
    del arguments["seed"]
    _table("compression", "run_seeds", files="embedding_seeds", seeds=seeds, **arguments)


@table.command("multimodal")
@options.quick("Fewer steps, and scikit-learn's digits.")
@OUT
@options.data_dir("Folder of mnist.npz.")
@options.seed
def table_multimodal(**arguments):
    """The multimodal CVAE against exact densities, and on digits; a killed run continues."""
    _table("multimodal", "run_table", files="multimodal", **arguments)


@table.command("inference")
@options.quick("Two moons alone, 1,000 simulations, 10 epochs.")
@OUT
@options.data_dir("Folder of the reference samples of sbibm, TASK.npz, and published_c2st.csv.")
@options.seed
@click.option(
    "--tasks", "tasks", multiple=True, help="A task; repeat it for several  [default: all]"
)
@click.option(
    "--simulations",
    multiple=True,
    type=click.Choice(["1000", "10000", "100000"]),
    help="A budget; repeat it for several  [default: all]",
)
def table_inference(tasks, simulations, **arguments):
    """A CVAE on the benchmark sbibm; rows that the folder holds are not run again."""
    budgets = [int(each) for each in dict.fromkeys(simulations)] or None
    arguments |= {"tasks": list(dict.fromkeys(tasks)) or None, "simulations": budgets}
    _table("inference", "run_table", files="inference", **arguments)


@table.command("imputation")
@options.quick("One small bundled table, and one Gaussian.")
@OUT
@options.data_dir("Folder of letter.csv and spam.csv, or of uci/.")
@options.seed
@click.option("--data", multiple=True, help="A table; repeat it for several  [default: all]")
@click.option(
    "--masks", type=options.COUNT, default=1, show_default=True, help="Masks of each table."
)
@click.option(
    "--mechanism",
    "mechanisms",
    type=click.Choice(["MCAR", "MAR"]),
    multiple=True,
    default=["MCAR", "MAR"],
    help="Missing completely at random, or at random; repeat it for both  [default: both]",
)
def table_imputation(data, mechanisms, **arguments):
    """VADImputer beside other imputers; rows that the folder holds are not run again."""
    arguments |= {"data": list(dict.fromkeys(data)) or None}
    arguments |= {"mechanisms": list(dict.fromkeys(mechanisms))}
    _table("auto_decoder.imputation", "run_table", files="imputation", **arguments)


@table.command("vad")
@options.quick("Digits and artificial data, 3 ratios, 20 epochs.")
@OUT
@click.option("--data", multiple=True, help="A data set; repeat it for several  [default: all]")
@options.data_dir("Folder with the image files.")
@options.seed
def table_vad(data, **arguments):
    """Error over the missing ratio, VAD against VAE; rows in the folder are not run again."""
    _table("auto_decoder.table", "run_table", files="vad", data=list(data) or None, **arguments)


@table.command("search")
@options.task()
@options.out("results", "Folder of the searches and the table")
def table_search(task, out):
    """The sinusoid searches in a folder, side by side and against the test-case table."""
    from cvae_keras.experiments.sinusoid.searches import run_table

    folder = _folder(out, quick=False)
    click.echo(run_table(folder, task))
    click.echo(f"Files: {folder / f'search_sinusoid_{task}'}.csv, .md")
