"""The report of a first run: one well-formed file, with the numbers and figures of the run."""

import base64
import json
import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest

from cvae_keras.experiments.sinusoid import quick, solved
from cvae_keras.experiments.sinusoid.quick import MEASURES, NOTEBOOKS, run_quick
from cvae_keras.files import ROOT

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run with tiny models, and what its report holds."""
    folder = tmp_path_factory.mktemp("quick & tiny")
    tiny = {
        "mixture": {"categories": 3, "width": 8, "depth": 1, "order": 2},
        "small": {**solved.DEEP, "width": 8, "depth": 1},
    }
    with pytest.MonkeyPatch.context() as patch:
        for model, options in tiny.items():
            recipe = solved.Recipe(options, 2, 8, 1e-3, 10.0, solved.SMALL.scales, 3, 1)
            recipe = recipe if model == "small" else recipe._replace(scales=None)
            patch.setitem(solved.MODELS, model, (solved.MODELS[model][0], {1: recipe}))
        solved.train(1, folder / "shipped", "mixture")
        report = run_quick(folder / "out", folder / "shipped", curves=5)
    return folder / "out", ElementTree.fromstring(report.read_text())


def test_the_report_needs_no_other_file(run):
    _, page = run
    assert page.tag == "html" and page.get("lang") == "en"
    assert not list(page.iter("link")) and not list(page.iter("script"))
    sources = [each.get("src") for each in page.iter() if each.get("src")]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    (style,) = page.iter("style")
    assert "url(" not in style.text and "@import" not in style.text


def test_each_figure_is_in_the_report(run):
    folder, page = run
    images = {each.get("id"): each for each in page.iter("img")}
    files = {
        "training": "quick_training.png",
        "samples": "quick_samples.png",
        "solved": "sinusoid_solved.png",
    }
    assert set(images) == set(files)
    for name, file in files.items():
        embedded = base64.b64decode(images[name].get("src").split(",")[1], validate=True)
        assert embedded == (folder / file).read_bytes() and embedded.startswith(b"\x89PNG")
        assert len(images[name].get("alt")) > 20


def test_the_numbers_of_the_report_are_those_of_the_run(run):
    folder, page = run
    kept = json.loads((folder / "quick.json").read_text())
    own = pd.DataFrame(kept["rows"])[["samples", *MEASURES]]
    shipped = pd.read_csv(folder / "sinusoid_solved.csv")[["task", "model", "samples", *MEASURES]]
    assert list(own["samples"]) == ["prior", "refined", "exact"]
    tables = list(page.iter("table"))
    for frame, table in zip((own, shipped), tables, strict=True):
        head, *rows = [[cell.text or "" for cell in row] for row in table.iter("tr")]
        assert head == list(frame)
        shown = frame.map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
        assert rows == shown.replace("nan", "").to_numpy().tolist()
    words = " ".join(page.itertext())
    assert all(f"{name} (" in words or name == "accepted" for name in MEASURES)
    assert "Trained for 6 steps of 8 fresh" in " ".join(words.split())


def test_the_links_of_the_report_are_there(run):
    folder, page = run
    links = [each.get("href") for each in page.iter("a")]
    assert len(links) == len(NOTEBOOKS) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert all((folder / link).is_file() for link in links)


def test_the_python_of_the_report_runs(run):
    _, page = run
    code = next(each.text for each in page.iter("pre"))
    names = {"__name__": "report"}
    exec(compile(code, "report.html", "exec"), names)
    assert names["samples"].shape == (100, 5, 50, 2)


def test_a_report_is_replaced_only_with_force(run, monkeypatch):
    folder, _ = run
    before = (folder / "report.html").read_bytes()
    with pytest.raises(ValueError, match="report.html is there: give --force to run again"):
        run_quick(folder)
    assert (folder / "report.html").read_bytes() == before

    def train(*arguments, **options):
        raise InterruptedError

    written = []
    monkeypatch.setattr(quick, "train", train)
    monkeypatch.setattr(quick.tqdm, "write", written.append)
    with pytest.raises(InterruptedError):
        run_quick(folder, force=True)
    assert written[0] == f"Replaces {folder / 'report.html'}"
