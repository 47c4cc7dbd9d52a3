"""Tables, JSON and folders on disk."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from cvae_keras.files import manifest, open_folder, write_json, write_table


def test_table_round_trips(tmp_path):
    frame = pd.DataFrame({"row": ["1", "8 as run"], "kl": [1 / 3, np.nan], "epochs": [30, 25]})
    text = write_table(frame, tmp_path / "table", "A title", "Some notes.\n")
    again = pd.read_csv(tmp_path / "table.csv", dtype={"row": str})
    assert list(again.columns) == list(frame.columns)
    assert list(again["row"]) == ["1", "8 as run"] and list(again["epochs"]) == [30, 25]
    np.testing.assert_allclose(again["kl"], frame["kl"], rtol=1e-5)
    assert (tmp_path / "table.md").read_text() == text
    lines = text.splitlines()
    assert lines[0] == "# A title" and lines[-1] == "Some notes."
    assert lines[2:6] == [
        "| row | kl | epochs |",
        "|---|---|---|",
        "| 1 | 0.3333 | 30 |",
        "| 8 as run |  | 25 |",
    ]


def test_json_is_written_in_one_step(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, manifest({"seed": 0}, 1.25))
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        write_json(path, {"not plain": object()})
    assert json.loads(path.read_text())["config"] == {"seed": 0}
    write_json(path, {"array": np.eye(2), "number": np.float32(0.5)})
    assert json.loads(path.read_text()) == {"array": [[1, 0], [0, 1]], "number": 0.5}
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]


def test_folders_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("kept")
    for path in (file, file / "below"):
        with pytest.raises(ValueError, match=r"^folder .* cannot be made \(.*\): name another\.$"):
            open_folder(path)
    assert file.read_text() == "kept"
    assert open_folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match=r"^folder .* cannot be written: change its permissions"):
        open_folder(tmp_path)
