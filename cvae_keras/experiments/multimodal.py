"""`cvae-keras table multimodal`: log p(main | conditions) against the exact one, and on digits."""

import json
import time
from itertools import combinations

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.multimodal import TASKS, GaussianModalities, picture_modalities
from cvae_keras.files import ROOT, manifest, open_folder, saved_result, write_json, write_table
from cvae_keras.metrics.classifier import Judge
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.plots.multimodal import plot_multimodal
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches, ShuffledBatches
from cvae_keras.training.optimizers import LazyAdam

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


NOTES = """
log_p: mean test log-likelihood of the main modality given the others, in nats, importance-weighted
with K points of z (1,000, in the quick table 100), so a bound from below; log_p_se: its standard
error over the examples.

gaussian: four jointly Gaussian modalities of the dimensions named, the first of which is generated
given any subset of a, b and c by one model that was trained with each of them dropped half of the
time. exact is the log-density of the same examples, gap_per_dim what is missing to it, divided by
the dimensions, gap_se its standard error. {verdict}

mnist, or digits: pictures of black and white pixels, given their label, or the lower half given the
upper one; prior: N(0, I); learned, a Gaussian from a network of the condition; flow, that Gaussian
bent by an autoregressive flow. judged: share of generated pictures (for
the halves: the given half on top) that a classifier trained on real pictures takes for the label
asked for; judged_real: the same for real test pictures. elbo_train, kl and active_units: of the
last epoch. {beside}
"""


def verdict(frame):
    """Worst gap, and the gap that lies highest above 0 in standard errors, as a sentence.

    Args:
        frame: the table.

    Example:
        >>> verdict(pandas.read_csv("results/multimodal.csv"))
    """
    rows = frame[frame["data"].str.startswith("gaussian")]
    worst, above = rows["gap_per_dim"].min(), (rows["gap_per_dim"] / rows["gap_se"]).max()
    return (
        f"Furthest below the exact value: {-worst:.4f} nats a dimension; nearest to it, or above: "
        f"{above:+.1f} standard errors."
    )


NAME = "multimodal"


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the trainings that `folder` does not hold yet, then write the table and its figure.

    Each training is kept in `<folder>/multimodal_rows/` as soon as it is there.

    Args:
        folder: where `multimodal.{csv,md,png,json}` go; quick: fewer steps, scikit-learn's digits;
            data_dir: of `mnist.npz`, see `load_images`; seed: integer.

    Returns:
        The table as Markdown.

    Raises:
        ValueError: the folder cannot be written, or the data cannot be read.

    Example:
        >>> text = run_table("results/quick", quick=True)
    """
    folder = open_folder(folder)
    rows_folder = open_folder(folder / "multimodal_rows")
    jobs, sets, results, pictures = jobs_of(quick, seed), {}, [], {}
    for job in tqdm(jobs, desc="multimodal", unit="training"):
        path = rows_folder / f"{stem_of(job)}.json"
        if saved_result(path, job) is None:
            if job["data"] == "gaussian":
                result = run_gaussian(job)
            else:
                if job["data"] not in sets:
                    train, test = picture_modalities(job["data"], data_dir)
                    judge = Judge(train["image"], train["label"], epochs=20 if quick else 4)
                    sets[job["data"]] = train, test, judge
                result = run_pictures(job, *sets[job["data"]])
                np.savez_compressed(path.with_suffix(".npz"), pictures=result.pop("pictures"))
            write_json(path, result)
        results.append(saved_result(path, job))
        if job["data"] != "gaussian":
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
                pictures[job["task"], job["prior"]] = file["pictures"].astype("float32")
    frame = pd.DataFrame([row for result in results for row in result["rows"]])
    plot_multimodal(frame, pictures).savefig(folder / f"{NAME}.png", dpi=110)
    total = sum(result["manifest"]["seconds"] for result in results)
    write_json(folder / f"{NAME}.json", manifest({"jobs": jobs}, total))
    title = "The multimodal CVAE" + (" (quick)" if quick else "")
    notes = NOTES.format(verdict=verdict(frame), beside=_beside())
    return write_table(frame, folder / NAME, title, notes)


def _beside():
    """What `benchmarks/multimodal.py` measured, as a sentence for each task."""
    path = ROOT / "benchmarks" / "multimodal.json"
    if not path.exists():
        return "`benchmarks/multimodal.py` puts it beside multivae."
    runs = json.loads(path.read_text())["runs"]
    shown = [f"{run['task']}, {run['kind']}: {run['log_p']:.2f}" for run in runs]
    return (
        f"Beside multivae, {runs[0]['epochs']} epochs (`benchmarks/multimodal.md`): log p "
        + "; ".join(shown)
        + "."
    )
