"""`cvae-keras table multimodal`: log p(main | conditions) against the exact one, and on digits."""

from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations

import keras
import numpy as np
import pandas as pd

from cvae_keras.data.arrays import read_arrays
from cvae_keras.data.multimodal import TASKS, GaussianModalities, image_modalities
from cvae_keras.experiments import rows
from cvae_keras.files import ROOT, claim, manifest, read_json, replacing, write_json, write_table
from cvae_keras.metrics.classifier import ImageClassifier
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.plots.multimodal import plot_multimodal
from cvae_keras.plots.style import DPI
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches, ShuffledBatches
from cvae_keras.training.optimizers import LazyAdam

NAME, FOLDER = "multimodal", "multimodal_rows"
#: Dimensions of the main modality x and of the conditioning ones, one Gaussian data set each.
GAUSSIANS = ((2, 8, 3, 5), (4, 2, 3, 8), (8, 2, 4, 6))
PRIORS = {"N(0, I)": None, "learned": "dense", "flow": "flow"}
EPOCH = 200  # steps that count as one, with Gaussian data


@dataclass(frozen=True)
class GaussianJob(rows.Job):
    """A model of four jointly Gaussian modalities.

    Args:
        dims: dimensions of the main modality and of the three conditioning ones.
        seed: integer, of the data too.
        hidden: units of the hidden layers.
        prior: one of `PRIORS`.
        rate: learning rate of the first step.
        steps: of training.
        batch: examples per batch.
        test: examples to score.
        K: latent samples of the importance-weighted bound.
        data: kind of the data, as files name it.

    Example:
        >>> GaussianJob((2, 8, 3, 5)).name
        'gaussian_2_8_3_5'
    """

    holds = {"rows": ("log_p", "log_p_se", "exact", "gap_per_dim", "gap_se")}

    dims: tuple
    seed: int = 0
    hidden: tuple = (64, 64)
    prior: str = "learned"
    rate: float = 3e-3
    steps: int = 6000
    batch: int = 256
    test: int = 1000
    K: int = 1000
    data: str = "gaussian"

    @property
    def name(self):
        return f"gaussian_{'_'.join(str(dim) for dim in self.dims)}"


@dataclass(frozen=True)
class ImageJob(rows.Job):
    """A model of images given their label, or of the lower half given the upper one.

    Args:
        data: name of the data set, see `load_images`.
        task: one of `TASKS`.
        prior: one of `PRIORS`.
        seed: integer.
        hidden: units of the hidden layers.
        rate: learning rate of the first step.
        epochs: of training.
        batch: examples per batch.
        test: images to score.
        K: latent samples of the importance-weighted bound.

    Example:
        >>> ImageJob("mnist", "half", "N(0, I)").name
        'mnist_half_fixed'
    """

    holds = {"rows": ("log_p", "log_p_se", "kl", "judged", "examples_per_cpu_second")}

    data: str
    task: str
    prior: str
    seed: int = 0
    hidden: tuple = (512, 512)
    rate: float = 1e-3
    epochs: int = 30
    batch: int = 128
    test: int = 2000
    K: int = 1000

    @property
    def name(self):
        prior = "fixed" if PRIORS[self.prior] is None else self.prior
        return f"{self.data}_{self.task}_{prior}"


def jobs_of(quick=False, seed=0):
    """All trainings of the table.

    Args:
        quick: few steps, and scikit-learn's digits.
        seed: integer.

    Returns:
        List of `GaussianJob` and `ImageJob`.

    Example:
        >>> len(jobs_of())
        9
    """
    if quick:
        dims, data = GAUSSIANS[1:2], "digits"
        gaussian = {"rate": 1e-2, "steps": 600, "test": 200, "K": 100}
        images = {"rate": 2e-3, "epochs": 20, "hidden": (64,), "batch": 64, "test": 100, "K": 100}
    else:
        dims, data, gaussian, images = GAUSSIANS, "mnist", {}, {}
    jobs = [GaussianJob(each, seed + number, **gaussian) for number, each in enumerate(dims)]
    return jobs + [ImageJob(data, task, p, seed, **images) for task in TASKS for p in PRIORS]


