"""The auto-decoder's experiments: configurations, commands, and the table."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data.missing import draw_mask, load_rows
from cvae_keras.experiments.auto_decoder import table
from cvae_keras.experiments.auto_decoder.run import (
    DEFAULTS,
    complete,
    read_config,
    score_missing,
    train,
    write_grid,
)
from cvae_keras.files import MARKER, claim, markdown

TINY = {"latent_dim": 3, "hidden": [8], "epochs": 1, "train_rows": 64, "test_rows": 16}


pytestmark = pytest.mark.usefixtures("eager")


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_options_are_checked(tmp_path):
    assert complete({}) == DEFAULTS
    with pytest.raises(ValueError, match=r"options \['latents'\] are unknown"):
        complete({"latents": 3})
    with pytest.raises(ValueError, match="schedule 'step' is unknown"):
        complete({"schedule": "step"})
    with pytest.raises(ValueError, match="latent_dim must be a list"):
        write_grid(tmp_path / "g", {"latent_dim": 25})
    assert not (tmp_path / "g").exists()
    grid = {"latent_dim": [2, 3], "hidden": [[4], [5]]}
    paths = write_grid(tmp_path / "g", grid) + write_grid(tmp_path / "g", grid)
    assert [path.name for path in paths] == [f"config_{i}.json" for i in range(8)]
    configs = [json.loads(path.read_text()) for path in paths]
    pairs = [(config["latent_dim"], *config["hidden"]) for config in configs]
    assert pairs == [(2, 4), (2, 5), (3, 4), (3, 5)] * 2
    with pytest.raises(ValueError, match="config_9.json is not there"):
        read_config(tmp_path / "g", 9)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "plateau"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_recipe_trains_and_is_tested(schedule, optimizer):
    x, x_test = load_rows("digits", train=64, test=16)
    config = complete({**TINY, "schedule": schedule, "optimizer": optimizer, "missing": 0.5})
    model, history = train(config, x)
    assert np.isfinite(history.history["loss"]).all()
    for method in ("newton", "gradient", "adam", "sgd"):
        settings = {**config, "test_method": method, "test_steps": 2, "test_lr": 1e-3}
        row = score_missing(model, settings, x_test, 0.5, 0)
        assert np.isfinite(row["mse"]) and row["mse_missing"] > 0
    assert "mse_missing" not in score_missing(model, config, x_test, 0.0, 0)


def test_first_order_reaches_the_minimum():
    x, x_test = load_rows("digits", train=64, test=16)
    # not ReLU, whose few units may all be inactive at the mean latent, where the search starts
    model, _ = train({**TINY, "beta": 1.0, "activation": "tanh"}, x)
    mask = draw_mask(x_test.shape, 0.5, 0)
    exact = model.find_latents(x_test, mask, method="newton", steps=50)
    found = model.find_latents(x_test, mask, method="adam", steps=400, rate=0.02)

    def cost(z):
        return (mask * (x_test - model.decode(z)) ** 2).sum() + 0.5 * (z**2).sum()

    assert cost(found) == pytest.approx(cost(exact), rel=0.02)


def test_commands_from_grid_to_csv(tmp_path):
    options = tmp_path / "options.json"
    options.write_text(json.dumps({name: [value] for name, value in TINY.items()}))
    out = ["--out", tmp_path]
    assert run("vad", "grid", "g", "--options", options, *out).exit_code == 0
    result = run("vad", "train", "digits", "g", 0, *out)
    assert result.exit_code == 0, result.stderr
    model = (tmp_path / "g" / "model_0.keras").read_bytes()
    result = run("vad", "train", "digits", "g", 0, *out)
    assert result.exit_code == 2 and "give --force" in result.stderr
    assert (tmp_path / "g" / "model_0.keras").read_bytes() == model
    for mode in ("fixed", "random"):
        result = run("vad", "test-missing", "digits", "g", 0, *out, "--missing-mode", mode)
        assert result.exit_code == 0, result.stderr
    assert run("vad", "test-clean", "digits", "g", 0, *out).exit_code == 0
    assert run("vad", "plot", "digits", "g", 0, *out).exit_code == 0
    assert (tmp_path / "g" / "plot_0.png").exists()
    assert run("vad", "collect", "g", *out).exit_code == 0
    frame = pd.read_csv(tmp_path / "g" / "results.csv")
    assert len(frame) == 19 and set(frame.kind) == {
        "test_missing_fixed", "test_missing_random", "test_clean"
    }  # fmt: skip
    for arguments, sentence in [
        (("vad", "collect", "none"), "none is not there: make it"),
        (("vad", "train", "digits", "g", 7), "config_7.json is not there"),
        (("vad", "test-clean", "digits", "g", 3), "config_3.json is not there"),
        (("vad", "train", "artificial", "g", 0, "--force"), "give --dataset-path"),
    ]:
        result = run(*arguments, *out)
        assert result.exit_code == 2 and sentence in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.long
def test_table_is_written_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "QUICK", TINY)
    monkeypatch.setattr(table, "OPTIONS", {})
    trained = []
    job = table.run_job
    monkeypatch.setattr(
        table, "run_job", lambda one, *a, **k: trained.append(one.name) or job(one, *a, **k)
    )
    text = table.run_table(tmp_path, quick=True, data=["digits"])
    assert len(trained) == 28 and "VAE mask-aware" in text and "0.133" in text
    assert "Not run, and blank: none." in text
    files = {path.name for path in tmp_path.iterdir()} - {MARKER}
    assert files == {"vad.csv", "vad.md", "vad.json", "vad.png", "vad_panel_digits.png", "vad_rows"}
    frame = pd.read_csv(tmp_path / "vad.csv")
    errors = [f"{model}{end}" for model in table.MODELS for end in table.ERRORS.values()]
    assert len(frame) == 6 and len(errors) == 21  # 2 cases, 3 ratios; 7 models, 3 kinds of errors
    assert frame[errors].gt(0).all(axis=None)
    assert set(frame.lowest) <= set(table.MODELS)
    assert markdown(frame) in text  # both files hold the same table
    (tmp_path / "vad_rows" / "digits_VAD_0.5.json").unlink()
    assert table.run_table(tmp_path, quick=True, data=["digits"]) == text
    assert trained[28:] == ["digits_VAD_0.5"]


def test_the_text_says_where_the_auto_decoder_does_not_win_and_what_was_not_run(tmp_path):
    errors = {
        "VAD": (0.2, 0.9),
        "VAD table prior": (0.3, 0.5),
        "MIWAE": (0.4, 0.4),
        "mean": (1, 0.8),
    }
    frame = pd.DataFrame(
        [("digits", table.CASES[1], model, ratio, mse, mse, mse)
         for model, pair in errors.items() for ratio, mse in zip((0.1, 0.9), pair, strict=True)],
        columns=["data", "case", "model", "ratio", *table.ERRORS],
    )  # fmt: skip
    claim(tmp_path, "results")
    absent = [table.Job("digits", "VAE mask-aware", 0.0, (0.1, 0.9))]
    text = table.write(tmp_path, frame, absent)
    place = "digits b: clean training 0.9 (MIWAE)."
    assert f"VAD is not the lowest of those run at (with the model that is): {place}" in text
    assert f"Neither VAD nor VAD table prior is the lowest of those run at: {place}" in text
    assert "not below the mean at: digits b: clean training 0.9 (MIWAE)." in text
    assert "Not run, and blank: VAE mask-aware, case b: clean training, on digits." in text
    assert pd.read_csv(tmp_path / "vad.csv")["lowest"].tolist() == ["VAD", "MIWAE"]


def test_the_mean_is_of_observed_entries_and_each_model_reads_its_own_masks():
    x, x_test = load_rows("digits", train=64, test=16)
    job = table.Job("digits", "mean", 0.5, (0.5,), seed=1)
    found = table.fit(job, x).reconstruct(x_test, None)
    mask = draw_mask(x.shape, 0.5, [1, 1]) > 0
    assert found[3] == pytest.approx(np.nan_to_num(np.ma.array(x, mask=~mask).mean(axis=0)))
