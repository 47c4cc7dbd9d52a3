"""Data sets that are not Gaussian: scikit-learn's rolls, circles, moons and blobs, standardized."""

import numpy as np

from cvae_keras.checks import check_choice, check_count, check_generator, check_weight
from cvae_keras.data.conditions import integers

#: scikit-learn's function for each name, and its options.
MAKERS = {
    "swissroll": ("make_swiss_roll", {}),
    "s_curve": ("make_s_curve", {}),
    "circles": ("make_circles", {"factor": 0.5}),
    "moons": ("make_moons", {}),
    "blobs": ("make_blobs", {"centers": [[-2.0, -2.0], [2.0, -1.0], [0.0, 2.5]]}),
}


class Manifold:
    """Points near a curved surface, scaled to mean 0 and variance 1 in each dimension.

    Args:
        name: "swissroll" or "s_curve" (3 dimensions), "circles", "moons" or "blobs" (2).
        noise: standard deviation of the noise around the surface, before scaling; for "blobs", what
            is added to a standard deviation of 0.5.

    Raises:
        ValueError: an unknown name, or negative noise.

    Source: scikit-learn's `make_swiss_roll`, `make_s_curve`, `make_circles`, `make_moons`,
    `make_blobs`. The optimal rate and distortion have no closed form.

    Example:
        >>> from cvae_keras.data import Manifold
        >>> Manifold("swissroll").sample(5, seed=0).shape
        (5, 3)
    """

    def __init__(self, name, noise=0.05):
        self.name = check_choice("name", name, MAKERS)
        self.noise = check_weight("noise", noise)
        x = self._draw(20_000, 0)
        self._mean, self._std = x.mean(axis=0), x.std(axis=0)
        self.dim, self.scale = x.shape[1], np.ones(x.shape[1])

    def _draw(self, n, seed):
        from sklearn import datasets  # slow to import, and only used here

        maker, options = MAKERS[self.name]
        number = int(check_generator("seed", seed).integers(2**31))  # scikit-learn takes integers
        noise = {"cluster_std": 0.5 + self.noise} if self.name == "blobs" else {"noise": self.noise}
        return getattr(datasets, maker)(n, random_state=number, **noise, **options)[0]

    def sample(self, n, seed=0):
        """Draw examples.

        Args:
            n: number of examples.
            seed: anything that `numpy.random.default_rng` takes.

        Returns:
            float32 `(n, dim)`.
        """
        return ((self._draw(check_count("n", n), seed) - self._mean) / self._std).astype("float32")


class SideBySide:
    """Several independent data sets concatenated along the dimensions.

    Args:
        parts: list of data sets, each with `dim`, `scale` and `sample(n, seed)`.

    Raises:
        ValueError: parts is empty.

    Example:
        >>> from cvae_keras.data import Manifold, SideBySide
        >>> SideBySide([Manifold("circles"), Manifold("moons")]).sample(5, seed=0).shape
        (5, 4)
    """

    def __init__(self, parts):
        if not parts:
            raise ValueError("parts is empty: give at least one data set.")
        self.parts = list(parts)
        self.dim = sum(part.dim for part in parts)
        self.scale = np.concatenate([part.scale for part in parts])

    def sample(self, n, seed=0):
        """Draw examples, independently from each part.

        Args:
            n: number of examples.
            seed: integer or list of integers; None or a generator to draw one.

        Returns:
            float32 `(n, dim)`.
        """
        seeds = [[*integers(seed), index] for index in range(len(self.parts))]
        draws = [part.sample(n, s) for part, s in zip(self.parts, seeds, strict=True)]
        return np.concatenate(draws, axis=1)
