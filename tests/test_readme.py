"""The README and the pages beside it: numbers, files and links are there, and their Python runs."""

import contextlib
import io
import re
import textwrap

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from cvae_keras.files import RESULTS, ROOT
from cvae_keras.training import FusedAdam

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: The numbers in the README's table of systems: file, row, measured column, and where its exact
#: answer is: a column of that row, another row, or the number itself.
SYSTEMS = {
    "SinusoidSolver": (
        "sinusoid_solved",
        {"task": 2, "model": "mixture", "samples": "prior"},
        "recall",
        {"task": 2, "model": "exact"},
    ),
    "SinusoidCVAE": (
        "sinusoid_solved",
        {"task": 1, "model": "conv", "samples": "refined"},
        "total_variation",
        {"task": 1, "model": "exact"},
    ),
    "DenseCVAE": (
        "testbed",
        {"experiment": "independent, 8", "beta": 0.25, "seed": 0, "known": 0},
        "objective",
        "objective_exact",
    ),
    "CompressionVAE": (
        "embedding",
        {"data": "mnist", "dim": 2, "method": "CompressionVAE"},
        "1-NN",
        {"data": "mnist", "dim": 2, "method": "UMAP", "source": "run here"},
    ),
    "VADImputer": (
        "imputation",
        {"data": "gaussian wishart", "mechanism": "MCAR", "share": 0.5, "method": "VAD"},
        "over_best",
        1.0,
    ),
    "CVAE": ("inference", {"task": "two_moons", "simulations": 10_000}, "ours", 0.5),
    "MultimodalCVAE": (
        "multimodal",
        {"data": "gaussian 2+8+3+5", "given": "a+b+c"},
        "log_p",
        "exact",
    ),
}
#: The same code on less data: what is replaced in it, and by what.
QUICK = {
    "epochs=25": "epochs=1",
    "epochs=30": "epochs=1",
    "n=100_000": "n=1000",
    "steps=100)": "steps=4)",
    "CompressionVAE(X,": "CompressionVAE(X, num_steps=4, verbose=False,",
    "CompressionVAE(dim_latent=64)": "CompressionVAE(dim_latent=64, num_steps=4, verbose=False)",
    "VADImputer(random_state=0)": "VADImputer(random_state=0, epochs=5)",
    "VADImputer(random_state=0, likelihoods": "VADImputer(random_state=0, epochs=5, likelihoods",
    'Mine("data_1")': 'Mine("data_1", examples=100)',
    'strategy="random", trials=20, epochs=10': 'strategy="random", trials=2, epochs=1',
    'strategy="grid")': 'strategy="grid", epochs=1)',
}


def test_the_results_page_shows_the_table_of_the_solved_models():
    lines = (RESULTS / "sinusoid_solved.md").read_text().splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    assert table in (ROOT / "docs" / "results.md").read_text()


def test_the_page_of_many_machines_shows_how_time_and_memory_grow():
    lines = (ROOT / "benchmarks" / "growth.md").read_text().splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    assert table in (ROOT / "docs" / "many_machines.md").read_text()


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_table_of_systems_shows_what_was_measured(system):
    name, row, column, exact = SYSTEMS[system]
    frame = pd.read_csv(RESULTS / f"{name}.csv")

    def find(row, column):
        (value,) = frame[np.all([frame[key] == each for key, each in row.items()], axis=0)][column]
        return value

    if isinstance(exact, dict):
        exact = find(exact, column)
    elif isinstance(exact, str):
        exact = find(row, exact)
    (line,) = [line for line in README.splitlines() if line.startswith(f"| `{system}`")]
    measured, answer = line.split(" | ")[-2:]
    assert measured == f"{find(row, column):.4g}"
    assert f"{exact:.4g}" in answer.replace(",", " ").split()


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    text = page.read_text()
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    words = {word.strip("`,.;:()") for word in text.split()}
    paths = {w for w in words if w.startswith(("results/", "notebooks/", "benchmarks/", "docs/"))}
    paths = {path for path in paths if not path.startswith("results/quick") and "](" not in path}
    missing += [path for path in paths if not any(ROOT.glob(path.rstrip("/")))]
    assert not missing
    assert links or page.name != "README.md"


def test_the_ten_lines_of_the_readme_print_what_it_shows():
    code, output = re.findall(r"```(?:python|text)\n(.*?)```", README, re.S)
    assert len(code.splitlines()) == 10
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    number = r"\d\.\d\d"
    assert re.sub(number, "", printed.getvalue()) == re.sub(number, "", output)
    shown, found = (re.findall(number, text) for text in (output, printed.getvalue()))
    np.testing.assert_allclose(np.array(found, float), np.array(shown, float), atol=0.021)


@pytest.mark.long
def test_the_python_of_its_page_runs_from_top_to_bottom(in_tmp, eager, monkeypatch):
    monkeypatch.setattr(keras.optimizers, "Adam", FusedAdam)  # less operations, the same steps
    page = (ROOT / "docs" / "python.md").read_text()
    blocks = re.findall(r"(?<=\n\n)(?:(?: {4}.*)?\n)+", page)
    blocks = [textwrap.dedent(block) for block in blocks]
    blocks = [block for block in blocks if block.startswith(("from ", "import "))]
    assert len(blocks) == 10
    images, labels = images_of_digits(60)
    flat, known = images.reshape(60, -1), np.random.default_rng(0).random((60, 784)) < 0.7
    gaps = np.where(known[:, :6], np.random.default_rng(1).normal(size=(60, 6)), np.nan)
    brought = {  # what a reader has by then: the first blocks make their own x and y
        "CVAE": {"theta": flat[:, 300:302], "data": flat[:, 400:408]},
        "CompressionVAE": {"X": 255 * flat, "y": labels},
        "VADImputer": {"table": gaps},
        "pool": {"frame": people(60)},
        "VariationalAutoDecoder": {"x": flat, "mask": known, "x_test": flat, "mask_test": known},
        "MultimodalCVAE": {"x": images, "y": labels, "x_test": images[:3]},
    }
    brought["MultimodalCVAE"] |= {"y_test": labels[:3], "upper": images[:4, :14]}
    names, used = {"__name__": "readme"}, set()
    for block in blocks:
        for name, values in brought.items():
            names |= values if f"import {name}" in block else {}
        for full, quick in QUICK.items():
            used |= {full} if full in block else set()
            block = block.replace(full, quick)
        exec(compile(block, "python.md", "exec"), names)
    assert used == set(QUICK)
    assert np.isfinite(names["filled"]).all() and names["draws"].shape == (20, 60, 6)
    assert names["found"].reconstruction.shape == (9, 4, 28, 28)
    assert len(names["rows"]) == 4 and names["s"].shape == (100, 1000, 50, 2)
    assert {"embedding.png", "grid.png", "mine.keras", "runs"} <= {p.name for p in in_tmp.iterdir()}


def people(number):
    """A table with missing numbers, counts and text."""
    rng = np.random.default_rng(0)
    columns = {"age": rng.integers(20, 80, number), "visits": rng.poisson(2.0, number)}
    frame = pd.DataFrame(columns, dtype="Int64").assign(smoker=rng.choice(["no", "yes"], number))
    return frame.mask(rng.random(frame.shape) < 0.2)


def images_of_digits(number):
    """scikit-learn's digits as 28 x 28 images in [0, 1], and their classes."""
    small, labels = load_digits(return_X_y=True)
    large = np.kron(small[:number].reshape(-1, 8, 8) / 16, np.ones((1, 3, 3)))
    return np.pad(large, [(0, 0), (2, 2), (2, 2)]).astype("float32"), labels[:number]
