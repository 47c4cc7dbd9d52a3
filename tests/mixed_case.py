"""Mixed tables whose exact conditional distributions are known."""

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from scipy.stats import norm, poisson

SLOPES = np.array([[-2.0, 0.0, 2.0], [1.5, 0.0, -1.5]])  # of the logits, per label column
OFFSETS = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.3]])
LABELS = {"color": ["blue", "green", "red"], "size": ["S", "M", "L"], "flag": [False, True]}


def one_factor(rows, seed=0, missing=0.3):
    """A table with one factor z ~ N(0, 1), which all columns depend on.

    Returns:
        `(frame, hidden, exact)`: the whole table; which cells are hidden, boolean; and for each
        label column the probabilities of its labels given the row's other visible cells, `(rows,
        labels)`, for "visits" the expected count: by Gauss-Hermite quadrature over z.
    """
    rng = np.random.default_rng(seed)
    z = rng.normal(size=rows)
    reals = [(1.5, 0.7), (-1.0, 1.0), (0.5, 1.0)]  # slope and noise
    x = np.stack([slope * z + noise * rng.normal(size=rows) for slope, noise in reals], axis=1)
    logits = z[:, None, None] * SLOPES + OFFSETS
    classes = (logits + rng.gumbel(size=logits.shape)).argmax(axis=2)
    flag, count = rng.random(rows) < expit(2 * z), rng.poisson(np.exp(0.8 + 0.6 * z))
    frame = pd.DataFrame(x, columns=["a", "b", "c"], index=np.arange(rows) + 100)
    frame["color"] = np.array(LABELS["color"])[classes[:, 0]]
    frame["size"] = pd.Categorical.from_codes(classes[:, 1], LABELS["size"], ordered=True)
    frame["flag"] = pd.array(flag, "boolean")
    frame["visits"] = pd.array(count, "Int64")
    hidden = rng.random(frame.shape) < missing

    points, weights = np.polynomial.hermite_e.hermegauss(80)
    p = [softmax(points[:, None] * SLOPES[k] + OFFSETS[k], axis=1) for k in range(2)]
    p.append(np.stack([expit(-2 * points), expit(2 * points)], axis=1))
    rate = np.exp(0.8 + 0.6 * points)
    logs = [norm.logpdf(x[:, j, None], s * points, n) for j, (s, n) in enumerate(reals)]
    codes = [*classes.T, flag.astype(int)]
    logs += [np.log(each[:, code].T) for each, code in zip(p, codes, strict=True)]
    logs.append(poisson.logpmf(count[:, None], rate))
    total = sum(np.where(hidden[:, j, None], 0.0, log) for j, log in enumerate(logs))
    weight = softmax(total + np.log(weights), axis=1)
    exact = {name: weight @ each for name, each in zip(LABELS, p, strict=True)}
    return frame, hidden, {**exact, "visits": weight @ rate}


def latent_classes(rows, seed=0, missing=0.3, groups=4, columns=5):
    """A table of `groups` latent classes, given which all columns are independent.

    Returns:
        As `one_factor`; the columns t0, t1, ... hold the labels x, y and z.
    """
    rng = np.random.default_rng(seed)
    group = rng.integers(groups, size=rows)
    theta = rng.dirichlet(np.full(3, 0.5), size=(columns, groups))
    center = 2.0 * rng.normal(size=(groups, 2))
    code = np.stack([[rng.choice(3, p=each[g]) for g in group] for each in theta], axis=1)
    x = center[group] + rng.normal(size=(rows, 2))
    frame = pd.DataFrame(np.array(["x", "y", "z"])[code], columns=[f"t{j}" for j in range(columns)])
    frame = frame.assign(n0=x[:, 0], n1=x[:, 1])
    hidden = rng.random(frame.shape) < missing
    logs = [np.log(theta[j] + 1e-300).T[code[:, j]] for j in range(columns)]
    logs += [norm.logpdf(x[:, j, None], center[:, j]) for j in range(2)]
    total = sum(np.where(hidden[:, j, None], 0.0, log) for j, log in enumerate(logs))
    weight = softmax(total, axis=1)
    return frame, hidden, {f"t{j}": weight @ theta[j] for j in range(columns)}


def divergence(exact, found):
    """Mean KL(exact || found) of rows of probabilities, in nats."""
    return float(np.mean(np.sum(exact * np.log((exact + 1e-12) / found), axis=1)))
