"""How likely it is that the rows of a batch find their neighbours."""

from keras import ops


def neighbor_log_prob(z, log_scale):
    """Log-probability that each row picks its own neighbour among all rows of the batch.

    Rows r and r + n of the 2n rows are neighbours. Row i picks row j with probability
    `p(j | i) = k_ij / sum_(l != i) k_il`, `k_ij = 1 / (1 + |z_i - z_j|^2 / scale^2)`

    Args:
        z: `(2n, latent_dim)`; log_scale: log of the length at which the kernel has halved.

    Returns:
        `(2n,)`, in nats; a blind guess gives -log(2n - 1).

    Source: the Student kernel of van der Maaten and Hinton, "Visualizing data using t-SNE", 2008;
    the choice within a batch: Damrich et al., "From t-SNE to UMAP with contrastive learning",
    2023, eq. 8.

    Example:
        >>> neighbor_log_prob(np.array([[0.0], [9.0], [0.0], [9.0]]), 0.0)   # near 0, each
    """
    rows = ops.shape(z)[0]
    square = ops.sum(ops.square(z), axis=-1)
    distance = square[:, None] + square[None] - 2.0 * ops.matmul(z, ops.transpose(z))
    log_kernel = -ops.log1p(ops.maximum(distance, 0.0) * ops.exp(-2.0 * log_scale))
    log_kernel = log_kernel - 1e9 * ops.eye(rows)
    chosen = ops.diagonal(ops.roll(log_kernel, rows // 2, axis=1))
    return chosen - ops.logsumexp(log_kernel, axis=-1)
