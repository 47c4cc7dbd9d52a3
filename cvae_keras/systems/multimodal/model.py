"""The multimodal conditional VAE: one modality given any number of others.

| slot | filled with |
|---|---|
| posterior | amortized Gaussian over all modalities |
| prior | N(0, I), or a Gaussian from a network of the conditions, or that transformed by a flow |
| condition | any number of named modalities, of any shape |
| likelihood | Normal, Laplace, Bernoulli (logits) or categorical (logits) of the main modality |
| special | conditioning modalities may be missing, and are dropped at random in training |
"""

import warnings
from numbers import Real

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count, check_sample_weight
from cvae_keras.data.frames import read_numbers
from cvae_keras.elbo import ELBOModel, training_rows
from cvae_keras.metrics.importance import importance_weighted_bound
from cvae_keras.parts.likelihoods import Bernoulli, Categorical
from cvae_keras.parts.posteriors import GaussianPosterior
from cvae_keras.parts.priors import ConditionalNormal, FlowPrior, StandardNormal
from cvae_keras.systems.multimodal.embedding import ROWS, Reconstruction, embed, in_parts
from cvae_keras.systems.multimodal.modalities import MASK, Modalities
from cvae_keras.systems.multimodal.networks import (
    DecoderAdapter,
    EncoderAdapter,
    FusedDecoder,
    FusedEncoder,
    PriorNetworkAdapter,
    check_hidden,
    input_shapes,
)
from cvae_keras.systems.multimodal.units import (
    Laplace,
    Normal,
    Unit,
    check_finite,
    usable_scale,
)
from cvae_keras.training.batches import first_batch

DISTRIBUTIONS = {
    "normal": Normal,
    "laplace": Laplace,
    "bernoulli": Bernoulli,
    "categorical": Categorical,
}
FAR = 30.0  # from mean 0 or variance 1, at which an unmeasured unit spoils training


