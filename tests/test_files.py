"""Tables, JSON and folders on disk."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from cvae_keras.files import MARKER, claim, manifest, marked, open_folder, write_json, write_table


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


def test_a_folder_that_two_processes_claim_at_once_is_of_one(tmp_path, monkeypatch):
    link = os.link

    def other_is_first(*paths):
        monkeypatch.setattr(os, "link", link)
        with ThreadPoolExecutor(1) as pool:  # stands for the other process
            (pool.submit(claim, folder, "search").result() / "search.json").write_text("{}")
        link(*paths)

    for content in ("search", "testbed"):
        folder = tmp_path / content
        monkeypatch.setattr(os, "link", other_is_first)
        if content == "search":
            assert claim(folder, content) == folder
        else:
            with pytest.raises(ValueError, match="holds a search, not a testbed: name another"):
                claim(folder, content)
        assert marked(folder) == "search"
        assert sorted(os.listdir(folder)) == [MARKER, "search.json"]


@pytest.mark.parametrize("links", [True, False])
def test_many_claim_a_folder(links, tmp_path, monkeypatch):
    def fail(*paths):
        raise PermissionError(1, "Operation not permitted", *paths)

    def attempt(number):
        try:
            return claim(tmp_path / "new", f"content {number % 2 if links else 0}").name
        except ValueError as error:
            return str(error)

    if not links:  # as on some file systems
        monkeypatch.setattr(os, "link", fail)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(attempt, range(16)))
    assert found.count("new") == (8 if links else 16)
    assert all(each == "new" or "name another folder" in each for each in found)
    assert os.listdir(tmp_path / "new") == [MARKER]
