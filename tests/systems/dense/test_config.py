"""Configurations of the dense system: those that are shipped, and those that are refused."""

import pytest

from cvae_keras.systems.dense import config as testbed

SMALL = {"latent_dim": 3, "enc_layers": [8], "dec_layers": [8], "epochs": 2, "steps": 20}


SMALL |= {"batch_size": 16, "betas": [0.5]}


def small(name="baseline", **changes):
    return testbed.read_config(name) | SMALL | changes


def test_all_configurations_of_the_issue_are_shipped():
    names = "baseline blobs circles circles_moons_blobs correlated moons projected"
    names += " projected_blocks projected_correlated projected_with_mask"
    assert testbed.shipped_configs() == sorted([*names.split(), "swissroll", "swissroll_with_mask"])


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"epochs": 0}, "epochs of config must be a positive integer"),
        ({"betas": []}, "betas of config must be above 0"),
        ({"betas": 1.0}, "betas of config must be above 0"),
        ({"betas": [0.0]}, "betas of config must be above 0"),
        ({"learning_rate": -1}, "learning_rate of config must be above 0"),
        ({"seed": -1}, "seed of config"),
        ({"warm_up": 1.5}, "warm_up of config must be a share"),
        ({"typo": 1}, "unknown ones .'typo'."),
    ],
)
def test_bad_configurations_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        testbed.check_config(small() | changes)


def test_bad_files_and_data_are_refused(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("{")
    for name, sentence in [(path, "is not JSON"), (tmp_path / "none.json", "neither a file nor")]:
        with pytest.raises(ValueError, match=sentence):
            testbed.read_config(name)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="lacks the entries"):
        testbed.read_config(path)
    for data, sentence in [
        ({"kind": "other"}, "kind 'other' is unknown"),
        ({"kind": "independent", "dim": 2, "size": 3}, "does not take"),
        ({"kind": "independent"}, "does not take"),
        ({"kind": "side_by_side"}, "does not take"),
        ({"kind": "projected", "x_dim": 2, "projection_dim": 8, "rank": 5}, "rank must be"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            testbed.make_data(data)
