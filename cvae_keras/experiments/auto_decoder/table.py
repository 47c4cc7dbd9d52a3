"""`cvae-keras table vad`: error over the missing ratio, the auto-decoder against the VAE."""

import json
import time

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from cvae_keras.data.missing import NAMES, draw_mask, load_rows
from cvae_keras.experiments.auto_decoder.run import RATIOS, complete, score_missing, train
from cvae_keras.files import manifest, open_folder, saved_result, write_json, write_table
from cvae_keras.plots.auto_decoder import plot_curves, plot_panel
from cvae_keras.systems.auto_decoder.baseline import MaskedVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import ShuffledBatches

NOTES = """
Mean squared error over all entries of the test rows, observed ones included, as the paper counts.
(a): trained and tested at the same missing ratio. (b): trained on clean data, tested with missing
entries; in (a) the auto-decoder learns its variances, in (b) they are fixed. All three models have
the same decoder and the same number of epochs. `vad.csv` has the errors on observed and on missing
entries apart.

- The auto-decoder is not below the zero-filled VAE, from ratio 0.3 on: {where}.
- It is not below the mask-aware VAE: {there}.
"""

PUBLISHED = """
Published curves, read off the plots of Zadeh et al., 2019 (other data than here, for comparison of
shape only), at ratio 0.9:

| data | VAE | VAD |
|---|---|---|
| synthetic | 0.133 | 0.030 |
| Menpo | 0.0069 | 0.0036 |
| MOSEI | 0.020 | 0.010 |
| MOSI | 0.0049 | 0.0033 |
"""


MODELS = ("VAD", "VAE zero-filled", "VAE mask-aware")
CASES = ("a: same ratio", "b: clean training")
PANEL = (0.1, 0.3, 0.5, 0.7, 0.9)
QUICK = {"train_rows": 1000, "test_rows": 200, "epochs": 20}
#: What a data set needs that others do not; the same for every model.
OPTIONS = {
    "digits": {"latent_dim": 20, "epochs": 100},
    "artificial_2": {"latent_dim": 5, "epochs": 30},
    "artificial_10": {"latent_dim": 20, "epochs": 30},
}


def run_table(folder, quick=False, data=None, data_dir=None, seed=0):
    """Run the rows that `folder` does not hold yet, then write the table and the figures.

    A training is one row of work, kept in `<folder>/vad_rows/` as soon as it is there. Case (a)
    trains a model for each ratio, case (b) one on clean data, tested at all ratios.

    Args:
        folder: where the table goes; quick: digits and artificial data, three ratios, few epochs;
            data: names of data sets; data_dir: of the image files; seed.

    Returns:
        The Markdown of the table.

    Raises:
        ValueError: the folder cannot be written, or a data set is unknown or not there.

    Example:
        >>> text = run_table("results/quick", quick=True)
    """
    folder = open_folder(folder)
    rows_folder = open_folder(folder / "vad_rows")
    names = data or (["digits", "artificial_2"] if quick else NAMES)
    ratios = (0.3, 0.5, 0.9) if quick else RATIOS
    jobs = [job for name in names for job in table_jobs(name, ratios, quick, seed)]
    arrays, rows = {}, []
    for job in tqdm(jobs, desc="trainings", unit="row"):
        path = rows_folder / f"{job['stem']}.json"
        saved = saved_result(path, job)
        if saved is None:
            if job["data"] not in arrays:
                size = job["options"]["train_rows"], job["options"]["test_rows"]
                arrays[job["data"]] = load_rows(job["data"], None, data_dir, *size)
            saved = run_job(job, arrays[job["data"]])
            if pictures := saved.pop("pictures"):
                np.savez_compressed(path.with_suffix(".npz"), **pictures)
            write_json(path, saved)
        rows += [{"data": job["data"], "case": job["case"], "model": job["model"], **row}
                 for row in saved["rows"]]  # fmt: skip
    table = pd.DataFrame(rows).drop(columns="ms_per_row")
    plot_curves(table).savefig(folder / "vad.png", dpi=110)
    for name in names:
        draw_panel(name, rows_folder, folder)
    return _write(table, folder, jobs)


def table_jobs(name, ratios, quick, seed):
    """The trainings of a data set, as dictionaries of all that they depend on."""
    options = complete({**OPTIONS.get(name, {}), **(QUICK if quick else {}), "seed": seed})
    jobs = []
    for model in MODELS:
        for missing in (0.0, *ratios):
            case = CASES[0] if missing else CASES[1]
            stem = f"{name}_{model.replace(' ', '-')}_{missing:g}"
            test = [missing] if missing else list(ratios)
            job = {"stem": stem, "data": name, "model": model, "case": case, "test": test}
            variant = "vae_free" if missing else options["variant"]  # holes: some rows know less
            jobs.append({**job, "options": {**options, "missing": missing, "variant": variant}})
    return jobs


