"""`cvae-keras table ...`: the test cases of each system, written as a table."""

from importlib import import_module
from pathlib import Path

import click

from cvae_keras.cli.terminal import import_keras, show_table

PATH = click.Path(path_type=Path)
OUT = click.option(
    "--out", type=PATH, help="Folder  [default: results, or results/quick if --quick]"
)
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)


def _part(context, parameter, value):
    try:
        index, parts = (int(number) for number in value.split("/"))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not i/n; give for instance 1/2.") from error
    return index, parts


@click.group()
def table():
    """Run the test cases of a system and write them as a table."""


@table.command("sinusoid")
@click.option("--quick", is_flag=True, help="20,000 examples and 2 epochs a row.")
@OUT
@click.option(
    "--data", multiple=True, type=click.Choice(["data_1", "data_2"]), help="[default: both]"
)
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="float32")
@click.option(
    "--part", default="1/1", callback=_part, help="i/n: run every n-th row from the i-th."
)
@SEED
def table_sinusoid(quick, out, data, precision, part, seed):
    """The test cases of the sinusoid tasks; rows that the folder holds are not run again."""
    import_keras()
    from cvae_keras.experiments.sinusoid.table import FILES, run_table
    from cvae_keras.files import RESULTS

    folder = out or (RESULTS / "quick" if quick else RESULTS)
    data = dict.fromkeys(data or FILES)  # each once
    tables = run_table(folder, quick, list(data), precision, seed, part)
    for name in tables:
        show_table(folder / FILES[name])


@table.command("testbed")
@click.option("--quick", is_flag=True, help="A quarter of the epochs, 10,000 examples, 2 seeds.")
@OUT
@click.option("--part", default="1/1", callback=_part, help="i/n: every n-th model, no table.")
@click.option("--processes", type=click.IntRange(min=1), help="[default: one a core, at most 4]")
@SEED
def table_testbed(quick, out, part, processes, seed):
    """Rate and distortion against the exact optimum; models already measured are not run again."""
    import_keras()
    import os

    from cvae_keras.experiments.dense.table import run_table
    from cvae_keras.files import RESULTS

    folder = out or (RESULTS / "quick" if quick else RESULTS)
    processes = processes or (min(4, os.cpu_count() or 1) if part == (1, 1) else 1)
    if run_table(folder, quick, seed, part, processes):
        click.echo((folder / "testbed.md").read_text().split("\n\n")[-1])
        click.echo(f"Files: {folder / 'testbed'}.csv, .md, .png")


def _table(name, function, quick, out, data_dir, files, **options):
    """Run the table of an experiment, by its module and function, and say where its files are."""
    import_keras()
    from cvae_keras.files import RESULTS

    folder = out or (RESULTS / "quick" if quick else RESULTS)
    run = getattr(import_module(f"cvae_keras.experiments.{name}"), function)
    click.echo(run(folder, quick, data_dir=data_dir, **options))
    endings = sorted(path.suffix for path in folder.glob(f"{files}.*"))
    click.echo(f"Files: {folder / files}{', '.join(endings)}")


@table.command("embedding")
@click.option("--quick", is_flag=True, help="scikit-learn's digits; under a minute or two.")
@OUT
@click.option("--data-dir", type=PATH, help="Folder of mnist.npz and fashion-mnist/.")
@SEED
@click.option("--seeds", type=click.IntRange(1), help="CompressionVAE alone, seeds 0 to N - 1.")
def table_embedding(seeds, **options):
    """CompressionVAE beside PCA, t-SNE and UMAP; rows that the folder holds are not run again."""
    if seeds is None:
        return _table("compression", "run_table", files="embedding", **options)
    del options["seed"]
    _table("compression", "run_seeds", files="embedding_seeds", seeds=seeds, **options)


@table.command("multimodal")
@click.option("--quick", is_flag=True, help="Fewer steps, and scikit-learn's digits.")
@OUT
@click.option("--data-dir", type=PATH, help="Folder of mnist.npz.")
@SEED
def table_multimodal(**options):
    """The multimodal CVAE against exact densities, and on digits; continues at its training."""
    _table("multimodal", "run_table", files="multimodal", **options)


@table.command("imputation")
@click.option("--quick", is_flag=True, help="One small bundled table, and one Gaussian.")
@OUT
@click.option("--data-dir", type=PATH, help="Folder of letter.csv and spam.csv, or of uci/.")
@SEED
def table_imputation(**options):
    """VADImputer beside scikit-learn's imputers; rows that the folder holds are not run again."""
    _table("auto_decoder.imputation", "run_table", files="imputation", **options)


@table.command("vad")
@click.option("--quick", is_flag=True, help="Digits and artificial data, 3 ratios, 20 epochs.")
@OUT
@click.option("--data", multiple=True, help="Data set, again for another  [default: all]")
@click.option("--data-dir", type=PATH, help="Folder with the image files.")
@SEED
def table_vad(data, **options):
    """Error over the missing ratio, VAD against VAE; rows that the folder holds are not rerun."""
    _table("auto_decoder.table", "run_table", files="vad", data=list(data) or None, **options)


@table.command("search")
@click.option("--task", type=click.Choice(["1", "2"]), required=True)
@click.option("--out", type=PATH, help="Folder of the searches and the table  [default: results]")
def table_search(task, out):
    """The sinusoid searches in a folder, side by side and against the test-case table."""
    import_keras()
    from cvae_keras.experiments.sinusoid.searches import run_table
    from cvae_keras.files import RESULTS

    folder = out or RESULTS
    click.echo(run_table(folder, int(task)))
    click.echo(f"Files: {folder / f'search_sinusoid_{task}'}.csv, .md")
