"""The dense system from a JSON file: read it, draw its data, train a model for each beta."""

from importlib.resources import files

import keras
import numpy as np

from cvae_keras.checks import (
    check_choice,
    check_count,
    check_positive,
    check_share,
    shown,
)
from cvae_keras.data.conditions import (
    ALL_PATTERNS_UP_TO,
    MOST_DIMENSIONS,
    Conditioned,
    patterns_of,
)
from cvae_keras.data.gaussian import CorrelatedGaussian, IndependentGaussian, ProjectedGaussian
from cvae_keras.data.manifolds import MAKERS, Manifold, SideBySide
from cvae_keras.files import expand, read_json
from cvae_keras.metrics.rate_distortion import average, measure
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches
from cvae_keras.training.optimizers import FusedAdam
from cvae_keras.training.schedules import WeightSchedule, linear

SHIPPED = files("cvae_keras.systems.dense") / "configs"
NETWORK = ("latent_dim", "enc_layers", "dec_layers", "activation", "batch_norm", "gated")
SCHEDULE = ("betas", "beta_start", "warm_up", "epochs", "steps")
TRAINING = (*SCHEDULE, "batch_size", "learning_rate", "seed")
#: What a configuration may leave out; those of earlier versions draw without `every_subset`.
CONDITIONS = {"missing": "entries", "penalize_missing": False, "every_subset": False}
KINDS = {
    "independent": IndependentGaussian,
    "correlated": CorrelatedGaussian,
    "projected": ProjectedGaussian,
}
#: The most that a configuration may ask for: far more than makes sense, and less than a computer.
MOST = {"latent_dim": 4096, "epochs": 10**6, "steps": 10**6, "batch_size": 10**6}
MOST_UNITS, MOST_LAYERS, MOST_BETAS, MOST_VALUES = 8192, 100, 1000, 10**8


def shipped_configs():
    """Names of the configurations that come with the package.

    Example:
        >>> "baseline" in shipped_configs()
        True
    """
    return sorted(entry.name.removesuffix(".json") for entry in SHIPPED.iterdir())


def read_config(name):
    """Read a configuration.

    Args:
        name: of a shipped one ("baseline", ...), or the path of a JSON file with the same entries.

    Returns:
        Dictionary: `data` (see `make_data`), `mask_percentage`, the layers and `latent_dim` of
        `DenseCVAE`, `betas`, `beta_start` and `warm_up` (see `train`), `epochs`, `steps` (per
        epoch), `batch_size`, `learning_rate`, `seed`. It may hold the options `missing`,
        `penalize_missing` and `every_subset` of `Conditioned`; the last is false where it is left
        out, so that trainings of earlier versions are repeated exactly.

    Raises:
        ValueError: no such file, not JSON, or an entry is missing, unknown or of a wrong kind.

    Example:
        >>> read_config("baseline")["data"]
        {'kind': 'independent', 'dim': 2}
    """
    path = expand(name)
    if str(name) in shipped_configs():
        path = SHIPPED / f"{name}.json"
    if not path.exists():
        raise ValueError(
            f"config {name} is neither a file nor one of {', '.join(shipped_configs())}: name one."
        )
    return check_config(read_json(path, object), str(name))


def check_config(config, name="config"):
    """Return a configuration if its entries are complete and valid.

    Args:
        config: dictionary, see `read_config`.
        name: of the configuration, for the error.

    Returns:
        The configuration, with numbers and lists of Python where it has those of NumPy.

    Raises:
        ValueError: an entry is missing, unknown or invalid; the sentence names it.

    Example:
        >>> check_config(read_config("baseline"))["latent_dim"]
        8
    """
    expected = {"data", "mask_percentage", *NETWORK, *TRAINING}
    found = set(config) - set(CONDITIONS) if isinstance(config, dict) else set()
    if found != expected:
        raise ValueError(
            f"{name} lacks the entries {sorted(expected - found)} and has the unknown ones "
            f"{shown(sorted(found - expected))}: correct it."
        )
    config = _plain(config)
    for entry, most in MOST.items():
        check_count(f"{entry} of {name}", config[entry], most)
    for entry in ("enc_layers", "dec_layers"):
        units = config[entry]
        if not isinstance(units, list) or not 0 < len(units) <= MOST_LAYERS:
            raise ValueError(f"{entry} of {name} must be a list of units, got {shown(units)}.")
        for width in units:
            check_count(f"{entry} of {name}", width, MOST_UNITS)
    for entry in ("batch_norm", "gated"):
        if not isinstance(config[entry], bool):
            raise ValueError(
                f"{entry} of {name} must be true or false, got {shown(config[entry])}."
            )
    _check_activation(f"activation of {name}", config["activation"])
    for entry in ("learning_rate", "beta_start"):
        check_positive(f"{entry} of {name}", config[entry])
    betas = config["betas"]
    if not isinstance(betas, list) or not 0 < len(betas) <= MOST_BETAS:
        raise ValueError(f"betas of {name} must be above 0, in a list, got {shown(betas)}.")
    for beta in betas:
        check_positive(f"betas of {name}", beta)
    if len({f"{beta:g}" for beta in betas}) < len(betas):
        raise ValueError(f"betas of {name} must differ in six digits, got {shown(betas)}.")
    if config["warm_up"] != 0 or isinstance(config["warm_up"], bool):
        check_share(f"warm_up of {name} must be a share of the epochs: it", config["warm_up"])
    check_count(f"seed of {name}", config["seed"], least=0)
    try:
        dim = make_source(config).data.dim
    except ValueError as error:
        raise ValueError(f"{name} has wrong data: {error}") from error
    if dim * config["batch_size"] > MOST_VALUES:
        raise ValueError(
            f"batch_size of {name} must be at most {MOST_VALUES // dim:,} for data of {dim} "
            f"dimensions, got {config['batch_size']}: choose less."
        )
    return config


