"""The command line: `cvae-keras`, or `python -m cvae_keras`. The work itself is done elsewhere.

Each command imports what it needs when it runs, so that `--help` answers at once.
"""

from importlib import import_module
from pathlib import Path

import click

from cvae_keras.cli_search import search, table_search
from cvae_keras.cli_vad import table_vad, vad
from cvae_keras.terminal import OneSentence, import_keras, show_table

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


@click.group(cls=OneSentence)
def main():
    """Conditional variational autoencoders in Keras, each held against an exact answer."""


@main.command()
@click.option("--out", type=PATH, help="Folder  [default: the repository]")
@click.option("--force", is_flag=True, help="Replace files whose content differs.")
def data(out, force):
    """Write the sinusoid data sets data_1 and data_2, bit for bit as they are shipped."""
    from cvae_keras.data.sinusoid import TASKS
    from cvae_keras.data.sinusoid_files import ROOT, write

    for name in TASKS:
        try:
            paths = write(name, out or ROOT, force)
        except ValueError as error:
            raise ValueError(str(error).replace("force=True", "--force")) from error
        click.echo("\n".join(str(path) for path in paths))


@main.group()
def table():
    """Run the test cases of a system and write them as a table."""


main.add_command(vad)
main.add_command(search)
table.add_command(table_vad)
table.add_command(table_search)


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
    from cvae_keras.results import RESULTS
    from cvae_keras.tables.sinusoid import FILES, run_table

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

    from cvae_keras.results import RESULTS
    from cvae_keras.tables.testbed import run_table

    folder = out or (RESULTS / "quick" if quick else RESULTS)
    processes = processes or (min(4, os.cpu_count() or 1) if part == (1, 1) else 1)
    if run_table(folder, quick, seed, part, processes):
        click.echo((folder / "testbed.md").read_text().split("\n\n")[-1])
        click.echo(f"Files: {folder / 'testbed'}.csv, .md, .png")


@main.command()
@click.option("--config", required=True, help="A JSON file, or the name of a shipped one.")
@click.option("--out", type=PATH, help="Folder  [default: results/testbed/NAME]")
def testbed(config, out):
    """Train the dense CVAE of a JSON file at each of its betas; continues where it was killed."""
    import_keras()
    from cvae_keras.results import RESULTS
    from cvae_keras.testbed_run import run_config

    folder = out or RESULTS / "testbed" / Path(config).stem
    run_config(config, folder)
    click.echo(f"Files: {folder}")


def _table(name, quick, out, data_dir, **options):
    """Run the table of this name, whose module has its name, and say where its files are."""
    import_keras()
    from cvae_keras.results import RESULTS

    folder = out or (RESULTS / "quick" if quick else RESULTS)
    module = import_module(f"cvae_keras.tables.{name}")
    click.echo(module.run_table(folder, quick, data_dir=data_dir, **options))
    endings = sorted(path.suffix for path in folder.glob(f"{name}.*"))
    click.echo(f"Files: {folder / name}{', '.join(endings)}")


@table.command("embedding")
@click.option("--quick", is_flag=True, help="scikit-learn's digits; under a minute or two.")
@OUT
@click.option("--data-dir", type=PATH, help="Folder of mnist.npz and fashion-mnist/.")
@SEED
@click.option("--seeds", type=click.IntRange(1), help="CompressionVAE alone, seeds 0 to N - 1.")
def table_embedding(seeds, **options):
    """CompressionVAE beside PCA, t-SNE and UMAP; rows that the folder holds are not run again."""
    if seeds is None:
        return _table("embedding", **options)
    del options["seed"]
    _table("embedding_seeds", seeds=seeds, **options)


@table.command("multimodal")
@click.option("--quick", is_flag=True, help="Fewer steps, and scikit-learn's digits.")
@OUT
@click.option("--data-dir", type=PATH, help="Folder of mnist.npz.")
@SEED
def table_multimodal(**options):
    """The multimodal CVAE against exact densities, and on digits; continues at its training."""
    _table("multimodal", **options)


