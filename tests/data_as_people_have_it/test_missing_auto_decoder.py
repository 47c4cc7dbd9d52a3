"""Empty cells of a file are missing entries: no row is left out."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data.missing import load_rows, observed_entries
from cvae_keras.experiments.auto_decoder import run
from cvae_keras.search.spaces.auto_decoder import VADHyperModel

TINY = {"latent_dim": 2, "hidden": [4], "epochs": 1}


pytestmark = pytest.mark.usefixtures("eager")


def table(share, rows=1000, columns=10):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 1)) + 0.1 * rng.normal(size=(rows, columns))
    return np.where(rng.random(x.shape) < share, np.nan, x)


def csv(folder, frame):
    path = folder / "mine.csv"
    pd.DataFrame(frame).to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9])
def test_all_rows_are_there(share, tmp_path):
    x = table(share)
    parts = load_rows(csv(tmp_path, x))
    assert [len(part) for part in parts] == [800, 200]
    assert np.isnan(np.concatenate(parts)).sum() == np.isnan(x).sum()
    train, mask = observed_entries(parts[0])
    assert np.array_equal(mask > 0, ~np.isnan(parts[0])) and np.isfinite(train).all()
    assert np.nanmin(parts[0]) == 0 and np.nanmax(parts[0]) == 1
    hypermodel = VADHyperModel(csv(tmp_path, x), missing=0.3)
    assert len(hypermodel.arrays["x"]) + len(hypermodel.held_out["x"]) == 800
    assert not np.any(hypermodel.arrays["mask"] * np.isnan(parts[0][:640]))
    assert all(np.isfinite(array).all() for array in hypermodel.arrays.values())


def test_commands_read_files_with_empty_cells(tmp_path):
    path = csv(tmp_path, table(0.2, rows=200))
    (tmp_path / "o.json").write_text(json.dumps({name: [value] for name, value in TINY.items()}))

    def call(*arguments):
        result = CliRunner().invoke(main, ["vad", *map(str, arguments), "--out", str(tmp_path)])
        assert result.exit_code == 0, result.output
        return result

    call("grid", "g", "--options", tmp_path / "o.json")
    call("train", path, "g", 0)
    history = json.loads((tmp_path / "g" / "train_0.json").read_text())["history"]
    assert np.isfinite([*history["mse"], *history["loss"]]).all()
    call("test-missing", path, "g", 0, "--missing-mode", "fixed")
    (tested,) = (tmp_path / "g").glob("test_missing_fixed_*_0.json")
    rows = json.loads(tested.read_text())["rows"]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    call("plot", path, "g", 0)


def test_scores_count_what_is_known():
    class Ones:
        def reconstruct(self, x, mask):
            assert np.isfinite(x).all() and not np.any(x[mask == 0])
            return np.ones_like(x)

    x = np.array([[0.0, np.nan], [np.nan, 2.0], [3.0, np.nan]] * 50)
    row = run.score_missing(Ones(), {}, x, 0.0, 0)
    assert row["mse"] == row["mse_observed"] == 2.0 and "mse_missing" not in row
    row = run.score_missing(Ones(), {}, x, 0.5, 0)
    assert row["mse"] == 2.0 and 1 < row["mse_missing"] < 4


def test_arrays_with_nan_are_read_too(tmp_path):
    x = table(0.3, rows=50)
    np.savez(tmp_path / "x.npz", x=x)
    parts = load_rows("artificial", tmp_path / "x.npz")
    assert np.isnan(np.concatenate(parts)).sum() == np.isnan(x).sum()
    model, history = run.train(TINY, parts[0])
    assert np.isfinite(history.history["loss"]).all()


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    frame = pd.DataFrame(table(0.2, rows=50, columns=2), columns=["a", "b"])
    for odd, sentence in [
        (["red", "blue"] * 25, "in its column 'c'"),
        (["2020-01-01"] * 50, "in its column 'c'"),
        ([np.nan] * 50, r"columns \['c'\] without a number"),
        ([np.inf] * 50, r"infinity in columns \['c'\]"),
        (["1,000", "2,000"] * 25, "in its column 'c'"),
    ]:
        with pytest.raises((TypeError, ValueError), match=sentence):
            load_rows(csv(tmp_path, frame.assign(c=odd)))
    flags = frame.assign(c=[True, None] * 25)
    assert load_rows(csv(tmp_path, flags))[0].shape == (40, 3)
