"""MultimodalCVAE against MultiVae's CVAE: test log-likelihood and speed on binarized MNIST.

Both train on the same digits (binarized at half): an image given its label, and the lower half
given the upper one. "same" is multivae's default networks built in Keras, about 1.65 million
weights, without the sigmoid at the end of its decoder, whose output multivae's likelihood reads as
logits (with the sigmoid multivae stays at the chance level); "defaults" is `MultimodalCVAE` with
its default networks and a cosine decay of the learning rate. Latent size 10, batch 128, Adam 1e-3.
Each run is a new process of one thread, one after the other; the speed is that after the first
epoch, which warms up.

    pip install multivae==1.0.3 --no-deps; pip install torch pythae nltk torchmetrics
    python benchmarks/multimodal.py --data-dir DATA --epochs 10

multivae imports torchvision, which its CVAE does not use: an empty stand-in replaces it. multivae
may be installed in another environment, whose interpreter --python names. Runs that are saved in
`multimodal_runs/` are not repeated. Writes `multimodal.md` and `multimodal.json` beside this file.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
import types
from pathlib import Path

import click
import numpy as np

from runs import clocks, command, keep_cores, start, write

LATENT, BATCH, WIDTH, RATE = 10, 128, 512, 1e-3
TASKS = {"label": ("image", "label"), "half": ("lower", "upper")}
KINDS = ("same", "multivae", "defaults", "defaults, bfloat16")
HEAD = """# MultimodalCVAE against multivae 1.0.3

{about}

log p: mean test log-likelihood of the main modality, nats, importance-weighted with K latent
samples; +- its standard error over digits (the digits are the same for all). Speed: training
examples per second on one core, by wall time and by processor time.

| task | model | weights | log p | examples/s | examples per processor second |
|---|---|---|---|---|---|"""


def arrays_of(task, folder, examples, test):
    """Training and test arrays of a task, labels as numbers."""
    from cvae_keras.data import image_modalities

    train, held_out = image_modalities("mnist", folder)
    names = TASKS[task]
    return {n: train[n][:examples] for n in names}, {n: held_out[n][:test] for n in names}


def shapes_of(arrays):
    """Shape of one example of each modality."""
    return {n: (10,) if n == "label" else array.shape[1:] for n, array in arrays.items()}


class Marks:
    """Wall and processor time at the end of each epoch, and the speed after the first one."""

    def __init__(self):
        self.clocks = []

    def add(self):
        self.clocks.append(clocks())

    def speed(self, examples):
        wall, cpu = np.subtract(self.clocks[-1], self.clocks[0])
        total = examples * (len(self.clocks) - 1)
        return {"wall": total / wall, "processor": total / cpu}


def same_networks(shapes, main):
    """multivae's default encoder and decoder as Keras models."""
    import keras
    from keras.layers import Concatenate, Dense, Flatten, Input, Reshape

    def read(tensor, layers):
        h = Flatten()(tensor)
        for _ in range(layers):
            h = Dense(WIDTH, activation="relu")(h)
        return h

    inputs = {name: Input(shape, name=name) for name, shape in shapes.items()}
    heads = [Dense(LATENT)(read(tensor, 2)) for tensor in inputs.values()]
    h = read(Concatenate()(heads), 2)
    encoder = keras.Model(inputs, [Dense(LATENT)(h), Dense(LATENT)(h)])
    z, given = Input((LATENT,), name="z"), {n: s for n, s in shapes.items() if n != main}
    inputs = {"z": z} | {name: Input(shape, name=name) for name, shape in given.items()}
    h = read(Concatenate()([Flatten()(tensor) for tensor in inputs.values()]), 1)
    x = Reshape(shapes[main])(Dense(int(np.prod(shapes[main])))(h))
    return {"encoder": encoder, "decoder": keras.Model(inputs, x)}


def run_keras(job, train, test):
    """Train a `MultimodalCVAE`; dictionary of the test log-likelihoods, weights and speed."""
    import keras

    from cvae_keras import MultimodalCVAE
    from cvae_keras.training import LazyAdam, ShuffledBatches

    if job["kind"].endswith("bfloat16"):
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    keras.utils.set_random_seed(job["seed"])
    (main, given), shapes = TASKS[job["task"]], shapes_of(train)
    own = same_networks(shapes, main) if job["kind"] == "same" else {}
    options = {"latent_dim": LATENT, "decoder_dist": "bernoulli", "seed": job["seed"]}
    options["images"] = [name for name in shapes if name != "label"]
    model = MultimodalCVAE(main, [given], shapes, **options, **own)
    batches, marks = ShuffledBatches(train, BATCH, job["seed"]), Marks()
    decay = keras.optimizers.schedules.CosineDecay(RATE, job["epochs"] * len(batches))
    model.compile(LazyAdam(RATE if own else decay), steps_per_execution=min(20, len(batches)))
    mark = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: marks.add())
    model.fit(batches, epochs=job["epochs"], callbacks=[mark], verbose=0)
    speed = marks.speed(len(batches) * BATCH)
    weights = int(sum(np.prod(w.shape) for w in model.trainable_weights))
    return {"log_p": model.log_prob(test, job["K"]), "weights": weights, **speed}


