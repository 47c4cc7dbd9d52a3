"""Hundreds of damaged files, each refused in one sentence that names the file."""

import errno
import io
import json
import os
import struct
import warnings
import zipfile

import click
import numpy as np
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.cli.options import JsonFile
from cvae_keras.data.arrays import read_array, read_arrays
from cvae_keras.data.images import load_images
from cvae_keras.data.missing import load_rows
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.sinusoid import load
from cvae_keras.experiments.auto_decoder.run import DEFAULTS
from cvae_keras.experiments.auto_decoder.run import complete as complete_options
from cvae_keras.files import read_json
from cvae_keras.systems.dense.config import check_config, read_config
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.systems.saved import load_model


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz(compressed=False, **arrays):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def header(shape, descr="<f4", body=b"", more=""):
    """A .npy file with a header that says whatever it likes."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, {more}}}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1") + body


def flips(content, positions, seed=0):
    """The content with one byte changed, once for each position."""
    bits = np.random.default_rng(seed).integers(1, 256, size=len(positions))
    for position, bit in zip(positions, bits, strict=True):
        damaged = bytearray(content)
        damaged[position] ^= int(bit)
        yield f"byte {position}", bytes(damaged)


X = np.arange(12.0, dtype="float32").reshape(4, 3)
NPY = npy(X)
#: contents that are no .npy file of numbers
NO_ARRAYS = {
    "empty": b"",
    "magic alone": b"\x93NUMPY",
    "text": b"no array",
    "half": NPY[:-20],
    "more": NPY + b"12",
    "two arrays": NPY + NPY,
    "an .npz": npz(x=X),
    "objects": npy(np.array([{}], dtype=object), allow_pickle=True),
    "text in it": npy(np.array([["a"]])),
    "complex": npy(X.astype("complex64")),
    "dates": npy(np.array(["2026-01-01"], "M8[D]")),
    "fields": npy(np.zeros(2, [("a", "f4")])),
    "version 3": npy(np.zeros(2, [("ä", "f4")])),
    "huge": header((10**12,)),
    "huge product": header((2**31, 2**31, 2**31)),
    "negative": header((-1, 3), body=b"1234"),
    "boolean shape": header((True, 1), body=b"1234"),
    "float shape": header((1.0,), body=b"1234"),
    "no tuple": header("3", body=b"1234"),
    "70 axes": header((1,) * 70, body=b"1234"),
    "nested": header("(" * 200 + ")" * 200),
    "deeply nested": header("(" * 9000 + "1" + ")" * 9000),
    "many digits": header("(" + "9" * 5000 + ",)"),
    "call": header("__import__('os').system('touch executed')"),
    "bad dtype": header((1,), descr="<q9", body=b"1234"),
    "object dtype": header((1,), descr="|O", body=b"12345678"),
    "more entries": header((1,), body=b"1234", more="'z': 1"),
    "length beyond file": b"\x93NUMPY\x01\x00\xff\xffabc",
    "version 9": b"\x93NUMPY\x09\x00" + NPY[8:],
    "null bytes": bytes(500),
    "unclosed text": header("('a"),
}
#: bytes of the header of `NPY`, each of which is damaged in turn
HEADERS = dict(flips(NPY, range(128)))


def npz_files():
    """Contents that are no .npz file with numbers `train` and `test`, or `x`."""
    good = npz(compressed=True, train=X, test=X)
    start = good.rindex(b"PK\x01\x02") - 60
    yield from flips(good, range(start, start + 60))
    yield from flips(good, range(0, len(good) - 30, 7))
    for share in (0.0, 0.1, 0.5, 0.9, 0.99):
        yield f"the first {share}", good[: int(share * len(good))]
    for name in ("train.npy", "../train.npy", "x"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, b"no array")
        yield name, buffer.getvalue()
    yield "an .npy", NPY
    yield "other names", npz(a=X)
    yield "no array", npz()
    yield "objects", npz_of_objects()
    yield "one axis", npz(x=np.arange(3.0))
    yield "nothing", npz(x=np.zeros((0, 3)))
    yield "other columns", npz(train=X, test=X[:, :2])
    yield "infinity", npz(x=np.full((4, 2), np.inf))
    encrypted = bytearray(npz(x=X))
    encrypted[6] |= 1
    encrypted[encrypted.rindex(b"PK\x01\x02") + 8] |= 1
    yield "encrypted", bytes(encrypted)


def npz_of_objects():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([[{}]], dtype=object))
    return buffer.getvalue()


CSV = {
    "empty": b"",
    "binary": bytes(range(256)) * 4,
    "null bytes": bytes(300),
    "latin-1": "größe,b\n1,2\n3,4\n5,6\n".encode("latin1"),
    "UTF-16": "a,b\n1,2\n3,4\n".encode("utf-16"),
    "header alone": b"a,b\n",
    "one row": b"a,b\n1,2\n",
    "text": b"a,b\n1,x\n2,y\n3,z\n",
    "semicolons": b"a;b\n1;2\n3;4\n5;6\n",
    "same names": b"a,a\n1,2\n3,4\n5,6\n",
    "more cells than names": b"a,b\n1,2,3\n4,5,6\n7,8,9\n",
    "ragged": b"a,b\n1,2\n3,4,5,6\n",
    "infinity": b"a,b\n1,inf\n3,4\n5,6\n",
    "huge number": b"a,b\n1,1e999\n3,4\n5,6\n",
    "open quote": b'a,b\n1,"2\n3,4\n5,6\n',
    "huge field": b"a,b\n1," + b"x" * 10**6 + b"\n3,4\n5,6\n",
    "huge name": b"a" * 10**6 + b",b\n1,x\n3,4\n5,6\n",
    "no number": b"a,b\n,1\n,2\n,3\n",
    "dates": b"a,b\n2026-01-01,2\n2026-01-02,4\n",
}
JSON = {
    "empty": b"",
    "half": b'{"a": [1, 2',
    "list": b"[1]",
    "number": b"3",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"data": ' * 900 + b"1" + b"}" * 900,
    "digits": b'{"seed": ' + b"9" * 5000 + b"}",
    "latin-1": '{"größe": 1}'.encode("latin1"),
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "binary": bytes(range(256)),
    "missing": b"{}",
    "unknown": b'{"data": {}, "other": 1}',
}


def fails(call, *names, kind=ValueError):
    """What is wrong with the error that `call` should raise: None, or a text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except (ValueError, TypeError) as error:
        text = str(error)
        if "\n" in text or len(text) > 600 or not text.endswith("."):
            return f"is no sentence: {text[:200]}"
        return None if any(name in text for name in names) else f"is not named: {text[:200]}"
    except click.BadParameter as error:
        return None if any(name in error.message for name in names) else error.message
    except BaseException as error:
        return f"raises {error!r}"[:200]
    return "is accepted"


