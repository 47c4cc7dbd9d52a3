"""Checks of calibration on samplers whose calibration is known."""

import numpy as np
import pytest
from scipy.stats import norm

from cvae_keras.metrics import (
    calibration_report,
    expected_coverage,
    simulation_based_calibration,
    tarp,
)

CHECKS = [simulation_based_calibration, expected_coverage, tarp]


def sampler(examples=1000, dims=2, n_samples=99, seed=0, scale=1.0, shift=0.0, digits=8):
    """Draws of x ~ N(c, 1) given c ~ N(0, 1), scaled and shifted in dimension 1, and true x."""
    rng = np.random.default_rng(seed)
    c = rng.normal(size=(examples, dims))
    truth, noise = c + rng.normal(size=c.shape), rng.normal(size=(n_samples, *c.shape))
    noise[..., -1] = scale * noise[..., -1] + shift
    return (c + noise).round(digits), truth.round(digits)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, {"digits": 0}, {"examples": 100, "n_samples": 20}])
def test_the_exact_sampler_passes(seed, options):
    """Also where values are rounded, so that most tie, and with few draws."""
    draws, truth = sampler(seed=seed, **options)
    for check in CHECKS:
        result = check(draws, truth, seed=seed)
        assert result.calibrated and "calibrated within what chance explains" in result.sentence


@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("options", [{}, {"digits": 0}, {"examples": 20, "n_samples": 20}])
def test_false_alarms_are_as_rare_as_stated(check, options):
    options = {"examples": 200, "n_samples": 20} | options
    failed = [
        not check(*sampler(seed=seed, **options), confidence=0.9, seed=seed).calibrated
        for seed in range(200)
    ]
    assert np.mean(failed) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 / 200))


def test_narrow_draws_are_overconfident():
    draws, truth = sampler(scale=0.8, n_samples=199)
    coverage = expected_coverage(draws, truth)
    assert coverage.failed.tolist() == [False, True]
    assert coverage.sentence.startswith("x1 is overconfident: 90 % intervals hold ")
    assert coverage.sentence.endswith("; 1 of 2 dimensions fails")
    exact = 2 * norm.cdf(0.8 * norm.ppf((1 + coverage.levels) / 2)) - 1
    assert np.abs(coverage.curve[:, 1] - exact).max() < 0.04
    ranks = simulation_based_calibration(draws, truth, names=["mass", "age"])
    assert ranks.sentence.startswith("age is too narrow") and "too low" not in ranks.sentence
    assert "too narrow" in tarp(draws[..., 1:], truth[:, 1:]).sentence


def test_wide_draws_are_underconfident():
    draws, truth = sampler(scale=1.25)
    coverage = expected_coverage(draws[..., 1:], truth[:, 1:])
    assert coverage.sentence.startswith("underconfident: 90 % intervals hold 9")
    assert simulation_based_calibration(draws, truth).sentence.startswith("x1 is too wide")
    assert "too wide" in tarp(draws[..., 1:], truth[:, 1:]).sentence


@pytest.mark.parametrize(("shift", "word"), [(0.2, "too high"), (-0.2, "too low")])
def test_shifted_draws_are_named_so(shift, word):
    ranks = simulation_based_calibration(*sampler(shift=shift))
    assert ranks.failed.tolist() == [False, True] and ranks.sentence.startswith(f"x1 is {word}")
    mean = ((ranks.ranks[:, 1] + 0.5) / 100).mean()
    assert mean == pytest.approx(norm.cdf(-shift / np.sqrt(2)), abs=0.03)


def test_ranks_count_the_draws_below():
    draws = np.tile(np.arange(20.0)[:, None, None], (1, 21, 1))
    truth = np.arange(21.0)[:, None] - 0.5
    ranks = simulation_based_calibration(draws, truth)
    assert ranks.ranks[:, 0].tolist() == list(range(21))
    assert ranks.histogram.sum() == pytest.approx(1)


def test_tarp_shows_dependence_that_ranks_do_not():
    """Right in each dimension alone, with a correlation of 0.95 left out."""
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky([[1, 0.95], [0.95, 1]])
    truth, draws = rng.normal(size=(2000, 2)) @ root.T, rng.normal(size=(99, 2000, 2))
    report = calibration_report(draws, truth)
    assert report.ranks.calibrated and report.coverage.calibrated and not report.tarp.calibrated
    assert "how they depend on each other is not" in str(report)
    assert tarp(draws @ root.T, truth).calibrated


