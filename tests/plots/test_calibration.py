"""Figures of calibration: their bands, lines and titles."""

import numpy as np

from cvae_keras.metrics import calibration_report, predictive_check
from cvae_keras.metrics.two_sample import TwoSample
from cvae_keras.plots import (
    plot_c2st,
    plot_calibration,
    plot_coverage,
    plot_predictive,
    plot_ranks,
)


def labels(axis):
    return axis.get_legend_handles_labels()[1]


def test_dimensions_that_fail_are_named():
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 0.5, 1.0])
    report = calibration_report(
        scale * rng.normal(size=(99, 300, 3)), rng.normal(size=(300, 3)), names=["a", "b", "c"]
    )
    left, middle, right = plot_calibration(report).axes
    for axis in (left, middle):
        assert labels(axis) == ["what chance explains", "within it", "b: fails"]
    assert middle.get_title().startswith("coverage: b is overconfident")
    band = middle.collections[0].get_paths()[0].vertices
    assert {
        tuple(point) for point in np.stack([report.coverage.levels, report.coverage.low], 1)
    } <= {tuple(point) for point in band}
    assert "random point" in right.get_xlabel()
    histogram = plot_ranks(report.ranks).axes[0]
    assert labels(histogram)[-1] == "b: fails"
    assert len(plot_coverage(report.tarp).axes) == 1


def test_many_dimensions_that_fail_share_a_label():
    rng = np.random.default_rng(0)
    draws, truth = 0.3 * rng.normal(size=(20, 200, 9)), rng.normal(size=(200, 9))
    axis = plot_ranks(calibration_report(draws, truth).ranks).axes[1]
    assert labels(axis).count("further ones that fail") == 1 and len(labels(axis)) == 8


def test_outlying_observations_are_red():
    rng = np.random.default_rng(0)
    observed = rng.normal(size=(50, 8)) + np.repeat([0, 9], 25)[:, None]
    result = predictive_check(rng.normal(size=(99, 50, 8)), observed)
    figure = plot_predictive(result)
    assert len(figure.axes) == 4
    assert len(figure.axes[0].collections[1].get_segments()) == round(50 * result.outlying[0])


def test_c2st_has_a_line_per_result():
    result = TwoSample(0.71, np.full(5, 0.71), 0.526, 0.99, 1000)
    (axis,) = plot_c2st({"model": result, "again": result}).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["model", "again"]