def check(folder, cases, read, ending):
    """Write each content to a file, read it, and collect what is wrong."""
    wrong = {}
    path = folder / f"file{ending}"
    for name, content in cases.items():
        path.write_bytes(content)
        if (found := fails(lambda: read(path), path.name)) is not None:
            wrong[name] = found
    path.unlink()
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())
    assert not list(folder.iterdir())  # nothing else was written, or executed


def same_array(path):
    """Read a file whose header is damaged; ValueError also if it is read as what it is not."""
    array = read_array(path)
    if array.dtype.kind in "fiub" and array.size * array.dtype.itemsize == X.nbytes:
        raise ValueError(f"{path} is another array of the same size.")


def test_npy_files(in_tmp):
    assert np.array_equal(read_array_of(in_tmp, NPY), X)
    check(in_tmp, NO_ARRAYS, read_array, ".npy")
    check(in_tmp, HEADERS, same_array, ".npy")


def read_array_of(folder, content):
    (folder / "good.npy").write_bytes(content)
    array = read_array(folder / "good.npy")
    (folder / "good.npy").unlink()
    return array


def test_npz_files(in_tmp):
    def read(path):
        parts = load_rows("artificial", path)
        if np.array_equal(parts[0], X):
            raise ValueError(f"{path} is read as what it was.")

    check(in_tmp, dict(npz_files()), read, ".npz")


def test_archives_that_unpack_to_too_much_are_not_read(in_tmp):
    bomb = bytearray(npz(x=X))
    size = bomb.rindex(b"PK\x01\x02") + 24  # in the directory: the unpacked size
    bomb[size : size + 4] = struct.pack("<I", 2**32 - 2)
    (in_tmp / "bomb.npz").write_bytes(bomb)
    for read in (read_arrays, load_model):
        assert fails(lambda read=read: read("bomb.npz"), "bytes unpacked") is None


def test_csv_files(in_tmp):
    check(in_tmp, CSV, lambda path: load_rows(str(path)), ".csv")


def test_json_files(in_tmp):
    check(in_tmp, JSON, read_config, ".json")
    whole = {name: JSON[name] for name in JSON if name not in ("missing", "unknown")}
    check(in_tmp, whole, read_json, ".json")
    command = {name: whole[name] for name in whole if name != "list"}
    check(in_tmp, command, lambda path: JsonFile().convert(path, None, None), ".json")


