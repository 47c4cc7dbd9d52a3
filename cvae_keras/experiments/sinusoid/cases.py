"""The rows of the sinusoid test-case tables: what was published, and how a row is run again."""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import keras
import numpy as np

from cvae_keras.data.sinusoid import TASKS, load
from cvae_keras.experiments import rows
from cvae_keras.files import read_json, replacing
from cvae_keras.metrics.modes import score_samples
from cvae_keras.plots.sinusoid import plot_samples
from cvae_keras.plots.style import DPI
from cvae_keras.systems.sinusoid.model import WEIGHTS, SinusoidCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.optimizers import FusedAdam
from cvae_keras.training.schedules import half_cosine

SEARCHED_EPOCHS = 25
VERSION = 3
#: The network of the rows by their reduction, as arguments of `SinusoidCVAE`.
NETWORKS = {
    "elbo": {"encoder_reads": "xy", "inner_activation": "relu"},
    "original": {"encoder_reads": "x", "inner_activation": "linear"},
}
#: What rows of versions 1 and 2 leave out, since there was no choice yet.
NO_CHOICE = {"prior": "standard", "schedule": "constant", **NETWORKS["elbo"]}


@dataclass(frozen=True)
class Case:
    """One row: a setting of SidWorks01's project, and the figures published for it, if any.

    Args:
        label: the name of the row.
        loss: of `SinusoidCVAE`.
        beta: weight of the KL.
        wx: weight of the x term.
        wy: weight of the y term.
        latent: latent dimensions.
        lr: learning rate of the first epoch.
        batch: examples per batch.
        epochs: of the full training.
        published: (KL, x_loss, y_loss, test loss) as published, averages over the training batches
            of the last epoch in the original reduction; None where nothing was published.
        prior: of `SinusoidCVAE`.
        schedule: of the learning rate, "constant" or "half cosine".

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


DATA_1 = [
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
]  # fmt: skip
#: The labels of rows of data_2 that differ from those of the same setting for data_1.
LABELS_2 = {"4": "L1 1/0.5/0.5", "7": "MSE 1/0.5/0.5"}
CASES = {
    "data_1": DATA_1,
    "data_2": [
        replace(case, label=LABELS_2.get(case.label, case.label), published=None) for case in DATA_1
    ],
}


def read_best(path):
    """The `best.json` of a search.

    Args:
        path: of the file.

    Returns:
        Dictionary of `trial`, `score`, `hyperparameters`, `manifest`.

    Raises:
        ValueError: it is damaged.

    Example:
        ```python
        read_best(RESULTS / "search_sinusoid_1_bayesian_0" / "best.json")["score"]
        ```
    """
    best = read_json(path)
    try:
        fixed = best["manifest"]["config"]["hypermodel"]
        whole = {"data", "loss", "batch_size"} <= set(fixed)
        whole &= isinstance(best["hyperparameters"], dict) and type(best["trial"]) is int
        whole &= type(best["score"]) in (int, float)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise ValueError(f"{path} is not as a search wrote it: run the search in a new folder.")
    return best


def searched_network(best):
    """The network of a search: "deep" or "original", the only one in older searches.

    Args:
        best: from `read_best`.

    Returns:
        Text.

    Example:
        >>> searched_network({"manifest": {"config": {"hypermodel": {"data": "data_1"}}}})
        'original'
    """
    return best["manifest"]["config"]["hypermodel"].get("network", "original")


def searched_case(name, folder):
    """The winner of the original network's searches in a folder, as a row of full length.

    Args:
        name: of the data set.
        folder: which holds `search_sinusoid_<task>_*/best.json`.

    Returns:
        A `Case`, the one with the lowest score of all searches, or None where there is no search.

    Example:
        ```python
        case = searched_case("data_1", RESULTS)
        ```
    """
    task, found = name.removeprefix("data_"), []
    for path in sorted(folder.glob(f"search_sinusoid_{task}_*/best.json")):
        best = read_best(path)
        fits = best["manifest"]["config"]["hypermodel"]["data"] == name
        if fits and searched_network(best) == "original":
            found.append(best)
    if not found:
        return None
    best = min(found, key=lambda best: best["score"])
    values, fixed = best["hyperparameters"], best["manifest"]["config"]["hypermodel"]
    weights = [values.get(name, weight.default) for name, weight in WEIGHTS.items()]
    latent, rate = values.get("latent_dim", 100), values.get("learning_rate", 1e-3)
    prior = values.get("prior", "standard")
    setting = (fixed["loss"], *weights, latent, rate, fixed["batch_size"], SEARCHED_EPOCHS)
    return Case(f"searched, {prior} prior", *setting, prior=prior, schedule="half cosine")


def case_config(name, case, reduction, quick, precision, seed):
    """All that the result of a row depends on; a saved row with the same is not run again.

    Args:
        name: of the data set.
        case: a `Case`.
        reduction: of `SinusoidCVAE`.
        quick: 20,000 examples and 2 epochs instead of 100,000 and those of the case.
        precision: "float32" or "mixed_bfloat16".
        seed: integer.

    Returns:
        Dictionary of plain values, its `version` among them.

    Example:
        >>> config = case_config("data_1", CASES["data_1"][3], "elbo", True, "float32", seed=0)
        >>> config["version"], config["epochs"]
        (3, 2)
    """
    config = asdict(case)
    del config["published"]
    config |= {"data": name, "reduction": reduction, "seed": seed, "precision": precision}
    config |= {"examples": 20_000 if quick else 100_000, "version": VERSION, **NETWORKS[reduction]}
    return config | {"epochs": 2} if quick else config


@dataclass(frozen=True)
class Job(rows.Job):
    """A case on a data set, with one reduction.

    Args:
        data: name of the data set.
        case: a `Case`.
        reduction: of `SinusoidCVAE`.
        quick: as for `case_config`.
        precision: as for `case_config`.
        seed: integer.

    Example:
        >>> Job("data_1", CASES["data_1"][3], "elbo").name
        'data_1_4_elbo'
    """

    holds = {"row": ("x_loss", "y_loss", "residual", "recall", "total_variation", "seconds")}

    data: str
    case: Case
    reduction: str
    quick: bool = False
    precision: str = "float32"
    seed: int = 0

    @property
    def name(self):
        label = "_".join(self.case.label.replace("/", "-").split())
        return f"{self.data}_{label}_{self.reduction}"

    def config(self):
        options = (self.reduction, self.quick, self.precision, self.seed)
        return case_config(self.data, self.case, *options)

    def earlier(self, folder):
        """What `folder` keeps of this job with the network of versions 1 and 2, or None."""
        config = {**self.config(), **NETWORKS["elbo"]}
        return rows.saved_result(self.path(folder), config, self.upgrade)

    @staticmethod
    def upgrade(config):
        return {**NO_CHOICE, **config, "version": max(VERSION, config.get("version", 1))}


def train_case(config, train, callbacks=()):
    """Train the model of one row.

    Args:
        config: from `case_config`.
        train: `(x, y)`, each `(examples, points, 2)`, of which `config["examples"]` are used.
        callbacks: further Keras callbacks.

    Returns:
        `(model, history)`.

    Example:
        ```python
        config = case_config("data_1", CASES["data_1"][3], "elbo", True, "float32", seed=0)
        model, history = train_case(config, TASKS["data_1"].sample(20_000, seed=0))
        ```
    """
    keras.utils.set_random_seed(config["seed"])
    names = ("loss", "beta", "wx", "wy", "prior", "reduction", "seed")
    names += ("encoder_reads", "inner_activation")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config["precision"])  # layers read it when they are made
    try:
        model = SinusoidCVAE(
            TASKS[config["data"]],
            latent_dim=config["latent"],
            y_gradient=config["reduction"] != "original",
            **{name: config[name] for name in names},
        )
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(FusedAdam(config["lr"]), steps_per_execution=at_once(10))
    x, y = (array[: config["examples"]] for array in train)
    batches = ShuffledBatches({"x": x, "c": y}, config["batch"], config["seed"])
    if config["schedule"] == "half cosine":
        callbacks.append(half_cosine(config["lr"], config["epochs"]))
    history = model.fit(batches, epochs=config["epochs"], verbose=0, callbacks=callbacks)
    return model, history


def in_table_units(config, logs):
    """KL, x_loss and y_loss as SidWorks01's table counts them (see `SinusoidCVAE`'s reduction).

    Our logs are per example, summed over entries. That table has the sum of the KL over a batch,
    and distances that are means over all entries, or sums over a batch for "l1_sum".

    Args:
        config: from `case_config`.
        logs: dictionary of `kl`, `x_loss` and `y_loss`, in nats and summed absolute or squared
            errors per example.

    Returns:
        Dictionary of the same three in the reduction of the row.

    Example:
        >>> config = {"reduction": "original", "batch": 250, "data": "data_1", "loss": "mse"}
        >>> in_table_units(config, {"kl": 2.0, "x_loss": 30.0, "y_loss": 40.0})
        {'kl': 500.0, 'x_loss': 0.3, 'y_loss': 0.4}
    """
    kl, x_loss, y_loss = logs["kl"], logs["x_loss"], logs["y_loss"]
    if config["reduction"] == "original":
        kl *= config["batch"]
        entries = 2 * TASKS[config["data"]].points
        factor = config["batch"] if config["loss"] == "l1_sum" else 1 / entries
        x_loss, y_loss = x_loss * factor, y_loss * factor
    return {"kl": kl, "x_loss": x_loss, "y_loss": y_loss}


def dead_entries(model, x, y):
    """How many entries of x_hat the final ReLU holds at 0 for every example.

    Args:
        model: a `SinusoidCVAE`.
        x: `(batch, points, 2)`, encoded and decoded.
        y: `(batch, points, 2)`.

    Returns:
        A number from 0 to 2 x points. A dead entry has no gradient and stays 0.

    Example:
        ```python
        number = dead_entries(model, x[:1000], y[:1000])
        ```
    """
    mean = model.posterior(x, y).mean
    x_hat = keras.ops.convert_to_numpy(model.decoder(mean[None], y))[0]
    return int((x_hat == 0).all(axis=0).sum())


def epoch_reaching(x_losses, published):
    """First epoch, counted from 1, whose x_loss is at most the published one; NaN if there is none.

    Args:
        x_losses: of each epoch.
        published: the figure to reach.

    Returns:
        A float.

    Example:
        >>> epoch_reaching([0.9, 0.5, 0.4], 0.5)
        2.0
    """
    reached = np.flatnonzero(np.asarray(x_losses) <= published)
    return float(reached[0] + 1) if len(reached) else float("nan")


@lru_cache(maxsize=1)  # the rows of a data set follow each other
def examples(name):
    """Dictionary of `(x, y)` for the splits "train", "validation" and "score" of a data set."""
    return {split: load(name, split) for split in ("train", "validation", "score")}


def run_case(job, path, callbacks=()):
    """Train and score one row; its figure and its model are saved beside `path`.

    Args:
        job: a `Job`.
        path: of the result; the figure and the model have the same name, and end in `.png` and
            `.keras`.
        callbacks: further Keras callbacks of the training.

    Returns:
        `(result, seconds)`: a dictionary of `row` and `history`, the metrics of each epoch, and the
        wall time of the training.

    Example:
        ```python
        result, seconds = run_case(Job("data_1", CASES["data_1"][3], "elbo"), Path("runs/row.json"))
        ```
    """
    config, data = job.config(), examples(job.data)
    saves = rows.checkpoint(job, path)
    model, history = train_case(config, data["train"], [*callbacks, saves])
    seconds = sum(saves.history["seconds"])
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
    with replacing(path.with_suffix(".png")) as figure:
        plot_samples(task, samples[:, 0], y_score[0], title).savefig(figure, dpi=DPI)
    with replacing(path.with_suffix(".keras")) as file:
        model.save(file)
    epochs = {name: np.asarray(values).tolist() for name, values in history.history.items()}
    epochs["kl_per_dim"] = kl_per_dim.tolist()
    return {"row": row, "history": epochs}, seconds
