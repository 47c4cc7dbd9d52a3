"""Multimodal data sets: jointly Gaussian modalities, and images with their labels and halves."""

import numpy as np

from cvae_keras.checks import check_count, check_generator, check_weight, shown
from cvae_keras.data.gaussian import LARGEST, GaussianData
from cvae_keras.data.images import load_images
from cvae_keras.truth.gaussian import conditional_log_density

#: Task -> (main modality, conditioning modalities) of the arrays of `image_modalities`.
TASKS = {"label": ("image", ["label"]), "half": ("lower", ["upper"])}


class GaussianModalities(GaussianData):
    """Jointly Gaussian modalities, for which log p(any | any others) has a closed form.

    The random covariance is that of `L f + e`, scaled to variances of 1: f are Gaussian factors
    shared by all modalities, L has entries from N(0, 1 / shared), and e is Gaussian noise.

    Args:
        dims: dictionary of name -> number of dimensions of the modality.
        covariance: `(d, d)`, of all modalities in the order of dims; by default random.
        shared: number of factors f of the random covariance.
        noise: variance of e of the random covariance.
        seed: seed of the random covariance.

    Raises:
        ValueError: sizes that do not fit, or a matrix that is not a covariance.

    Example:
        >>> from cvae_keras.data import GaussianModalities
        >>> data = GaussianModalities({"x": 2, "a": 3}, seed=0)
        >>> arrays = data.examples(5, seed=1)
        >>> arrays["a"].shape, data.log_prob(arrays, "x", ["a"]).shape
        ((5, 3), (5,))
    """

    def __init__(self, dims, covariance=None, shared=4, noise=0.5, seed=0):
        if not isinstance(dims, dict) or not dims:
            raise ValueError(f"dims must be a dictionary of sizes, got {shown(dims)}: fill it.")
        self.dims = {name: check_count(f"dims[{name!r}]", dim) for name, dim in dims.items()}
        total = sum(self.dims.values())
        shared, noise = check_count("shared", shared), check_weight("noise", noise)
        check_count("the sum of dims", total, LARGEST)
        if covariance is None:
            loadings = check_generator("seed", seed).standard_normal((total, shared))
            covariance = loadings @ loadings.T / shared + noise * np.eye(total)
            scale = np.sqrt(np.diag(covariance))
            covariance = covariance / np.outer(scale, scale)
        super().__init__(covariance)
        if self.dim != total:
            raise ValueError(f"covariance must be {total} x {total}, to fit dims, got {self.dim}.")
        stops = np.cumsum(list(self.dims.values()))
        self.parts = {
            name: slice(stop - dim, stop)
            for (name, dim), stop in zip(self.dims.items(), stops, strict=True)
        }

    def examples(self, n, seed=0):
        """Draw examples.

        Args:
            n: number of examples.
            seed: anything that `numpy.random.default_rng` takes.

        Returns:
            Dictionary of name -> float32 `(n, dim)`.
        """
        x = self.sample(n, seed)
        return {name: x[:, part] for name, part in self.parts.items()}

    def log_prob(self, arrays, main, given=()):
        """The exact log p(main | given) of each example, in nats.

        Args:
            arrays: dictionary of all modalities, as from `examples`.
            main: name of a modality.
            given: list of names of the modalities that are conditioned on.

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


def image_modalities(name="mnist", folder=None):
    """Binarized images, their upper and lower halves, and their labels.

    Args:
        name: "mnist", "fashion_mnist" or "digits", see `load_images`.
        folder: the folder of the data files, see `load_images`.

    Returns:
        `(train, test)`, dictionaries of `image` `(n, side, side)`, `upper` and `lower`
        `(n, side / 2, side)`, float32, 1 where a pixel is above half of the largest value and 0
        elsewhere; and `label` `(n,)`, int32.

    Raises:
        ValueError: name is unknown, or a file is absent or damaged.

    Example:
        >>> from cvae_keras.data import image_modalities
        >>> train, test = image_modalities("digits")
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
