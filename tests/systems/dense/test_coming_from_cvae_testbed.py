"""The options, JSON files and data of CVAE_testbed (AllenCellModeling), as its users type them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from cvae_keras.cli.main import main
from cvae_keras.data import Conditioned, IndependentGaussian, Manifold, ProjectedGaussian
from cvae_keras.data.conditions import draw_patterns, known_patterns
from cvae_keras.metrics.rate_distortion import measure
from cvae_keras.systems.dense import read_config, train
from cvae_keras.systems.dense.config import check_config, make_source
from cvae_keras.systems.dense.testbed_kwargs import convert_kwargs

BASELINE = {"x_dim": 2, "c_dim": 4, "enc_layers": [2, 64, 64, 8], "dec_layers": [8, 64, 64, 2]}
PROJECTED = {"x_dim": 2, "projection_dim": 8, "c_dim": 16, "mask_percentage": 0.9}
PROJECTED |= {"enc_layers": [8, 64, 64], "dec_layers": [64, 64, 8]}
SWISSROLL = {"x_dim": 3, "c_dim": 6, "enc_layers": [3, 64, 64], "dec_layers": [64, 64, 3]}
TINY = {"latent_dim": 2, "enc_layers": [4], "dec_layers": [4], "epochs": 1, "steps": 2}
TINY |= {"batch_size": 16, "betas": [1.0]}


def convert(tmp_path, kwargs, *options):
    (tmp_path / "their.json").write_text(json.dumps(kwargs))
    paths = [str(tmp_path / name) for name in ("their.json", "ours.json")]
    return CliRunner().invoke(main, ["convert-testbed", *paths, *options])


# -- the projection -------------------------------------------------------------------------------
def test_a_padded_projection_acts_on_x_padded_with_zeros():
    literal = [[1.0, 0, 0, 0], [2.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 4.0, 0, 0]]
    data = ProjectedGaussian(x_dim=2, projection_dim=4, projection=literal)
    wanted = [[1, 2, 0, 0], [2, 4, 0, 0], [0, 0, 9, 12], [0, 0, 12, 16]]
    assert data.covariance.tolist() == wanted and data.projection.shape == (4, 2)
    literal[3][2] = 5.0
    with pytest.raises(ValueError, match="projection must be 0 in its columns beyond the 2"):
        ProjectedGaussian(x_dim=2, projection_dim=4, projection=literal)
    with pytest.raises(ValueError, match=r"projection must have shape \(4, 2\)"):
        ProjectedGaussian(x_dim=2, projection_dim=4, projection=np.ones((4, 3)))


@pytest.mark.parametrize(
    ("structure", "pattern"),
    [
        ("blocks", [[1, 0], [1, 0], [0, 1], [0, 1]]),
        ("correlated", [[1, 0], [1, 0], [1, 1], [0, 1]]),
    ],
)
def test_structures_of_the_projection(structure, pattern):
    data = ProjectedGaussian(x_dim=2, projection_dim=4, structure=structure)
    assert (data.projection > 0).astype(int).tolist() == pattern
    np.testing.assert_allclose(np.linalg.norm(data.projection, axis=0), 1.0)
    other = ProjectedGaussian(2, 4, structure=structure, seed=1)
    assert not np.allclose(other.covariance, data.covariance)
    shipped = make_source(read_config(f"projected_{structure}")).data
    assert np.array_equal(shipped.covariance, data.covariance)
    for options in ({"rank": 1}, {"projection": np.ones((4, 2))}):
        with pytest.raises(ValueError, match="makes P itself"):
            ProjectedGaussian(2, 4, structure=structure, **options)
    with pytest.raises(ValueError, match="projection_dim must be at least x_dim"):
        ProjectedGaussian(4, 2, structure=structure)


def test_an_unknown_structure_is_refused():
    with pytest.raises(ValueError, match="structure"):
        ProjectedGaussian(2, 4, structure="diagonal")


# -- what is missing ------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [0.5, 0.9, 0.001, np.float32(0.25)])
def test_a_share_in_place_of_percent_is_refused_with_both_readings(value):
    sentence = f"may mean {value:g} percent or {100 * value:g} percent"
    with pytest.raises(ValueError, match=sentence):
        Conditioned(IndependentGaussian(2), mask_percentage=value)
    with pytest.raises(ValueError, match=sentence):
        check_config(read_config("baseline") | TINY | {"mask_percentage": float(value)})


def test_whole_rows_of_the_swiss_roll_are_missing():
    source = Conditioned(Manifold("swissroll"), mask_percentage=50, missing="rows")
    mask = source.examples(4000)["mask"]
    assert set(mask.sum(axis=1)) == {0, 3}
    assert mask.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.usefixtures("eager")
def test_missing_entries_are_penalized_on_request():
    source = Conditioned(IndependentGaussian(2), 50, penalize_missing=True)
    other = Conditioned(IndependentGaussian(2), 50).examples(100)
    arrays = source.examples(100)
    assert set(arrays) == {"x", "c"} and not source.masked
    assert all(np.array_equal(arrays[name], other[name]) for name in arrays)
    config = read_config("swissroll_with_mask") | TINY
    config |= {"missing": "rows", "penalize_missing": True}
    model, source, history = train(check_config(config), beta=1.0)
    assert not model.masked and np.isfinite(history["loss"]).all()
    gaussian = read_config("projected_with_mask") | TINY | {"penalize_missing": True}
    model, source, _ = train(gaussian, beta=1.0)
    assert "rate_exact" not in measure(model, source, [[False] * 8], n=20)[0]


def test_bad_options_of_what_is_missing_are_refused():
    for options in ({"missing": "columns"}, {"penalize_missing": 1}, {"every_subset": "yes"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Conditioned(IndependentGaussian(2), **options)
        with pytest.raises(ValueError, match=next(iter(options))):
            check_config(read_config("baseline") | TINY | options)


# -- all subsets ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("dim", "n"), [(2, 4), (4, 16), (5, 32), (5, 64), (8, 256), (8, 500)])
def test_every_subset_occurs_in_a_batch_that_is_large_enough(dim, n):
    source = Conditioned(IndependentGaussian(dim))
    for seed in range(5):
        known = source.examples(n, seed)["c"][:, dim:]
        assert len(np.unique(known, axis=0)) == 2**dim
        assert np.array_equal(known, source.examples(n, seed)["c"][:, dim:])


def test_numbers_of_known_dimensions_are_balanced():
    numbers = draw_patterns(64, 5, np.random.default_rng(0)).sum(axis=1)
    assert sorted(np.bincount(numbers)) == [10, 10, 11, 11, 11, 11]
    numbers = draw_patterns(500, 8, np.random.default_rng(0)).sum(axis=1)
    assert np.bincount(numbers).tolist() == [53, 53, 53, 56, 70, 56, 53, 53, 53]
    numbers = draw_patterns(63, 6, np.random.default_rng(0)).sum(axis=1)
    assert np.bincount(numbers).tolist() == [9] * 7  # one example too few for all subsets


def test_configurations_of_earlier_versions_draw_as_they_did():
    config = read_config("projected")
    known = make_source(config).examples(500, [0, 1])["c"][:, 8:]
    rng = np.random.default_rng([0, 1, 1])
    count = (rng.integers(1 << 16) + np.arange(500)) % 9
    assert np.array_equal(known, rng.random((500, 8)).argsort(axis=1) < count[:, None])
    known = make_source(config | {"every_subset": True}).examples(500)["c"][:, 8:]
    assert np.array_equal(np.unique(known, axis=0), np.unique(known_patterns(8), axis=0))


# -- their files ----------------------------------------------------------------------------------
def test_convert_testbed_their_json_ours_json(tmp_path):
    options = "--batch_size 64 --num_batches 500 --n_epochs 30 --lr 0.001 --beta_vae 2".split()
    result = convert(tmp_path, BASELINE, *options)
    assert result.exit_code == 0, result.output
    config = read_config(tmp_path / "ours.json")
    assert config["data"] == {"kind": "independent", "dim": 2}
    assert (config["enc_layers"], config["latent_dim"]) == ([64, 64], 8)
    assert config["dec_layers"] == [64, 64] and config["batch_norm"] and not config["gated"]
    assert [config[name] for name in ("batch_size", "steps", "epochs")] == [64, 500, 30]
    assert config["learning_rate"] == 0.001 and config["betas"] == [2.0]
    result = convert(tmp_path, PROJECTED)
    assert result.exit_code == 2 and "give --force" in result.output
    assert read_config(tmp_path / "ours.json") == config
    assert convert(tmp_path, PROJECTED, "--force").exit_code == 0
    config = read_config(tmp_path / "ours.json")
    data = make_source(config).data
    assert config["mask_percentage"] == 90 and config["missing"] == "entries"
    assert np.array_equal(data.projection, np.tile(np.eye(2), (4, 1)))


def test_their_data_and_losses(tmp_path):
    masked = SWISSROLL | {"mask_percentage": 0.5}
    result = convert(
        tmp_path,
        masked,
        *("--dataloader", "CVAE_testbed.datasets.swiss_roll.SwissRoll"),
        *("--loss_fn", "CVAE_testbed.losses.ELBO.synthetic_loss_no_mask"),
    )
    assert result.exit_code == 0, result.output
    config = read_config(tmp_path / "ours.json")
    assert config["data"]["kind"] == "swissroll" and config["mask_percentage"] == 50
    assert config["missing"] == "rows" and config["penalize_missing"]
    for name in ("circles", "moons", "blobs"):
        config = convert_kwargs(BASELINE | {"sklearn_data": name})
        assert config["data"] == {"kind": name, "noise": 0}
        assert read_config(name)["data"]["kind"] == name
    assert convert_kwargs(SWISSROLL | {"sklearn_data": "s_curve"})["data"]["kind"] == "s_curve"


@pytest.mark.usefixtures("eager")
def test_a_converted_configuration_trains():
    small = {"enc_layers": [8, 4, 2], "dec_layers": [2, 4, 8]}
    config = convert_kwargs(PROJECTED | small, num_batches=2, n_epochs=1)
    _, _, history = train(config, beta=1.0)
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"c_dim": 5}, "c_dim must be 4"),
        ({"x_dim": 3}, "c_dim must be 6"),
        ({"enc_layers": [2, 8]}, "enc_layers must be a list of at least 3"),
        ({"dec_layers": [9, 64, 2]}, "the first of dec_layers must be 8"),
        ({"dec_layers": [8, 64, 3]}, "the last of dec_layers must be 2"),
        ({"mask_percentage": 20}, "a share from 0 to below 1"),
        ({"sklearn_data": "s_curve"}, "c_dim must be 6"),
        ({"sklearn_data": "spiral"}, "spiral"),
        ({"hidden_dim": 10}, "unknown ones .'hidden_dim'."),
        ({"x_dim": 0}, "x_dim must be a positive integer"),
    ],
)
def test_kwargs_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        convert_kwargs(BASELINE | changes)


def test_options_that_do_not_fit_are_refused():
    for options, sentence in [
        ({"dataloader": "Mnist"}, "dataloader must be one of"),
        ({"dataloader": "CirclesMoonsBlobs"}, "must hold sklearn_data if and only if"),
        ({"loss_fn": "combined_loss"}, "loss_fn must be"),
        ({"lr": 0}, "learning_rate"),
        ({"n_epochs": 0}, "epochs"),
        ({"beta_vae": -1.0}, "beta"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            convert_kwargs(BASELINE, **options)
