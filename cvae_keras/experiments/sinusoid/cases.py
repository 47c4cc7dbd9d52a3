"""The rows of the sinusoid test-case tables: what was published, and how a row is run again."""

import json
import time
from dataclasses import asdict, dataclass

import keras
import numpy as np

from cvae_keras.data.sinusoid import TASKS
from cvae_keras.files import manifest, saved_result, write_json
from cvae_keras.metrics.modes import score_samples
from cvae_keras.plots.sinusoid import plot_samples
from cvae_keras.systems.sinusoid.model import REDUCTIONS, SinusoidCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.schedules import half_cosine

SEARCHED_EPOCHS = 25


@dataclass(frozen=True)
class Case:
    """One row: a setting of the original's network, and the figures published for it, if any.

    Args:
        label: the row's name; loss, beta, wx, wy, latent, lr, batch, epochs: the setting.
        published: (KL, x_loss, y_loss, test loss) as published, averages over the training batches
            of the last epoch in the original's reduction; None where nothing was.
        prior: of `SinusoidCVAE`; schedule: of the learning rate, "constant" or "half cosine".

    Example:
        >>> CASES["data_1"][3].published
        (4e-06, 0.0585, 0.1382, 0.0977)
    """

    label: str
    loss: str
    beta: float
    wx: float
    wy: float
    latent: int
    lr: float
    batch: int
    epochs: int
    published: tuple | None = None
    prior: str = "standard"
    schedule: str = "constant"


CASES = {
    "data_1": [
        Case("1", "l1_mean", 1, 0, 0, 100, 1e-4, 500, 30, (0.001104, 0.5429, 0.8836, 0.00011)),
        Case("2", "l1_mean", 0, 1, 0, 100, 1e-4, 500, 30, (494324, 0.00667, 0.0304, 0.00628)),
        Case("3", "l1_mean", 0, 1, 1, 100, 1e-4, 500, 30, (523556, 0.00755, 0.0385, 0.0561)),
        Case("4", "l1_mean", 1, 0.5, 0.5, 100, 1e-3, 250, 30, (4e-6, 0.0585, 0.1382, 0.0977)),
        Case("5", "l1_mean", 0.8, 0.6, 0.6, 60, 1e-3, 250, 25, (3e-6, 0.0595, 0.1469, 0.1197)),
        Case("6", "l1_mean", 0.8, 0.65, 0.72, 85, 1e-3, 250, 25, (2e-6, 0.06, 0.1473, 0.1464)),
        Case("7", "mse", 1, 0.5, 0.5, 65, 1e-3, 250, 25, (3e-6, 0.0099, 0.1019, 0.0543)),
        Case("8 as listed", "mse", 0.8, 0.6, 0.6, 65, 1e-3, 250, 25),
        Case("8 as run", "mse", 0.9, 0.6, 0.8, 120, 1e-3, 250, 25, (6e-6, 0.0108, 0.1166, 0.1045)),
        Case("9 as listed", "l1_sum", 1, 0.5, 0.5, 80, 1e-3, 250, 25),
        Case("9 as run", "l1_sum", 0.4, 0.6, 0.7, 80, 1e-3, 250, 25, (450.3, 530.2, 1997.2, 727.1)),
        Case(
            "optimised", "l1_mean", 1.1, 0.6, 0.6, 110, 1e-3, 500, 25,
            (0.000163, 0.0615, 0.1492, 0.1208),
        ),
    ],
    "data_2": [
        Case("L1 1/0.5/0.5", "l1_mean", 1, 0.5, 0.5, 100, 1e-3, 250, 30),
        Case("MSE 1/0.5/0.5", "mse", 1, 0.5, 0.5, 65, 1e-3, 250, 25),
        Case("optimised", "l1_mean", 1.1, 0.6, 0.6, 110, 1e-3, 500, 25),
    ],
}  # fmt: skip


def searched_case(name, folder):
    """The winner of the sinusoid searches in a folder, as a row of the table of full length.

    Args:
        name: of the data set; folder: which holds `search_sinusoid_<task>_*/best.json`.

    Returns:
        A `Case`, the one with the least score of all searches, or None where there is no search.

    Example:
        >>> searched_case("data_1", RESULTS)
    """
    task, found = name.removeprefix("data_"), []
    for path in sorted(folder.glob(f"search_sinusoid_{task}_*/best.json")):
        best = json.loads(path.read_text())
        if best["manifest"]["config"]["hypermodel"]["data"] == name:
            found.append(best)
    if not found:
        return None
    best = min(found, key=lambda best: best["score"])
    values, fixed = best["hyperparameters"], best["manifest"]["config"]["hypermodel"]
    weights = [
        values.get(key, default) for key, default in (("beta", 1.0), ("wx", 0.5), ("wy", 0.5))
    ]
    latent, rate = values.get("latent_dim", 100), values.get("learning_rate", 1e-3)
    prior = values.get("prior", "standard")
    setting = (fixed["loss"], *weights, latent, rate, fixed["batch_size"], SEARCHED_EPOCHS)
    return Case(f"searched, {prior} prior", *setting, prior=prior, schedule="half cosine")


def case_config(name, case, reduction, quick, precision, seed):
    """All that a row's run depends on, as a dictionary; a saved row with the same is not rerun."""
    config = asdict(case)
    del config["published"]
    for option, usual in (("prior", "standard"), ("schedule", "constant")):
        if config[option] == usual:
            del config[option]  # rows saved before there was a choice say nothing of it
    config |= {"data": name, "reduction": reduction, "seed": seed, "precision": precision}
    config["examples"] = 20_000 if quick else 100_000
    if quick:
        config["epochs"] = 2
    return config


