"""What all tests share: seeds, an empty folder to work in, small data, Keras without graphs."""

import gc
import os
import sys

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # a core each: threads of several workers would contend
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items):
    """The notebooks first, which take longest: begun last, one would run beside nothing."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/test_notebooks.py"))


@pytest.fixture(autouse=True)
def seeded_and_closed():
    """Every test begins with the same global seeds, whatever ran before, and leaves no figure."""
    if "keras" in sys.modules:  # tests of the exact answers need NumPy only
        sys.modules["keras"].utils.set_random_seed(0)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True, scope="module")
def collected():
    """What the tests of a file leave is not searched for garbage again, which takes seconds."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """An empty folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def eager(monkeypatch):
    """Keras runs operation by operation: a graph takes seconds to trace, a step much less."""
    import keras

    kept = keras.Model.run_eagerly
    monkeypatch.setattr(keras.Model, "run_eagerly", property(lambda model: True, kept.fset))


@pytest.fixture
def bfloat16():
    """The dtype policy `mixed_bfloat16`."""
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's digits: rows of 64 pixels from 0 to 16, and their classes."""
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)
