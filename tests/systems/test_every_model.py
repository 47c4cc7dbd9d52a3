"""Every model class has a case of the shared checks, and loads in a process of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from model_cases import CASES
from model_checks import drawn, trained

from cvae_keras import CompressionVAE
from cvae_keras.elbo import ELBOModel
from cvae_keras.files import ROOT

#: keras and numpy are what a user has; the package is only imported
LOAD = """
import json, sys
from pathlib import Path
import keras
import numpy as np
import cvae_keras

found = {}
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.saving.load_model(path)
    model.run_eagerly = True  # a graph takes seconds to trace
    arrays = dict(np.load(path.with_suffix(".npz")))
    wanted = {name: arrays.pop(name) for name in ("x_hat", "samples")}
    c = arrays.get("c")
    samples = model.sample(None if c is None else c[:3], n_samples=2, seed=0)
    found[path.stem] = [
        type(model).__name__,
        bool(np.array_equal(model.predict(arrays, verbose=0), wanted["x_hat"])),
        bool(np.array_equal(samples, wanted["samples"])),
    ]
estimator = cvae_keras.load_model(Path(sys.argv[1]) / "estimator" / "model.keras")
print(json.dumps({**found, "estimator": type(estimator).__name__}))
"""


def subclasses(base):
    """All classes below one, of this package."""
    below = base.__subclasses__()
    below += [each for one in below for each in subclasses(one)]
    return {each for each in below if each.__module__.startswith("cvae_keras.")}


def test_every_model_class_has_a_case():
    assert subclasses(ELBOModel) == {type(case.make()) for case in CASES.values()}


@pytest.mark.long
def test_every_model_loads_in_a_process_that_only_imports_the_package(tmp_path):
    wanted = {}
    for name, case in CASES.items():
        model, arrays = trained(case), case.source.examples(6, seed=0)
        model.save(tmp_path / f"{name}.keras")
        x_hat = model.predict(arrays, verbose=0)
        samples = drawn(case, model, n_samples=2, seed=0)
        np.savez(tmp_path / f"{name}.npz", x_hat=x_hat, samples=samples, **arrays)
        wanted[name] = [type(model).__name__, True, True]
    rows = np.random.default_rng(0).normal(size=(40, 5))
    CompressionVAE(logdir=str(tmp_path / "estimator"), num_steps=2, verbose=False).fit(rows)
    wanted["estimator"] = "CompressionModel"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", LOAD, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert json.loads(run.stdout.splitlines()[-1]) == wanted
