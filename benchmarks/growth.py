"""How time and memory grow with the rows of a table, for three systems, on one core.

A table has 20 columns: 6 normal factors, mixed at random, and noise. `VADImputer` is fitted with
its defaults on the table with a fifth of its cells missing, and fills them. `CompressionVAE` trains
for --steps steps of its default batch, and embeds all rows. `MultimodalCVAE` is given half of the
columns and learns the other half, for --steps steps of 128 rows, then predicts all rows. Each
measurement is a new process. Seconds are those of the processor.

    python benchmarks/growth.py --most 1000000

Measurements that are saved in `growth_runs/` are not repeated. Writes `growth.md` and `growth.json`
beside this file, with every size and system that was measured, and the table into
`docs/many_machines.md`.
"""

import resource
import sys
import time
from pathlib import Path

import click
import numpy as np

from runs import clocks, command, keep_cores, start, write

KINDS = ("VADImputer", "CompressionVAE", "MultimodalCVAE")
SIZES = (1000, 10_000, 100_000, 1_000_000)
COLUMNS, FACTORS, BATCH = 20, 6, 128
PAGE = Path(__file__).parents[1] / "docs" / "many_machines.md"
HEAD = """# Time and memory over the rows of a table

{about}

Peak memory is that of the whole process. It includes the backend and the package, {base:,.0f} MB
before there is a table, and the table itself, {table:,.0f} MB for a million rows (half of that for
`CompressionVAE` and `MultimodalCVAE`, which get float32).

| system | rows | training, s | all rows, s | all rows, us a row | peak memory, MB |
|---|---|---|---|---|---|"""


def peak():
    """Peak memory of this process, MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def table_of(rows, dtype, missing=0.0):
    """The table, made by chunks: `(rows, 20)`, NaN where missing."""
    rng = np.random.default_rng(0)
    mixing, x = rng.normal(size=(FACTORS, COLUMNS)), np.empty((rows, COLUMNS), dtype)
    for first in range(0, rows, 10_000):
        part = x[first : first + 10_000]
        part[:] = rng.normal(size=(len(part), FACTORS)) @ mixing
        part += 0.5 * rng.normal(size=part.shape)
        part[rng.random(part.shape) < missing] = np.nan
    return x


def impute(rows, steps):
    """`(train, apply)`: functions without arguments."""
    from cvae_keras import VADImputer

    imputer, x = VADImputer(random_state=0), table_of(rows, "float64", missing=0.2)
    return lambda: imputer.fit(x), lambda: imputer.transform(x)


def embed(rows, steps):
    """As `impute`."""
    from cvae_keras import CompressionVAE

    x = table_of(rows, "float32")
    model = CompressionVAE(num_steps=steps, verbose=False, random_state=0)
    return lambda: model.fit(x), lambda: model.transform(x)


def predict(rows, steps):
    """As `impute`."""
    import keras

    from cvae_keras import MultimodalCVAE
    from cvae_keras.training import ShuffledBatches

    keras.utils.set_random_seed(0)
    x = table_of(rows, "float32")
    arrays = {"main": x[:, : COLUMNS // 2], "given": x[:, COLUMNS // 2 :]}
    shapes = {name: array.shape[1:] for name, array in arrays.items()}
    model = MultimodalCVAE("main", ["given"], shapes, latent_dim=FACTORS, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))

    def train():
        batches = ShuffledBatches(arrays, BATCH, seed=0)
        batches.steps = min(batches.steps, steps)
        model.fit(batches, epochs=-(-steps // batches.steps), verbose=0)

    return train, lambda: model.sample({"given": arrays["given"]}, n_samples=1, seed=0)


def work(job):
    """One measurement, in this process."""
    keep_cores(1)
    import cvae_keras.elbo  # noqa: F401, so that Keras and its backend count as the start

    base, make = peak(), dict(zip(KINDS, (impute, embed, predict), strict=True))[job["kind"]]
    train, apply = make(job["rows"], job["steps"])
    marks = [clocks()]
    for function in (train, apply):
        function()
        marks.append(clocks())
        print(job, np.subtract(marks[-1], marks[-2]), peak(), flush=True)
    (wall, trained), (apply_wall, applied) = np.diff(marks, axis=0)
    return {
        **job,
        "train": trained,
        "train_wall": wall,
        "apply": applied,
        "apply_wall": apply_wall,
        "base": base,
        "peak": peak(),
    }


def report(runs, versions):
    """The Markdown of all runs."""
    steps = runs[0]["steps"]
    about = (
        f"Processor seconds of one core; {steps} steps of training but for VADImputer. {versions}."
    )
    base = np.median([run["base"] for run in runs])
    lines = [HEAD.format(about=about, base=base, table=COLUMNS * 8)]
    for run in runs:
        each = 1e6 * run["apply"] / run["rows"]
        lines.append(
            f"| {run['kind']} | {run['rows']:,} | {run['train']:,.1f} | {run['apply']:,.1f} | "
            f"{each:,.0f} | {run['peak']:,.0f} |"
        )
    absent = [
        f"{kind} with {rows:,} rows"
        for kind in KINDS
        for rows in SIZES
        if not any(run["kind"] == kind and run["rows"] == rows for run in runs)
    ]
    return "\n".join([*lines, "", f"Not measured: {', '.join(absent) or 'none'}."]) + "\n"


def show_in(page, text):
    """Replace the table of a page by the one of the text, which has the same head."""
    new = [line for line in text.splitlines() if line.startswith("|")]
    lines = page.read_text().splitlines()
    first = last = lines.index(new[0])
    while last < len(lines) and lines[last].startswith("|"):
        last += 1
    page.write_text("\n".join([*lines[:first], *new, *lines[last:]]) + "\n")


@click.command(help=__doc__.split("\n")[0])
@click.option("--least", type=click.IntRange(1), default=SIZES[0], show_default=True, help="Rows.")
@click.option("--most", type=click.IntRange(1), default=SIZES[-1], show_default=True, help="Rows.")
@click.option("--steps", type=click.IntRange(1), default=500, show_default=True)
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True, help="[default: all]")
@command(__file__, work)
def main(least, most, steps, kinds, out):
    from cvae_keras.files import manifest, open_folder, saved_result, write_json

    began, folder = time.perf_counter(), open_folder(out.with_name(out.name + "_runs"))
    done = []
    for kind in KINDS:
        for rows in SIZES:
            config = {"kind": kind, "rows": rows, "steps": steps}
            path, asked = folder / f"{kind}_{rows}.json", kind in (kinds or KINDS)
            if saved_result(path, config) is None:
                if not asked or not least <= rows <= most:
                    continue
                since = time.perf_counter()
                run = start(__file__, config)
                about = manifest(config, time.perf_counter() - since)
                write_json(path, {"run": run, "manifest": about})
            done.append(saved_result(path, config)["run"])
            line = "{kind:15} {rows:9,} rows: {train:8.1f} s, {apply:8.1f} s, {peak:6,.0f} MB"
            print(line.format(**done[-1]), flush=True)
    write(out, done, {"steps": steps}, began, lambda _, v: report(done, v))
    if out == Path(__file__).with_suffix(""):
        show_in(PAGE, out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
