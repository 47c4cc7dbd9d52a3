"""What stands under the testbed's table: what its columns mean, and how near the optimum it is."""

import numpy as np

ZERO = 1e-6  # an optimum below this counts as 0
NOTES = """
known: how many dimensions are given as condition; pattern: which, where there are at most 16
patterns in all (1 known, 0 not), else all of that number on average. rate: KL in nats; distortion:
squared error, summed over dimensions; objective: distortion + beta * rate, with its standard error
objective_se; each beside the exact optimum (`cvae_keras.truth.gaussian`). gap: objective over its
optimum minus 1, or, where the optimum is 0, the objective itself. active: latent dimensions with a
KL above 0.01 nats, on average over the patterns of a row; wrong: patterns in which their number is
not the exact one, those left out in which an eigenvalue lies within 10 % of the threshold. With
missing values a dimension that is missing is neither given nor scored, and the optimum is averaged
over what is missing in these examples. The rows "no warm-up" show what training does when beta does
not rise at first (see `cvae_keras.testbed.train`); the counts below leave them out. {examples:,}
fresh examples a pattern, or a row where there are more than 16.

{verdict}
"""


def verdict(frame):
    """How many rows of the table are near the optimum, as text.

    Complete data: gap within 1 % (0.01 where the optimum is 0), rate and distortion within 3 %,
    active dimensions exact. Missing values: at most 5 % above the bound (0.01), and not below it by
    more than 3 standard errors.

    Args:
        frame: the table.

    Returns:
        Markdown list.

    Example:
        >>> print(verdict(pd.read_csv("results/testbed.csv")))
    """
    frame = frame[~frame["experiment"].str.contains("no warm-up")]  # shown, not relied upon
    missing = frame["experiment"].str.contains("missing")
    zero = frame["objective_exact"] <= ZERO
    near = frame["gap"].abs() <= 0.01
    both = near.copy()
    for name in ("rate", "distortion"):
        off, exact = (frame[name] - frame[f"{name}_exact"]).abs(), frame[f"{name}_exact"]
        both &= off <= np.where(exact <= ZERO, 0.01, 0.03 * exact)
    bound = frame["gap"] <= np.where(zero, 0.01, 0.05)
    above = frame["objective"] >= frame["objective_exact"] - 3 * frame["objective_se"] - ZERO
    right = frame["wrong"] == 0
    lines = [
        f"- {what}: {int((met & of).sum())} of {int(of.sum())} rows"
        for what, met, of in [
            ("objective within 1 % of the optimum", near, ~missing),
            ("objective within 1 %, rate and distortion within 3 %", both, ~missing),
            ("active dimensions right in every pattern", right, ~missing),
            ("missing values: within 5 % of the bound", bound, missing),
            ("not below the optimum (by 3 standard errors)", above, missing | ~missing),
        ]
    ]
    beyond = frame[missing & ~bound]
    if len(beyond):
        exact = beyond["objective_exact"]
        lines.append(
            f"- the rows beyond 5 % have an optimum of at most {exact.max():.4f} (such holes are "
            f"rare) and lie within {(beyond['objective'] - exact).max():.4f} of it: the networks' "
            f"own precision"
        )
    gaps = frame["gap"][~missing & ~zero].abs()
    lines.append(f"- gap: median {gaps.median():.2%}, greatest {gaps.max():.2%}")
    groups = (both & right)[frame["experiment"] == "independent, 2"].groupby(frame["seed"])
    lines.append(f"- baseline: all rows so in {groups.all().sum()} of {len(groups)} seeds")
    return "\n".join(lines)
