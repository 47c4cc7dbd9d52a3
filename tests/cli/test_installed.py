"""What a wheel has to bring, and where the package writes when it is installed from one."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cvae_keras.files import MARKER
from cvae_keras.systems.saved import SHIPPED

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_brings_every_shipped_model():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    models = {f"results/models/{name}.keras" for name in SHIPPED}
    assert set(wheel["only-include"]) == {"cvae_keras", *models}
    assert wheel["sources"] == {"results/models": "cvae_keras/shipped"}


@pytest.mark.long
def test_an_installed_package_writes_into_the_working_directory(tmp_path):
    site, folder = tmp_path / "site", tmp_path / "work"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "cvae_keras", site / "cvae_keras", ignore=ignored)
    shutil.copytree(ROOT / "results" / "models", site / "cvae_keras" / "shipped")
    folder.mkdir()
    before = sorted(site.rglob("*"))
    command = [sys.executable, "-B", "-m", "cvae_keras", "sample", "--task", "1", "--n", "1"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    names = {path.name for path in (folder / "results" / "quick").iterdir()}
    assert names == {"sinusoid_1_samples.png", MARKER}
    assert sorted(site.rglob("*")) == before