def test_entries_of_configurations():
    good, wrong, count = read_config("baseline"), {}, 0
    values = [None, True, "1", [], {}, [[1]], -1, 0.5, float("nan"), 1e999, 10**40, 0, [0], ["a"]]
    fine = {("gated", True), ("batch_norm", True), ("mask_percentage", 0.5), ("warm_up", 0.5)}
    fine |= {("mask_percentage", 0), ("warm_up", 0), ("beta_start", 0.5), ("learning_rate", 0.5)}
    fine |= {("seed", 0)}
    for entry in good:
        for value in values:
            if isinstance(value, (bool, int, float)) and (entry, value) in fine:
                if not (isinstance(value, bool) ^ (entry in ("gated", "batch_norm"))):
                    continue
            count += 1
            if found := fails(lambda e=entry, v=value: check_config({**good, e: v}), entry):
                wrong[f"{entry}={value!r}"] = found
    for data in [{"kind": "independent", "dim": 10**9}, {"kind": "correlated", "dim": 2.5},
                 {"kind": "side_by_side", "parts": [1]}, {"kind": ["moons"]}, {"dim": 2},
                 {"kind": "moons", "noise": float("nan")}, {"kind": "moons", "noise": "a"},
                 {"kind": "independent", "dim": 2, "variances": ["a", "b"]},
                 {"kind": "independent", "dim": 2, "variances": [-1, 1]},
                 {"kind": "correlated", "dim": 2, "seed": -1},
                 {"kind": "projected", "x_dim": 2, "projection_dim": 2, "rank": 0}]:  # fmt: skip
        count += 1
        if found := fails(lambda d=data: check_config({**good, "data": d}), "data"):
            wrong[f"data={data}"] = found
    for option in DEFAULTS:
        for value in (float("nan"), float("inf"), -1, "a", [1.5], {}):
            if option == "log_var" and value == -1:
                continue
            count += 1
            if found := fails(lambda o=option, v=value: complete_options({o: v}), option):
                wrong[f"{option}={value!r}"] = found
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())
    assert count > 300