def train_case(config, train, callbacks=()):
    """Train the model of one row.

    Args:
        config: from `case_config`; train: `(x, y)`, of which `config["examples"]` are used;
            callbacks: further Keras callbacks.

    Returns:
        `(model, history)`.

    Example:
        >>> config = case_config("data_1", CASES["data_1"][3], "elbo", True, "float32", seed=0)
        >>> model, history = train_case(config, TASKS["data_1"].sample(20_000, seed=0))
    """
    keras.utils.set_random_seed(config["seed"])
    original = config["reduction"] == REDUCTIONS[1]
    names = ("loss", "beta", "wx", "wy", "reduction", "seed")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config["precision"])  # layers take it up when they are made
    try:
        model = SinusoidCVAE(
            TASKS[config["data"]],
            latent_dim=config["latent"],
            prior=config.get("prior", "standard"),
            y_gradient=not original,
            **{name: config[name] for name in names},
        )
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(keras.optimizers.Adam(config["lr"]), steps_per_execution=at_once(10))
    x, y = (array[: config["examples"]] for array in train)
    batches = ShuffledBatches({"x": x, "c": y}, config["batch"], config["seed"])
    callbacks = [keras.callbacks.TerminateOnNaN(), *callbacks]
    if "schedule" in config:
        callbacks.append(half_cosine(config["lr"], config["epochs"]))
    history = model.fit(batches, epochs=config["epochs"], verbose=0, callbacks=callbacks)
    return model, history


def in_table_units(config, logs):
    """KL, x_loss, y_loss as the table of the original counts them (see `SinusoidCVAE`'s reduction).

    Our logs are per example, summed over entries. The original's KL is the sum over a batch, its
    distances are means over all entries, or sums over a batch for "l1_sum".
    """
    kl, x_loss, y_loss = logs["kl"], logs["x_loss"], logs["y_loss"]
    if config["reduction"] == "original":
        kl *= config["batch"]
        entries = 2 * TASKS[config["data"]].points
        factor = config["batch"] if config["loss"] == "l1_sum" else 1 / entries
        x_loss, y_loss = x_loss * factor, y_loss * factor
    return {"kl": kl, "x_loss": x_loss, "y_loss": y_loss}


def dead_entries(model, x, y):
    """How many of the entries of x_hat (2 x points) the final ReLU holds at 0 for every example.

    Args:
        model: a `SinusoidCVAE`; x, y: `(batch, points, 2)`, which are encoded and decoded.

    Returns:
        A number from 0 to 2 x points. A dead entry has no gradient and stays 0 for ever.

    Example:
        >>> dead_entries(model, x[:1000], y[:1000])
    """
    mean = model.posterior(x, y).mean
    x_hat = keras.ops.convert_to_numpy(model.decoder(mean[None], y))[0]
    return int((x_hat == 0).all(axis=0).sum())


def epoch_reaching(x_losses, published):
    """First epoch, counted from 1, whose x_loss is at most the published one; NaN if none is."""
    reached = np.flatnonzero(np.asarray(x_losses) <= published)
    return float(reached[0] + 1) if len(reached) else float("nan")


def case_path(config, folder):
    """The file that keeps a row, `<data>_<label>_<reduction>.json`."""
    stem = "_".join(config["label"].replace("/", "-").split())
    return folder / f"{config['data']}_{stem}_{config['reduction']}.json"


def saved_case(config, folder):
    """What `run_case` saved for this configuration: "row", "history", "manifest"; else None."""
    return saved_result(case_path(config, folder), config)


def run_case(config, data, folder, callbacks=()):
    """Run one row, unless the folder holds it already, and save its figures.

    Args:
        config: from `case_config`; data: split -> (x, y) for "train", "validation", "score";
            folder: for `<row>.json`, `<row>.png` and `<row>.keras`; callbacks: of the training.

    Returns:
        `(row, history, fresh)`: the row and the metrics of each epoch as dictionaries, and whether
        it was trained now.

    Example:
        >>> row, history, fresh = run_case(config, data, Path("runs"))
    """
    saved, path = saved_case(config, folder), case_path(config, folder)
    if saved:
        return saved["row"], saved["history"], False
    start = time.perf_counter()
    model, history = train_case(config, data["train"], callbacks)
    seconds = time.perf_counter() - start
    kl_per_dim = model.means.kl_per_dim()  # of the last epoch
    last = {name: values[-1] for name, values in history.history.items()}
    x, y = data["validation"]
    validation = model.evaluate(
        {"x": x, "c": y}, batch_size=config["batch"], verbose=0, return_dict=True
    )
    task, (_, y_score) = TASKS[config["data"]], data["score"]
    samples = model.sample(y_score, n_samples=100, seed=config["seed"])
    scores = score_samples(task, samples, y_score)
    row = {
        **in_table_units(config, last),
        "validation_loss": validation["loss"],
        "kl_nats": last["kl"],
        "active_units": int(last["active_units"]),
        "residual": scores["residual"],
        "precision": scores["precision"],
        "recall": scores["recall"],
        "total_variation": scores["total_variation"],
        "dead_entries": dead_entries(model, x[:1000], y[:1000]),
        "seconds": seconds,
    }
    row = {name: float(np.asarray(value)) for name, value in row.items()}
    title = f"{config['data']}, row {config['label']}, {config['reduction']} reduction"
    plot_samples(task, samples[:, 0], y_score[0], title).savefig(path.with_suffix(".png"), dpi=80)
    model.save(path.with_suffix(".keras"))
    epochs = {name: np.asarray(values).tolist() for name, values in history.history.items()}
    epochs["kl_per_dim"] = kl_per_dim.tolist()
    write_json(path, {"row": row, "manifest": manifest(config, seconds), "history": epochs})
    return row, epochs, True