def _check_activation(name, value):
    """Refuse what is not the name of an activation of Keras."""
    try:
        known = isinstance(value, str) and callable(keras.activations.get(value))
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"{name} must be an activation of Keras, got {shown(value)}: try 'silu'.")


def _plain(value):
    """Numbers and arrays of NumPy, at any depth, as those of Python."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def make_data(options):
    """The data set that a configuration describes.

    Args:
        options: dictionary of `kind` ("independent", "correlated", "projected", the name of a
            `Manifold`, or "side_by_side" with a list of `parts`) and the arguments of its class.

    Returns:
        An object with `dim`, `scale` and `sample(n, seed)`.

    Raises:
        ValueError: an unknown kind, or arguments that its class refuses.

    Example:
        >>> make_data({"kind": "independent", "dim": 2}).dim
        2
    """
    if not isinstance(options, dict):
        raise ValueError(f"data must be an object with a kind, got {shown(options)}: write one.")
    options = dict(options)
    kind = check_choice("kind", options.pop("kind", None), [*KINDS, *MAKERS, "side_by_side"])
    try:
        if kind == "side_by_side":
            parts = options.pop("parts")
            if not isinstance(parts, list):
                raise ValueError(f"parts must be a list, got {shown(parts)}")
            return SideBySide([make_data(part) for part in parts], **options)
        return KINDS[kind](**options) if kind in KINDS else Manifold(kind, **options)
    except (TypeError, KeyError, ValueError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"data of kind {kind!r} does not take {shown(options)}: {reason}."
        ) from error


def make_source(config):
    """The `Conditioned` examples that a configuration describes.

    Args:
        config: from `read_config`.

    Example:
        >>> make_source(read_config("baseline")).examples(5)["c"].shape
        (5, 4)
    """
    options = {name: config.get(name, default) for name, default in CONDITIONS.items()}
    return Conditioned(make_data(config["data"]), config["mask_percentage"], **options)


def make_model(config, source, beta):
    """An untrained, compiled `DenseCVAE` for a configuration, its examples and one beta.

    The learning rate falls to 0 along a cosine.

    Args:
        config: from `read_config`.
        source: from `make_source`.
        beta: weight of the KL.

    Example:
        >>> config = read_config("baseline")
        >>> model = make_model(config, make_source(config), beta=0.25)
    """
    data = source.data
    keras.utils.set_random_seed(config["seed"])
    model = DenseCVAE(
        data.dim,
        beta=beta,
        scale=np.where(data.scale > 0, data.scale, 1.0),
        masked=source.masked,
        seed=config["seed"],
        **{name: config[name] for name in NETWORK},
    )
    steps = config["epochs"] * config["steps"]
    rate = keras.optimizers.schedules.CosineDecay(config["learning_rate"], steps)
    model.compile(FusedAdam(rate), steps_per_execution=at_once(20))
    return model


def train(config, beta, callbacks=(), verbose=0):
    """Train the model of a configuration at one beta, on fresh examples in every batch.

    Over the first `warm_up` of the epochs, a beta above `beta_start` rises from there. Otherwise a
    direction of x whose variance is just above beta / 2 is found late or never: at the start, when
    no latent dimension is used, the gradient towards using one is nearly 0. A much lower start does
    harm: while the KL has little weight, the latent carries information that the known values have.

    Args:
        config: from `read_config`.
        beta: weight of the KL.
        callbacks: further Keras callbacks.
        verbose: of `keras.Model.fit`.

    Returns:
        `(model, source, history)`: the model, its `Conditioned` source of examples, and the metrics
        of each epoch as a dictionary.

    Example:
        ```python
        model, source, history = train(read_config("baseline"), beta=0.25)
        ```
    """
    source = make_source(config)
    model = make_model(config, source, beta)
    batches = FreshBatches(source, config["batch_size"], config["steps"], config["seed"])
    rising = max(1, round(config["warm_up"] * (config["epochs"] - 1)))
    start = min(beta, config["beta_start"]) if config["warm_up"] else beta
    warm_up = WeightSchedule(beta=linear(start, beta, rising))
    history = model.fit(
        batches, epochs=config["epochs"], callbacks=[warm_up, *callbacks], verbose=verbose
    )
    model.set_term_weight("beta", beta)
    return model, source, history.history


def measure_by_count(model, source, n=100_000, seed=12345):
    """Rate and distortion for each number of known dimensions.

    Args:
        model: from `train`.
        source: from `train`.
        n: fresh examples, per pattern where there are at most 16, else per number of known
            dimensions.
        seed: integer.

    Returns:
        `(counts, patterns)`: one row per number of known dimensions, and one per pattern of
        `patterns_of`, as `measure` gives them, each with `known`, that number, and `pattern`, such
        as "0110".

    Example:
        ```python
        counts, patterns = measure_by_count(model, source, n=1000)
        ```
    """
    dim = source.data.dim
    counts, patterns = [], []
    for known in range(dim + 1):
        group = patterns_of(dim, known)
        few = dim <= MOST_DIMENSIONS and 2**dim <= ALL_PATTERNS_UP_TO
        total = n * len(group) if few else n
        rows = measure(model, source, group, total, seed + known)
        counts.append({"known": known, "pattern": "", **average(rows)})
        names = ["".join(map(str, pattern.astype(int))) for pattern in group]
        patterns += [
            {"known": known, "pattern": name, **row} for name, row in zip(names, rows, strict=True)
        ]
    return counts, patterns
