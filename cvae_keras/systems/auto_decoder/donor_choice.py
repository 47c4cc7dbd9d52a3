"""Whether and how `VADImputer` fills with donors: the choice by held-out entries."""

import numpy as np
from keras import ops

from cvae_keras.systems.auto_decoder.held_out import NEWTON_STEPS, lower
from cvae_keras.systems.auto_decoder.hot_deck import Donors, Logarithms

SHARES = (0.25, 0.5, 0.75, 1.0)  # candidates for the donors' share of a fill
SHARPNESS = (0.35, 0.7, 1.4)  # and for that of their kernel
MOST_DONORS = 30_000  # the cost of a row is linear in their number


def choose_donors(model, entries, table, seed):
    """The `Donors` and their share of a fill that have the least error on held-out entries.

    Their error must be below the model's by two standard errors of the difference; else there are
    no donors. What the donors lack is first completed by the model, then by the donors, if that
    lowers the error further.

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

    def fill(donors, share, x, mask, x_hat):
        return x_hat + share * (donors.fill(x, mask, x_hat) - x_hat)

    x, shown, held_out = table.validation()
    from_model = model.posterior_mean(x, shown, start=latents[table.validated])
    without = entries.errors(x, from_model, held_out > 0)

    def search(x_hat, kernels, best):
        for precision, metric in kernels:
            for kernel in [(precision, metric, sharpness) for sharpness in SHARPNESS]:
                found = donors(table.shown, x_hat, *kernel).fill(x, shown, from_model)
                for share in SHARES:
                    mixed = from_model + share * (found - from_model)
                    errors = entries.errors(x, mixed, held_out > 0)
                    if errors.mean() < best[0] and lower(errors, without):
                        best = errors.mean(), share, kernel
        return best

    x_hat = completed(table.shown, rows)
    first = search(x_hat, _kernels(model, entries, table), (np.inf, 0.0, None))
    if first[2] is None:
        return 0.0, None
    (_, share, kernel), again = first, np.isin(rows, table.validated)
    given = donors(table.shown, x_hat, *kernel)
    refined = fill(given, share, table.x[rows], table.shown[rows], x_hat)
    best = search(refined, [kernel[:2]], first)
    x_hat[again] = completed(table.observed, rows[again])
    if best is not first:
        given, known = donors(table.observed, x_hat, *kernel), rows[again]
        refined[again] = fill(given, share, table.x[known], table.observed[known], x_hat[again])
        x_hat = refined
    return best[1], donors(table.observed, x_hat, *best[2])


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
