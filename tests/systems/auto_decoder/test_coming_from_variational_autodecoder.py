"""The lines of A2Zadeh/Variational-Autodecoder, typed with only the command's name changed."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data.missing import load_rows
from cvae_keras.training import backends

TINY = {"latent_dim": 3, "hidden": [8], "train_rows": 48, "test_rows": 12}

pytestmark = pytest.mark.usefixtures("eager")


def run(line, *more):
    return CliRunner().invoke(main, [*line.split(), *(str(each) for each in more)])


def done(line, *more):
    result = run(line, *more)
    assert result.exit_code == 0, result.output
    return result


def grid(folder, **options):
    (folder / "o.json").write_text(json.dumps({k: [v] for k, v in {**TINY, **options}.items()}))
    done("vad grid test_configs --out", folder, "--options", folder / "o.json")
    return folder / "test_configs"


def test_the_lines_of_the_readme(in_tmp):
    rng = np.random.default_rng(0)
    with h5py.File(in_tmp / "images.h5", "w") as file:
        for name, rows in (("train_x", 48), ("test_x", 12)):
            file[name] = rng.integers(0, 256, (rows, 4, 4))
    path = grid(in_tmp)
    data = "--dataset_path images --out ."
    trained = done(
        "vad train mnist test_configs 0 --model vae --cuda --log_var -14 --n_train_epochs 2 "
        f"--n_test_epochs 3 --test_batch_size 256 --batch_size 32 {data}"
    )
    assert "finds no GPU" in trained.stderr or backends.gpus()
    about = json.loads((path / "train_0.json").read_text())["manifest"]
    wanted = {"variant": "vae", "log_var": -14.0, "epochs": 2, "test_steps": 3}
    wanted |= {"test_batch_size": 256, "batch_size": 32}
    assert about["given"] == wanted and wanted.items() <= about["config"].items()
    tested = done(
        "vad test_missing mnist test_configs 0 --model vae --cuda --log_var -14 --n_test_epochs 5 "
        f"--test_batch_size 256 --missing_mode fixed --save {data}"
    )
    assert "not read" not in tested.stderr
    other = done(
        "vad test_clean mnist test_configs 0 --model vae --log_var -3 --cuda --n_test_epochs 5 "
        f"--test_batch_size 256 {data}"
    )
    assert "log_var -3.0 is of training, which used -14.0: not read." in other.stderr
    (file,) = path.glob("test_missing_fixed_mnist-images-*_0.json")
    result = json.loads(file.read_text())
    assert result["config"]["test_steps"] == 5 and result["data"] == "images"
    with np.load(path / f"predictions_{file.stem}.npz") as saved:
        assert len(saved.files) == 19 and saved["x"].shape == (12, 16)
        squares = np.square(saved["x_hat_0.5"] - saved["x"])
        assert squares.mean() == pytest.approx(result["rows"][4]["mse"], rel=1e-5)
        hidden = squares[saved["mask_0.5"] == 0].mean()
        assert hidden == pytest.approx(result["rows"][4]["mse_missing"], rel=1e-5)
    done("vad collect test_configs --out .")
    frame = pd.read_csv(path / "results.csv")
    assert len(frame) == 10 and np.isfinite(frame[["train_loss", "train_kl", "test_kl"]]).all(
        axis=None
    )
    history = json.loads((path / "train_0.json").read_text())["history"]
    assert frame.train_loss[0] == history["loss"][-1]
    assert frame.test_kl.min() > 0.5 * 3 * (np.exp(-14) - 1 + 14)


@pytest.mark.parametrize(
    ("line", "beta", "schedule"),
    [
        ("", 0.02, "cosine"),
        ("--kl", 1.0, "cosine"),
        ("--kl --ratio_kl 0.25 --reduce", 0.25, "plateau"),
        ("--ratio-kl 0.5", 0.5, "cosine"),
        ("--no-kl", 0.0, "cosine"),
    ],
)
def test_the_weight_of_kl_and_the_plateau(in_tmp, line, beta, schedule):
    path = grid(in_tmp, epochs=1)
    done(f"vad train digits test_configs 0 --model vae_free --out . {line}")
    config = json.loads((path / "train_0.json").read_text())["manifest"]["config"]
    assert (config["beta"], config["schedule"]) == (beta, schedule)
    done(f"vad test_missing digits test_configs 0 --out . --missing_mode random {line}")


@pytest.mark.long
def test_every_option_of_the_decoder_is_tested(in_tmp):
    grid(in_tmp, epochs=1, layer_norm=True)
    done("vad train digits test_configs 0 --out .")
    done("vad test-missing digits test_configs 0 --missing-mode fixed --out .")
    done("vad plot digits test_configs 0 --out .")


def test_results_of_two_data_sets_stand_side_by_side(in_tmp):
    path = grid(in_tmp, epochs=1)
    (in_tmp / "b").mkdir()
    for number, file in enumerate((in_tmp / "t.csv", in_tmp / "b" / "t.csv")):
        rows = np.random.default_rng(number).random((40, 4))
        pd.DataFrame(rows, columns=list("abcd")).to_csv(file, index=False)
    done("vad train t.csv test_configs 0 --out .")
    done("vad test_clean t.csv test_configs 0 --out .")
    done("vad test_clean b/t.csv test_configs 0 --out .")
    assert len(list(path.glob("test_clean_*.json"))) == 2
    done("vad collect test_configs --out .")
    frame = pd.read_csv(path / "results.csv")
    assert set(frame.data) == {"t.csv", "b/t.csv"} and frame.mse.nunique() == 2


def test_plot_searches_as_the_configuration_says(in_tmp, monkeypatch):
    from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder

    grid(in_tmp, epochs=1, test_method="sgd", test_steps=2, test_init="zeros")
    done("vad train digits test_configs 0 --out .")
    seen, kept = [], VariationalAutoDecoder.find_latents
    monkeypatch.setattr(
        VariationalAutoDecoder,
        "find_latents",
        lambda self, *a, **k: seen.append(k) or kept(self, *a, **k),
    )
    done("vad plot digits test_configs 0 --out .")
    assert (seen[0]["method"], seen[0]["steps"], seen[0]["init"]) == ("sgd", 2, "zeros")


def test_what_testing_refuses_is_refused_before_training(in_tmp):
    path = grid(in_tmp, epochs=1)
    config = json.loads((path / "config_0.json").read_text())
    for option, value in [("test_init", "pca"), ("test_init", None), ("test_batch_size", 0)]:
        (path / "config_0.json").write_text(json.dumps({**config, option: value}))
        result = run("vad train digits test_configs 0 --out .")
        assert result.exit_code == 2 and option in result.stderr
    assert not (path / "model_0.keras").exists()
    (path / "config_0.json").write_text(json.dumps(config))
    for line, sentence in [
        ("--no-kl --ratio_kl 1", "exclude each other"),
        ("--model gan", "'gan' is not one of"),
        ("--log_var nan", "log_var must be"),
        ("--dataset_path x", "--dataset-path is for artificial, mnist, fashion_mnist"),
    ]:
        result = run(f"vad train digits test_configs 0 --out . {line}")
        assert result.exit_code == 2 and sentence in result.stderr, result.stderr


def test_hdf5_files_by_their_prefix(tmp_path):
    rng = np.random.default_rng(0)
    x, test = rng.normal(size=(9, 4)), rng.normal(size=(3, 4))
    mask = rng.integers(0, 2, x.shape)
    prefix = tmp_path / "activated_masked_50k"
    with h5py.File(f"{prefix}.h5", "w") as file:
        file["train_data"], file["test_data"] = x, test
    with h5py.File(f"{prefix}_0.5.h5", "w") as file:
        file["train_y"], file["train_mask"] = x * mask, mask
        file["test_y"], file["test_mask"], file["test_y_true"] = test, test * 0, test
    for path in (prefix, f"{prefix}.h5"):
        for found, wanted in zip(load_rows("artificial", path), (x, test), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
    found = load_rows("artificial", f"{prefix}_0.5")
    np.testing.assert_allclose(found[0], np.where(mask > 0, x, np.nan), rtol=1e-6)
    np.testing.assert_allclose(found[1], test, rtol=1e-6)
    np.testing.assert_allclose(load_rows("mnist", prefix)[1] * 255, test, rtol=1e-5)
    (tmp_path / "text.h5").write_text("text")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = x
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        file["train_data"], file["test_data"] = x, test[:, :3]
    for name, sentence in [
        ("none", r"none.h5 is not a file: name"),
        ("text", "cannot be read as an HDF5 file"),
        ("other", r"holds \['a'\]: store 'train_data'"),
        ("wide", "has training and test rows of shapes"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            load_rows("artificial", tmp_path / name)


def test_a_gpu_is_chosen_by_its_number(in_tmp, monkeypatch):
    grid(in_tmp, epochs=1)
    monkeypatch.setattr(backends, "gpus", lambda: 2)
    result = run("vad train digits test_configs 0 --out . --cuda_device 2")
    assert result.exit_code == 2 and "but there are 2 GPUs: give 0 to 1" in result.stderr
