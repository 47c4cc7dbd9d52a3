"""Estimates from several imputations of a table as one, by Rubin's rules. NumPy and SciPy."""

from dataclasses import dataclass

import numpy as np

from cvae_keras.checks import check_fraction, check_numbers, check_positive


@dataclass(frozen=True)
class Pooled:
    """An estimate pooled over imputations; each attribute is of an estimate's shape.

    Args:
        estimate: mean over the imputations.
        within: mean of their variances.
        between: variance of the estimates over the imputations.
        total: variance of `estimate`.
        df: degrees of freedom of the t distribution of its error; infinite where `between` is 0.
    """

    estimate: np.ndarray
    within: np.ndarray
    between: np.ndarray
    total: np.ndarray
    df: np.ndarray

    def interval(self, level=0.95):
        """The central confidence interval, `(low, high)`."""
        from scipy.stats import t  # takes half a second to import

        half = t.ppf(0.5 + 0.5 * check_fraction("level", level), self.df) * np.sqrt(self.total)
        return self.estimate - half, self.estimate + half


def pool(estimates, variances, complete_df=None):
    """Pool the estimates from m completed tables by Rubin's rules.

    `total = within + (1 + 1/m) between`, `df = (m - 1) / r^2`, `r = (1 + 1/m) between / total`

    The rules suppose proper imputations. Draws of one `VADImputer` leave out that its weights are
    estimated; the between-variance has that part too where each draw is of an imputer that was
    fitted on a bootstrap sample of the rows.

    Args:
        estimates: `(m,)` or `(m, ...)`, one per completed table, m at least 2.
        variances: squared standard errors of the estimates, of the same shape.
        complete_df: degrees of freedom that the estimate would have without missing values; None
            for infinitely many. With it, `df` is Barnard and Rubin's.

    Returns:
        `Pooled`.

    Raises:
        ValueError: fewer than two imputations, shapes that differ, negative variances, NaN.

    Source: Rubin, "Multiple imputation for nonresponse in surveys", 1987, section 3.1; Barnard and
    Rubin, "Small-sample degrees of freedom with multiple imputation", 1999.

    Example:
        >>> found = pool([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
        >>> float(found.estimate), float(found.between), round(float(found.df), 3)
        (2.0, 1.0, 6.125)
    """
    q, u = (np.asarray(check_numbers(name, values), "float64") for name, values in
            (("estimates", estimates), ("variances", variances)))  # fmt: skip
    if q.shape != u.shape or q.ndim < 1 or len(q) < 2 or (u < 0).any():
        raise ValueError(
            f"estimates and variances must have one shape, (m, ...) with m of at least 2, and "
            f"variances at least 0, got {q.shape} and {u.shape}: give one pair per imputation."
        )
    within, between = u.mean(axis=0), q.var(axis=0, ddof=1)
    added = (1.0 + 1.0 / len(q)) * between
    share = np.divide(added, within + added, out=np.zeros_like(added), where=added > 0)
    with np.errstate(divide="ignore"):
        df = (len(q) - 1) / np.square(share)
        if complete_df is not None:
            most = check_positive("complete_df", complete_df)
            observed = (most + 1) / (most + 3) * most * (1.0 - share)
            df = 1.0 / (1.0 / df + 1.0 / observed)
    return Pooled(q.mean(axis=0), within, between, within + added, df)
