"""Data of several modalities: jointly Gaussian ones, and pictures with labels or in halves."""

import numpy as np

from cvae_keras.checks import check_count
from cvae_keras.data.gaussian import GaussianData
from cvae_keras.data.images import load_images
from cvae_keras.truth.gaussian import conditional_log_density

#: What of the pictures is generated, and from what.
TASKS = {"label": ("image", ["label"]), "half": ("lower", ["upper"])}


class GaussianModalities(GaussianData):
    """Jointly Gaussian modalities, of which log p(any | any others) is known.

    A random covariance is that of `L f + e`, f and e Gaussian: `shared` factors f that all
    modalities see, and noise e of variance `noise`, then scaled to variances of 1.

    Args:
        dims: dictionary of the number of dimensions of each modality.
        covariance: of all, `(d, d)`, in the order of dims; by default random.
        shared, noise: of the random one; seed: of it.

    Raises:
        ValueError: sizes that do not fit, or no covariance.

    Example:
        >>> data = GaussianModalities({"x": 2, "a": 3}, seed=0)
        >>> arrays = data.examples(5, seed=1)
        >>> arrays["a"].shape, data.log_prob(arrays, "x", ["a"]).shape
        ((5, 3), (5,))
    """

    def __init__(self, dims, covariance=None, shared=4, noise=0.5, seed=0):
        self.dims = {name: check_count(f"dims[{name!r}]", dim) for name, dim in dims.items()}
        total = sum(self.dims.values())
        if covariance is None:
            loadings = np.random.default_rng(seed).standard_normal((total, shared))
            covariance = loadings @ loadings.T / shared + noise * np.eye(total)
            scale = np.sqrt(np.diag(covariance))
            covariance = covariance / np.outer(scale, scale)
        super().__init__(covariance)
        if self.dim != total:
            raise ValueError(f"covariance must be {total} x {total}, as dims say, got {self.dim}.")
        stops = np.cumsum(list(self.dims.values()))
        self.parts = {
            name: slice(stop - dim, stop)
            for (name, dim), stop in zip(self.dims.items(), stops, strict=True)
        }

    def examples(self, n, seed=0):
        """Draw n examples: dictionary of float32 arrays `(n, dim)` by name."""
        x = self.sample(n, seed)
        return {name: x[:, part] for name, part in self.parts.items()}

    def log_prob(self, arrays, main, given=()):
        """The exact log p(main | given) of each example, in nats.

        Args:
            arrays: dictionary as from `examples`; main: a name; given: list of names.

        Returns:
            float64 `(n,)`.
        """
        x = np.concatenate([arrays[name] for name in self.parts], axis=1)
        known = np.zeros(self.dim, bool)
        for name in given:
            known[self.parts[name]] = True
        target = np.zeros(self.dim, bool)
        target[self.parts[main]] = True
        return conditional_log_density(x, target, known, self.covariance)


def picture_modalities(name="mnist", folder=None):
    """Pictures of black and white pixels, whole and in halves, with their labels.

    Args:
        name, folder: as for `load_images`.

    Returns:
        `(train, test)`, dictionaries of `image` `(n, side, side)`, `upper` and `lower`
        `(n, side / 2, side)`, float32 0 or 1 (above half of the largest value), and `label` `(n,)`.

    Example:
        >>> train, test = picture_modalities("digits")
        >>> train["upper"].shape, test["label"].shape
        ((1500, 4, 8), (297,))
    """
    parts = []
    for x, y in load_images(name, folder):
        side = int(np.sqrt(x.shape[1]))
        most = 16 if name == "digits" else 255
        image = (x.reshape(-1, side, side) > most / 2).astype("float32")
        halves = {"upper": image[:, : side // 2], "lower": image[:, side // 2 :]}
        parts.append({"image": image, **halves, "label": y.astype("int32")})
    return tuple(parts)
