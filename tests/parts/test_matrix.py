"""Parts in combination through a plain model: they work, or one sentence says why not."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from cvae_keras.experiments import matrix
from cvae_keras.experiments.matrix import CELLS, Cell, arrays_of, check, expected, model_of

ROOT = Path(__file__).resolve().parents[2]
#: every posterior, prior, likelihood, condition and mask, and most pairs of them
QUICK = [
    Cell("gaussian", "standard", "normal", "none", "none"),
    Cell("gaussian", "conditional", "bernoulli", "dictionary", "given"),
    Cell("gaussian", "flow", "categorical", "vector", "none"),
    Cell("flow", "standard", "laplace", "dictionary", "none"),
    Cell("flow", "conditional", "normal, decoder's scale", "vector", "given"),
    Cell("flow", "flow", "squared error", "vector", "given"),
    Cell("categorical", "categorical", "absolute error", "vector", "given"),
    Cell("categorical", "categorical", "normal", "dictionary", "none"),
    Cell("free table", "standard", "bernoulli", "none", "given"),
    Cell("free table", "flow", "normal", "dictionary", "given"),
    Cell("free table", "conditional", "categorical", "vector", "none"),
    Cell("flow", "conditional", "poisson", "dictionary", "given"),
    Cell("gaussian", "flow", "product", "vector", "given"),
    Cell("gaussian", "conditional", "bounds", "dictionary", "given"),
]
REFUSED = [
    Cell("gaussian", "categorical", "normal", "vector", "none"),
    Cell("categorical", "flow", "normal", "vector", "none"),
    Cell("gaussian", "conditional", "normal", "none", "none"),
    Cell("categorical", "categorical", "normal", "none", "none"),
]


def cells(chosen):
    return [pytest.param(cell, id=", ".join(cell)) for cell in chosen]


@pytest.mark.parametrize("cell", cells(QUICK + REFUSED))
def test_cell(cell, tmp_path):
    outcome = check(cell, tmp_path)["outcome"]
    assert expected(cell) in outcome and "\n" not in outcome


@pytest.mark.thorough  # minutes
@pytest.mark.parametrize("cell", cells(c for c in CELLS if c not in QUICK + REFUSED))
def test_other_cell(cell, tmp_path):
    test_cell(cell, tmp_path)


def test_the_quick_cells_have_every_part():
    for number, slot in enumerate(matrix.SLOTS):
        assert {cell[number] for cell in QUICK} == set(slot)


LOAD = """
import json, sys
import keras
import numpy as np
import cvae_keras

found = []
for path in sys.argv[1:]:
    model = keras.saving.load_model(path)
    wanted = dict(np.load(path + ".npz"))
    c = {name: wanted[name] for name in "ab"} if "a" in wanted else None
    same = np.array_equal(model.sample(c, n_samples=3, seed=0), wanted["samples"])
    moved = np.array_equal(model.seed_generator.state, wanted["state"])
    weights = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
    found.append([bool(same), bool(moved), bool(np.array_equal(weights, wanted["weights"]))])
print(json.dumps(found))
"""


@pytest.mark.long
def test_models_load_in_a_process_that_only_imports_the_package(tmp_path):
    paths = []
    for number, cell in enumerate([QUICK[0], QUICK[9]]):
        model, arrays = model_of(cell), arrays_of(cell)
        model.fit(arrays, verbose=0)
        paths.append(str(tmp_path / f"{number}.keras"))
        model.save(paths[-1])
        c, state = arrays.get("c"), keras.ops.convert_to_numpy(model.seed_generator.state)
        weights = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
        samples = model.sample(c, n_samples=3, seed=0)
        saved = {"samples": samples, "weights": weights, "state": state, **(c or {})}
        np.savez(paths[-1] + ".npz", **saved)
    assert run_python(LOAD, *paths) == [[True] * 3] * 2


BLOCKED = """
import json, sys
sys.modules["tensorflow"] = None  # an import of it fails
import cvae_keras
from cvae_keras import CompressionVAE, VADImputer
from cvae_keras.parts import GaussianPosterior
import keras
print(json.dumps([keras.backend.backend(), "tensorflow.python" in sys.modules]))
"""


def test_no_module_imports_tensorflow_when_it_is_imported():
    for path in (ROOT / "cvae_keras").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:  # not inside functions
            names = [each.name for each in getattr(node, "names", [])]
            names.append(getattr(node, "module", None) or "")
            assert not any(name.split(".")[0] == "tensorflow" for name in names), path


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_needs_no_tensorflow(backend):
    pytest.importorskip(backend)
    assert run_python(BLOCKED, KERAS_BACKEND=backend) == [backend, False]


def run_python(code, *arguments, **environment):
    """What a new process prints: JSON."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    found = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout.splitlines()[-1])


def test_the_table_counts_what_works(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "check", lambda cell, folder: {"outcome": expected(cell)})
    frame = matrix.run([QUICK[0], REFUSED[0]], tmp_path)
    assert frame.outcome.tolist()[0] == "works" and frame.as_expected.all()
    text = matrix.summarize(tmp_path)
    assert "2 cells, 1 work, 1 are refused, 0 not as expected" in text
    table = pd.read_csv(tmp_path / "matrix.csv")
    assert table[keras.backend.backend()].tolist() == ["1 of 1", "0 of 1"]
    monkeypatch.setattr(matrix, "check", lambda cell, folder: {"outcome": "another sentence"})
    matrix.run([QUICK[1], QUICK[0]], tmp_path, keep=True)
    assert "3 cells, 0 work, 3 are refused, 2 not as expected" in matrix.summarize(tmp_path)
