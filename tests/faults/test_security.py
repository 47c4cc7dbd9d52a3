"""What SECURITY.md promises: nothing of a file is executed, and the source has nothing to do so."""

import ast
import io
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

import cvae_keras
from cvae_keras.data.arrays import read_array, read_arrays
from cvae_keras.files import DEPTH, LARGEST, RATIO, UNPACKED
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.systems.saved import load_model

ROOT = Path(__file__).resolve().parents[2]
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
MODULES |= {"code", "codeop", "pty", "ctypes"}
FUNCTIONS = {"eval", "exec", "compile", "__import__"}  # as names: methods may be called compile
METHODS = {"system", "popen", "spawnl", "spawnv", "execv", "execl", "getoutput"}
METHODS |= {"enable_unsafe_deserialization", "Lambda", "read_pickle", "to_pickle", "unsafe_load"}
ARGUMENTS = {"shell": True, "allow_pickle": True, "safe_mode": False}


def forbidden(tree):
    """Lines of a parsed module that could execute what a file holds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            if MODULES & {each.name.split(".")[0] for each in node.names}:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in MODULES:
                yield node.lineno
            if (METHODS | FUNCTIONS) & {each.name for each in node.names}:
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr in METHODS:
            if not (isinstance(node.value, ast.Name) and node.value.id == "platform"):
                yield node.lineno
        elif isinstance(node, ast.Name) and node.id in FUNCTIONS:
            yield node.lineno
        elif isinstance(node, ast.Call):
            for each in node.keywords:
                fixed = isinstance(each.value, ast.Constant)
                if each.arg in ARGUMENTS and (not fixed or each.value.value == ARGUMENTS[each.arg]):
                    yield node.lineno


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "import os; os.system('ls')",
        "run('ls', shell=True)",
        "np.load(path, allow_pickle=True)",
        "load_model(path, safe_mode=mode)",
        "keras.config.enable_unsafe_deserialization()",
        "keras.layers.Lambda(f)",
    ],
)
def test_the_search_finds_what_is_forbidden(line):
    assert list(forbidden(ast.parse(line))) == [1]


def test_the_source_executes_nothing():
    found = {}
    for path in sorted((ROOT / "cvae_keras").rglob("*.py")):
        if lines := list(forbidden(ast.parse(path.read_text(encoding="utf-8")))):
            found[path.relative_to(ROOT).as_posix()] = lines
    assert not found
    assert Path(cvae_keras.__file__).is_relative_to(ROOT)


def test_every_call_that_loads_a_model_or_an_array_is_safe():
    """`keras.saving.load_model` stands in safe mode, `np.load` without pickle."""
    for path in sorted((ROOT / "cvae_keras").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                arguments = {each.arg: ast.unparse(each.value) for each in node.keywords}
                call = ast.unparse(node.func)
                assert call != "np.load", (path, node.lineno)  # read_array and read_arrays check
                if call.endswith("format.read_array"):
                    assert arguments.get("allow_pickle") == "False", (path, node.lineno)
                if call.endswith("saving.load_model"):
                    assert arguments.get("safe_mode") == "True", (path, node.lineno)


class Trap:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_pickled_objects_are_refused_and_not_executed(in_tmp):
    trap = np.array([Trap()], dtype=object)
    np.save("trap.npy", trap)
    np.savez("trap.npz", x=trap)
    Path("raw.npy").write_bytes(pickle.dumps(Trap()))
    for read, name in [
        (read_array, "trap.npy"),
        (read_array, "raw.npy"),
        (read_arrays, "trap.npz"),
    ]:
        with pytest.raises(ValueError, match=name):
            read(name)
    assert not Path("executed").exists()
    pickle.load(io.BytesIO(Path("raw.npy").read_bytes()))  # the trap works
    assert Path("executed").exists()


def touch(h):
    Path("executed").touch()
    return h


def test_models_with_code_are_refused_and_not_executed(in_tmp):
    code = keras.layers.Lambda(touch, output_shape=(3,))
    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda h: touch(h))]).save("a.keras")
    x, c = keras.Input((3,), name="x"), keras.Input((4,), name="c")
    both = keras.layers.Concatenate()([code(x), c])
    encoder = keras.Model(
        {"x": x, "c": c}, [keras.layers.Dense(2)(both), keras.layers.Dense(2)(both)]
    )
    MultimodalCVAE("x", ["c"], {"x": (3,), "c": (4,)}, latent_dim=2, encoder=encoder).save(
        "b.keras"
    )
    Path("executed").unlink()
    for name in ("a.keras", "b.keras"):
        with pytest.raises(ValueError, match=name):
            load_model(name)
    assert not Path("executed").exists()


def test_the_bounds_are_those_in_the_text():
    text = " ".join((ROOT / "SECURITY.md").read_text(encoding="utf-8").split())
    assert UNPACKED == 2**30 and "1 GiB unpacked" in text
    assert f"{RATIO} times the size" in text and f"{LARGEST // 2**20} MiB" in text
    assert f"deeper than {DEPTH} levels" in text
