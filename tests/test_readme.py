"""The README shows the results that are in the repository, and its Python runs."""

import re
import textwrap

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cvae_keras.files import RESULTS, ROOT

README = (ROOT / "README.md").read_text()
#: The same code on less data: what is replaced in it, and by what.
QUICK = {
    "epochs=25": "epochs=1",
    "epochs=30": "epochs=1",
    "n=100_000": "n=1000",
    "steps=100)": "steps=4)",
    "CompressionVAE(X,": "CompressionVAE(X, num_steps=4, verbose=False,",
    "CompressionVAE(dim_latent=64)": "CompressionVAE(dim_latent=64, num_steps=4, verbose=False)",
    "VADImputer(random_state=0)": "VADImputer(random_state=0, epochs=5)",
    'Mine("data_1")': 'Mine("data_1", examples=100)',
    'strategy="random", trials=20, epochs=10': 'strategy="random", trials=2, epochs=1',
    'strategy="grid")': 'strategy="grid", epochs=1)',
}


def test_the_readme_shows_the_table_of_the_solved_models():
    lines = (RESULTS / "sinusoid_solved.md").read_text().splitlines()
    table = "\n".join(line for line in lines if line.startswith("|"))
    assert table in README


def test_files_that_the_readme_names_are_there():
    words = {word.strip("`,.;:()") for word in README.replace("](", " ").split()}
    paths = {word for word in words if word.startswith(("results/", "notebooks/", "benchmarks/"))}
    paths = {path for path in paths if not path.startswith("results/quick")}
    missing = [path for path in paths if not any(ROOT.glob(path.rstrip("/")))]
    assert paths and not missing


@pytest.mark.long
def test_the_python_of_the_readme_runs_from_top_to_bottom(in_tmp, eager):
    blocks = re.findall(r"(?<=\n\n)(?:(?: {4}.*)?\n)+", README)
    blocks = [textwrap.dedent(block) for block in blocks]
    blocks = [block for block in blocks if block.startswith(("from ", "import "))]
    assert len(blocks) == 8
    images, labels = images_of_digits(60)
    flat, known = images.reshape(60, -1), np.random.default_rng(0).random((60, 784)) < 0.7
    gaps = np.where(known[:, :6], np.random.default_rng(1).normal(size=(60, 6)), np.nan)
    brought = {  # what a reader has by then: the first blocks make their own x and y
        "CompressionVAE": {"X": 255 * flat, "y": labels},
        "VADImputer": {"table": gaps},
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
        exec(compile(block, "README.md", "exec"), names)
    assert used == set(QUICK)
    assert np.isfinite(names["filled"]).all() and names["draws"].shape == (20, 60, 6)
    assert names["found"].reconstruction.shape == (9, 4, 28, 28)
    assert len(names["rows"]) == 4 and names["s"].shape == (100, 1000, 50, 2)
    assert {"embedding.png", "grid.png", "mine.keras", "runs"} <= {p.name for p in in_tmp.iterdir()}


def images_of_digits(number):
    """scikit-learn's digits as 28 x 28 images in [0, 1], and their classes."""
    small, labels = load_digits(return_X_y=True)
    large = np.kron(small[:number].reshape(-1, 8, 8) / 16, np.ones((1, 3, 3)))
    return np.pad(large, [(0, 0), (2, 2), (2, 2)]).astype("float32"), labels[:number]