def run_gaussian(job, callbacks=()):
    """Train on fresh Gaussian data with modalities dropped at random; score every subset.

    Args:
        job: a `GaussianJob`.
        callbacks: further Keras callbacks.

    Returns:
        Dictionary of `rows`, one per subset of the conditioning modalities.

    Example:
        ```python
        run_gaussian(jobs_of(quick=True)[0])["rows"][0]["gap_per_dim"]
        ```
    """
    seed, dims = job.seed, dict(zip("xabc", job.dims, strict=True))
    data, conditions = GaussianModalities(dims, seed=seed), [name for name in dims if name != "x"]
    keras.utils.set_random_seed(seed)
    model = MultimodalCVAE(
        "x",
        conditions,
        dims,
        prior_network=PRIORS[job.prior],
        hidden=list(job.hidden),
        drop_rate=0.5,
        seed=seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(job.rate, job.steps)
    model.compile(LazyAdam(rate), steps_per_execution=at_once(20))
    batches = FreshBatches(data, job.batch, EPOCH, seed)
    model.fit(batches, epochs=job.steps // EPOCH, verbose=0, callbacks=list(callbacks))
    test, found = data.examples(job.test, seed=[seed, 1]), []
    for known in (subset for size in range(4) for subset in combinations(conditions, size)):
        arrays = {name: test[name] for name in ("x", *known)}
        log_p = importance_weighted_bound(model, arrays, job.K, seed)[0]
        gap = (log_p - data.log_prob(test, "x", known)) / dims["x"]
        found.append(
            {
                "data": "gaussian " + "+".join(str(dim) for dim in job.dims),
                "given": "+".join(known) or "nothing",
                "prior": job.prior,
                "log_p": log_p.mean(),
                "log_p_se": _error(log_p),
                "exact": data.log_prob(test, "x", known).mean(),
                "gap_per_dim": gap.mean(),
                "gap_se": _error(gap),
            }
        )
    return {"rows": found}


def run_images(job, train, test, classifier, saves):
    """Train on images, score the log-likelihood, and classify generated images.

    Args:
        job: an `ImageJob`.
        train: first part of what `image_modalities` returns.
        test: second part.
        classifier: an `ImageClassifier`.
        saves: a `Checkpoint`.

    Returns:
        `(result, images)`: a dictionary of `rows` (one), and what was generated for the figure.

    Example:
        ```python
        result, images = run_images(job, train, test, classifier, saves)
        ```
    """
    seed, (main, conditions) = job.seed, TASKS[job.task]
    names, classes = [main, *conditions], int(train["label"].max()) + 1
    dims = {name: (classes,) if name == "label" else train[name].shape[1:] for name in names}
    keras.utils.set_random_seed(seed)
    model = MultimodalCVAE(
        main,
        conditions,
        dims,
        decoder_dist="bernoulli",
        prior_network=PRIORS[job.prior],
        hidden=list(job.hidden),
        seed=seed,
        images=[name for name in names if name != "label"],
    )
    batches = ShuffledBatches({name: train[name] for name in names}, job.batch, seed)
    rate = keras.optimizers.schedules.CosineDecay(job.rate, job.epochs * len(batches))
    model.compile(LazyAdam(rate), steps_per_execution=at_once(min(20, len(batches))))
    history = model.fit(batches, epochs=job.epochs, verbose=0, callbacks=[saves]).history
    clock = sum(history["cpu_seconds"])
    part = {name: test[name][: job.test] for name in names}
    log_p = importance_weighted_bound(model, part, job.K, seed)[0]
    if job.task == "label":
        asked = np.arange(job.test) % classes
        made = model.sample({"label": asked}, seed=seed)[0]
        shown = model.sample({"label": np.arange(classes)}, n_samples=8, seed=seed)
    else:
        asked = test["label"][: job.test]
        lower = model.sample(part["upper"], seed=seed)[0]
        made = np.concatenate([part["upper"], lower], axis=1)
        upper = test["upper"][:10]
        lower = model.sample(upper, n_samples=7, seed=seed)
        shown = np.concatenate([np.broadcast_to(upper, lower.shape), lower], axis=2)
        shown = np.concatenate([test["image"][None, :10], shown])
    row = {
        "data": job.data,
        "given": "+".join(conditions),
        "prior": job.prior,
        "log_p": log_p.mean(),
        "log_p_se": _error(log_p),
        "elbo_train": history["elbo"][-1],
        "kl": history["kl"][-1],
        "active_units": history["active_units"][-1],
        "judged": classifier.accuracy((made > 0.5).astype("float32"), asked),
        "judged_real": classifier.accuracy(test["image"], test["label"]),
        "examples_per_cpu_second": job.epochs * len(batches) * job.batch / clock,
    }
    return {"rows": [row]}, shown.astype("float16")


def _error(values):
    """Standard error of a mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


@lru_cache(maxsize=1)  # one data set per table
def images_of(name, data_dir=None):
    """The images of a table, and a classifier of them.

    Args:
        name: of the data set, see `load_images`.
        data_dir: see `load_images`.

    Returns:
        `(train, test, classifier)`.

    Example:
        ```python
        train, test, classifier = images_of("digits")
        ```
    """
    train, test = image_modalities(name, data_dir)
    epochs = 20 if name == "digits" else 4
    return train, test, ImageClassifier(train["image"], train["label"], epochs=epochs)


def run_job(job, path, data_dir=None):
    """Run one job; what a model of images generates is saved beside `path`.

    Args:
        job: a `GaussianJob` or an `ImageJob`.
        path: of the result; the images have the same name and end in `.npz`.
        data_dir: see `load_images`.

    Returns:
        `(result, seconds)`: a dictionary of `rows`, and the wall time of the training.

    Example:
        ```python
        result, seconds = run_job(jobs_of(quick=True)[0], Path("runs/row.json"))
        ```
    """
    saves = rows.checkpoint(job, path)
    if isinstance(job, GaussianJob):
        result = run_gaussian(job, [saves])
    else:
        result, images = run_images(job, *images_of(job.data, data_dir), saves)
        with replacing(path.with_suffix(".npz")) as file:
            np.savez_compressed(file, pictures=images)
    return result, sum(saves.history["seconds"])


def run_table(folder, quick=False, data_dir=None, seed=0):
    """Run the trainings that `folder` does not hold yet, then write the table and its figure.

    Each training is kept in `<folder>/multimodal_rows/` when it is done.

    Args:
        folder: where `multimodal.{csv,md,png,json}` go.
        quick: fewer steps, scikit-learn's digits.
        data_dir: folder of `mnist.npz`, see `load_images`.
        seed: integer.

    Returns:
        The table as Markdown.

    Raises:
        ValueError: the folder cannot be written, or the data cannot be read.

    Example:
        ```python
        text = run_table("results/quick", quick=True)
        ```
    """
    folder = claim(folder, "results")
    run = partial(run_job, data_dir=data_dir)
    results = rows.run_jobs(jobs_of(quick, seed), run, folder / FOLDER, title=NAME)
    frame = pd.DataFrame([row for _, result in results for row in result["rows"]])
    images = {}
    for job, _ in results:
        if isinstance(job, ImageJob):
            path = job.path(folder / FOLDER).with_suffix(".npz")
            pictures = read_arrays(path, ["pictures"])["pictures"]
            images[job.task, job.prior] = pictures.astype("float32")
    with replacing(folder / f"{NAME}.png") as path:
        plot_multimodal(frame, images).savefig(path, dpi=DPI)
    total = sum(result["manifest"]["seconds"] for _, result in results)
    configs = [job.config() for job, _ in results]
    write_json(folder / f"{NAME}.json", manifest({"jobs": configs}, total))
    gaussian = frame[frame["gap_per_dim"].notna()]
    text = rows.notes(
        NAME,
        worst=-gaussian["gap_per_dim"].min(),
        above=(gaussian["gap_per_dim"] / gaussian["gap_se"]).max(),
        beside=_beside(),
    )
    title = "The multimodal CVAE" + (" (quick)" if quick else "")
    return write_table(frame, folder / NAME, title, text)


def _beside():
    """What `benchmarks/multimodal.py` measured, as a sentence; nothing where it was not run."""
    path = ROOT / "benchmarks" / "multimodal.json"
    if not path.exists():
        return ""
    runs = read_json(path)["runs"]
    values = "; ".join(f"{run['task']}, {run['kind']}: {run['log_p']:.2f}" for run in runs)
    return rows.notes("multimodal_beside", epochs=runs[0]["epochs"], values=values)
