"""`make matrix`: every combination of the parts through a plain `ELBOModel`, or why it is refused.

Each cell builds a small model, trains it, saves it, loads it, draws samples and estimates
log p(x | c). One backend is run at a time: `python -m cvae_keras.experiments.matrix`, or with the
argument `pairs` for some forty cells in place of all. Names of likelihoods after it, as in
`pairs poisson product`, run their cells alone, and the table keeps what it has of the others.
Bounds belong to `CVAE`, which makes the model of these cells.
"""

import itertools
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from cvae_keras import files
from cvae_keras.elbo import ELBOModel
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts import likelihoods, posteriors, priors
from cvae_keras.systems.cvae.model import CVAE
from cvae_keras.training import FusedAdam

ROWS, WIDTH, LATENT, CATEGORIES = 32, 6, 2, 3
BOUNDS = (-10.0, 20.0)
EPOCHS = 8  # of one batch, at which every loss has fallen

SIZES = {"real": 4, "count": 2}  # arrays of the product, which have these many entries

Cell = namedtuple("Cell", "posterior prior likelihood condition mask")


def network():
    """A Keras model of one tensor, as most users have one."""
    return keras.Sequential([keras.layers.Dense(8, "relu")])


def decoder(latent, condition, likelihood):
    """A Keras model of `[z, c]`; a dictionary for a scale of its own, or for several arrays."""
    sizes = {"normal, decoder's scale": {"mean": WIDTH, "log_scale": WIDTH}, "product": SIZES}
    if likelihood not in sizes:
        return keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(WIDTH)])
    read = keras.Input((latent + {"none": 0, "vector": 2, "dictionary": 6}[condition],))
    h = keras.layers.Dense(8, "relu")(read)
    outputs = {name: keras.layers.Dense(size)(h) for name, size in sizes[likelihood].items()}
    return keras.Model(read, outputs)


def product():
    """The likelihood of real values and counts."""
    return likelihoods.Product({"real": likelihoods.Normal(), "count": likelihoods.Poisson()})


POSTERIORS = {
    "gaussian": lambda: posteriors.GaussianPosterior(network(), LATENT),
    "flow": lambda: posteriors.IAFPosterior(network(), LATENT, flow_length=2, flow_width=8),
    "categorical": lambda: posteriors.CategoricalPosterior(CATEGORIES),
    "free table": lambda: posteriors.FreeTablePosterior(ROWS, LATENT),
}
PRIORS = {
    "standard": lambda: priors.StandardNormal(LATENT),
    "conditional": lambda: priors.ConditionalNormal(LATENT, width=8),
    "flow": lambda: priors.FlowPrior(LATENT, network=network(), flow_length=2, flow_width=8),
    "categorical": lambda: priors.CategoricalPrior(CATEGORIES),
}
LIKELIHOODS = {
    "squared error": likelihoods.SquaredError,
    "absolute error": likelihoods.AbsoluteError,
    "normal": likelihoods.Normal,
    "normal, decoder's scale": lambda: likelihoods.Normal("decoder"),
    "laplace": lambda: likelihoods.Laplace(0.5),
    "bernoulli": likelihoods.Bernoulli,
    "categorical": likelihoods.Categorical,
    "poisson": likelihoods.Poisson,
    "product": product,
    "bounds": None,  # see `bounded`
}
CONDITIONS = ("none", "vector", "dictionary")
MASKS = ("none", "given")
SLOTS = (POSTERIORS, PRIORS, LIKELIHOODS, CONDITIONS, MASKS)
CELLS = [Cell(*each) for each in itertools.product(*SLOTS)]


def expected(cell):
    """What must become of a cell: "works", or part of the sentence that refuses it."""
    if cell.likelihood == "bounds" and cell.condition == "none" and cell.prior != "standard":
        return "reads a condition, and the model has none"
    if (cell.posterior == "categorical") != (cell.prior == "categorical"):
        return "so that their KL exists"
    if cell.condition == "none" and cell.prior != "standard":
        return "c is missing"
    return "works"


def pairwise():
    """Some cells that work, in which every two parts stand together that do so in any such cell.

    Returns:
        List of `Cell`, chosen greedily.

    Example:
        >>> 40 <= len(pairwise()) <= 56
        True
    """
    pairs = {
        cell: set(itertools.combinations(enumerate(cell), 2))
        for cell in CELLS
        if expected(cell) == "works"
    }
    left, chosen = set().union(*pairs.values()), []
    while left:
        chosen.append(max(pairs, key=lambda cell: len(pairs[cell] & left)))
        left -= pairs[chosen[-1]]
    return chosen


