"""The multimodal conditional VAE: one modality given any number of others.

| slot | filled with |
|---|---|
| posterior | amortised Gaussian over all modalities |
| prior | N(0, I), or a Gaussian from a network of the conditions, or that bent by a flow |
| condition | any number of named modalities, of any shape |
| likelihood | Normal, Laplace, Bernoulli (logits) or categorical (logits) of the main modality |
| special | conditioning modalities may be missing, and are dropped at random in training |
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count
from cvae_keras.elbo import ELBOModel
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts.likelihoods import Bernoulli, Categorical, Laplace, Normal
from cvae_keras.parts.posteriors import GaussianPosterior
from cvae_keras.parts.priors import ConditionalNormal, FlowPrior, StandardNormal
from cvae_keras.systems.multimodal.modalities import MASK, Modalities
from cvae_keras.systems.multimodal.networks import Called, FusedDecoder, FusedEncoder, input_names
from cvae_keras.training.batches import first_batch

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
            q = self.infer(part, self.read(given))
            if return_mean:
                return ops.repeat(ops.expand_dims(q.mean, 0), N, axis=0)
            return q.sample(N, seed=generator)

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
            return self.prior(self.read(part)).sample(N, batch=rows, seed=generator)

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


DISTRIBUTIONS = {
    "normal": Normal,
    "laplace": Laplace,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
}


@keras.saving.register_keras_serializable("cvae_keras")
class MultimodalCVAE(MultimodalCalls, ELBOModel):
    """p(main modality | conditioning modalities), with a latent for what these leave open.

    `loss = -E_q(z | all)[log p(main | z, conditions)] + beta * KL(q(z | all) || p(z | conditions))`

    Args:
        main_modality: name of what is generated; conditioning_modalities: list of names.
        input_dims: dictionary of the shape of one example of each modality, `(10,)` for 10 classes
            too. None where encoder is a functional model, whose inputs tell.
        latent_dim: latent dimensions; beta: weight of the KL.
        decoder_dist: "normal", "laplace", "bernoulli" or "categorical"; the decoder gives means, or
            logits for the last two.
        decoder_dist_params: `{"scale": s}` of normal and laplace, a positive number or "learned",
            which is the default.
        encoder, decoder: None for dense ones, or Keras layers or models, see `networks.py` beside.
        prior_network: None for N(0, I); "dense" for a Gaussian from a dense network of the
            conditions; "flow" for that one bent by an autoregressive flow, which is nearer to where
            the latents are and so gives the best samples; or one's own network, of a Gaussian.
        hidden: units of the layers of the dense networks.
        drop_rate: None if every example has every modality. A number from 0 below 1 lets
            conditioning modalities be missing, and drops each of them from an example with this
            probability in training, so that the model knows what to do without it.
        seed: of the posterior samples and of the dropping.

    Call arguments:
        inputs: dictionary of arrays by name, `(batch, *shape)`, or class numbers `(batch,)`; where
            drop_rate is given, `name_mask` `(batch,)` too, 0 where an example lacks a modality.
            One left out altogether is missing in every example.

    Returns:
        The terms of `ELBOModel`.

    Raises:
        ValueError: names, shapes or networks that do not fit. TypeError: a network that is none.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", 2015; the feature set is that of MultiVae's CVAE; dropping modalities:
    Wu and Goodman, "Multimodal generative models for scalable weakly-supervised learning", 2018.

    Example:
        >>> dims = {"image": (28, 28), "label": (10,)}
        >>> model = MultimodalCVAE("image", ["label"], dims, decoder_dist="bernoulli")
        >>> model.compile(keras.optimizers.Adam(1e-3))
        >>> model.fit({"image": x, "label": y}, batch_size=128, epochs=10)
        >>> pictures = model.sample({"label": [3, 7]}, n_samples=5)               # (5, 2, 28, 28)
    """

    def __init__(
        self,
        main_modality,
        conditioning_modalities,
        input_dims=None,
        latent_dim=10,
        beta=1.0,
        decoder_dist="normal",
        decoder_dist_params=None,
        encoder=None,
        decoder=None,
        prior_network=None,
        hidden=(512, 512),
        drop_rate=None,
        seed=0,
        **kwargs,
    ):
        dims = input_dims if input_dims is not None else _dims_of(encoder)
        modalities = Modalities(main_modality, conditioning_modalities, dims, drop_rate)
        latent, shape = (check_count("latent_dim", latent_dim),), modalities.main_shape
        if isinstance(prior_network, str):
            check_choice("prior_network", prior_network, ["dense", "flow"])
        parts = {"encoder": encoder, "decoder": decoder, "prior_network": prior_network}
        used = dict(parts)
        if encoder is None:
            used["encoder"] = FusedEncoder(latent_dim, hidden)
        if decoder is None:
            used["decoder"] = FusedDecoder(shape, hidden)
        if isinstance(prior_network, str):
            used["prior_network"] = FusedEncoder(latent_dim, hidden, kernel_initializer="zeros")
        prior = StandardNormal(latent_dim)
        if prior_network is not None:
            called = Called(used["prior_network"], "prior_network", latent)
            kind = FlowPrior if prior_network == "flow" else ConditionalNormal
            prior = kind(latent_dim, network=called)
        super().__init__(
            posterior=GaussianPosterior(
                Called(used["encoder"], "encoder", latent, main_modality), latent_dim, heads=False
            ),
            prior=prior,
            decoder=Called(used["decoder"], "decoder", shape),
            likelihood=_likelihood(decoder_dist, decoder_dist_params),
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.main_modality, self.conditioning_modalities = main_modality, modalities.given
        self.modalities, self.networks = modalities, parts
        self.options = {"latent_dim": latent_dim, "decoder_dist": decoder_dist}
        self.options |= {"decoder_dist_params": decoder_dist_params, "hidden": list(hidden)}
        self.options |= {"drop_rate": drop_rate, "seed": seed}
        self.shifts, self.scales = {}, {}
        for name in modalities.given:
            fixed = {"shape": tuple(modalities.shapes[name]), "trainable": False}
            self.shifts[name] = self.add_weight(initializer="zeros", name=f"shift_{name}", **fixed)
            self.scales[name] = self.add_weight(initializer="ones", name=f"scale_{name}", **fixed)
        self({name: ops.zeros((2, *shape)) for name, shape in modalities.shapes.items()})  # builds

    def call(self, inputs, training=None):
        if training and self.modalities.drop_rate:
            inputs = self.modalities.drop(inputs, self.seed_generator)
        return super().call(inputs, training)

    def split(self, inputs):
        x, c = self.modalities.split(inputs)
        return x, c, None

    def read(self, c, training=None):
        return self.modalities.read(c, self.units)

    def infer(self, inputs, h, training=None):
        shift, scale = self.units[self.main_modality]
        x, _, _ = self.split(inputs)
        return self.posterior((x - shift) / scale, h, training=training)

    # -- units ----------------------------------------------------------------------------------
    @property
    def units(self):
        """(shift, scale) of each modality, variables of its shape."""
        given = {name: (shift, self.scales[name]) for name, shift in self.shifts.items()}
        return {self.main_modality: (self.decoder.shift, self.decoder.scale), **given}

    def adapt(self, inputs):
        """Measure the units of real-valued modalities, in which the networks then read and write.

        `fit` on a dictionary of arrays does it before the first step; where training data come in
        batches, call it before, or data far from mean 0 and variance 1 take long to learn.

        Args:
            inputs: dictionary of arrays, as for `fit`.

        Raises:
            ValueError: inputs that `fit` would refuse too.

        Example:
            >>> model.adapt({"image": x[:1000], "label": y[:1000]})
        """
        inputs = self.check_inputs(inputs)
        for name, (shift, scale) in self.units.items():
            if name not in inputs:
                continue
            there = inputs.get(name + MASK, np.ones((len(inputs[name]), 1)))[:, 0] > 0
            mean, deviation = self.modalities.by_name[name].moments(inputs[name][there])
            if name == self.main_modality:  # its noise has one scale for all entries
                if self.options["decoder_dist"] not in ("normal", "laplace"):
                    continue
                deviation = np.full_like(deviation, np.sqrt(np.mean(np.square(deviation))))
                if self.likelihood.scale == "learned":
                    self.likelihood.log_scale.assign(np.log(deviation.flat[0]))
            shift.assign(mean)
            scale.assign(deviation)

    def fit(self, x=None, *args, **kwargs):
        """As `ELBOModel.fit`; a first dictionary of arrays also tells the units, see `adapt`.

        Of data that come in batches, the first is checked.
        """
        if isinstance(x, dict) and self.optimizer is not None:
            if int(ops.convert_to_numpy(self.optimizer.iterations)) == 0:
                self.adapt(x)
        elif (first := first_batch(x)) is not None:
            self.check_inputs(first)
        return super().fit(x, *args, **kwargs)

    # -- checks and saving ----------------------------------------------------------------------
    def check_inputs(self, inputs):
        return self.modalities.check(inputs, self.options["decoder_dist"])

    def check_condition(self, c):
        return self.modalities.check_conditions(c)

    def get_config(self):
        config = {"main_modality": self.main_modality, **self.options}
        config |= {"input_dims": self.modalities.shapes}
        config |= {"conditioning_modalities": self.conditioning_modalities, "name": self.name}
        for role, network in self.networks.items():
            plain = network is None or isinstance(network, str)
            config[role] = network if plain else keras.saving.serialize_keras_object(network)
        return {**config, "beta": float(self.term_weights["beta"])}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for role in ("encoder", "decoder", "prior_network"):
            if isinstance(config[role], dict):
                config[role] = keras.saving.deserialize_keras_object(config[role])
        return cls(**config)


def _likelihood(name, params):
    """The likelihood of the main modality."""
    check_choice("decoder_dist", name, DISTRIBUTIONS)
    params = dict(params or {})
    if set(params) - ({"scale"} if name in ("normal", "laplace") else set()):
        raise ValueError(
            f"decoder_dist_params {sorted(params)} do not fit {name!r}: 'normal' and 'laplace' "
            f"take {{'scale': number or 'learned'}}, the others none."
        )
    if params.get("scale") == "decoder":
        raise ValueError("scale must be a positive number or 'learned', got 'decoder'.")
    return DISTRIBUTIONS[name](**params)


def _dims_of(encoder):
    """The shapes of all modalities, from the inputs of a functional encoder."""
    named = getattr(encoder, "input", None) if input_names(encoder) else None
    if named is None:
        raise ValueError(
            "input_dims must be given, unless encoder is a functional Keras model whose inputs "
            "have the names of the modalities: give the shape of an example of each."
        )
    tensors = (
        named if isinstance(named, dict) else {tensor.name: tensor for tensor in encoder.inputs}
    )
    return {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}
