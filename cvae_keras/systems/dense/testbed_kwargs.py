"""The model_kwargs and options of CVAE_testbed as a configuration of the dense system."""

from numbers import Real

import numpy as np

from cvae_keras.checks import check_count, shown
from cvae_keras.systems.dense.config import check_config, make_data

NEEDED = {"x_dim", "c_dim", "enc_layers", "dec_layers"}
OPTIONAL = {"projection_dim", "mask_percentage", "sklearn_data"}
DATALOADERS = ("SyntheticDataset", "ProjectedSyntheticDataset", "SwissRoll", "CirclesMoonsBlobs")


def convert_kwargs(
    kwargs,
    dataloader=None,
    loss_fn="synthetic_loss",
    batch_size=64,
    num_batches=1000,
    n_epochs=30,
    lr=0.001,
    beta_vae=1.0,
):
    """The configuration that trains the network of CVAE_testbed's `CVAE_baseline` on its data.

    Args:
        kwargs: dictionary of `x_dim`, `c_dim`, `enc_layers`, `dec_layers` and, as the data need
            them, `projection_dim`, `sklearn_data` and `mask_percentage`, there a share below 1.
        dataloader: the name of its class, with or without that of its module; None to choose it by
            the entries of kwargs. A swiss roll has to be named.
        loss_fn: "synthetic_loss", which leaves out masked entries, or "synthetic_loss_no_mask".
        batch_size: examples in a batch.
        num_batches: batches in an epoch.
        n_epochs: number of epochs.
        lr: learning rate at the start.
        beta_vae: weight of the KL.

    Returns:
        Dictionary, as of `read_config`.

    Raises:
        ValueError: an entry or option that is missing, unknown, or does not fit the others.

    Example:
        >>> theirs = {"x_dim": 2, "c_dim": 4, "enc_layers": [2, 64, 16], "dec_layers": [16, 64, 2]}
        >>> config = convert_kwargs(theirs)
        >>> config["enc_layers"], config["latent_dim"], config["dec_layers"]
        ([64], 16, [64])
    """
    if not isinstance(kwargs, dict) or not NEEDED <= set(kwargs) <= NEEDED | OPTIONAL:
        found = set(kwargs) if isinstance(kwargs, dict) else set()
        raise ValueError(
            f"the kwargs lack the entries {sorted(NEEDED - found)} and have the unknown ones "
            f"{shown(sorted(found - NEEDED - OPTIONAL))}: give those of CVAE_baseline."
        )
    layers = {name: _layers(name, kwargs[name]) for name in ("enc_layers", "dec_layers")}
    enc, dec = layers.values()
    data = _data(kwargs, dataloader)
    dim = make_data(data).dim
    for name, value, needed in [
        ("c_dim", kwargs["c_dim"], 2 * dim),
        ("the first of enc_layers", enc[0], dim),
        ("the last of dec_layers", dec[-1], dim),
        ("the first of dec_layers", dec[0], enc[-1]),
    ]:
        if value != needed:
            raise ValueError(
                f"{name} must be {needed} for data of {dim} dimensions and {enc[-1]} latent ones, "
                f"got {shown(value)}: correct it, or name the dataloader."
            )
    percent = _percent(kwargs.get("mask_percentage", 0))
    loss = str(loss_fn).rpartition(".")[2]
    if loss not in ("synthetic_loss", "synthetic_loss_no_mask"):
        raise ValueError(
            f"loss_fn must be synthetic_loss or synthetic_loss_no_mask, got {shown(loss_fn)}: "
            f"choose one."
        )
    config = {
        "data": data,
        "mask_percentage": percent,
        "missing": "entries" if data["kind"] in ("independent", "projected") else "rows",
        "penalize_missing": loss == "synthetic_loss_no_mask" and percent > 0,
        "every_subset": True,
        "latent_dim": enc[-1],
        "enc_layers": enc[1:-1],
        "dec_layers": dec[1:-1],
        "activation": "relu",
        "batch_norm": True,
        "gated": False,
        "betas": [beta_vae],
        "beta_start": beta_vae,
        "warm_up": 0,
        "epochs": n_epochs,
        "steps": num_batches,
        "batch_size": batch_size,
        "learning_rate": lr,
        "seed": 0,
    }
    return check_config(config, "the converted configuration")


def _layers(name, value):
    """The widths of a network, its ends included."""
    if not isinstance(value, list) or len(value) < 3:
        raise ValueError(
            f"{name} must be a list of at least 3 widths, the two ends and a hidden layer, got "
            f"{shown(value)}: correct it."
        )
    return [check_count(name, width) for width in value]


def _percent(share):
    """A share of CVAE_testbed in percent."""
    number = isinstance(share, Real) and not isinstance(share, bool)
    if not number or not 0 <= share < 1:
        raise ValueError(
            f"mask_percentage is a share from 0 to below 1 in CVAE_testbed, got {shown(share)}: "
            f"give 0.5 for a half."
        )
    return round(100 * share, 9)


def _data(kwargs, dataloader):
    """The `data` of a configuration."""
    chosen = "ProjectedSyntheticDataset" if "projection_dim" in kwargs else "SyntheticDataset"
    chosen = "CirclesMoonsBlobs" if "sklearn_data" in kwargs else chosen
    chosen = chosen if dataloader is None else str(dataloader).rpartition(".")[2]
    if chosen not in DATALOADERS:
        raise ValueError(
            f"dataloader must be one of {', '.join(DATALOADERS)}, got {shown(dataloader)}: choose "
            f"one."
        )
    x_dim = check_count("x_dim", kwargs["x_dim"])
    needs = {"ProjectedSyntheticDataset": "projection_dim", "CirclesMoonsBlobs": "sklearn_data"}
    for loader, entry in needs.items():
        if (chosen == loader) != (entry in kwargs):
            raise ValueError(
                f"the kwargs must hold {entry} if and only if the dataloader is {loader}, got "
                f"{chosen} and {shown(sorted(kwargs))}: correct one of them."
            )
    if chosen == "SyntheticDataset":
        return {"kind": "independent", "dim": x_dim}
    if chosen == "SwissRoll":
        return {"kind": "swissroll"}
    if chosen == "CirclesMoonsBlobs":
        return {"kind": kwargs["sklearn_data"], "noise": 0}
    dim = check_count("projection_dim", kwargs["projection_dim"], 2048)
    if x_dim > dim:
        raise ValueError(
            f"projection_dim must be at least x_dim, {x_dim}, got {dim}: raise it, or lower x_dim."
        )
    projection = np.zeros((dim, dim), int)
    projection[np.arange(dim), np.arange(dim) % x_dim] = 1
    sizes = {"x_dim": x_dim, "projection_dim": dim}
    return {"kind": "projected", **sizes, "projection": projection.tolist()}
