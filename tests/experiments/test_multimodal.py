"""The multimodal table: what it runs, what it keeps, its exact densities, data and figure."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data.multimodal import GaussianModalities, image_modalities
from cvae_keras.experiments import multimodal as jobs
from cvae_keras.experiments import multimodal as table
from cvae_keras.metrics.classifier import ImageClassifier
from cvae_keras.plots.multimodal import tiled
from cvae_keras.truth.gaussian import conditional_log_density

RNG = np.random.default_rng(0)
ROOT_OF_S = RNG.normal(size=(5, 5))
S, MEAN = ROOT_OF_S @ ROOT_OF_S.T + 0.1 * np.eye(5), RNG.normal(size=5)
NONE = np.zeros(5, bool)


def pattern(*entries):
    return np.isin(np.arange(5), entries)


# -- the exact density ----------------------------------------------------------------------------
def test_density_obeys_the_chain_rule():
    x = RNG.normal(size=(7, 5))
    joint = conditional_log_density(x, ~NONE, NONE, S, MEAN)
    first = conditional_log_density(x, pattern(1, 4), NONE, S, MEAN)
    rest = conditional_log_density(x, pattern(0, 2, 3), pattern(1, 4), S, MEAN)
    np.testing.assert_allclose(first + rest, joint, rtol=1e-9)
    steps = [conditional_log_density(x, pattern(i), pattern(*range(i)), S, MEAN) for i in range(5)]
    np.testing.assert_allclose(np.sum(steps, axis=0), joint, rtol=1e-9)


def test_density_integrates_to_one_and_ignores_what_is_left_out():
    grid = np.linspace(-40, 40, 20_001)
    x = np.tile([0.3, np.nan, np.nan, 0.0, -0.5], (len(grid), 1))
    x[:, 3] = grid
    values = conditional_log_density(x, pattern(3), pattern(0, 4), S, MEAN)
    assert np.trapezoid(np.exp(values), grid) == pytest.approx(1.0, abs=1e-6)


def test_density_refuses_what_has_none():
    for change, sentence in [
        ({"target": NONE}, "target must hold an entry"),
        ({"given": pattern(0, 1)}, "none that given holds"),
        ({"target": np.ones(4)}, "have shapes"),
        ({"covariance": np.ones((5, 5))}, "determined by given"),
        ({"covariance": -np.eye(5)}, "is not a covariance"),
    ]:
        options = {"target": pattern(0), "given": pattern(1, 2), "covariance": S, **change}
        with pytest.raises(ValueError, match=sentence):
            conditional_log_density(np.zeros((1, 5)), **options)


# -- data -----------------------------------------------------------------------------------------
def test_gaussian_modalities_have_their_covariance_and_density():
    data = GaussianModalities({"x": 2, "a": 3}, seed=0)
    arrays = data.examples(50_000, seed=1)
    x = np.concatenate([arrays["x"], arrays["a"]], axis=1)
    np.testing.assert_allclose(np.cov(x.T), data.covariance, atol=0.03)
    total = data.log_prob(arrays, "x") + data.log_prob(arrays, "a", ["x"])
    other = data.log_prob(arrays, "a") + data.log_prob(arrays, "x", ["a"])
    np.testing.assert_allclose(total, other, rtol=1e-6)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * data.covariance)[1]
    assert total.mean() == pytest.approx(-entropy, abs=0.03)
    assert data.log_prob(arrays, "x", ["a"]).mean() > data.log_prob(arrays, "x").mean() + 0.1
    with pytest.raises(ValueError, match="covariance must be 5 x 5"):
        GaussianModalities({"x": 2, "a": 3}, covariance=np.eye(4))


def test_images_are_black_and_white_and_their_halves_fit():
    train, test = image_modalities("digits")
    for part, count in ((train, 1500), (test, 297)):
        assert set(np.unique(part["image"])) == {0, 1} and part["image"].shape == (count, 8, 8)
        both = np.concatenate([part["upper"], part["lower"]], axis=1)
        assert np.array_equal(both, part["image"]) and part["label"].shape == (count,)


def test_the_classifier_recognizes_real_digits():
    train, test = image_modalities("digits")
    classifier = ImageClassifier(train["image"], train["label"], epochs=3, batch_size=32)
    assert classifier.accuracy(test["image"], test["label"]) > 0.7
    assert classifier.accuracy(test["image"], (test["label"] + 1) % 10) < 0.1


# -- the table ------------------------------------------------------------------------------------
TINY = {"steps": 200, "batch": 32, "test": 20, "K": 5}


JOBS_OF = jobs.jobs_of


def tiny_jobs(quick, seed):
    found = JOBS_OF(True, seed)
    small = {"hidden": (8,), "epochs": 1, **TINY}
    del small["steps"]
    return [replace(found[0], **TINY)] + [replace(job, **small) for job in (found[1], found[-1])]


class Coin:
    """A classifier that costs nothing."""

    def __init__(self, images, labels, epochs):
        assert set(np.unique(images)) == {0, 1} and len(images) == len(labels)

    def accuracy(self, images, labels):
        assert set(np.unique(images)) <= {0, 1} and len(images) == len(labels)
        return 0.5


def test_all_rows_are_asked_for():
    full = jobs.jobs_of()
    assert len({job.name for job in full}) == len(full) == 9
    gaussian = [job for job in full if job.data == "gaussian"]
    assert {dim for job in gaussian for dim in job.dims} <= set(range(2, 9))
    assert {(job.task, job.prior) for job in full if job.data == "mnist"} == {
        (task, prior) for task in jobs.TASKS for prior in jobs.PRIORS
    }
    assert all(job.K == 1000 for job in full)


def test_table_is_written_and_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "jobs_of", tiny_jobs)
    monkeypatch.setattr(table, "ImageClassifier", Coin)
    table.images_of.cache_clear()
    result = CliRunner().invoke(main, ["table", "multimodal", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "multimodal.csv")
    assert len(frame) == 8 + 2 and list(frame["given"][:2]) == ["nothing", "a"]
    assert np.isfinite(frame["log_p"]).all() and frame["judged"][8:].between(0, 1).all()
    assert (frame["gap_per_dim"][:8] < 2 * frame["gap_se"][:8]).all()
    assert (tmp_path / "multimodal.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "multimodal.json").read_text())["config"]["jobs"]
    written = (tmp_path / "multimodal.md").read_bytes()
    for name in ("run_gaussian", "run_images", "ImageClassifier"):
        monkeypatch.setattr(table, name, None)  # nothing is run again
    table.images_of.cache_clear()
    table.run_table(tmp_path, quick=True)
    assert (tmp_path / "multimodal.md").read_bytes() == written


def test_bad_folder_and_data_are_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    arguments = ["table", "multimodal", "--out", str(tmp_path / "file")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "cannot be made" in result.stderr
    assert result.stderr.count("\n") == 1


def test_tiled_images_keep_their_place():
    shown = tiled(np.arange(6, dtype="float32").reshape(2, 3, 1, 1))
    assert shown.shape == (4, 6) and shown[::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5]]
