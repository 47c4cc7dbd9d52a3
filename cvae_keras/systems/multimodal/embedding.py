"""What `MultimodalCVAE.encode` and `decode` return, and how they are computed in parts."""

from typing import NamedTuple

import numpy as np
from keras import ops

ROWS = 10_000  # rows that go through a network at once


class Embedding(NamedTuple):
    """Latent samples, and the conditioning modalities that belong to them.

    Attributes:
        z: `(N, batch, latent_dim)`; `(batch, latent_dim)` for N = 1; `(N * batch, latent_dim)`,
            sample first, if flattened.
        cond_mod_data: dictionary of arrays with the leading axes of z: `(N, batch, ...)`, which
            is read-only; `(batch, ...)` for N = 1; `(N * batch, ...)` if flattened. Labels of a
            modality that has classes are one-hot vectors.
    """

    z: np.ndarray
    cond_mod_data: dict


class _Reconstruction(NamedTuple):
    reconstruction: np.ndarray
    z: np.ndarray
    cond_mod_data: dict


class Reconstruction(_Reconstruction):
    """The mean of p(main | z, conditions), and the `Embedding` that was decoded.

    The reconstruction is also found by the name of the main modality: `found["image"]` and
    `found.image` are `found.reconstruction`.

    Args:
        main: name of the main modality.

    Attributes:
        reconstruction: `(N, batch, *shape)`, or with the leading axes of z; probabilities if
            decoder_dist is "bernoulli" or "categorical".
        z: latent samples.
        cond_mod_data: dictionary of the conditioning modalities.

    Example:
        >>> found = Reconstruction(np.zeros((2, 3)), np.zeros((2, 1)), {}, main="image")
        >>> found["image"].shape, found.image.shape
        ((2, 3), (2, 3))
    """

    main = "reconstruction"

    def __new__(cls, reconstruction, z, cond_mod_data, main=main):
        found = super().__new__(cls, reconstruction, z, cond_mod_data)
        found.main = main
        return found

    def __getitem__(self, key):
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key == self.main:
            return self.reconstruction
        if key not in self._fields:
            raise KeyError(f"{key!r} is neither {self.main!r} nor among {list(self._fields)}")
        return getattr(self, key)

    def __getattr__(self, name):
        if name == self.main:
            return self.reconstruction
        raise AttributeError(f"a reconstruction of {self.main!r} has no {name!r}")


def in_parts(function, arrays, rows=ROWS):
    """Apply a function to some rows of all arrays at a time.

    Args:
        function: takes a dictionary of arrays `(rows, ...)`, and returns a tensor `(N, rows, ...)`.
        arrays: dictionary of arrays `(batch, ...)`.
        rows: number of rows at a time.

    Returns:
        NumPy array `(N, batch, ...)`.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.embedding import in_parts
        >>> in_parts(lambda part: part["x"][None], {"x": np.arange(5)}, rows=2).tolist()
        [[0, 1, 2, 3, 4]]
    """
    total = len(next(iter(arrays.values())))
    parts = [
        function({name: array[start : start + rows] for name, array in arrays.items()})
        for start in range(0, total, rows)
    ]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts], axis=1)


def embed(z, c, N, flatten):
    """The `Embedding` of latent samples `(N, batch, latent_dim)` and their conditions.

    Args:
        z: NumPy array `(N, batch, latent_dim)`.
        c: dictionary of arrays `(batch, ...)`.
        N: samples per example; the first axis is dropped if it is 1.
        flatten: whether the axes of samples and examples become one.

    Returns:
        `Embedding`.

    Example:
        >>> import numpy as np
        >>> from cvae_keras.systems.multimodal.embedding import embed
        >>> embed(np.zeros((3, 2, 4)), {"label": np.arange(2)}, N=3, flatten=True).z.shape
        (6, 4)
    """
    if N == 1:
        return Embedding(z[0], c)
    if not flatten:
        stacked = {name: np.broadcast_to(array, (N, *array.shape)) for name, array in c.items()}
        return Embedding(z, stacked)
    tiled = {name: np.concatenate([array] * N) for name, array in c.items()}
    return Embedding(z.reshape(-1, z.shape[-1]), tiled)
