"""All checks of calibration as one report, in words."""

from dataclasses import dataclass

from cvae_keras.checks import shown
from cvae_keras.metrics.calibration import (
    expected_coverage,
    simulation_based_calibration,
    tarp,
)
from cvae_keras.metrics.calibration_curve import percent
from cvae_keras.metrics.chance import check_confidence

LISTED = 10  # dimensions in the text of a report, the worst first


@dataclass(frozen=True)
class CalibrationReport:
    """The checks of calibration, and what else is to be said; `print(report)` shows it.

    Attributes:
        ranks: `Ranks`, see `simulation_based_calibration`.
        coverage: `Calibration`, see `expected_coverage`.
        tarp: `Calibration`, see `tarp`.
        more: further results, each with `check`, `calibrated` and `sentence`.
        warnings: sentences.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.metrics import calibration_report
        >>> rng = np.random.default_rng(0)
        >>> report = calibration_report(rng.normal(size=(99, 99, 2)), rng.normal(size=(99, 2)))
        >>> report.calibrated
        True
    """

    ranks: object
    coverage: object
    tarp: object
    more: tuple
    warnings: tuple

    @property
    def results(self):
        """All results, those of `more` last."""
        return (self.ranks, self.coverage, self.tarp, *self.more)

    @property
    def calibrated(self):
        """Whether every check passes; warnings do not count."""
        return all(result.calibrated for result in self.results)

    def __str__(self):
        of, width = self.ranks, max(len(result.check) for result in self.results)
        dimensions = "1 dimension" if len(of.names) == 1 else f"{len(of.names)} dimensions"
        lines = [
            f"Calibration on {of.examples:,} examples with {of.n_samples:,} draws each, in "
            f"{dimensions}: {'passed' if self.calibrated else 'FAILED'}"
        ]
        for result in self.results:
            mark = "pass" if result.calibrated else "FAIL"
            lines.append(f"  {mark}  {result.check:{width}}  {result.sentence}")
        lines += _by_dimension(self.ranks, self.coverage)
        if self.tarp.failed.any() and not (self.ranks.failed.any() or self.coverage.failed.any()):
            lines.append(
                "Each dimension alone is calibrated; how they depend on each other is not."
            )
        lines += [f"Warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def calibration_report(
    draws, truth, names=None, more=(), warnings=(), references=None, confidence=0.99, seed=0
):
    """Ranks, coverage and TARP of draws of x given c, collected and in words.

    Each of the three checks has the confidence `1 - (1 - confidence) / 3`, so that draws of the
    exact posterior fail the report with a probability of at most `1 - confidence`, what is in
    `more` not counted.

    Args:
        draws: `(n_samples, batch, dims)`, as for `simulation_based_calibration`.
        truth: `(batch, dims)`.
        names: of the dimensions; None for x0, x1, ...
        more: further results to include, as of `c2st` and `predictive_check`.
        warnings: sentences to include, about what calibration does not show: a collapsed latent, a
            posterior wider than the prior, a gap between training and validation.
        references: see `tarp`.
        confidence: in (0, 1).
        seed: integer.

    Returns:
        `CalibrationReport`.

    Raises:
        TypeError, ValueError: as `simulation_based_calibration` and `tarp`; or `more` or `warnings`
            of another kind.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> draws, truth = rng.normal(size=(99, 1000, 1)), rng.normal(size=(1000, 1))
        >>> report = calibration_report(draws, truth, warnings=["The latent is not used."])
        >>> print(str(report).splitlines()[-1])
        Warning: The latent is not used.
    """
    more, warnings = _check_more(more), _check_warnings(warnings)
    each = 1 - (1 - check_confidence(confidence)) / 3
    return CalibrationReport(
        ranks=simulation_based_calibration(draws, truth, names, each, seed),
        coverage=expected_coverage(draws, truth, names, each, seed),
        tarp=tarp(draws, truth, references, each, seed),
        more=more,
        warnings=warnings,
    )


def _by_dimension(ranks, coverage):
    """A line per dimension: coverage at three levels, and the p-values of both tests."""
    order = sorted(
        range(len(ranks.names)),
        key=lambda i: min(ranks.statistic[i], coverage.statistic[i]),
    )
    width = max(len(name) for name in (*ranks.names, "dimension"))
    lines = [f"  {'dimension':{width}}  50 % holds  90 % holds  p (ranks)  p (coverage)"]
    for i in order[:LISTED]:
        half, nine = (percent(coverage.curve[at, i]) for at in (49, 89))
        lines.append(
            f"  {ranks.names[i]:{width}}  {half:>10}  {nine:>10}  {_shown_p(ranks.p_value[i]):>9}  "
            f"{_shown_p(coverage.p_value[i]):>12}"
        )
    if len(order) > LISTED:
        lines.append(f"  ... and {len(order) - LISTED} dimensions that deviate less")
    return lines


def _shown_p(p_value):
    return f"{p_value:.2g}" if p_value > 1e-10 else "< 1e-10"


def _check_more(more):
    more = tuple(more) if isinstance(more, (list, tuple)) else (more,)
    for result in more:
        if not all(hasattr(result, name) for name in ("check", "calibrated", "sentence")):
            raise ValueError(
                f"more must hold results, as of c2st or predictive_check, got {shown(result)}: "
                f"give a list of them."
            )
    return more


def _check_warnings(warnings):
    if not isinstance(warnings, (list, tuple)) or not all(isinstance(w, str) for w in warnings):
        raise ValueError(
            f"warnings must be a list of sentences, got {shown(warnings)}: give strings."
        )
    return tuple(warnings)