class Stand(types.ModuleType):
    """An empty stand-in for torchvision: every name exists, as an empty class."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports `Stand` for torchvision if that is not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Stand(spec.name)

    def exec_module(self, module):
        pass


def run_multivae(job, train, test):
    """Train multivae's CVAE in a plain loop over slices; as `run_keras`."""
    sys.meta_path.append(StandIn())
    import torch
    from multivae.data.datasets.base import MultimodalBaseDataset
    from multivae.models import CVAE, CVAEConfig

    torch.set_num_threads(1)
    torch.manual_seed(job["seed"])
    (main, given), shapes = TASKS[job["task"]], shapes_of(train)

    def tensors(arrays):
        one_hot = {n: np.eye(10)[a] if n == "label" else a for n, a in arrays.items()}
        return {n: torch.from_numpy(a.astype("float32")) for n, a in one_hot.items()}

    config = CVAEConfig(
        input_dims={n: tuple(shape) for n, shape in shapes.items()},
        latent_dim=LATENT, main_modality=main, conditioning_modalities=[given],
        decoder_dist="bernoulli",
    )  # fmt: skip
    model = CVAE(config)
    output = model.decoder.network.layers[-1]
    model.decoder.network.layers[-1] = output[0]  # without the sigmoid
    adam = torch.optim.Adam(model.parameters(), RATE)
    data, marks, rng = tensors(train), Marks(), np.random.default_rng(job["seed"])
    rows = len(data[main]) // BATCH * BATCH
    model.train()
    for _ in range(job["epochs"]):
        for part in torch.from_numpy(rng.permutation(len(data[main]))[:rows]).split(BATCH):
            batch = MultimodalBaseDataset(data={n: tensor[part] for n, tensor in data.items()})
            adam.zero_grad()
            model(batch).loss.backward()
            adam.step()
        marks.add()
    model.eval()
    with torch.no_grad():
        log_p = np.concatenate(
            [log_prob(model, tensors({n: a[i : i + 20] for n, a in test.items()}), job["K"])
             for i in range(0, len(test[main]), 20)]
        )  # fmt: skip
    weights = sum(parameter.numel() for parameter in model.parameters())
    return {"log_p": log_p, "weights": weights, **marks.speed(rows)}


def log_prob(model, data, n_samples):
    """Importance-weighted log p(main | given) of a multivae CVAE with prior N(0, I)."""
    import torch
    from torch.distributions import Bernoulli, Normal

    q = model.encoder(data)
    q = Normal(q.embedding, torch.exp(0.5 * q.log_covariance))
    z = q.sample([n_samples])
    given = {n: data[n] for n in model.conditioning_modalities}
    tiled = {n: tensor.repeat(n_samples, *[1] * (tensor.ndim - 1)) for n, tensor in given.items()}
    logits = model.decoder(z.reshape(-1, LATENT), tiled).reconstruction
    x = data[model.main_modality]
    log_x = Bernoulli(logits=logits.reshape(n_samples, *x.shape)).log_prob(x[None])
    log_w = log_x.flatten(2).sum(-1) + (Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)).sum(-1)
    return (torch.logsumexp(log_w, 0) - np.log(n_samples)).double().numpy()


def work(job):
    """One run, in this process."""
    keep_cores(1)
    train, test = arrays_of(job["task"], job["data_dir"], job["train"], job["test"])
    run = run_multivae if job["kind"] == "multivae" else run_keras
    result = run(job, train, test)
    log_p = result.pop("log_p")
    error = float(np.std(log_p) / np.sqrt(len(log_p)))
    return {**job, **result, "log_p": float(np.mean(log_p)), "error": error}


def report(runs, settings, versions):
    """The Markdown of all runs."""
    about = (
        "{epochs} epochs of {train:,} digits, the first {test:,} test digits, K = {K}, "
        "seed {seed}, one thread. "
    ).format(**settings)
    lines = [HEAD.format(about=about + versions + ".")]
    for run in runs:
        lines.append(
            f"| {run['task']} | {run['kind']} | {run['weights']:,} | {run['log_p']:.2f} +- "
            f"{run['error']:.2f} | {run['wall']:,.0f} | {run['processor']:,.0f} |"
        )
    return "\n".join(lines) + "\n"


@click.command(help=__doc__.split("\n")[0])
@click.option("--data-dir", help="Folder of mnist.npz  [default: CVAE_KERAS_DATA]")
@click.option("--epochs", type=click.IntRange(2), default=10, show_default=True)
@click.option("--train", type=click.IntRange(BATCH, 60_000), default=60_000, show_default=True)
@click.option("--test", type=click.IntRange(1, 10_000), default=2000, show_default=True)
@click.option("--points", type=click.IntRange(1), default=1000, show_default=True, help="K.")
@click.option("--python", default=sys.executable, help="Interpreter that has multivae.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@command(__file__, work)
def main(data_dir, epochs, train, test, points, python, seed, out):
    from cvae_keras.files import manifest, open_folder, saved_result, write_json

    root = str(Path(__file__).resolve().parents[1])  # for an interpreter without this package
    os.environ["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    began, folder, done = time.perf_counter(), open_folder(out.with_name(out.name + "_runs")), []
    settings = {"epochs": epochs, "train": train, "test": test, "K": points, "seed": seed}
    for task in TASKS:
        for kind in KINDS:
            config = {"task": task, "kind": kind, **settings}
            path = folder / f"{task}_{kind.replace(', ', '_')}.json"
            if saved_result(path, config) is None:
                since, interpreter = time.perf_counter(), sys.executable
                if kind == "multivae":
                    interpreter = python
                run = start(__file__, {**config, "data_dir": data_dir}, python=interpreter)
                del run["data_dir"]
                about = manifest(config, time.perf_counter() - since)
                write_json(path, {"run": run, "manifest": about})
            done.append(saved_result(path, config)["run"])
            print("{task:5} {kind:18} log p {log_p:.2f}, {wall:,.0f} examples/s".format(**done[-1]))
    write(
        out, done, settings, began, lambda _, versions: report(done, settings, versions),
    )  # fmt: skip


if __name__ == "__main__":
    main()
