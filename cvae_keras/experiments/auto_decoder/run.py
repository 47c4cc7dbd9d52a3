"""One auto-decoder experiment from a dictionary of options: its training, its tests, its files."""

import time
import zlib
from functools import partial
from itertools import product
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from cvae_keras.checks import (
    check_choice,
    check_count,
    check_finite,
    check_fraction,
    check_positive,
    check_seed,
    check_weight,
)
from cvae_keras.data.missing import draw_mask, observed_entries
from cvae_keras.files import claim, manifest, read_json, replacing, write_csv, write_json
from cvae_keras.parts.distributions import gaussian_kl
from cvae_keras.parts.posteriors import VARIANTS
from cvae_keras.systems.auto_decoder.decoder import ACTIVATIONS, check_hidden
from cvae_keras.systems.auto_decoder.inference import INITS, METHODS
from cvae_keras.systems.auto_decoder.model import INITS as TABLE_INITS
from cvae_keras.systems.auto_decoder.model import REDUCTIONS, VariationalAutoDecoder
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import ShuffledBatches
from cvae_keras.training.optimizers import KINDS as OPTIMIZERS
from cvae_keras.training.optimizers import two_rates

#: Every option of an experiment, and its default.
DEFAULTS = {
    "latent_dim": 50,
    "hidden": [200, 200],
    "activation": "relu",
    "layer_norm": False,
    "dropout": 0.0,
    "variant": "vae",
    "log_var": -4.0,
    "latent_init": "pca",
    "beta": 0.02,
    "reduction": "elbo",
    "optimizer": "adam",
    "net_lr": 2e-3,
    "latent_lr": 0.015,
    "schedule": "cosine",  # "constant", "cosine" (down to 0), "plateau" (halved after 10 epochs)
    "batch_size": 32,
    "epochs": 30,
    "missing": 0.0,  # of the training rows
    "train_rows": 10_000,
    "test_rows": 2_000,
    "test_method": None,
    "test_init": "mean",
    "test_steps": None,
    "test_lr": 0.1,
    "test_batch_size": 1000,
    "seed": 0,
}
GRID = {"latent_dim": [25, 50, 100], "hidden": [[100, 100], [200, 200]], "latent_lr": [0.015, 0.1]}
SCHEDULES = ("constant", "cosine", "plateau")
CONTENT = "grid of auto-decoders"  # of a folder, by its marker
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def complete(config):
    """The options of an experiment with the defaults filled in.

    Args:
        config: dictionary, option -> value.

    Returns:
        Dictionary of every option in `DEFAULTS`.

    Raises:
        ValueError: an unknown option, or a value out of its range.

    Example:
        >>> complete({"epochs": 3})["latent_dim"]
        50
    """
    if not isinstance(config, dict) or not set(config) <= set(DEFAULTS):
        unknown = sorted(set(config) - set(DEFAULTS)) if isinstance(config, dict) else config
        raise ValueError(f"options {unknown} are unknown: choose among {sorted(DEFAULTS)}.")
    config = {**DEFAULTS, **{name: _plain(value) for name, value in config.items()}}
    for name, check in CHECKS.items():
        check(name, config[name])
    return config


#: Of each option: what refuses a value that cannot be meant.
CHECKS = {
    "latent_dim": partial(check_count, most=4096),
    "hidden": lambda name, value: [
        check_count(name, units, most=8192) for units in check_hidden(value)
    ],
    "activation": partial(check_choice, choices=list(ACTIVATIONS)),
    "layer_norm": partial(check_choice, choices=[True, False]),
    "dropout": check_fraction,
    "variant": partial(check_choice, choices=VARIANTS),
    "log_var": check_finite,
    "latent_init": partial(check_choice, choices=list(TABLE_INITS)),
    "beta": check_weight,
    "reduction": partial(check_choice, choices=REDUCTIONS),
    "optimizer": partial(check_choice, choices=OPTIMIZERS),
    "net_lr": check_positive,
    "latent_lr": check_positive,
    "schedule": partial(check_choice, choices=SCHEDULES),
    "batch_size": partial(check_count, most=10**6),
    "epochs": check_count,
    "missing": check_fraction,
    "train_rows": check_count,
    "test_rows": check_count,
    "test_method": lambda name, value: value is None or check_choice(name, value, list(METHODS)),
    "test_init": partial(check_choice, choices=INITS),
    "test_steps": lambda name, value: value is None or check_count(name, value, most=10**6),
    "test_lr": check_positive,
    "test_batch_size": partial(check_count, most=10**6),
    "seed": partial(check_count, least=0),
}