def test_models(in_tmp):
    DenseCVAE(2, 2, enc_layers=[4], dec_layers=[4]).save("good.keras")
    good = (in_tmp / "good.keras").read_bytes()
    (in_tmp / "good.keras").unlink()
    names = [good.index(b"PK\x03\x04"), good.rindex(b"PK\x01\x02")]
    positions = [start + offset for start in names for offset in (0, 8, 10, 14, 18, 22, 26, 28, 30)]
    cases = dict(flips(good, [*positions, *range(len(good) // 3, len(good) - 400, 1500)]))
    cases |= {f"the first {n}": good[:n] for n in (0, 4, 100, len(good) // 2, len(good) - 5)}
    cases |= {"an .npz": npz(x=X), "text": b"no model" * 100}

    def read(path):
        load_model(path)
        raise ValueError(f"{path} is read, with a byte changed that says nothing.")

    check(in_tmp, cases, read, ".keras")


READERS = {
    ".npy": read_array,
    ".npz": lambda path: load_rows("artificial", path),
    ".csv": lambda path: load_rows(str(path)),
    ".json": read_config,
    ".keras": load_model,
}


@pytest.mark.skipif(os.name != "posix", reason="there are no such files")
@pytest.mark.parametrize("ending", READERS)
def test_what_is_no_regular_file(ending, in_tmp):
    os.mkfifo(f"pipe{ending}")
    os.mkdir(f"folder{ending}")
    os.symlink("gone", f"link{ending}")
    os.symlink("/dev/zero", f"device{ending}")
    os.symlink(f"loop{ending}", f"loop{ending}")
    names = ["pipe", "folder", "link", "device", "loop", "null\0", "absent"]
    names += ["long" * 63, "long" * 64, "long" * 1000, "/".join(["long" * 20] * 60)]
    names += ["latin 1 \udce9", "\udc80" * 300]  # as Python reads names that are not UTF-8
    before, wrong = sorted(os.listdir()), {}
    for name in names:
        path, shown = (
            f"{name}{ending}",
            repr(name[:30])[1:-1] if "\udc80" <= name[-1] else name[:30],
        )
        if found := fails(lambda path=path: READERS[ending](path), shown):
            wrong[shown] = found
    assert not wrong
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("ending", READERS)
def test_what_may_not_be_read(ending, in_tmp, monkeypatch):
    (in_tmp / f"closed{ending}").write_bytes(b"{}")
    deny(monkeypatch)
    for name in ("closed", "shut/file"):
        assert fails(lambda name=name: READERS[ending](f"{name}{ending}"), name) is None


def deny(monkeypatch):
    """What is named "closed" may not be read or written, and folders "shut" not be entered."""
    access, status = os.access, os.stat

    def may(path, mode):
        return not os.path.basename(path).startswith("closed") and access(path, mode)

    def enter(path, **options):
        if "shut" in str(path).split(os.sep)[:-1]:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return status(path, **options)

    monkeypatch.setattr(os, "access", may)
    monkeypatch.setattr(os, "stat", enter)


COMMANDS = {
    "data": ("data", "--out"),
    "testbed": ("testbed", "--config", "baseline", "--out"),
    "configuration": ("testbed", "--out", "new", "--config"),
    "solve": ("solve", "sinusoid", "--task", 1, "--epochs", 1, "--out"),
    "sample": ("sample", "--task", 1, "--out"),
    "grid": ("vad", "grid", "g", "--out"),
    "options": ("vad", "grid", "g", "--out", "new", "--options"),
    "train": ("vad", "train", "digits", "g", 0, "--out"),
    "rows": ("vad", "train", "artificial", "g", 0, "--out", "v", "--dataset-path"),
    "images": ("vad", "train", "mnist", "g", 0, "--out", "v", "--data-dir"),
    "test": ("vad", "test-clean", "digits", "g", 0, "--out"),
    "collect": ("vad", "collect", "g", "--out"),
    "table": ("table", "vad", "--quick", "--data", "digits", "--out"),
    "files": ("table", "imputation", "--out", "new", "--data-dir"),
    "search": ("search", "sinusoid", "--task", 1, "--trials", 1, "--out"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_name_the_path_that_is_too_long_or_may_not_be_opened(command, in_tmp, monkeypatch):
    assert CliRunner().invoke(main, ["vad", "grid", "g", "--out", "v"]).exit_code == 0
    (in_tmp / "closed").mkdir()
    deny(monkeypatch)
    before = sorted(in_tmp.rglob("*"))
    for path in ("long" * 64, "shut/file", "closed", "latin 1\udce9/x"):
        arguments = [str(each) for each in (*COMMANDS[command], path)]
        result = CliRunner().invoke(main, arguments)
        lines = result.stderr.splitlines()
        assert result.exit_code == 2, (path, result.output)
        assert path.split("/")[0].rstrip("\udce9")[:30] in lines[-1] and lines[-1].endswith("."), (
            path
        )
        assert not [line for line in lines[:-1] if "Traceback" in line]
    new = set(in_tmp.rglob("*")) - set(before)
    assert not [path for path in new if path.relative_to(in_tmp).parts[0] not in ("new", "v")]


def test_the_folder_reader_skips_what_it_cannot_read(in_tmp):
    cases = {**NO_ARRAYS, **{k: HEADERS[k] for k in list(HEADERS)[10:128:9]}}
    for number, content in enumerate(cases.values()):
        (in_tmp / f"{number:03d}.npy").write_bytes(content)
    os.mkfifo("pipe.npy")
    for number in range(200):
        (in_tmp / f"good_{number}.npy").write_bytes(NPY)
    with pytest.warns(UserWarning, match="files were left out"):
        folder = NpyFolder(in_tmp, on_error="skip")
    assert len(folder) >= 200 and folder[[0]].shape == (1, 12)
    assert set(folder.skipped) >= {"pipe.npy", "000.npy", "010.npy"}
    with pytest.raises(ValueError, match="files that cannot be read"):
        NpyFolder(in_tmp)


def test_files_of_data_sets(in_tmp):
    (in_tmp / "data_1").mkdir()
    (in_tmp / "fashion-mnist").mkdir()
    wrong = {}
    for name in ("empty", "huge", "objects", "half", "deeply nested", "text in it", "an .npz"):
        (in_tmp / "data_1" / "score.npy").write_bytes(NO_ARRAYS[name])
        wrong[name] = fails(lambda: load("data_1", "score", in_tmp), "score.npy")
        (in_tmp / "mnist.npz").write_bytes(NO_ARRAYS[name])
        wrong[f"{name} in mnist"] = fails(lambda: load_images("mnist", in_tmp), "mnist.npz")
        for part in ("train-images-idx3", "train-labels-idx1"):
            (in_tmp / "fashion-mnist" / f"{part}-ubyte.gz").write_bytes(NO_ARRAYS[name])
        wrong[f"{name} in .gz"] = fails(lambda: load_images("fashion_mnist", in_tmp), "idx3")
    assert not any(wrong.values()), wrong


def test_there_are_more_than_two_hundred_files():
    count = len(NO_ARRAYS) + len(HEADERS) + len(dict(npz_files())) + len(CSV) + 3 * len(JSON)
    assert count > 200
    assert json.dumps(sorted(JSON))
