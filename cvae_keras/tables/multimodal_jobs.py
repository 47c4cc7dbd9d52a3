"""One row of work of the multimodal table: train a model, score it, keep what is drawn."""

import time
from itertools import combinations

import keras
import numpy as np

from cvae_keras.data.batches import FreshBatches, ShuffledBatches
from cvae_keras.data.modalities import TASKS, GaussianModalities
from cvae_keras.elbo import at_once
from cvae_keras.lazy_adam import LazyAdam
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.results import manifest
from cvae_keras.systems.multimodal import MultimodalCVAE

#: Dimensions of the main modality x and of the conditioning ones, one Gaussian each.
GAUSSIANS = ((2, 8, 3, 5), (4, 2, 3, 8), (8, 2, 4, 6))
PRIORS = {"N(0, I)": None, "learned": "dense", "flow": "flow"}


def jobs_of(quick=False, seed=0):
    """All trainings, as dictionaries of all that they depend on.

    Args:
        quick: few steps, and scikit-learn's digits; seed: integer.

    Example:
        >>> len(jobs_of())
        9
    """
    size = {"steps": 600, "batch": 256, "test": 200, "K": 100} if quick else {
        "steps": 6000, "batch": 256, "test": 1000, "K": 1000}  # fmt: skip
    jobs = [
        {"data": "gaussian", "dims": list(dims), "hidden": [64, 64], "prior": "learned",
         "rate": 1e-2 if quick else 3e-3, **size, "seed": seed + number}
        for number, dims in enumerate(GAUSSIANS[1:2] if quick else GAUSSIANS)
    ]  # fmt: skip
    size = {"epochs": 20, "hidden": [64], "test": 100, "K": 100} if quick else {
        "epochs": 30, "hidden": [512, 512], "test": 2000, "K": 1000}  # fmt: skip
    for task in TASKS:
        for prior in PRIORS:
            name = "digits" if quick else "mnist"
            job = {"data": name, "task": task, "prior": prior, "rate": 2e-3 if quick else 1e-3}
            jobs.append({**job, **size, "batch": 64 if quick else 128, "seed": seed})
    return jobs


def stem_of(job):
    """Name of the file that keeps a job."""
    if job["data"] == "gaussian":
        return f"gaussian_{'_'.join(str(dim) for dim in job['dims'])}"
    prior = "fixed" if PRIORS[job["prior"]] is None else job["prior"]
    return f"{job['data']}_{job['task']}_{prior}"


def run_gaussian(job):
    """Train on fresh Gaussian data with modalities dropped at random; score every subset.

    Args:
        job: from `jobs_of`.

    Returns:
        Dictionary of `rows`, one a subset of the conditioning modalities, and `manifest`.

    Example:
        >>> run_gaussian(jobs_of(quick=True)[0])["rows"][0]["gap_per_dim"]
    """
    began, seed = time.perf_counter(), job["seed"]
    dims = dict(zip("xabc", job["dims"], strict=True))
    data, given = GaussianModalities(dims, seed=seed), [name for name in dims if name != "x"]
    keras.utils.set_random_seed(seed)
    model = MultimodalCVAE(
        "x", given, dims, prior_network=PRIORS[job["prior"]], hidden=job["hidden"], drop_rate=0.5,
        seed=seed,
    )  # fmt: skip
    rate = keras.optimizers.schedules.CosineDecay(job["rate"], job["steps"])
    model.compile(LazyAdam(rate), steps_per_execution=at_once(20))
    batches = FreshBatches(data, job["batch"], 200, seed)
    model.fit(batches, epochs=job["steps"] // 200, verbose=0)
    test, rows = data.examples(job["test"], seed=[seed, 1]), []
    for known in (subset for size in range(4) for subset in combinations(given, size)):
        arrays = {name: test[name] for name in ("x", *known)}
        found = importance_weighted_bound(model, arrays, job["K"], seed)[0]
        gap = (found - data.log_prob(test, "x", known)) / dims["x"]
        rows.append({"data": "gaussian " + "+".join(str(dim) for dim in job["dims"]),
                     "given": "+".join(known) or "nothing", "prior": job["prior"],
                     "log_p": found.mean(), "log_p_se": _error(found),
                     "exact": data.log_prob(test, "x", known).mean(),
                     "gap_per_dim": gap.mean(), "gap_se": _error(gap)})  # fmt: skip
    return {"rows": rows, "manifest": manifest(job, time.perf_counter() - began)}


def run_pictures(job, train, test, judge):
    """Train on pictures, score the log-likelihood, and have the generated ones judged.

    Args:
        job: from `jobs_of`; train, test: from `picture_modalities`; judge: a `Judge`.

    Returns:
        Dictionary of `rows` (one), `manifest`, and `pictures`: what was generated for the figure.

    Example:
        >>> run_pictures(jobs_of(quick=True)[-1], train, test, judge)["rows"]
    """
    began, seed = time.perf_counter(), job["seed"]
    main, given = TASKS[job["task"]]
    names, classes = [main, *given], int(train["label"].max()) + 1
    dims = {name: (classes,) if name == "label" else train[name].shape[1:] for name in names}
    keras.utils.set_random_seed(seed)
    model = MultimodalCVAE(
        main, given, dims, decoder_dist="bernoulli", prior_network=PRIORS[job["prior"]],
        hidden=job["hidden"], seed=seed,
    )  # fmt: skip
    batches = ShuffledBatches({name: train[name] for name in names}, job["batch"], seed)
    rate = keras.optimizers.schedules.CosineDecay(job["rate"], job["epochs"] * len(batches))
    model.compile(LazyAdam(rate), steps_per_execution=at_once(min(20, len(batches))))
    clock = time.process_time()
    history = model.fit(batches, epochs=job["epochs"], verbose=0).history
    clock = time.process_time() - clock
    part = {name: test[name][: job["test"]] for name in names}
    found = importance_weighted_bound(model, part, job["K"], seed)[0]
    if job["task"] == "label":
        asked = np.arange(job["test"]) % classes
        made = model.sample({"label": asked}, seed=seed)[0]
        shown = model.sample({"label": np.arange(classes)}, n_samples=8, seed=seed)
    else:
        asked = test["label"][: job["test"]]
        lower = model.sample(part["upper"], seed=seed)[0]
        made = np.concatenate([part["upper"], lower], axis=1)
        upper = test["upper"][:10]
        lower = model.sample(upper, n_samples=7, seed=seed)
        shown = np.concatenate([np.broadcast_to(upper, lower.shape), lower], axis=2)
        shown = np.concatenate([test["image"][None, :10], shown])
    row = {"data": job["data"], "given": "+".join(given), "prior": job["prior"],
           "log_p": found.mean(), "log_p_se": _error(found), "elbo_train": history["elbo"][-1],
           "kl": history["kl"][-1], "active_units": history["active_units"][-1],
           "judged": judge.share((made > 0.5).astype("float32"), asked),
           "judged_real": judge.share(test["image"], test["label"]),
           "examples_per_cpu_second": job["epochs"] * len(batches) * job["batch"] / clock,
           }  # fmt: skip
    about = manifest(job, time.perf_counter() - began)
    return {"rows": [row], "pictures": shown.astype("float16"), "manifest": about}


def _error(values):
    """Standard error of a mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
