"""`cvae-keras impute`: a .csv file with empty cells, and the same file with these filled."""

import re

import click

from cvae_keras.cli import options

DRAWS = 20  # at least, of which uncertainties are measured
IMPUTATION = ".imp"  # the column that numbers the completed tables


@click.command()
@click.argument("table", type=options.PATH)
@click.argument("out", type=options.PATH)
@click.option(
    "--samples",
    type=options.COUNT,
    help="Completed tables to draw for multiple imputation, into OUT_samples.csv.",
)
@click.option("--counts", multiple=True, help="A column of counts (Poisson); may be repeated.")
@click.option("--labels", multiple=True, help="A column whose numbers are labels; repeatable.")
@click.option("--ignore", multiple=True, help="A column to leave as it is; may be repeated.")
@click.option("--epochs", type=options.COUNT, default=100, show_default=True)
@options.seed
@click.option("--force", is_flag=True, help="Replace the files that are there.")
def impute(table, out, samples, counts, labels, ignore, epochs, seed, force):
    """Fill the empty cells of the .csv file TABLE, and write the completed table to OUT.

    Columns may hold numbers, true and false, or text of up to 100 different labels. Numbers are
    filled with their expected value, rounded if the column holds whole numbers; labels with the
    most probable one. Other cells stay as they are written. Printed, for each column: how many
    cells were missing and filled, and the mean uncertainty. Beside OUT a figure is written, with
    the ending .png: the observed and the drawn values of each column.

    It supposes that cells are missing at random given the other columns: no method can know those
    that are missing because of their own value.
    """
    import pandas as pd

    from cvae_keras.data.missing import read_frame
    from cvae_keras.files import markdown, open_folder, replacing
    from cvae_keras.plots.auto_decoder import plot_fills
    from cvae_keras.plots.style import DPI
    from cvae_keras.systems.auto_decoder.fill_report import fill_report
    from cvae_keras.systems.auto_decoder.imputer import VADImputer

    files = {"table": out, "figure": out.with_suffix(".png")}
    if samples:
        files["samples"] = out.with_name(f"{out.stem}_samples.csv")
    _check_out(table, files, force)
    frame = read_frame(table, dtype_backend="numpy_nullable")
    _check_cells(table, frame, ignore)
    likelihoods = {}
    for kind, names in (("poisson", counts), ("categorical", labels), (None, ignore)):
        if unknown := [name for name in names if name not in frame]:
            raise ValueError(f"{table} has no column {unknown[0]!r}: it has {list(frame)}.")
        likelihoods |= dict.fromkeys(names, kind)
    imputer = VADImputer(
        epochs=epochs,
        random_state=seed,
        verbose=1,
        likelihoods=likelihoods,
        round_integers=True,
    )
    try:
        filled = imputer.fit_transform(frame)
    except ValueError as error:
        option = re.sub(r"likelihoods=\{('.*?'): None\}", r"--ignore \1", str(error))
        raise ValueError(option) from error
    draws = imputer.sample(frame, max(samples or 0, DRAWS))
    report = fill_report(frame, filled, draws, imputer.predict_proba_missing(frame))
    text = read_frame(table, dtype=str, keep_default_na=False)
    open_folder(out.parent)
    if samples:
        tables = [_written(text, frame, draw) for draw in draws[:samples]]
        numbers = range(1, samples + 1)
        with replacing(files["samples"]) as path:
            pd.concat(dict(zip(numbers, tables, strict=True)), names=[IMPUTATION]).reset_index(
                level=0
            ).to_csv(path, index=False)
    with replacing(files["figure"]) as path:
        plot_fills(frame.drop(columns=list(ignore)), draws).savefig(path, dpi=DPI)
    with replacing(out) as path:
        _written(text, frame, filled).to_csv(path, index=False)
    click.echo(markdown(report))
    click.echo(f"Files: {', '.join(str(path) for path in files.values())}")


def _check_out(table, files, force):
    """Refuse to write over the table that is read, and without --force over any other file."""
    if files["table"].suffix != ".csv":
        raise ValueError(f"OUT must name a .csv file, got {files['table']}: change its ending.")
    for path in files.values():
        if path.exists() and table.exists() and path.samefile(table):
            raise ValueError(f"{path} is the table that is read: name another file as OUT.")
        if path.exists() and not force:
            raise ValueError(f"{path} is there: give --force to replace it, or name another file.")


def _check_cells(table, frame, ignore):
    """Refuse a table in which there is nothing to fill, or nothing to learn from."""
    if len(frame) < 2:
        raise ValueError(f"{table} has {len(frame)} rows below its header: give at least two.")
    read = frame.drop(columns=[name for name in ignore if name in frame])
    if not read.isna().any(axis=None):
        raise ValueError(f"{table} has no empty cell to fill: nothing is written.")
    if empty := list(read.columns[read.isna().all()]):
        raise ValueError(f"{table} has no value in columns {empty}: give --ignore for each.")
    if IMPUTATION in frame:
        raise ValueError(f"{table} has a column {IMPUTATION!r}, which numbers samples: rename it.")


def _written(text, frame, filled):
    """The cells as they were written, and in place of the missing ones what they were filled with,
    written as an observed cell of the same value is."""
    import pandas as pd

    text = text.copy()
    for name in frame.columns[frame.isna().any() & filled.notna().all()]:
        missing = frame[name].isna().to_numpy()
        known = dict(zip(frame[name][~missing], text[name][~missing], strict=True))
        numbers = pd.api.types.is_float_dtype(filled[name])
        values = filled[name][missing].tolist()
        text.loc[missing, name] = [
            f"{value:.6g}" if numbers else known.get(value, str(value)) for value in values
        ]
    return text
