"""`cvae-keras impute`: what it writes, and what it refuses in one sentence without a file."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main

TABLE = """name,age,income,smoker,city,visits
p0,31,2.50,TRUE,"Rome, IT",0
p1,,3.10,FALSE,Oslo,2
p2,40,NA,,Oslo,1
p3,38,2.90,TRUE,,
p4,29,2.40,FALSE,"Rome, IT",3
p5,35,3.00,TRUE,Oslo,1
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(TABLE)
    return path


def impute(*arguments):
    return CliRunner().invoke(main, ["impute", *(str(argument) for argument in arguments)])


def test_completed_table_samples_and_figure(table, tmp_path):
    out = tmp_path / "new" / "out.csv"
    options = ["--ignore", "name", "--counts", "visits", "--epochs", 1, "--samples", 2]
    result = impute(table, out, *options)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "out.csv", "out.png", "out_samples.csv",
    ]  # fmt: skip
    assert table.read_text() == TABLE
    cells = {"dtype": str, "keep_default_na": False}
    before, after = pd.read_csv(table, **cells), pd.read_csv(out, **cells)
    empty = before.isin(["", "NA"])
    assert before.where(~empty).equals(after.where(~empty)) and empty.to_numpy().sum() == 5
    filled = after.to_numpy()[empty.to_numpy()]
    assert filled[0].isdigit() and filled[2] in ("TRUE", "FALSE")
    assert filled[3] in ("Rome, IT", "Oslo") and filled[4].isdigit() and float(filled[1]) > 0
    samples = pd.read_csv(out.with_name("out_samples.csv"), **cells)
    assert samples[".imp"].tolist() == ["1"] * 6 + ["2"] * 6
    for number in ("1", "2"):
        draw = samples[samples[".imp"] == number].drop(columns=".imp").reset_index(drop=True)
        assert before.where(~empty).equals(draw.where(~empty)) and not draw.isin(["", "NA"]).any(
            axis=None
        )
    lines = result.stdout.splitlines()
    assert lines[0] == "| column | missing | filled | uncertainty | as |" and len(lines) == 8
    assert "| smoker | 1 | 1 |" in result.stdout and "chance of error" in result.stdout
    assert "100%" in result.stderr  # the progress bar

    again = impute(table, out, *options)
    assert again.exit_code == 2 and "out.csv is there: give --force" in again.stderr
    content = out.read_bytes()
    assert impute(table, out, *options, "--force").exit_code == 0 and out.read_bytes() == content


WRONG = [
    ("a,b\n1,2\n3,4\n", [], "has no empty cell to fill: nothing is written"),
    ("a,b\n1,\n3,\n", [], r"has no value in columns \['b'\]: give --ignore"),
    ("a,b\n1,\n", [], "has 1 rows below its header"),
    ("", [], "cannot be read as a .csv file"),
    ("a,a\n1,\n2,3\n", [], "columns of the same name"),
    ("a,b\n1,\n2,3,4\n", [], "cannot be read as a .csv file"),
    ("a,b\n1.5,\n2,3\n", ["--counts", "a"], "choose 'normal'"),
    ("a,b\n1.5,\n2,3\n", ["--counts", "c"], "has no column 'c'"),
    (".imp,b\n1.5,\n2,3\n", [], "has a column '.imp'"),
    ("a,b\ninf,\n2,3\n", [], "infinity"),
]


@pytest.mark.parametrize(("content", "options", "sentence"), WRONG)
def test_wrong_tables_are_refused_in_one_sentence(content, options, sentence, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(content)
    result = impute(path, tmp_path / "out.csv", *options)
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("cvae-keras: ") and result.stderr.count("\n") == 1
    assert pd.Series([result.stderr]).str.contains(sentence).all(), result.stderr
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == content


def test_a_column_of_names_is_to_be_ignored(tmp_path):
    path = tmp_path / "in.csv"
    frame = pd.DataFrame({"name": [f"p{i}" for i in range(120)], "a": np.arange(120.0)})
    frame.mask(frame == 3.0).to_csv(path, index=False)
    result = impute(path, tmp_path / "out.csv")
    assert result.exit_code == 2 and "leave the column out by --ignore 'name'" in result.stderr


def test_files_are_never_written_over(table, tmp_path):
    for name, sentence in [
        ("in.csv", "is the table that is read: name another file"),
        ("out.txt", "OUT must name a .csv file"),
    ]:
        result = impute(table, tmp_path / name, "--force")
        assert result.exit_code == 2 and sentence in result.stderr
    (tmp_path / "out.png").write_text("mine")
    result = impute(table, tmp_path / "out.csv")
    assert result.exit_code == 2 and "out.png is there: give --force" in result.stderr
    assert (tmp_path / "out.png").read_text() == "mine" and table.read_text() == TABLE
    assert impute(tmp_path / "none.csv", tmp_path / "o.csv").exit_code == 2
    assert impute(tmp_path, tmp_path / "o.csv").exit_code == 2
