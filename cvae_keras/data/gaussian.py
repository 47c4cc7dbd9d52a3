"""Gaussian data of known covariance: independent, correlated, or projected to more dimensions."""

import numpy as np

from cvae_keras.checks import check_choice, check_count, check_generator, shown
from cvae_keras.truth.gaussian import check_covariance

LARGEST = 2048  # dimensions, of which there are covariances


class GaussianData:
    """x ~ N(0, covariance).

    Args:
        covariance: `(d, d)`, symmetric, without a negative eigenvalue; it may be singular.

    Raises:
        ValueError: it is not a covariance.

    Example:
        >>> from cvae_keras.data import GaussianData
        >>> GaussianData([[1.0, 0.5], [0.5, 1.0]]).sample(3, seed=0).shape
        (3, 2)
    """

    def __init__(self, covariance):
        self.covariance = check_covariance(covariance)
        self.dim = len(self.covariance)
        values, vectors = np.linalg.eigh(self.covariance)
        self._root = vectors * np.sqrt(np.maximum(values, 0.0))

    @property
    def scale(self):
        """Standard deviation of each dimension, `(d,)`."""
        return np.sqrt(np.diag(self.covariance))

    def sample(self, n, seed=0):
        """Draw examples.

        Args:
            n: number of examples.
            seed: anything that `numpy.random.default_rng` takes.

        Returns:
            float32 `(n, d)`.
        """
        noise = check_generator("seed", seed).standard_normal((check_count("n", n), self.dim))
        return (noise @ self._root.T).astype("float32")


class IndependentGaussian(GaussianData):
    """Independent dimensions.

    Args:
        dim: number of dimensions.
        variances: `(dim,)`, by default all 1.

    Raises:
        ValueError: dim is not a positive integer, or a variance is negative.

    Example:
        >>> from cvae_keras.data import IndependentGaussian
        >>> IndependentGaussian(2, variances=[1.0, 4.0]).scale
        array([1., 2.])
    """

    def __init__(self, dim, variances=None):
        dim = check_count("dim", dim, LARGEST)
        variances = np.ones(dim) if variances is None else variances
        if np.shape(variances) != (dim,):
            raise ValueError(
                f"variances must hold {dim} numbers, got shape {np.shape(variances)}: give "
                f"one per dimension."
            )
        super().__init__(np.diag(variances))


class CorrelatedGaussian(GaussianData):
    """Dimensions of variance 1 with a given or a random correlation matrix.

    The random one is the correlation of `dim` vectors drawn from N(0, I) in `2 dim` dimensions: it
    is always valid, prefers no direction, and has correlations of about `1 / sqrt(2 dim)`.

    Args:
        dim: number of dimensions.
        correlation: `(dim, dim)`, by default random.
        seed: seed of the random correlation.

    Raises:
        ValueError: the matrix is not a correlation matrix of this size.

    Example:
        >>> from cvae_keras.data import CorrelatedGaussian
        >>> float(CorrelatedGaussian(2, [[1.0, 0.8], [0.8, 1.0]]).covariance[0, 1])
        0.8
    """

    def __init__(self, dim, correlation=None, seed=0):
        dim = check_count("dim", dim, LARGEST)
        if correlation is None:
            rows = check_generator("seed", seed).standard_normal((dim, 2 * dim))
            correlation = rows @ rows.T
            scale = np.sqrt(np.diag(correlation))
            correlation = correlation / np.outer(scale, scale)
        elif np.shape(correlation) != (dim, dim) or not np.allclose(np.diag(correlation), 1.0):
            raise ValueError(
                f"correlation must be a {dim} x {dim} matrix with ones on its diagonal, got shape "
                f"{np.shape(correlation)}: divide a covariance by its standard deviations."
            )
        super().__init__(correlation)


