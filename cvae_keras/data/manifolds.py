"""Data that is not Gaussian: rolls, circles, moons and blobs, from scikit-learn, standardised."""

import numpy as np
from sklearn import datasets

from cvae_keras.checks import check_choice, check_count

MAKERS = {
    "swissroll": lambda n, noise, seed: datasets.make_swiss_roll(n, noise=noise, random_state=seed),
    "s_curve": lambda n, noise, seed: datasets.make_s_curve(n, noise=noise, random_state=seed),
    "circles": lambda n, noise, seed: datasets.make_circles(
        n, noise=noise, factor=0.5, random_state=seed
    ),
    "moons": lambda n, noise, seed: datasets.make_moons(n, noise=noise, random_state=seed),
    "blobs": lambda n, noise, seed: datasets.make_blobs(
        n, centers=CENTERS, cluster_std=0.5 + noise, random_state=seed
    ),
}
CENTERS = [[-2.0, -2.0], [2.0, -1.0], [0.0, 2.5]]


class Manifold:
    """Points on a curved surface, scaled to mean 0 and variance 1 in each dimension.

    Args:
        name: "swissroll" or "s_curve" (3 dimensions), "circles", "moons" or "blobs" (2).
        noise: standard deviation of the noise around the surface, before scaling.

    Raises:
        ValueError: an unknown name, or negative noise.

    Source: scikit-learn's `make_swiss_roll`, `make_s_curve`, `make_circles`, `make_moons`,
    `make_blobs`. No optimum is known in closed form.

    Example:
        >>> Manifold("swissroll").sample(5, seed=0).shape
        (5, 3)
    """

    def __init__(self, name, noise=0.05):
        self.name = check_choice("name", name, MAKERS)
        if not 0 <= noise < np.inf:
            raise ValueError(f"noise must be a number >= 0, got {noise!r}: choose one.")
        self.noise = noise
        x = self._draw(20_000, 0)
        self._mean, self._std = x.mean(axis=0), x.std(axis=0)
        self.dim, self.scale = x.shape[1], np.ones(x.shape[1])

    def _draw(self, n, seed):
        number = int(np.random.default_rng(seed).integers(2**31))  # scikit-learn takes integers
        return MAKERS[self.name](n, self.noise, number)[0]

    def sample(self, n, seed=0):
        """Draw examples.

        Args:
            n: how many; seed: anything that `numpy.random.default_rng` takes.

        Returns:
            (n, d), float32.
        """
        return ((self._draw(check_count("n", n), seed) - self._mean) / self._std).astype("float32")


class SideBySide:
    """Several data sets next to each other, as one with the dimensions of all.

    Args:
        parts: list of data sets, each with `dim`, `scale` and `sample(n, seed)`.

    Raises:
        ValueError: parts is empty.

    Example:
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
        """Draw examples; `n` and `seed` as for the parts, which are drawn independently."""
        seeds = [[*np.atleast_1d(seed), index] for index in range(len(self.parts))]
        draws = [part.sample(n, s) for part, s in zip(self.parts, seeds, strict=True)]
        return np.concatenate(draws, axis=1)
