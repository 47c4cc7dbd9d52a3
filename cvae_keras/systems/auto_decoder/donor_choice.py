"""Whether and how `VADImputer` fills with donors: the choice by held-out entries."""

import numpy as np
from keras import ops

from cvae_keras.systems.auto_decoder.held_out import NEWTON_STEPS
from cvae_keras.systems.auto_decoder.hot_deck import Donors, Logarithms

SHARES = (0.25, 0.5, 0.75, 1.0)  # candidates for the donors' share of a fill
SHARPNESS = (0.35, 0.7, 1.4)  # and for that of their kernel
MOST_DONORS = 30_000  # the cost of a row is linear in their number


def choose_donors(model, entries, table, seed):
    """The `Donors` and their share of a fill that have the least error on held-out entries.

    Their error must be below the model's by two standard errors of the difference; else there are
    no donors.

    Args:
        model: the trained `VariationalAutoDecoder`.
        entries: the `Entries` of the table.
        table: the `TrainingTable`, whose rows are the model's.
        seed: of the choice of donors among more than 30,000 rows.

    Returns:
        `(share, donors)`, `(0.0, None)` if there are none.

    Example:
        ```python
        share, donors = choose_donors(model, entries, table, seed=0)
        ```
    """
    if not len(table.validated):
        return 0.0, None
    rows = np.random.default_rng(seed).permutation(len(table))[:MOST_DONORS]
    latents = ops.convert_to_numpy(model.posterior.mean)
    likelihood = model.likelihood if entries.likelihoods else None

    def completed(mask, rows):
        search = {"start": latents[rows], "steps": NEWTON_STEPS}
        return model.reconstruct(table.x[rows], mask[rows], **search)

    def donors(mask, x_hat, *kernel):
        return Donors(table.x[rows], mask[rows], x_hat, *kernel, likelihood)

    x, shown, held_out = table.validation()
    from_model = model.posterior_mean(x, shown, start=latents[table.validated])
    without = entries.errors(x, from_model, held_out > 0)
    x_hat = completed(table.shown, rows)
    share, chosen, least, spread = 0.0, None, 0.0, 2.0 / np.sqrt(len(without))
    for precision, metric in _kernels(model, entries, table):
        for kernel in [(precision, metric, sharpness) for sharpness in SHARPNESS]:
            found = donors(table.shown, x_hat, *kernel).fill(x, shown, from_model)
            for candidate in SHARES:
                mixed = from_model + candidate * (found - from_model)
                more = entries.errors(x, mixed, held_out > 0) - without
                if more.mean() < min(least, -spread * more.std()):
                    share, chosen, least = candidate, kernel, more.mean()
    if not share:
        return 0.0, None
    again = np.isin(rows, table.validated)
    x_hat[again] = completed(table.observed, rows[again])
    return share, donors(table.observed, x_hat, *chosen)


def _kernels(model, entries, table):
    """Precisions and metrics of `Donors`: the model's noise, equal ones, and logarithms."""
    precision = model.noise_precision()
    normal = np.repeat(entries.normal, entries.widths)
    if not normal.any():
        return [(precision, None)]
    typical = np.exp(np.log(precision[normal]).mean())
    equal = np.where(normal, typical, precision)
    logarithms = Logarithms(table.x, table.shown, normal)
    kernels = [(precision, None), (equal, None)]
    return kernels + [(equal, logarithms)] * bool(logarithms.skewed.any())