def arrays_of(cell):
    """The arrays of a cell: x is NaN where the mask is 0."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, LATENT)) @ rng.normal(size=(LATENT, WIDTH)) + 1.0
    mask = rng.random((ROWS, WIDTH)) > 0.2
    if cell.likelihood == "bernoulli":
        x = (x > 1.0).astype("float32")
    elif cell.likelihood == "categorical":
        x, mask = np.eye(WIDTH)[x.argmax(axis=1)], np.repeat(mask[:, :1], WIDTH, axis=1)
    elif cell.likelihood == "poisson":
        x = np.floor(np.abs(x))
    arrays = {"x": x.astype("float32")}
    if cell.mask == "given":
        arrays = {"x": np.where(mask, arrays["x"], np.nan), "mask": mask.astype("float32")}
    if cell.likelihood == "product":
        arrays = {
            name: {"real": array[:, :4], "count": np.floor(np.abs(array[:, 4:]))}
            for name, array in arrays.items()
        }
    if cell.posterior == "free table":
        arrays["index"] = np.arange(ROWS)[:, None]
    if cell.condition != "none":
        c = rng.normal(size=(ROWS, 6)).astype("float32")
        both = {"a": c[:, :2], "b": c[:, 2:].reshape(ROWS, 2, 2)}
        arrays["c"] = both["a"] if cell.condition == "vector" else both
    return arrays


def model_of(cell):
    """The untrained, compiled model of a cell; it runs operation by operation.

    Raises:
        ValueError: the parts do not fit each other.
    """
    latent = CATEGORIES if cell.posterior == "categorical" else LATENT
    if cell.likelihood == "bounds":
        model = bounded(cell, latent)
    else:
        model = ELBOModel(
            POSTERIORS[cell.posterior](),
            PRIORS[cell.prior](),
            decoder(latent, cell.condition, cell.likelihood),
            LIKELIHOODS[cell.likelihood](),
        )
    model.compile(FusedAdam(1e-2), run_eagerly=True)
    return model


def bounded(cell, latent):
    """The `CVAE` of a cell whose x has bounds."""
    table = cell.posterior == "free table"
    return CVAE(
        (WIDTH,),
        {"none": None, "vector": (2,), "dictionary": {"a": (2,), "b": (2, 2)}}[cell.condition],
        latent_dim=latent,
        posterior=POSTERIORS[cell.posterior]() if table else cell.posterior,
        prior=cell.prior,
        bounds=BOUNDS,
        width=8,
        depth=1,
        masks=cell.mask == "given",
    )


def numbers_of(model, arrays):
    """What a trained model says of arrays: reconstructions, samples and its ELBO or bound."""
    found = {
        "predicted": model.predict(arrays, verbose=0),
        "sampled": model.sample(arrays.get("c"), n_samples=3, seed=0),
        "weights": np.concatenate([np.ravel(weight) for weight in model.get_weights()]),
    }
    if model.posterior.family == "categorical":
        found["bound"] = model.evaluate(arrays, verbose=0, return_dict=True)["elbo"]
    else:
        found["bound"] = importance_weighted_bound(model, arrays, n_samples=10, seed=0)[0].mean()
    return found


def check(cell, folder):
    """Train, save, load and use the model of a cell.

    Args:
        cell: a `Cell`.
        folder: where the model is saved, as `model.keras`.

    Returns:
        Dictionary of `outcome`, "works" or the sentence that refuses the cell, and of a cell that
        works the `first` and the `last` loss and the `bound` on log p(x | c), in nats.

    Raises:
        AssertionError: the loss does not fall, a number is not finite, or the loaded model differs.

    Example:
        ```python
        check(Cell("flow", "flow", "normal", "dictionary", "given"), "runs")["outcome"]    # "works"
        ```
    """
    keras.utils.set_random_seed(0)
    arrays, path = arrays_of(cell), Path(folder) / "model.keras"
    try:
        model = model_of(cell)
        losses = model.fit(arrays, batch_size=ROWS, epochs=EPOCHS, verbose=0).history["loss"]
    except ValueError as error:
        return {"outcome": str(error)}
    assert np.isfinite(losses).all() and losses[-1] < losses[0], losses
    model.save(path)
    found, again = (
        numbers_of(each, arrays) for each in (model, keras.saving.load_model(path, safe_mode=True))
    )
    rows = (3,) if cell.condition == "none" else (3, ROWS)
    wanted = keras.tree.map_structure(lambda x: (*rows, x.shape[-1]), arrays["x"])
    shapes = keras.tree.map_structure(np.shape, found["sampled"])
    assert shapes == wanted, shapes
    for name, values in found.items():
        pairs = zip(*(keras.tree.flatten(each) for each in (values, again[name])), strict=True)
        for one, other in pairs:
            assert np.isfinite(one).all(), name
            assert np.array_equal(one, other), f"{name} differs after loading"
    numbers = {"first": losses[0], "last": losses[-1], "bound": found["bound"]}
    return {"outcome": "works", **{name: float(value) for name, value in numbers.items()}}


def run(cells, folder=None, keep=False):
    """Check cells on the backend that Keras has, and write `matrix_<backend>.csv` and `.json`.

    Args:
        cells: list of `Cell`.
        folder: where; by default `results`.
        keep: whether the table keeps its rows of other cells.

    Returns:
        DataFrame of a row for each cell.

    Example:
        ```python
        run(CELLS)
        ```
    """
    folder, start, rows = files.RESULTS if folder is None else Path(folder), time.time(), []
    with tempfile.TemporaryDirectory() as temporary:
        for cell in cells:
            try:
                row = check(cell, temporary)
                fits = expected(cell) in row["outcome"]
            except Exception as error:  # a table of failures is a result too
                row, fits = {"outcome": f"{type(error).__name__}: {error}"}, False
            if not fits:
                print(*cell, row["outcome"], sep=" | ")
            rows.append({**cell._asdict(), **row, "as_expected": fits})
            keras.backend.clear_session()
    frame, name = pd.DataFrame(rows), f"matrix_{keras.backend.backend()}"
    seconds, path = time.time() - start, folder / f"{name}.csv"
    if keep:
        seconds += files.read_json(path.with_suffix(".json"))["seconds"]
        both = pd.concat([pd.read_csv(path), frame])
        frame = both.drop_duplicates(list(Cell._fields), keep="last")
    files.write_csv(frame, path)
    config = {"rows": ROWS, "epochs": EPOCHS, "seed": 0, "cells": len(frame)}
    files.write_json(path.with_suffix(".json"), files.manifest(config, seconds))
    return frame


def summarize(folder=None):
    """Write `matrix.md` and `matrix.csv` from the tables of the backends that have been run.

    Args:
        folder: where they are; by default `results`.

    Returns:
        The Markdown text.

    Example:
        ```python
        summarize()
        ```
    """
    folder = files.RESULTS if folder is None else Path(folder)
    counts, notes = {}, []
    for path in sorted(folder.glob("matrix_*.csv")):
        backend, frame = path.stem.removeprefix("matrix_"), pd.read_csv(path)
        made = files.read_json(path.with_suffix(".json"))
        versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
        works, fits = (frame.outcome == "works").sum(), frame.as_expected.sum()
        notes.append(
            f"- {backend}: {len(frame)} cells, {works} work, {len(frame) - works} are refused, "
            f"{len(frame) - fits} not as expected; {versions}; {made['seconds']} s."
        )
        keys = ["posterior", "prior", "condition"]
        for key, group in frame.groupby(keys, sort=False):
            row = counts.setdefault(key, dict(zip(keys, key, strict=True)))
            worked = (group.outcome == "works").sum()
            row[backend] = f"{worked} of {len(group)}"
            reason = "" if worked == len(group) else group.outcome.iloc[0]
            row.setdefault("refused because", reason)
    frame = pd.DataFrame(counts.values())
    frame = frame[[*(name for name in frame if name != "refused because"), "refused because"]]
    return files.write_table(
        frame,
        folder / "matrix",
        "The parts, combined",
        "Cells that work, of the likelihoods with and without a mask. A cell that works was "
        f"trained for {EPOCHS} steps, its loss fell, it was saved and loaded bit for bit, sampled, "
        "and scored by the importance-weighted bound, or by its exact ELBO where the latent is "
        "categorical. Operations are run one by one. The cells are in `matrix_<backend>.csv`; "
        "`make matrix` runs them.\n\n" + "\n".join(notes),
    )


if __name__ == "__main__":
    pairs, names = sys.argv[1:2] == ["pairs"], sys.argv[2:]
    chosen = pairwise() if pairs else CELLS
    run([c for c in chosen if not names or c.likelihood in names], keep=bool(names))
    print(summarize())
