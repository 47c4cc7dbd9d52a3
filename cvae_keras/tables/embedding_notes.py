"""What was published beside the embedding table, and the words under it."""

_PAPER = "published: Parametric UMAP, notebooks"
_ORIGINAL = "measured for this project, other machine"


def _row(data, dim, method, source, one, five, trust, seconds=float("nan")):
    row = {"data": data, "dim": dim, "method": method, "source": source, "1-NN": one}
    return {**row, "5-NN": five, "trust": trust, "seconds_fit": seconds}


_NONE = float("nan")

#: Rows that were not run here.
PUBLISHED = [
    _row("mnist", 2, "the original, defaults", _ORIGINAL, 0.578, 0.637, 0.884, 65.0),
    _row("mnist", 64, "the original, [512, 256]", _ORIGINAL, 0.768, 0.780, 0.890, 105.0),
    _row("mnist", 2, "conv VAE", _PAPER, 0.724, 0.765, 0.951),
    _row("mnist", 64, "conv VAE", _PAPER, 0.979, _NONE, _NONE),
    _row("mnist", 2, "UMAP", _PAPER, 0.932, 0.954, 0.960),
    _row("mnist", 64, "UMAP", _PAPER, 0.945, _NONE, _NONE),
    _row("fashion_mnist", 2, "conv VAE", _PAPER, 0.665, 0.716, 0.975),
    _row("fashion_mnist", 2, "UMAP", _PAPER, 0.714, 0.761, 0.978),
]

NOTES = """
No method sees a label. 1-NN and 5-NN: nearest neighbours, fitted on the embedding of the training
data, scored on that of the test data (MNIST and Fashion-MNIST: 60,000 and 10,000; digits: 1,500 and
297). trust: trustworthiness of the first 10,000 training points with 5 neighbours. rmse: of test
data decoded from their embedding, in units of the largest pixel; t-SNE and UMAP have none here
(UMAP's inverse takes minutes). seconds_fit and cpu_seconds_fit: to fit and embed the training data,
by the wall clock and of all cores; seconds_embed: to embed the test data. Compilation is counted:
of TensorFlow's graph for CompressionVAE, of numba's code for UMAP in the first of its rows.

Rows whose source is not "run here" were not run for this table, and their seconds are from other
machines.
"""
