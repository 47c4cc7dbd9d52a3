"""The notebooks: each runs from top to bottom, and what is committed is fit to be read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cvae_keras.files import RESULTS, ROOT
from cvae_keras.systems.saved import SHIPPED

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|root|tmp|home|Users)/")
MAX_BYTES = 1_500_000
#: Notebooks that train many models for a few steps each, which takes less time than their graphs.
BRIEF = ["05_hyperparameter_search.ipynb", "09_your_own_cvae.ipynb", "11_which_model_when.ipynb"]
LINK = re.compile(r"\]\(([^)\s]+)\)")

#: Run before a notebook: Adam takes one operation for each variable, where it would take 14.
FIRST = """
def save_time(brief):
    import keras
    import tensorflow as tf
    from cvae_keras.training import FusedAdam

    tf.config.run_functions_eagerly(brief)
    keras.optimizers.Adam = FusedAdam

save_time({brief})
del save_time
"""
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells.insert(0, nbformat.v4.new_code_cell(sys.argv[3]))
try:
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}
    ).execute()
except CellExecutionError as error:
    failed = [
        f"cell {number}:\\n{cell.source}"
        for number, cell in enumerate(notebook.cells, start=-1)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    sys.exit("\\n\\n".join([*failed, str(error)[-3000:]]))
"""


def read(path):
    return nbformat.read(path, as_version=4)


def missing_models(path):
    """Names of the shipped models that a notebook loads and that are not there."""
    source = "\n".join(cell.source for cell in read(path).cells)
    asked = [name for name in SHIPPED if f'load_pretrained("{name}")' in source]
    return [name for name in asked if not (RESULTS / "models" / f"{name}.keras").is_file()]


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS], "notebooks/ holds no notebook"


def test_the_set_up_line_comes_before_what_warns():
    """In a notebook tqdm.auto warns when it is imported, which must not be before `setup`."""
    code = "import sys, cvae_keras.notebook; sys.exit('tqdm.auto' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, timeout=300)
    assert run.returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_runs_from_top_to_bottom(path, tmp_path):
    if missing := missing_models(path):
        pytest.skip(f"{', '.join(missing)} not trained yet: run `cvae-keras solve sinusoid`")
    environment = {**os.environ, "CVAE_QUICK": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    first = FIRST.format(brief=path.name in BRIEF)
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(tmp_path), first],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, f"{path.name} failed in {run.stderr}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_is_committed_with_outputs(path):
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    assert counts == list(range(1, len(code) + 1)), f"{path.name} was not run from top to bottom"
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds and "display_data" in kinds
    assert Path(path).stat().st_size < MAX_BYTES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_names_no_path_of_a_machine_and_no_warning(path):
    for number, cell in enumerate(read(path).cells):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            name = output.get("name", output.output_type)
            assert name != "stderr", f"{path.name}, cell {number} writes to stderr: {output.text}"
            data = output.get("data", {})
            texts += [output.get("text", "")]
            texts += [text for kind, text in data.items() if kind.startswith("text/")]
        for text in texts:
            found = MACHINE_PATH.search(text)
            assert not found, f"{path.name}, cell {number} names {text[found.start() :][:60]!r}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_opens_with_its_run_time_its_neighbors_and_where_to_open_it(path):
    first = read(path).cells[0].source
    assert re.search(r"^\*Run time: about \d minutes? on two cores\.", first, re.MULTILINE)
    place = NOTEBOOKS.index(path)
    beside = {"Previous": place - 1, "Next": place + 1}
    for word, index in beside.items():
        found = re.search(rf"{word}: \[[^]]+\]\(([^)]+)\)", first)
        there = 0 <= index < len(NOTEBOOKS)
        assert (found.group(1) if found else None) == (NOTEBOOKS[index].name if there else None)
    opened = [link for link in LINK.findall(first) if link.endswith(path.name) and "/" in link]
    hosts = ["https://github.com/", "https://colab.research.google.com/", "https://mybinder.org/"]
    for link, host in zip(opened, hosts, strict=True):
        assert link.startswith(host)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_links_to_files_that_are_there(path):
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    links = [link for text in texts for link in LINK.findall(text)]
    for link in links:
        if not link.startswith(("http", "#", "attachment:")):
            assert (path.parent / link.partition("#")[0]).exists(), f"{path.name} links to {link}"


def test_the_start_page_links_to_every_other_notebook():
    text = "\n".join(cell.source for cell in read(NOTEBOOKS[0]).cells)
    for path in NOTEBOOKS[1:]:
        assert f"]({path.name})" in text