def run_job(job, arrays):
    """Train one model and test it.

    Args:
        job: from `table_jobs`; arrays: `(x_train, x_test)`.

    Returns:
        Dictionary of `rows` (one a test ratio), `manifest`, and of `pictures` (arrays for the panel
        of case (b), else none).

    Example:
        >>> run_job(table_jobs("digits", (0.5,), True, 0)[0], load_rows("digits"))["rows"]
    """
    x, x_test = arrays
    config, begin = job["options"], time.perf_counter()
    model = train(config, x)[0] if job["model"] == "VAD" else train_vae(job, x)
    rows, pictures = [], {}
    for ratio in job["test"]:
        masks = [config["seed"], round(10 * ratio)]
        rows.append({"ratio": ratio, **score_missing(model, config, x_test, ratio, masks)})
        if job["case"] == CASES[1] and ratio in PANEL:
            mask = draw_mask(x_test.shape, ratio, masks)[:1]
            pictures[f"x_hat_{ratio}"] = model.reconstruct(x_test[:1] * mask, mask)[0]
            pictures[f"mask_{ratio}"] = mask[0]
    if pictures:
        pictures["x"] = x_test[0]
    seconds = time.perf_counter() - begin
    return {"rows": rows, "pictures": pictures, "manifest": manifest(job, seconds)}


def train_vae(job, x):
    """The VAE of a job: the auto-decoder's decoder, and an encoder of zero-filled rows."""
    config = job["options"]
    keras.utils.set_random_seed(config["seed"])
    names = ("latent_dim", "hidden", "beta", "seed")
    aware = job["model"] == MODELS[2]
    model = MaskedVAE(x.shape[1], sees_mask=aware, **{name: config[name] for name in names})
    batch = min(config["batch_size"], len(x))
    steps = config["epochs"] * (len(x) // batch)
    rate = keras.optimizers.schedules.CosineDecay(config["net_lr"], steps)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=at_once(10))
    mask = draw_mask(x.shape, config["missing"], [config["seed"], 1])
    batches = ShuffledBatches({"x": x * mask, "mask": mask}, batch, config["seed"])
    model.fit(batches, epochs=config["epochs"], verbose=0)
    return model


def draw_panel(name, rows_folder, folder):
    """Write `vad_panel_<name>.png` from the pictures of case (b), if all are there."""
    paths = {m: rows_folder / f"{name}_{m.replace(' ', '-')}_0.npz" for m in MODELS}
    if not all(path.exists() for path in paths.values()):
        return
    files = {model: np.load(path, allow_pickle=False) for model, path in paths.items()}
    first = files[MODELS[0]]
    ratios = [ratio for ratio in PANEL if f"mask_{ratio}" in first.files]
    mask = np.stack([first[f"mask_{ratio}"] for ratio in ratios])
    found = {m: np.stack([file[f"x_hat_{r}"] for r in ratios]) for m, file in files.items()}
    plot_panel(first["x"], mask, found, ratios).savefig(folder / f"vad_panel_{name}.png", dpi=110)


def _write(table, folder, jobs):
    index = ["data", "case", "ratio"]
    wide = table.pivot_table("mse", index, "model", sort=False)[list(MODELS)].reset_index()
    wide = wide.sort_values(["data", "case", "ratio"], kind="stable", ignore_index=True)
    wide["VAD lowest"] = np.where(wide["VAD"] <= wide[list(MODELS[1:])].min(axis=1), "yes", "no")
    loses = wide[(wide["VAD"] >= wide[MODELS[1]]) & (wide.ratio >= 0.3)]
    where = ", ".join(f"{r.data} {r.case} {r.ratio:g}" for r in loses.itertuples()) or "nowhere"
    aware = wide[wide["VAD"] >= wide[MODELS[2]]]
    there = ", ".join(f"{r.data} {r.case} {r.ratio:g}" for r in aware.itertuples()) or "nowhere"
    notes = NOTES.format(where=where, there=there) + PUBLISHED
    text = write_table(wide, folder / "vad", "Variational auto-decoder against VAE", notes)
    table.to_csv(folder / "vad.csv", index=False, float_format="%.6g")
    seconds = [json.loads((folder / "vad_rows" / f"{j['stem']}.json").read_text()) for j in jobs]
    total = sum(each["manifest"]["seconds"] for each in seconds)
    write_json(folder / "vad.json", manifest({"jobs": jobs}, total))
    return text
