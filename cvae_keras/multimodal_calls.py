"""What a trained `MultimodalCVAE` does: encode, decode, generate, predict, score."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.modality import MASK

ROWS = 10_000  # points of z decoded at once


class Embedding(NamedTuple):
    """Points of the latent, and the conditioning modalities that belong to them.

    z: `(N, batch, latent_dim)`, `(batch, latent_dim)` for N = 1, or `(N * batch, latent_dim)`, all
    first points before all second ones, if flattened. cond_mod_data: dictionary of arrays
    `(batch, ...)`, or `(N * batch, ...)` if flattened.
    """

    z: np.ndarray
    cond_mod_data: dict


class Reconstruction(NamedTuple):
    """The mean of p(main | z, conditions), of the axes of z: probabilities where x is 0 or 1.

    And the z and cond_mod_data of the `Embedding` that was decoded.
    """

    reconstruction: np.ndarray
    z: np.ndarray
    cond_mod_data: dict


class MultimodalCalls:
    """The part of `MultimodalCVAE` that needs a trained model; see there.

    Example:
        >>> model.predict_main({"label": [3, 7]}, cond_mod=["label"], N=5).reconstruction.shape
        (5, 2, 28, 28)
    """

    def encode(self, inputs, N=1, flatten=False, return_mean=False, seed=None):
        """Points of q(z | all modalities).

        Args:
            inputs: dictionary of arrays, as for `fit`; N: points of each example; flatten: whether
                the axes of points and examples become one; return_mean: the mean of q, N times,
                instead of draws; seed: integer, or None for the model's own random state.

        Returns:
            `Embedding` with `.z` and `.cond_mod_data`.

        Raises:
            ValueError: inputs that `fit` would refuse too, or N below 1.

        Example:
            >>> model.encode({"image": x, "label": y}, N=2).z.shape               # (2, batch, 10)
        """
        inputs, N = self.check_inputs(inputs), check_count("N", N)
        c = {name: array for name, array in inputs.items() if name != self.main_modality}
        generator = self._generator(seed)

        def points(part):
            _, given, _ = self.split(part)
            mean, log_var = self.infer(part, self.read(given))
            z = ops.repeat(ops.expand_dims(mean, 0), N, axis=0)
            if not return_mean:
                noise = keras.random.normal(ops.shape(z), seed=generator)
                z = z + ops.exp(0.5 * log_var) * noise
            return z

        return _embedding(_in_parts(points, inputs), c, N, flatten)

    def generate_from_prior(self, cond, N=1, flatten=False, seed=None):
        """Points of p(z | conditions).

        Args:
            cond: dictionary of conditioning modalities, or the array of the only one. Where the
                model has a drop_rate, those left out count as missing.
            N, flatten, seed: as for `encode`.

        Returns:
            `Embedding`.

        Raises:
            ValueError: a condition that the model cannot read, or N below 1.

        Example:
            >>> model.decode(model.generate_from_prior({"label": [3]}, N=9)).reconstruction.shape
            (9, 1, 28, 28)
        """
        c, N, generator = self.check_condition(cond), check_count("N", N), self._generator(seed)

        def points(part):
            rows = len(next(iter(part.values())))
            return self.prior.sample(self.prior(self.read(part)), rows, N, generator)

        return _embedding(_in_parts(points, c), c, N, flatten)

    def decode(self, embedding):
        """The mean of p(main | z, conditions).

        Args:
            embedding: what `encode` and `generate_from_prior` return.

        Returns:
            `Reconstruction` with `.reconstruction`, float32, the axes of z first, and what it was
            made of, `.z` and `.cond_mod_data`.

        Raises:
            ValueError: z does not fit the model or its conditions.

        Example:
            >>> model.decode(model.encode({"image": x, "label": y})).reconstruction.shape
            (batch, 28, 28)
        """
        z = np.asarray(embedding.z, "float32")
        c = self.check_condition(embedding.cond_mod_data)
        rows, points = len(next(iter(c.values()))), z if z.ndim == 3 else z[None]
        if points.ndim != 3 or points.shape[1:] != (rows, self.options["latent_dim"]):
            raise ValueError(
                f"z has shape {z.shape}; give (N, {rows}, {self.options['latent_dim']}) or "
                f"({rows}, {self.options['latent_dim']}), a row for each of the conditions."
            )

        def means(part):
            of = ops.convert_to_tensor(points[:, part.pop("rows")])
            return self.likelihood.mean(self.decoder(of, self.read(part)))

        x = _in_parts(means, {**c, "rows": np.arange(rows)}, max(1, ROWS // len(points)))
        return Reconstruction(x if z.ndim == 3 else x[0], embedding.z, embedding.cond_mod_data)

    def predict_main(self, inputs, cond_mod="all", N=1, flatten=False, seed=None):
        """The main modality, from all modalities or from some.

        What MultiVae calls `predict`; Keras's own `predict` gives the terms of the objective.

        Args:
            inputs: dictionary of arrays, which may hold more than cond_mod names.
            cond_mod: "all", or the names of those that are used. With the main modality among them
                it is reconstructed, else generated from the prior.
            N, flatten, seed: as for `encode`.

        Returns:
            `Reconstruction`.

        Raises:
            ValueError: an unknown name, one that inputs lack, or arrays that do not fit.

        Example:
            >>> model.predict_main({"label": [3, 7]}, cond_mod=["label"], N=5).reconstruction.shape
            (5, 2, 28, 28)
        """
        names = [self.main_modality, *self.conditioning_modalities]
        used = names if isinstance(cond_mod, str) and cond_mod == "all" else cond_mod
        if isinstance(used, str) or not used or not set(used) <= set(names):
            raise ValueError(
                f"cond_mod must be 'all' or a list of names among {names}, got {cond_mod!r}."
            )
        if lacking := sorted(set(used) - set(inputs)):
            raise ValueError(f"inputs lack {lacking}, which cond_mod names: add them.")
        masks = [name + MASK for name in used if name + MASK in inputs]
        taken = {name: inputs[name] for name in (*used, *masks)}
        if self.main_modality in used:
            return self.decode(self.encode(taken, N, flatten, seed=seed))
        return self.decode(self.generate_from_prior(taken, N, flatten, seed))

    def log_prob(self, inputs, K=1000, seed=0):
        """Importance-weighted log p(main | conditions) of each example, in nats.

        See `cvae_keras.metrics.importance.importance_weighted_bound`, which also gives its error.

        Args:
            inputs: dictionary of arrays, as for `fit`; conditioning modalities that are left out
                count as missing where the model has a drop_rate; K: points of z an example; seed.

        Returns:
            float64 `(batch,)`, a bound from below that is tight for large K.

        Raises:
            ValueError: inputs that `fit` would refuse too, or K below 1.

        Example:
            >>> model.log_prob({"image": x, "label": y}, K=1000).mean()
        """
        return importance_weighted_bound(self, inputs, K, seed)[0]

    def _generator(self, seed):
        return self.seed_generator if seed is None else keras.random.SeedGenerator(seed)


def _in_parts(function, arrays, rows=ROWS):
    """`function` of some rows of all arrays at a time, `(N, rows, ...)`, put together as NumPy."""
    total = len(next(iter(arrays.values())))
    parts = [
        function({name: array[start : start + rows] for name, array in arrays.items()})
        for start in range(0, total, rows)
    ]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts], axis=1)


def _embedding(z, c, N, flatten):
    if N == 1:
        return Embedding(z[0], c)
    if not flatten:
        return Embedding(z, c)
    tiled = {name: np.concatenate([array] * N) for name, array in c.items()}
    return Embedding(z.reshape(-1, z.shape[-1]), tiled)