def _plain(value):
    """A NumPy number or array as Python's, which JSON can hold."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def write_grid(folder, grid):
    """Write one `config_<i>.json` for each combination of a grid, after those already there.

    Args:
        folder: where to.
        grid: dictionary, option -> list of values.

    Returns:
        The files.

    Raises:
        ValueError: an unknown option, one that is not a list, or a folder of something else.

    Example:
        ```python
        paths = write_grid("runs/vad/first", {"latent_dim": [25, 50]})
        ```
    """
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"{name} must be a list of values, got {values!r}: write it in [ ].")
    configs = [complete(dict(zip(grid, row, strict=True))) for row in product(*grid.values())]
    folder, paths = claim(folder, CONTENT), []
    taken = [path.stem.removeprefix("config_") for path in folder.glob("config_*.json")]
    first = max([-1, *(int(number) for number in taken if number.isdecimal())])
    for number, config in enumerate(configs, first + 1):
        paths.append(folder / f"config_{number}.json")
        write_json(paths[-1], config)
    return paths


def read_config(folder, number):
    """The options in `<folder>/config_<number>.json`.

    Args:
        folder: of the grid.
        number: of the configuration.

    Returns:
        Dictionary of every option in `DEFAULTS`.

    Raises:
        ValueError: the file is not there, is not JSON, or holds unknown or wrong options.

    Example:
        ```python
        config = read_config(Path("runs/vad/first"), 0)
        ```
    """
    path = folder / f"config_{number}.json"
    if not path.is_file():
        raise ValueError(f"{path} is not there: write it with `cvae-keras vad grid`.")
    try:
        return complete(read_json(path))
    except ValueError as error:
        sentence = str(error)
        raise ValueError(sentence if str(path) in sentence else f"{path}: {sentence}") from error


def train(config, x, callbacks=(), verbose=0):
    """Train an auto-decoder on x without the share `config["missing"]` of its entries.

    Args:
        config: options, see `DEFAULTS`.
        x: `(rows, features)`, NaN where a value is missing, which the model does not observe.
        callbacks: further Keras callbacks.
        verbose: of `keras.Model.fit`.

    Returns:
        `(model, history)`.

    Raises:
        ValueError: an unknown option or schedule.

    Example:
        ```python
        model, history = train({"epochs": 3}, x_train)
        ```
    """
    config = complete(config)
    keras.utils.set_random_seed(check_seed("seed", config["seed"]))
    names = ("latent_dim", "hidden", "activation", "layer_norm", "dropout", "variant", "log_var")
    names += ("latent_init", "beta", "reduction", "seed")
    rows, features = x.shape
    model = VariationalAutoDecoder(features, rows, **{name: config[name] for name in names})
    batch = min(config["batch_size"], rows)
    rates = [config["net_lr"], config["latent_lr"]]
    if config["schedule"] == "cosine":
        steps = config["epochs"] * (rows // batch)
        rates = [keras.optimizers.schedules.CosineDecay(rate, steps) for rate in rates]
    model.compile(two_rates(*rates, config["optimizer"]), steps_per_execution=at_once(10))
    x, known = observed_entries(x)
    arrays = {"x": x, "index": np.arange(rows, dtype="int32")[:, None]}
    if config["missing"] or not known.all():
        arrays["mask"] = known * draw_mask(x.shape, config["missing"], [config["seed"], 1])
        arrays["x"] = x * arrays["mask"]
    batches = ShuffledBatches(arrays, batch, config["seed"])
    callbacks = list(callbacks)
    if config["schedule"] == "plateau":
        plateau = keras.callbacks.ReduceLROnPlateau("loss", 0.5, 10, mode="min", min_delta=0.0)
        callbacks.insert(0, plateau)
    history = model.fit(batches, epochs=config["epochs"], verbose=verbose, callbacks=callbacks)
    return model, history


def search_options(config):
    """The arguments of `infer_latents` that testing with these options uses.

    Args:
        config: options, see `DEFAULTS`.

    Returns:
        Dictionary.

    Example:
        >>> search_options(DEFAULTS)["init"]
        'mean'
    """
    names = {"method": "method", "init": "init", "steps": "steps", "rate": "lr"}
    names |= {"batch_size": "batch_size"}
    return {name: config[f"test_{option}"] for name, option in names.items()}


def predict_missing(model, config, x, ratio, mask_seed):
    """Reconstruct x from the entries that a fresh mask leaves observed.

    Args:
        model: with a `reconstruct(x, mask)`.
        config: options, see `DEFAULTS`.
        x: `(rows, features)`, NaN where the value is not known.
        ratio: share of missing entries.
        mask_seed: integer or list of integers, of the mask.

    Returns:
        `(scores, arrays)`: what `score_missing` returns, and the `mask` and the reconstruction
        `x_hat`, `(rows, features)`.

    Example:
        ```python
        scores, arrays = predict_missing(model, config, x_test, 0.5, mask_seed=[0, 5])
        ```
    """
    x, known = observed_entries(x)
    mask = known * draw_mask(x.shape, ratio, mask_seed)
    row, begin = {}, time.process_time()
    if isinstance(model, VariationalAutoDecoder):
        z = model.find_latents(x * mask, mask, **search_options(config))
        x_hat = model.decode(z)
        row["test_kl"] = _kl(model, z)
    else:
        x_hat = model.reconstruct(x * mask, mask)
    spent = time.process_time() - begin
    squares = np.square(x_hat - x)
    row |= {"mse": squares[known > 0].mean(), "mse_observed": squares[mask > 0].mean()}
    if (hidden := known > mask).any():
        row["mse_missing"] = squares[hidden].mean()
    row = {**{k: float(v) for k, v in row.items()}, "ms_per_row": 1e3 * spent / len(x)}
    return row, {"mask": mask, "x_hat": x_hat}


def score_missing(model, config, x, ratio, mask_seed):
    """The errors of `predict_missing`, with its arguments.

    Returns:
        Dictionary of `mse` (over all known entries, as in Zadeh et al., 2019), `mse_missing`,
        `mse_observed`, `ms_per_row`, milliseconds of processor time, and of an auto-decoder
        `test_kl`, the mean KL of the inferred latents with the variances of the training rows.

    Example:
        ```python
        score_missing(model, config, x_test, 0.5, mask_seed=[0, 5])["mse"]
        ```
    """
    return predict_missing(model, config, x, ratio, mask_seed)[0]


def _kl(model, z):
    """The mean of KL(N(z, variances of the table) || N(0, I)); of |z|^2 / 2 without variances."""
    zero, log_var = np.zeros(1), {"ae": 0.0, "vae": model.options["log_var"]}
    if model.options["variant"] == "vae_free":
        log_var["vae_free"] = keras.ops.convert_to_numpy(model.posterior.log_var)
    log_var = np.asarray(log_var[model.options["variant"]], "float64")
    parts = (
        gaussian_kl(z.astype("float64"), zero, zero, zero),
        gaussian_kl(zero, log_var, zero, zero),
    )
    return z.shape[1] * sum(np.mean(part) for part in parts)


def data_label(dataset, path=None):
    """The name of a data set in the names of files: of two files it differs.

    Args:
        dataset: name of a data set, or the path of a .csv file.
        path: of the data set's file, if it was given.

    Returns:
        A string.

    Example:
        >>> data_label("digits"), data_label("first/a.csv") == data_label("second/a.csv")
        ('digits', False)
    """
    if path is None and not dataset.endswith(".csv"):
        return dataset
    file = Path(path or dataset)
    number = zlib.crc32(str(file.resolve()).encode())
    return f"{'' if path is None else dataset + '-'}{file.stem[:60]}-{number:08x}"


def save_run(folder, number, model, history, config, seconds, data, given=None):
    """Write `model_<number>.keras` and `train_<number>.json`, history and manifest.

    Args:
        folder: of the grid.
        number: of the configuration.
        model: to save.
        history: what `keras.Model.fit` returned.
        config: options, see `DEFAULTS`.
        seconds: wall time of the training.
        data: name of the data set, or its file.
        given: the options among them that replaced those of the configuration's file.

    Example:
        ```python
        save_run(Path("runs/vad/first"), 0, model, history, config, 60.0, "digits")
        ```
    """
    with replacing(folder / f"model_{number}.keras") as path:
        model.save(path)
    history = {name: np.asarray(values).tolist() for name, values in history.history.items()}
    about = {**manifest({**config, "data": data}, seconds), "given": given or {}}
    write_json(folder / f"train_{number}.json", {"history": history, "manifest": about})


def read_trained(folder, number):
    """The options that a configuration was trained with: those of its file, and those given then.

    Args:
        folder: of the grid.
        number: of the configuration.

    Returns:
        Dictionary of every option in `DEFAULTS`.

    Raises:
        ValueError: a file is not there or damaged.

    Example:
        ```python
        config = read_trained(Path("runs/vad/first"), 0)
        ```
    """
    config = read_config(folder, number)
    about = _training(folder, number).get("manifest")
    given = about.get("given", {}) if isinstance(about, dict) else {}
    return complete({**config, **given}) if isinstance(given, dict) else config


def _training(folder, number):
    """What `save_run` wrote; empty if there is no such file."""
    path = folder / f"train_{number}.json"
    return read_json(path) if path.is_file() else {}


def _losses(folder, number):
    """The loss, the mean squared error and the KL of the last epoch of a training."""
    history = _training(folder, number).get("history")
    history = history if isinstance(history, dict) else {}
    names = [name for name in ("loss", "mse", "kl") if history.get(name)]
    return {f"train_{name}": history[name][-1] for name in names}


def collect(folder):
    """Gather all test results of a grid in `results.csv`.

    Args:
        folder: of the grid, with the `test_*.json` of its configurations.

    Returns:
        The table, a `pandas.DataFrame`: `number` of the configuration, `data`, `kind` of the test,
        its scores, the losses of the last epoch of its training, and the options.

    Raises:
        ValueError: there are no results, or a file of them is damaged.

    Example:
        ```python
        frame = collect(Path("runs/vad/first"))
        ```
    """
    rows = []
    for path in sorted(folder.glob("test_*.json")):
        run, number = read_json(path), path.stem.rsplit("_", 1)[1]
        found, config = run.get("rows"), run.get("config")
        whole = isinstance(found, list) and all(isinstance(row, dict) for row in found)
        if not (whole and isinstance(config, dict) and number.isdecimal() and "data" in run):
            raise ValueError(f"{path} is not as testing wrote it: delete it, and test again.")
        head = {"number": int(number), "data": run["data"], "kind": run.get("kind")}
        losses = _losses(folder, int(number))
        rows += [{**head, **row, **losses, **config} for row in found]
    if not rows:
        raise ValueError(
            f"{folder} holds no test results: run `cvae-keras vad test-missing` first."
        )
    frame = pd.DataFrame(rows)
    write_csv(frame, folder / "results.csv", digits=17)
    return frame