@table.command("imputation")
@click.option("--quick", is_flag=True, help="One small bundled table, and one Gaussian.")
@OUT
@click.option("--data-dir", type=PATH, help="Folder of letter.csv and spam.csv, or of uci/.")
@SEED
def table_imputation(**options):
    """VADImputer beside scikit-learn's imputers; rows that the folder holds are not run again."""
    _table("imputation", **options)


@main.group()
def solve():
    """Train the final models of a system and hold them against the exact answer."""


@solve.command("sinusoid")
@click.option("--task", type=click.Choice(["1", "2"]), help="[default: both]")
@click.option("--epochs", type=click.IntRange(min=1), help="[default: as for the shipped models]")
@click.option("--out", type=PATH, help="Folder  [default: results]")
@SEED
def solve_sinusoid(task, epochs, out, seed):
    """The models that solve the sinusoid tasks; a killed training continues where it was."""
    import_keras()
    from cvae_keras.results import RESULTS
    from cvae_keras.tables.sinusoid_solved import run_solved, train

    folder = out or RESULTS
    models = folder / "models"
    for number in [int(task)] if task else [1, 2]:
        click.echo(f"Task {number}: {train(number, models, seed=seed, epochs=epochs)}")
    if all((models / f"sinusoid_{number}.keras").exists() for number in (1, 2)):
        click.echo(run_solved(folder, models))
        click.echo(f"Files: {folder / 'sinusoid_solved'}.csv, .md, .png")


@main.command()
@click.option("--task", type=click.Choice(["1", "2"]), required=True)
@click.option(
    "--n", type=click.IntRange(min=1), default=5, show_default=True, help="Pairs of curves."
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=100, show_default=True, help="Of each."
)
@click.option("--out", type=PATH, help="Figure  [default: results/quick/sinusoid_TASK_samples.png]")
@SEED
def sample(task, n, samples, out, seed):
    """Sample solutions of fresh curves with a shipped model, refine them, score both."""
    import_keras()
    from cvae_keras.data.sinusoid import TASKS
    from cvae_keras.metrics.modes import score_samples
    from cvae_keras.plots import plot_samples
    from cvae_keras.pretrained import load_pretrained
    from cvae_keras.refine import refine
    from cvae_keras.results import RESULTS, open_folder

    out = out or RESULTS / "quick" / f"sinusoid_{task}_samples.png"
    open_folder(out.parent)
    sinusoid = TASKS[f"data_{task}"]
    _, y = sinusoid.sample(n, seed)
    raw = load_pretrained(f"sinusoid_{task}").sample(y, n_samples=samples, seed=seed)
    refined, ok = refine(sinusoid, raw, y)
    measures = ("residual", "precision", "recall", "accepted")
    click.echo(f"{'':8s}" + "".join(f"{name:>11s}" for name in measures))
    for label, drawn, accepted in [("raw", raw, None), ("refined", refined, ok)]:
        score = score_samples(sinusoid, drawn, y, accepted)
        click.echo(f"{label:8s}" + "".join(f"{score[name]:11.3g}" for name in measures))
    title = f"task {task}, samples for the first of the curves"
    plot_samples(sinusoid, raw[:, 0], y[0], title).savefig(out, dpi=110)
    click.echo(f"Figure: {out}")


@main.command()
@click.option("--out", type=PATH, help="Folder  [default: results/quick]")
def demo(out):
    """What `make run` does: the quick test cases, and the shipped models against the truth."""
    import_keras()
    from cvae_keras.results import RESULTS
    from cvae_keras.tables.sinusoid import FILES, run_table
    from cvae_keras.tables.sinusoid_solved import run_solved

    folder = out or RESULTS / "quick"
    click.echo("1. The test cases of task 1, each with the original's reduction and with the ELBO")
    run_table(folder, quick=True, data=["data_1"])
    click.echo("2. The shipped models on 200 fresh pairs of curves of each task")
    solved = run_solved(folder, RESULTS / "models", n_curves=200, quick=True)
    show_table(folder / FILES["data_1"])
    click.echo(f"\n{solved}\nAll files: {folder}")
