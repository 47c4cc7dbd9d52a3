"""What the project says about itself in several files agrees."""

import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def read(name):
    return (ROOT / name).read_text()


def test_versions_agree():
    version = re.search(r"^version: (.+)$", read("CITATION.cff"), re.M)[1]
    assert re.search(r'^__version__ = "(.+)"$', read("cvae_keras/__init__.py"), re.M)[1] == version
    assert "## Unreleased" in read("CHANGELOG.md") or f"## {version}" in read("CHANGELOG.md")


def test_ruff_is_the_same_everywhere():
    pinned = re.search(r"^ruff==(.+)$", read("requirements.txt"), re.M)[1]
    assert f"rev: v{pinned} " in read(".pre-commit-config.yaml")


def test_the_pythons_of_the_workflow_are_those_supported():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    tested = re.search(r"python: \[(.+)\]", read(".github/workflows/ci.yml"))[1]
    assert re.findall(r"3\.\d+", tested) == supported
    assert project["requires-python"] == f">={supported[0]},<3.{int(supported[-1][2:]) + 1}"


def test_modules_that_the_changelog_names_are_there():
    rows = re.findall(r"^\| `cvae_keras\..*\| (.*) \|$", read("CHANGELOG.md"), re.M)
    modules = {name for row in rows for name in re.findall(r"`(cvae_keras\.[\w.]+)`", row)}
    assert len(rows) > 90 and len(modules) > 40
    assert not {name for name in modules if importlib.util.find_spec(name) is None}