class ProjectedGaussian(GaussianData):
    """A projection of independent factors: `x = P f`, `f ~ N(0, I)`.

    With fewer factors than observed dimensions, or a P of deficient rank, the observed dimensions
    are linearly dependent: some of them determine the others. The random P is uniformly distributed
    among the matrices whose `rank` singular values are 1, so that x has total variance `rank`.

    The columns of a P in blocks have length 1, and positive random entries where they are not 0:

    | structure | P of 2 factors and 4 observed dimensions |
    |---|---|
    | "blocks" | (A1 A2 0 0), (0 0 B1 B2): each dimension reads one factor |
    | "correlated" | (A1 A2 A3 0), (0 0 B1 B2): the first of each later block reads two factors |

    Args:
        x_dim: number of factors f.
        projection_dim: number of observed dimensions.
        rank: rank of the random P, at most min(x_dim, projection_dim), which is the default.
        projection: P in place of a random one, `(projection_dim, x_dim)`; or `(projection_dim,
            projection_dim)`, which acts on f padded with zeros: the columns beyond x_dim must be 0.
        seed: seed of the random P.
        structure: "random", "blocks" or "correlated", see above.

    Raises:
        ValueError: sizes or options that do not fit.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data import ProjectedGaussian
        >>> data = ProjectedGaussian(x_dim=2, projection_dim=8, rank=1)
        >>> int(np.linalg.matrix_rank(data.covariance))
        1
    """

    def __init__(
        self,
        x_dim,
        projection_dim,
        rank=None,
        projection=None,
        seed=0,
        structure="random",
    ):
        x_dim = check_count("x_dim", x_dim, LARGEST)
        projection_dim = check_count("projection_dim", projection_dim, LARGEST)
        check_choice("structure", structure, ["random", "blocks", "correlated"])
        most = min(x_dim, projection_dim)
        if structure != "random" and (rank is not None or projection is not None):
            raise ValueError(
                f"structure {structure!r} makes P itself: leave out rank and projection, or choose "
                f"'random'."
            )
        if projection is not None:
            projection = _unpadded(np.asarray(projection, dtype=float), x_dim, projection_dim)
        elif structure == "random":
            rank = most if rank is None else check_count("rank", rank)
            if rank > most:
                raise ValueError(f"rank must be at most {most}, got {rank}: lower it.")
            rng = check_generator("seed", seed)
            left, _ = np.linalg.qr(rng.standard_normal((projection_dim, rank)))
            right, _ = np.linalg.qr(rng.standard_normal((x_dim, rank)))
            projection = left @ right.T
        else:
            projection = _blocks(x_dim, projection_dim, structure == "correlated", seed)
        self.projection = projection
        super().__init__(self.projection @ self.projection.T)


def _unpadded(projection, x_dim, projection_dim):
    """A given P without the columns that act on zeros."""
    shapes = {(projection_dim, x_dim), (projection_dim, max(x_dim, projection_dim))}
    if projection.shape not in shapes:
        raise ValueError(
            f"projection must have shape ({projection_dim}, {x_dim}), got {projection.shape}: rows "
            f"are observed dimensions, columns factors."
        )
    if projection[:, x_dim:].any():
        raise ValueError(
            f"projection must be 0 in its columns beyond the {x_dim} factors, got "
            f"{shown(projection[:, x_dim:].tolist())} there: they act on zeros."
        )
    return projection[:, :x_dim]


def _blocks(x_dim, projection_dim, overlap, seed):
    """A P whose columns each have a block of rows, and with `overlap` the row below it too."""
    if x_dim > projection_dim:
        raise ValueError(
            f"projection_dim must be at least x_dim, {x_dim}, for a projection in blocks, got "
            f"{projection_dim}: raise it."
        )
    stops = np.arange(1, x_dim + 1) * projection_dim // x_dim
    starts = np.concatenate([[0], stops[:-1]])
    rows = np.arange(projection_dim)[:, None]
    entries = check_generator("seed", seed).uniform(0.5, 1.5, (projection_dim, x_dim))
    projection = np.where((rows >= starts) & (rows < stops + overlap), entries, 0.0)
    return projection / np.linalg.norm(projection, axis=0)
