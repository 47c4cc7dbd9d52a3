"""The table of the benchmark sbibm: published scores, rows, and what is refused."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from cvae_keras.experiments import inference


@pytest.fixture
def benchmark(tmp_path):
    """A folder like that of the benchmark: two moons, with 200 draws of the prior as reference."""
    rng, arrays = np.random.default_rng(0), {}
    for number in range(1, 6):
        arrays[f"observation_{number}"] = np.zeros((1, 2))
        arrays[f"reference_{number}"] = rng.uniform(-1, 1, (200, 2))
    np.savez(tmp_path / "two_moons.npz", **arrays)
    rows = [
        ("two_moons", name, 1000, number, score + 0.01 * number)
        for name, score in (("NPE", 0.7), ("SNPE", 0.6), ("NLE", 0.8))
        for number in range(1, 11)
    ]
    names = ["task", "algorithm", "num_simulations", "num_observation", "c2st"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / inference.PUBLISHED, index=False)
    return tmp_path


def test_published_scores_are_means_over_the_first_five_observations(benchmark):
    row = inference.published(benchmark).loc[("two_moons", 1000)]
    assert row["npe"] == pytest.approx(0.73) and row["best"] == pytest.approx(0.63)
    assert row["best_of"] == "SNPE"


def test_what_cannot_be_read_is_said_in_one_sentence(benchmark, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match="data_dir must be the folder of the reference samples"):
        inference.run_table(empty / "out")
    with pytest.raises(ValueError, match="cannot be read as the published scores"):
        inference.run_table(empty / "out", data_dir=empty)
    (benchmark / inference.PUBLISHED).write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="cannot be read as the published scores"):
        inference.published(benchmark)


def test_there_is_a_row_for_each_task_and_budget():
    jobs = inference.jobs_of()
    assert len(jobs) == 21 and len({job.name for job in jobs}) == 21
    some = inference.jobs_of(tasks=["slcp"], simulations=[1_000])
    assert [job.name for job in some] == ["slcp_1000"]


def test_tasks_with_many_parameters_are_regularized():
    jobs = {job.task: job for job in inference.jobs_of(simulations=[10_000])}
    for name in ("gaussian_linear", "gaussian_linear_uniform"):
        assert jobs[name].decay > jobs["slcp"].decay and jobs[name].average > 0
    assert jobs["sir"] == inference.InferenceJob("sir", 10_000)
    assert jobs["slcp"] == inference.InferenceJob("slcp", 10_000, link="probit")


def test_rows_of_an_older_version_are_kept(tmp_path):
    job = inference.InferenceJob("slcp", 10_000)
    row = dict.fromkeys(inference.InferenceJob.holds["row"], 0.5)
    config = {k: v for k, v in job.config().items() if k not in ("spared", "average", "link")}
    path = tmp_path / "slcp_10000.json"
    path.write_text(json.dumps({"row": row, "manifest": {"config": config, "seconds": 1.0}}))
    assert job.saved(tmp_path)["row"] == row


@pytest.mark.long
def test_the_mean_of_the_weights_is_kept():
    # momentum 1 keeps the weights of the first step, which moves each by at most the rate
    settings = {"batch": 60, "epochs": 3, **inference.REGULARIZED, "average": 1.0, "decay": 0.0}
    job = inference.InferenceJob("gaussian_linear", 200, **settings)
    kept, _ = inference.train(job)
    keras.utils.set_random_seed(job.seed)
    start = inference.CVAE((10,), (10,), seed=job.seed)
    pairs = zip(kept.trainable_variables, start.trainable_variables, strict=True)
    moved = max(float(keras.ops.max(keras.ops.abs(a - b))) for a, b in pairs)
    assert 0.0 < moved < 1.5 * job.rate


@pytest.mark.long
def test_a_table_is_written_and_its_rows_are_kept(benchmark, tmp_path):
    out = tmp_path / "out"
    text = inference.run_table(out, quick=True, data_dir=benchmark)
    row = json.loads((out / inference.FOLDER / "two_moons_1000.json").read_text())["row"]
    assert 0.5 < row["c2st"] <= 1.0 and "0.73" in text
    before = (out / "inference.csv").read_bytes()
    assert inference.run_table(out, quick=True, data_dir=benchmark) == text
    assert (out / "inference.csv").read_bytes() == before
