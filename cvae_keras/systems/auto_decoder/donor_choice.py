"""Whether and how `VADImputer` fills with donors: the choice by held-out entries."""

import numpy as np
from keras import ops

from cvae_keras.systems.auto_decoder.held_out import NEWTON_STEPS, lower
from cvae_keras.systems.auto_decoder.hot_deck import Donors, Logarithms

SHARES = (0.25, 0.5, 0.75, 1.0)  # candidates for the donors' share of a fill
SHARPNESS = (0.35, 0.7, 1.4)  # and for that of their kernel
MOST_DONORS = 30_000  # the cost of a row is linear in their number


def choose_donors(model, entries, splits, seed, refit=None):
    """The `Donors` and their share of a fill that have the least error on held-out entries.

    Their error must be below the model's by two standard errors of the difference; else there are
    no donors. What the donors lack is first completed by the model, then by the donors, if that
    lowers the error further.

    Args:
        model: the trained `VariationalAutoDecoder`.
        entries: the `Entries` of the table.
        splits: list of `TrainingTable`, whose rows are the model's and which hold out different
            entries; errors are over those of all.
        seed: of the choice of donors among more than 30,000 rows.
        refit: None, or a function of x and a mask that fits the model anew, as is done to the
            entries that each split shows, and at the end to all that are observed.

    Returns:
        `(share, donors)`, `(0.0, None)` if there are none.

    Example:
        ```python
        share, donors = choose_donors(model, entries, [table], seed=0)
        ```
    """
    table = splits[0]
    if not len(table.validated):
        return 0.0, None
    rows = np.random.default_rng(seed).permutation(len(table))[:MOST_DONORS]
    likelihood = model.likelihood if entries.likelihoods else None
    kinds = _kinds(entries, table)

    def completed(table, mask, rows):
        start = ops.convert_to_numpy(model.posterior.mean)[rows]
        return model.reconstruct(table.x[rows], mask[rows], start=start, steps=NEWTON_STEPS)

    def donors(table, mask, x_hat, precisions, kind, sharpness):
        weights, metric = kind
        kernel = precisions[weights], metric, sharpness
        return Donors(table.x[rows], mask[rows], x_hat, *kernel, likelihood)

    def fill(donors, share, x, mask, x_hat):
        return x_hat + share * (donors.fill(x, mask, x_hat) - x_hat)

    parts = []  # of each split: what it takes to fill its held-out entries
    for split in splits:
        if refit is not None:
            refit(split.x, split.shown)
        x, shown, held_out = split.validation()
        start = ops.convert_to_numpy(model.posterior.mean)[split.validated]
        from_model = model.posterior_mean(x, shown, start=start)
        x_hat, precisions = completed(split, split.shown, rows), _precisions(model, entries)
        parts.append((split, x_hat, precisions, (x, shown, from_model), held_out > 0))
    without = [entries.errors(x, x_hat, hidden) for *_, (x, _, x_hat), hidden in parts]
    without = np.concatenate(without)

    def search(kinds, best, refined=None):
        for kind in kinds:
            for kernel in [(kind, sharpness) for sharpness in SHARPNESS]:
                found = {share: [] for share in SHARES}
                for number, (split, x_hat, precisions, given, hidden) in enumerate(parts):
                    x_hat = x_hat if refined is None else refined[number]
                    some = donors(split, split.shown, x_hat, precisions, *kernel).fill(*given)
                    for share in SHARES:
                        mixed = given[2] + share * (some - given[2])
                        found[share].append(entries.errors(given[0], mixed, hidden))
                for share, errors in found.items():
                    errors = np.concatenate(errors)
                    if errors.mean() < best[0] and lower(errors, without):
                        best = errors.mean(), share, kernel
        return best

    first = search(kinds, (np.inf, 0.0, None))
    if first[2] is None:
        if refit is not None:
            refit(table.x, table.observed)
        return 0.0, None
    _, share, kernel = first
    refined = []
    for split, x_hat, precisions, *_ in parts:
        given = donors(split, split.shown, x_hat, precisions, *kernel)
        refined.append(fill(given, share, split.x[rows], split.shown[rows], x_hat))
    best = search([kernel[0]], first, refined)
    if refit is not None:
        refit(table.x, table.observed)
        again = np.ones(len(rows), bool)
    else:
        again = np.isin(rows, table.validated)
    precisions, x_hat, known = _precisions(model, entries), parts[0][1], rows[again]
    x_hat[again] = completed(table, table.observed, known)
    if best is not first:
        given = donors(table, table.observed, x_hat, precisions, *kernel)
        seen = table.x[known], table.observed[known]
        refined[0][again] = fill(given, share, *seen, x_hat[again])
        x_hat = refined[0]
    return best[1], donors(table, table.observed, x_hat, precisions, *best[2])


def _precisions(model, entries):
    """The weights of the entries in the distances of `Donors`: of the model's noise, and equal."""
    precision = model.noise_precision()
    normal = np.repeat(entries.normal, entries.widths)
    typical = np.exp(np.log(precision[normal]).mean()) if normal.any() else 1.0
    return {"noise": precision, "equal": np.where(normal, typical, precision)}


def _kinds(entries, table):
    """Weights and metrics of `Donors`: of the model's noise, equal ones, and logarithms."""
    normal = np.repeat(entries.normal, entries.widths)
    if not normal.any():
        return [("noise", None)]
    logarithms = Logarithms(table.x, table.shown, normal)
    kinds = [("noise", None), ("equal", None)]
    return kinds + [("equal", logarithms)] * bool(logarithms.skewed.any())