@keras.saving.register_keras_serializable("cvae_keras")
class MultimodalCVAE(ELBOModel):
    """p(main modality | conditioning modalities), with a latent for what these leave undetermined.

    `loss = -E_q(z | all)[log p(main | z, conditions)] + beta * KL(q(z | all) || p(z | conditions))`

    The result does not depend on the units of real-valued modalities: the first `fit` on arrays
    measures mean and scale of each entry (see `adapt`), data are centered in float64 before they
    become float32, and what is generated is returned in the unit of the data. Class numbers,
    one-hot vectors and modalities named in `images` are left as they are.

    Args:
        main_modality: name of the modality that is generated.
        conditioning_modalities: list of the names of the others.
        input_dims: dictionary of name -> shape of one example, also `(10,)` for 10 classes. None
            if encoder is a functional model, whose inputs have these shapes.
        latent_dim: number of latent dimensions.
        beta: weight of the KL.
        decoder_dist: "normal", "laplace", "bernoulli" or "categorical". The decoder returns means,
            for the last two logits.
        decoder_dist_params: `{"scale": s}` of normal and laplace, s a positive number in the unit
            of the main modality, or "learned", which is the default: one number for all entries,
            relative to their scales.
        encoder: None for a `FusedEncoder`, or a Keras layer or model, see
            `cvae_keras.systems.multimodal.networks`.
        decoder: None for a `FusedDecoder`, or a Keras layer or model.
        prior_network: None for N(0, I); "dense" for a Gaussian from a dense network of the
            conditions; "flow" for that Gaussian transformed by an autoregressive flow, which is
            closest to the distribution of the latents and gives the best samples; or a Keras layer
            or model, which gives a Gaussian.
        hidden: units of each hidden layer of the default networks.
        drop_rate: None if every example has every modality. A number from 0 below 1 allows missing
            conditioning modalities, and drops each of them from an example with this probability
            in training, so that the model learns to generate without it.
        seed: seed of the posterior samples and of the dropping.
        images: list of the modalities, if any, whose values lie in [0, 1] and stay as they are.
        classes: dictionary of name -> list of the labels of the K classes of a modality, texts or
            numbers, for instance `{"label": range(1, 11)}`; arrays may then hold these labels in
            place of one-hot vectors. Without it, class numbers count from 0.

    Call arguments:
        inputs: dictionary of arrays by name, `(batch, *shape)`, or class numbers `(batch,)`; with a
            drop_rate also `name_mask` `(batch,)`, 0 where an example lacks a modality. A modality
            that is left out is missing in every example. `fit` and all methods below also take
            pandas frames and series, nullable ones too; with a drop_rate, an example of which all
            entries of a modality are NaN or `pd.NA` lacks it.

    Returns:
        The terms of `ELBOModel`.

    Raises:
        ValueError: names, shapes or networks that do not fit.
        TypeError: a network that is not a Keras layer.

    Source: Sohn, Lee and Yan, "Learning structured output representation using deep conditional
    generative models", 2015; the set of features is that of the CVAE of MultiVae; dropping
    modalities: Wu and Goodman, "Multimodal generative models for scalable weakly-supervised
    learning", 2018.

    Example:
        ```python
        dims = {"image": (28, 28), "label": (10,)}
        model = MultimodalCVAE("image", ["label"], dims, decoder_dist="bernoulli")
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit({"image": x, "label": y}, batch_size=128, epochs=10)
        images = model.sample({"label": [3, 7]}, n_samples=5)          # (5, 2, 28, 28)
        ```
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
        images=(),
        classes=None,
        **kwargs,
    ):
        shapes = input_shapes(encoder) if input_dims is None else input_dims
        names = main_modality, conditioning_modalities
        modalities = Modalities(*names, shapes, drop_rate, images, classes)
        own = {"encoder": encoder, "decoder": decoder, "prior_network": prior_network}
        latent_dim = check_count("latent_dim", latent_dim)
        params = _likelihood_params(decoder_dist, decoder_dist_params)
        parts = self._build_parts(own, modalities, latent_dim, hidden)
        unit = parts["decoder"].unit
        reads_unit = {"unit": unit} if decoder_dist in ("normal", "laplace") else {}
        super().__init__(
            **parts,
            likelihood=DISTRIBUTIONS[decoder_dist](**reads_unit, **params),
            beta=beta,
            seed=seed,
            **kwargs,
        )
        self.modalities, self.networks = modalities, own
        self.main_modality = main_modality
        self.conditioning_modalities = modalities.conditions
        self.latent_dim, self.drop_rate = latent_dim, modalities.drop_rate
        self.hidden = check_hidden(hidden)
        self.decoder_dist, self.decoder_dist_params = decoder_dist, decoder_dist_params and params
        self.autocast = False  # float64 tensors are centered first
        self.unit_of = {modalities.main: unit}
        kinds = {"shift": "zeros", "scale": "ones"}, {"low": "zeros", "exponent": "zeros"}
        first, second = (self._unit_weights(kind) for kind in kinds)  # files may lack the second
        self.is_adapted = self.add_weight((), "zeros", trainable=False, name="adapted")
        for name in modalities.conditions:
            self.unit_of[name] = Unit(*first[name], *second[name])
        self({name: ops.zeros((2, *shape)) for name, shape in modalities.shapes.items()})  # builds

    def _unit_weights(self, kinds):
        """Weights of each kind, of the conditioning modalities' shapes: lists by name."""
        return {
            name: [
                self.add_weight(
                    self.modalities.shapes[name], init, trainable=False, name=f"{kind}_{name}"
                )
                for kind, init in kinds.items()
            ]
            for name in self.modalities.conditions
        }

    @staticmethod
    def _build_parts(own, modalities, latent_dim, hidden):
        """Posterior, prior and decoder, with the default networks where the user gives none."""
        encoder, decoder, prior_network = own["encoder"], own["decoder"], own["prior_network"]
        kind = prior_network if isinstance(prior_network, str) else None
        if kind is not None:
            check_choice("prior_network", kind, ["dense", "flow"])
        if encoder is None:
            encoder = FusedEncoder(latent_dim, hidden)
        if decoder is None:
            decoder = FusedDecoder(modalities.main_shape, hidden)
        if kind is not None:
            prior_network = FusedEncoder(latent_dim, hidden, kernel_initializer="zeros")
        prior = StandardNormal(latent_dim)
        if prior_network is not None:
            network = PriorNetworkAdapter(prior_network, (latent_dim,))
            prior_class = FlowPrior if kind == "flow" else ConditionalNormal
            prior = prior_class(latent_dim, network=network)
        encoder = EncoderAdapter(encoder, (latent_dim,), modalities.main)
        return {
            "posterior": GaussianPosterior(encoder, latent_dim, heads=False),
            "prior": prior,
            "decoder": DecoderAdapter(decoder, modalities.main_shape),
        }

    # -- the objective --------------------------------------------------------------------------
    def call(self, inputs, training=None):
        if training and self.drop_rate:
            inputs = self.modalities.drop(inputs, self.seed_generator)
        return super().call(inputs, training)

    def split(self, inputs):
        x, c = self.modalities.split(inputs, self.unit_of)
        return x, c, None

    def read(self, c, training=None):
        return self.modalities.read(c, self.unit_of)

    @property
    def classes(self):
        """The labels of each modality that has classes, by name; its one-hot vectors count them."""
        return self.modalities.classes

    # -- units ----------------------------------------------------------------------------------
    @property
    def units(self):
        """`(shift, scale)` of each modality, float64 arrays of its shape, by name."""
        return {name: unit.numbers() for name, unit in self.unit_of.items()}

    @property
    def adapted(self):
        """Whether the units are fixed: a weight, which is saved, loaded and copied with others."""
        return bool(ops.convert_to_numpy(self.is_adapted) > 0)

    def adapt(self, inputs, sample_weight=None):
        """Measure the mean and scale of real-valued modalities, by which they are standardized.

        The first `fit` does this if it is on a dictionary of arrays, with its training rows alone.
        Call it before a first `fit` on batches: they are trained on in the unit that they have.
        Later calls of `fit` leave the units as they are, also after `compile` and loading.

        The sums are in float64. The scale is the standard deviation of each entry of a vector, and
        one number for all entries of other shapes. An entry whose values are all equal has the
        scale 1 in a condition, and in the main modality its own size, at most that of the others.

        Args:
            inputs: dictionary of arrays, as for `fit`.
            sample_weight: `(examples,)`, how many examples each row stands for: those of weight 0
                are left out. If all are 0, nothing is measured.

        Raises:
            ValueError: inputs that `fit` refuses.

        Example:
            ```python
            model.adapt({"image": x[:1000], "label": y[:1000]})
            ```
        """
        inputs = self.modalities.check(inputs, self.decoder_dist)
        weights = check_sample_weight(sample_weight, len(inputs[self.main_modality]))
        weights = np.ones(len(inputs[self.main_modality])) if weights is None else weights
        if not weights.any():
            return
        for name, unit in self.unit_of.items():
            main = name == self.main_modality
            if name not in inputs or (main and self.decoder_dist not in ("normal", "laplace")):
                continue
            mask = inputs.get(name + MASK)
            used = weights > 0 if mask is None else (weights > 0) & (mask[:, 0] > 0)
            if used.any():
                shift, scale = self.modalities.by_name[name].moments(
                    inputs[name][used], weights[used]
                )
                unit.assign(shift, usable_scale(shift, scale, generated=main))
        self.is_adapted.assign(1.0)

    def fit(self, x=None, y=None, *args, sample_weight=None, validation_data=None, **kwargs):
        """As `ELBOModel.fit`; the first one calls `adapt` if x is a dictionary of arrays.

        The units are measured on the training rows alone, not on those of `validation_split`, and
        with their weights, if there are any. Of data that come in batches, the first batch is
        checked, with a warning if it is far from mean 0 and variance 1 and `adapt` has not been
        called. Batches of float64 are centered in float64 on TensorFlow and PyTorch; JAX makes them
        float32 first.
        """
        data = {"sample_weight": sample_weight, "validation_data": validation_data}
        first = first_batch(x) if not isinstance(x, dict) else None
        if first is not None:
            self.check_inputs(self.modalities.check(first, self.decoder_dist, infer_masks=False))
        if self.compiled and not self.adapted:
            batches = hasattr(x, "__iter__") and not isinstance(x, (dict, list, tuple))
            if isinstance(x, dict) and y is None:
                self._adapt_to_training(x, validation_data, sample_weight, args, kwargs)
            elif first is not None:
                self._warn_of_units(first)
            if first is not None or (batches and not hasattr(x, "__array__")):
                self.is_adapted.assign(1.0)
        return super().fit(x, y, *args, **data, **kwargs)

    def _on_batch(self, method, x, y=None, sample_weight=None, **kwargs):
        """A first step measures the units on its batch, as the first `fit` does on its rows."""
        starts = method == "train_on_batch" and self.compiled and not self.adapted
        if starts and isinstance(x, dict):
            self.adapt(x, sample_weight)
        return super()._on_batch(method, x, y, sample_weight, **kwargs)

    def _adapt_to_training(self, x, validation_data, sample_weight, args, kwargs):
        """`adapt` to the training rows of `fit`, once all that can be refused has been checked."""
        if kwargs.get("class_weight") is not None:
            return  # refused
        x = self.modalities.check(x, self.decoder_dist)
        rows = len(x[self.main_modality])
        weights = check_sample_weight(sample_weight, rows)
        several = isinstance(validation_data, (tuple, list))
        if several and any(part is not None for part in validation_data[1:2]):
            return  # refused
        valid = validation_data[0] if several and validation_data else validation_data
        if isinstance(valid, dict):
            valid = self.modalities.check(valid, self.decoder_dist)
            if several and len(validation_data) > 2:
                check_sample_weight(validation_data[2], len(valid[self.main_modality]))
        rows = training_rows(rows, validation_data, args, kwargs)
        part = {name: array[:rows] for name, array in x.items()}
        if rows:
            self.adapt(part, None if weights is None else weights[:rows])

    def _warn_of_units(self, first):
        """Warn if the modalities of a first batch are far from mean 0 and variance 1."""
        first = self.modalities.check(first, self.decoder_dist, infer_masks=False)
        for name, modality in self.modalities.by_name.items():
            main = name == self.main_modality
            if name not in first or (main and self.decoder_dist not in ("normal", "laplace")):
                continue
            shift, scale = modality.moments(first[name])
            varies = scale > 0
            far = np.abs(shift[varies]).max(initial=0.0) > FAR
            if far or (scale[varies] > FAR).any() or (scale[varies] < 1 / FAR).any():
                warnings.warn(
                    f"{name} is far from mean 0 and variance 1 in the first batch, and batches are "
                    f"trained on in the unit that they have: call adapt with some of the examples "
                    f"before fit.",
                    stacklevel=3,
                )

    # -- use ------------------------------------------------------------------------------------
    def sample(self, c=None, n_samples=1, seed=None, batch_size=1000, noise=False):
        """Draw the main modality: z ~ p(z | c), then the mean of p(main | z, c), or a draw from it.

        Args:
            c: dictionary of conditioning modalities, or the array of the only one. With a
                drop_rate, those left out are missing, and None is an example without any.
            n_samples: samples per condition.
            seed: integer; the same seed gives the same samples. None continues the model's own
                random state.
            batch_size: conditions decoded at once, which bounds the memory.
            noise: whether x is drawn from p(main | z, c), and not its mean, as images are shown.

        Returns:
            `(n_samples, batch, *shape)`; `(n_samples, *shape)` if c is None. float32, or float64
            if the main modality has a mean of more than 16 times its scale, or a unit that float32
            does not hold: samples are as precise as the centered values.

        Raises:
            ValueError: c is not a condition of the model, n_samples is not a positive integer, or
                the samples are not finite.

        Example:
            ```python
            model.sample({"label": [3, 7]}, n_samples=5).shape          # (5, 2, 28, 28)
            ```
        """
        condition, batch_size = self.check_condition(c), check_count("batch_size", batch_size)
        samples = super().sample(condition, n_samples, seed, batch_size, noise)
        samples = self.unit_of[self.main_modality].restore(samples)
        return samples[:, 0] if c is None else samples

    def predict(self, x, *args, **kwargs):
        """As `ELBOModel.predict`, of the type of `sample`."""
        return self.unit_of[self.main_modality].restore(super().predict(x, *args, **kwargs))

    def encode(self, inputs, N=1, flatten=False, return_mean=False, seed=None):
        """Draw z from q(z | all modalities).

        Args:
            inputs: dictionary of arrays, as for `fit`.
            N: latent samples per example.
            flatten: whether the axes of samples and examples become one.
            return_mean: whether to return the mean of q, N times, in place of draws.
            seed: integer, or None for the model's own random state.

        Returns:
            `Embedding` with `.z` and `.cond_mod_data`.

        Raises:
            ValueError: inputs that `fit` refuses, or N below 1.

        Example:
            ```python
            model.encode({"image": x, "label": y}, N=2).z.shape         # (2, batch, 10)
            ```
        """
        N, generator = check_count("N", N), self.generator(seed)
        checked = self.modalities.check(inputs, self.decoder_dist)
        c = {name: array for name, array in checked.items() if name != self.main_modality}

        def draw(part):
            q = self.infer(part, self.read(self.split(part)[1]))
            if return_mean:
                return ops.repeat(ops.expand_dims(q.mean, 0), N, axis=0)
            return q.sample(N, seed=generator)

        z = check_finite(in_parts(draw, self._standardize(checked)))
        return embed(z, c, N, flatten)

    def generate_from_prior(self, cond=None, N=1, flatten=False, seed=None, *, cond_mod_data=None):
        """Draw z from p(z | conditions).

        Args:
            cond: dictionary of conditioning modalities, or the array of the only one. With a
                drop_rate, those left out are missing.
            cond_mod_data: the same, by the name that MultiVae has for it.
            N: latent samples per condition.
            flatten: whether the axes of samples and conditions become one.
            seed: integer, or None for the model's own random state.

        Returns:
            `Embedding` with `.z` and `.cond_mod_data`.

        Raises:
            ValueError: cond is not a condition of the model or given twice, or N is below 1.

        Example:
            ```python
            z = model.generate_from_prior({"label": [3]}, N=9)
            model.decode(z).reconstruction.shape                        # (9, 1, 28, 28)
            ```
        """
        N, generator = check_count("N", N), self.generator(seed)
        if cond is not None and cond_mod_data is not None:
            raise ValueError("cond and cond_mod_data are the same argument: give one of them.")
        c = self.modalities.check_conditions(cond_mod_data if cond is None else cond)

        def draw(part):
            rows = len(next(iter(part.values())))
            return self.prior(self.read(part)).sample(N, batch=rows, seed=generator)

        return embed(check_finite(in_parts(draw, self._standardize(c))), c, N, flatten)

    def decode(self, embedding, cond_mod_data=None):
        """The mean of p(main | z, conditions).

        Args:
            embedding: what `encode` and `generate_from_prior` return; or z itself, an array
                `(batch, latent_dim)` or `(N, batch, latent_dim)`.
            cond_mod_data: the conditions of a z that is an array: dictionary of arrays `(batch,
                ...)`, or `(N, batch, ...)` for conditions that differ between samples.

        Returns:
            `Reconstruction` with `.reconstruction`, which starts with the axes of z and is of the
            type of `sample`, and `.z` and `.cond_mod_data` of the embedding.

        Raises:
            ValueError: z does not fit the model or its conditions, or these are given twice.

        Example:
            ```python
            model.decode(model.encode({"image": x, "label": y})).reconstruction.shape
            model.decode(np.zeros((1, 10)), {"label": [3]})["image"].shape      # (1, 28, 28)
            ```
        """
        embedded = hasattr(embedding, "cond_mod_data")
        if embedded and cond_mod_data is not None:
            raise ValueError(
                "cond_mod_data is part of the embedding already: give it with an array z only."
            )
        c = embedding.cond_mod_data if embedded else cond_mod_data
        z = np.asarray(read_numbers("z", embedding.z if embedded else embedding), "float32")
        samples, given = z if z.ndim == 3 else z[None], c
        if z.ndim == 3:
            samples, c = self.modalities.unstack(samples, c, stacked=embedded)
        c = self.check_condition(c)
        rows = len(next(iter(c.values())))
        if samples.ndim != 3 or samples.shape[1:] != (rows, self.latent_dim):
            raise ValueError(
                f"z has shape {z.shape}; give (N, {rows}, {self.latent_dim}) or "
                f"({rows}, {self.latent_dim}), a row for each of the conditions."
            )

        def mean(part):
            some = ops.convert_to_tensor(samples[:, part.pop("rows")])
            return self.likelihood.mean(self.decoder(some, self.read(part)))

        x = in_parts(mean, {**c, "rows": np.arange(rows)}, max(1, ROWS // len(samples)))
        x = self.unit_of[self.main_modality].restore(x)
        x = x.reshape(*z.shape[:-1], *x.shape[2:])
        z = embedding.z if embedded else embedding
        return Reconstruction(x, z, given, main=self.main_modality)

    def predict_main(
        self, inputs, cond_mod="all", N=1, flatten=False, seed=None, return_mean=False
    ):
        """The main modality, reconstructed from all modalities or generated from some of them.

        The `predict` of MultiVae; Keras's `predict` returns reconstructions from all modalities.

        Args:
            inputs: dictionary of arrays, which may hold more than cond_mod names.
            cond_mod: "all", or a list of the names of those that are used. If the main modality is
                among them it is reconstructed, else generated from the prior. A reconstruction by
                a model without a drop_rate uses all conditions, also those that are not named.
            N: latent samples per example.
            flatten: whether the axes of samples and examples become one.
            seed: integer, or None for the model's own random state.
            return_mean: whether a reconstruction is that from the mean of q(z | all), in place of
                draws. What is generated from the prior is drawn, as in MultiVae.

        Returns:
            `Reconstruction` with `.reconstruction`, `.z` and `.cond_mod_data`; the first also by
            the name of the main modality, `["image"]` for instance.

        Raises:
            ValueError: a name that is unknown or absent from inputs, or arrays that do not fit.

        Example:
            ```python
            found = model.predict_main({"label": [3, 7]}, cond_mod=["label"], N=5)
            found.reconstruction.shape                                  # (5, 2, 28, 28)
            ```
        """
        names = [self.main_modality, *self.conditioning_modalities]
        used = names if isinstance(cond_mod, str) and cond_mod == "all" else cond_mod
        if isinstance(used, str) or not used or not set(used) <= set(names):
            raise ValueError(
                f"cond_mod must be 'all' or a list of names among {names}, got {cond_mod!r}."
            )
        if lacking := sorted(set(used) - set(inputs)):
            raise ValueError(f"inputs lack {lacking}, which cond_mod names: add them.")
        if self.main_modality in used and self.drop_rate is None:
            used = [name for name in names if name in inputs]
        masks = [name + MASK for name in used if name + MASK in inputs]
        taken = {name: inputs[name] for name in (*used, *masks)}
        if self.main_modality in used:
            return self.decode(self.encode(taken, N, flatten, return_mean, seed))
        return self.decode(self.generate_from_prior(taken, N, flatten, seed))

    def log_prob(self, inputs, K=1000, seed=0):
        """Importance-weighted log p(main | conditions) of each example, in nats.

        See `cvae_keras.metrics.importance.importance_weighted_bound`, which also gives its error.

        Args:
            inputs: dictionary of arrays, as for `fit`; with a drop_rate, conditioning modalities
                that are left out are missing.
            K: latent samples per example.
            seed: integer.

        Returns:
            float64 `(batch,)`, a lower bound that is tight for large K.

        Raises:
            ValueError: inputs that `fit` refuses, K below 1, or a density that is not finite.

        Example:
            ```python
            model.log_prob({"image": x, "label": y}, K=1000).mean()
            ```
        """
        with np.errstate(invalid="ignore"):
            return check_finite(importance_weighted_bound(self, inputs, K, seed)[0])

    # -- checks and saving ----------------------------------------------------------------------
    def check_inputs(self, inputs):
        """Arrays as the model reads them, see `Modalities.standardize`."""
        return self._standardize(self.modalities.check(inputs, self.decoder_dist))

    def check_batch(self, inputs):
        """Refuse a batch that the model cannot read."""
        self.modalities.check(inputs, self.decoder_dist, infer_masks=False)

    def check_condition(self, c):
        """Conditions as the model reads them, see `Modalities.standardize`."""
        return self._standardize(self.modalities.check_conditions(c))

    def _standardize(self, arrays):
        return self.modalities.standardize(arrays, self.unit_of)

    def load_own_variables(self, store):
        store = {name: store[name] for name in store.keys()}
        adapted = store.pop("adapted", 1)  # files of version 0.1 hold trained models
        weights = [*self._trainable_variables, *self._non_trainable_variables]
        before = len(weights) - 2 * len(self.conditioning_modalities) - 1
        if f"{before}" not in store:  # a file of an earlier version
            later = weights[before:]
            later[-1].assign(float(np.array(adapted)))
            store |= {
                f"{before + number}": ops.convert_to_numpy(weight)
                for number, weight in enumerate(later)
            }
        super().load_own_variables(store)

    def get_config(self):
        networks = {
            name: keras.saving.serialize_keras_object(network)
            if isinstance(network, keras.layers.Layer)
            else network
            for name, network in self.networks.items()
        }
        return {
            "main_modality": self.main_modality,
            "conditioning_modalities": self.modalities.conditions,
            "input_dims": self.modalities.shapes,
            "latent_dim": self.latent_dim,
            "beta": float(self.term_weights["beta"]),
            "decoder_dist": self.decoder_dist,
            "decoder_dist_params": self.decoder_dist_params,
            **networks,
            "hidden": list(self.hidden),
            "drop_rate": self.drop_rate,
            "seed": self.seed,
            "images": self.modalities.images,
            "classes": self.classes or None,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("encoder", "decoder", "prior_network"):
            if isinstance(config[name], dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def _likelihood_params(name, params):
    """The arguments of the likelihood of the main modality, as numbers of Python."""
    check_choice("decoder_dist", name, DISTRIBUTIONS)
    params = {} if params is None else params
    if not isinstance(params, dict):
        raise ValueError(f"decoder_dist_params must be a dictionary or None, got {params!r}.")
    if set(params) - ({"scale"} if name in ("normal", "laplace") else set()):
        raise ValueError(
            f"decoder_dist_params {sorted(params)} do not fit {name!r}: 'normal' and 'laplace' "
            f"take {{'scale': number or 'learned'}}, the others none."
        )
    scale = params.get("scale", "learned")
    number = isinstance(scale, Real) and not isinstance(scale, bool)
    if scale != "learned" and not (number and 0 < scale < np.inf):
        raise ValueError(f"scale must be a positive number or 'learned', got {scale!r}: give one.")
    return {key: float(scale) if number else scale for key in params}