def test_tarp_with_references_that_depend_on_c_tells_the_posterior_from_the_prior():
    rng = np.random.default_rng(0)
    c = rng.normal(size=(1000, 1))
    truth, prior = c + 0.3 * rng.normal(size=c.shape), rng.normal(size=(99, 1000, 1)) * 1.09**0.5
    assert tarp(prior, truth).calibrated
    assert not tarp(prior, truth, references=c).calibrated
    posterior = c + 0.3 * rng.normal(size=(99, 1000, 1))
    assert tarp(posterior, truth, references=c).calibrated


def test_tarp_from_far_away_is_the_rank():
    """Seen from a point far below, distances are ordered as the values are."""
    draws, truth = sampler(dims=1)
    f = tarp(draws, truth, references=np.full_like(truth, -1e3))
    ranks = simulation_based_calibration(draws, truth)
    assert np.allclose(f.curve, ranks.curve)


def test_results_repeat_with_the_seed_and_do_not_depend_on_the_unit():
    draws, truth = sampler(scale=0.9)
    for check in CHECKS:
        first, again = check(draws, truth, seed=3), check(1e6 * draws, 1e6 * truth, seed=3)
        assert np.allclose(first.curve, again.curve, atol=2e-3)
        assert (first.curve == check(draws, truth, seed=3).curve).all()


def test_a_report_in_words():
    draws, truth = sampler(dims=12, scale=0.8)
    with pytest.raises(ValueError, match="^more must hold results"):
        calibration_report(draws, truth, more=[3])
    with pytest.raises(ValueError, match="^warnings must be a list"):
        calibration_report(draws, truth, warnings="one")
    ranks = simulation_based_calibration(draws, truth)
    report = calibration_report(draws, truth, more=[ranks], warnings=["The latent is not used."])
    assert not report.calibrated and len(report.results) == 4
    lines = str(report).splitlines()
    assert lines[0].startswith("Calibration on 1,000 examples with 99 draws each, in 12 dim")
    assert lines[0].endswith("FAILED") and lines[-1] == "Warning: The latent is not used."
    assert "  FAIL  coverage  x11 is overconfident" in str(report)
    assert lines[6].split()[0] == "x11" and "and 2 dimensions that deviate less" in lines[-2]
    assert "passed" in str(calibration_report(*sampler())).splitlines()[0]


DRAWS, TRUTH = sampler(examples=30, n_samples=20)
CONSTANT = np.where(np.arange(2) == 1, 0.5, TRUTH)
BAD = {
    "NaN in draws": ((np.where(DRAWS > 2, np.nan, DRAWS), TRUTH), {}, "draws holds NaN"),
    "infinity in truth": ((DRAWS, np.where(TRUTH > 1, np.inf, TRUTH)), {}, "truth holds NaN"),
    "text": ((DRAWS.astype(str), TRUTH), {}, "draws must hold numbers"),
    "shapes": ((DRAWS, TRUTH[:-1]), {}, "draws and truth must have shapes"),
    "axes": ((DRAWS[..., 0], TRUTH[:, 0]), {}, "draws and truth must have shapes"),
    "no dimension": ((DRAWS[..., :0], TRUTH[:, :0]), {}, "draws and truth must have shapes"),
    "few draws": ((DRAWS[:19], TRUTH), {}, "draws must hold at least 20 draws"),
    "few examples": ((DRAWS[:, :19], TRUTH[:19]), {}, "draws must hold at least 20 draws"),
    "equal draws": ((0 * DRAWS + TRUTH, TRUTH), {}, "draws do not vary in dimension 0"),
    "equal truth": ((DRAWS, CONSTANT), {}, "truth is 0.5 for all examples in dimension 1"),
    "confidence": ((DRAWS, TRUTH), {"confidence": 1.0}, "confidence must"),
    "seed": ((DRAWS, TRUTH), {"seed": -1}, "seed must"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("check", [*CHECKS, calibration_report])
def test_bad_input_is_refused_in_one_sentence(check, case):
    arrays, options, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=f"^{message}") as error:
        check(*arrays, **options)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_bad_names_and_references_are_refused():
    for names in (["x"], "xy", [1, 2]):
        with pytest.raises(ValueError, match="^names must be 2 strings"):
            expected_coverage(DRAWS, TRUTH, names=names)
    with pytest.raises(ValueError, match="^references must have the shape of truth"):
        tarp(DRAWS, TRUTH, references=TRUTH[:, :1])


def test_float32_draws_tie_with_the_float64_truth_that_they_equal():
    """Values 0.1, 0.2, ... differ between the types; compared as they are, none would tie."""
    draws, truth = sampler(digits=1)
    ranks = simulation_based_calibration(draws.astype("float32"), truth)
    assert (ranks.ranks == simulation_based_calibration(draws, truth).ranks).all()
    with pytest.raises(ValueError, match="^truth holds NaN or infinity"):
        tarp(draws.astype("float32"), truth * 1e300)
