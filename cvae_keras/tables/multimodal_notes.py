"""The words under the multimodal table."""

NOTES = """
log_p: mean test log-likelihood of the main modality given the others, in nats, importance-weighted
with K points of z (1,000, in the quick table 100), so a bound from below; log_p_se: its standard
error over the examples.

gaussian: four jointly Gaussian modalities of the dimensions named, the first of which is generated
given any subset of a, b and c by one model that was trained with each of them dropped half of the
time. exact is the log-density of the same examples, gap_per_dim what is missing to it, divided by
the dimensions, gap_se its standard error. {verdict}

mnist, or digits: pictures of black and white pixels, given their label, or the lower half given the
upper one; prior: N(0, I); learned, a Gaussian from a network of the condition; flow, that Gaussian
bent by an autoregressive flow. judged: share of generated pictures (for
the halves: the given half on top) that a classifier trained on real pictures takes for the label
asked for; judged_real: the same for real test pictures. elbo_train, kl and active_units: of the
last epoch. {beside}
"""


def verdict(frame):
    """Worst gap, and the gap that lies highest above 0 in standard errors, as a sentence.

    Args:
        frame: the table.

    Example:
        >>> verdict(pandas.read_csv("results/multimodal.csv"))
    """
    rows = frame[frame["data"].str.startswith("gaussian")]
    worst, above = rows["gap_per_dim"].min(), (rows["gap_per_dim"] / rows["gap_se"]).max()
    return (
        f"Furthest below the exact value: {-worst:.4f} nats a dimension; nearest to it, or above: "
        f"{above:+.1f} standard errors."
    )
