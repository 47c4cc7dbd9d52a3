"""What a trained `CompressionVAE` does: embed, decode, score, sample, draw."""

import keras
import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from cvae_keras.checks import check_count
from cvae_keras.data.npy_folder import NpyFolder
from cvae_keras.data.rows import MappedRows, Subset, chunks, open_rows, read
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.plots import plot_embedding, plot_latent_grid


class EmbeddingCalls:
    """The part of `CompressionVAE` that needs a trained model; see there.

    Example:
        >>> z = embedder.embed(X); X2 = embedder.decode(z); embedder.visualize(z)
    """

    def embed(self, X):
        """The embedding of X: the centre of q(z | x).

        Args:
            X: as in the constructor.

        Returns:
            float32 `(examples, dim_latent)`.

        Raises:
            ValueError: the estimator is not trained, or X has other features.

        Example:
            >>> z = embedder.embed(X_new)
        """
        rows = self._rows_like_trained(X)
        return np.concatenate([self.model_.encode(read(rows, chunk)) for chunk in chunks(rows)])

    def decode(self, z):
        """Examples from points of the embedding: the mean of p(x | z).

        Args:
            z: `(examples, dim_latent)`.

        Returns:
            float32 `(examples, features)`, in the units of X.

        Example:
            >>> X2 = embedder.decode(embedder.embed(X))
        """
        self._check_trained()
        z = check_array(z, dtype="float32")
        if z.shape[1] != self.dim_latent:
            raise ValueError(
                f"z has {z.shape[1]} columns, but dim_latent is {self.dim_latent}: give as many."
            )
        return np.concatenate([self.model_.decode(z[chunk]) for chunk in chunks(z)])

    def score(self, X, y=None):
        """The ELBO of an example, averaged over X, in nats, of x in its own units.

        Args:
            X: as in the constructor; y: ignored.

        Returns:
            A number; higher is better. It is an estimate with one point of z an example, always
            drawn from the same seed.
        """
        rows = self._rows_like_trained(X)
        shift, scale = (
            keras.ops.convert_to_numpy(v) for v in (self.model_.shift, self.model_.scale)
        )
        rows, total = Subset(rows, np.arange(len(rows)), shift, scale), 0.0
        for number, chunk in enumerate(chunks(rows)):
            bound, _ = importance_weighted_bound(self.model_, {"x": rows[chunk]}, 1, seed=number)
            total += bound.sum()
        return float(total / len(rows) - np.log(scale).sum())

    def sample(self, n=1, seed=None):
        """Generate n examples: z ~ N(0, I), then the mean of p(x | z).

        Args:
            n: how many; seed: integer; None for `random_state`.

        Returns:
            float32 `(n, features)`.
        """
        self._check_trained()
        rng = np.random.default_rng(self.random_state if seed is None else seed)
        return self.decode(rng.standard_normal((check_count("n", n), self.dim_latent)))

    def visualize(self, z, labels=None, categories=None, filename=None):
        """Draw an embedding; see `cvae_keras.plots.plot_embedding`."""
        return plot_embedding(z, labels, categories, filename=filename)

    def visualize_latent_grid(
        self, xy_range=(-4, 4), grid_size=20, shape=(28, 28), clip=(0, 255), filename=None
    ):
        """Decode a grid over a 2-D embedding and draw it as pictures.

        Args:
            xy_range: from, to, on both axes; grid_size: points a side; shape: of a picture; clip:
                lowest and highest value shown; filename: where to write it, or None.

        Returns:
            The matplotlib Figure.

        Raises:
            ValueError: the embedding is not of 2 dimensions, or shape does not fit the features.
        """
        self._check_trained()
        if self.dim_latent != 2:
            raise ValueError(f"dim_latent is {self.dim_latent}: a grid can be drawn for 2 only.")
        if int(np.prod(shape)) != self.n_features_in_:
            raise ValueError(f"shape {shape} does not hold {self.n_features_in_} features: fit it.")
        axis = np.linspace(*xy_range, check_count("grid_size", grid_size))
        grid = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
        pictures = self.decode(grid).reshape(grid_size, grid_size, *shape)
        return plot_latent_grid(pictures, xy_range, clip, filename)

    def _check_trained(self):
        if getattr(self, "model_", None) is None and self.logdir != "temp":
            self._restore()
        check_is_fitted(self)

    def _rows_like_trained(self, X):
        self._check_trained()
        rows = open_rows(X, self.on_error)
        if not isinstance(rows, (NpyFolder, MappedRows)):
            return validate_data(self, X, dtype="numeric", reset=False)
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but CompressionVAE is expecting "
                f"{self.n_features_in_} features as input."
            )
        return rows
