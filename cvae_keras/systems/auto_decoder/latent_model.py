"""Test-time inference as a Keras model: `fit` moves the latents of new rows, the decoder is frozen.

It minimizes the cost of `inference.py` with any Keras optimizer, with callbacks and a progress bar,
as Zadeh et al. (2019) do; `infer_latents` needs fewer steps.
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_choice, check_count, check_weight
from cvae_keras.parts.layers import zero_missing
from cvae_keras.systems.auto_decoder.decoder import DenseDecoder
from cvae_keras.systems.auto_decoder.inference import initial_latents
from cvae_keras.systems.auto_decoder.model import REDUCTIONS
from cvae_keras.systems.auto_decoder.rows import read_rows


@keras.saving.register_keras_serializable("cvae_keras")
class LatentModel(keras.Model):
    """The latents of new rows as the only trainable weights, with a `train_step` of its own.

    `loss_i = sum_d m_d p_d (x_d - f(z_i)_d)^2 / 2 + ratio |z_i|^2 / 2`

    `fit` reports the mean of the loss over rows; the gradient of a row is that of its own loss, so
    that learning rates do not depend on the number of rows. It runs on TensorFlow, JAX and PyTorch.

    Args:
        decoder: a trained `DenseDecoder`, of which a frozen copy is kept.
        rows: number of rows.
        precision: p, a number or one per feature: one over the noise variance.
        ratio: weight of the prior.
        reduction: "elbo", or "original", which divides p by the number of observed entries.

    Call arguments:
        inputs: dictionary of `x` `(batch, features)`, `index` `(batch, 1)`, the numbers of its
            rows, and `mask` `(batch, features)`, 1 where observed; without a mask all is observed.

    Returns:
        f(z), `(batch, features)`.

    Raises:
        TypeError: the decoder is of another class.
        ValueError: an unknown reduction, a number out of range, arrays that do not fit.

    Source: Zadeh et al., "Variational Auto-Decoder", 2019, section 3.

    Example:
        >>> from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
        >>> model = VariationalAutoDecoder(6, examples=20, latent_dim=2)     # trained before
        >>> x = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
        >>> latents = LatentModel.of(model, rows=5)
        >>> latents.compile(keras.optimizers.Adam(0.1))
        >>> history = latents.fit({"x": x, "mask": x > 0}, epochs=3, verbose=0)
        >>> latents.latents().shape, latents.predict({"x": x}, verbose=0).shape
        ((5, 2), (5, 6))
    """

    def __init__(self, decoder, rows, precision=2.0, ratio=0.02, reduction="elbo", **kwargs):
        super().__init__(**kwargs)
        if not isinstance(decoder, DenseDecoder):
            raise TypeError(
                f"decoder must be a DenseDecoder, got {type(decoder).__name__}: give the `decoder` "
                f"of an auto-decoder, or call `LatentModel.of(model, rows)`."
            )
        self.decoder = DenseDecoder.from_config({**decoder.get_config(), "trainable": True})
        self.decoder.set_weights(decoder.get_weights())
        self.decoder.trainable = False
        self.rows, self.ratio = check_count("rows", rows), check_weight("ratio", ratio)
        self.precision = np.asarray(precision, "float32")
        if self.precision.shape not in ((), (self.decoder.features,)):
            raise ValueError(
                f"precision must be a number or {self.decoder.features} numbers, one per feature, "
                f"got shape {self.precision.shape}: give the model's `noise_precision()`."
            )
        self.reduction = check_choice("reduction", reduction, REDUCTIONS)
        self.table = self.add_weight((self.rows, self.decoder.latent_dim), "zeros", name="latents")
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.built = True

    @classmethod
    def of(cls, model, rows, init="mean", seed=0):
        """The model of new rows for a trained auto-decoder, which stays as it is.

        Args:
            model: a `VariationalAutoDecoder`.
            rows: number of rows.
            init: initial latents, as in `infer_latents`.
            seed: of the initial latents.

        Returns:
            A `LatentModel`, to be compiled.

        Raises:
            ValueError: an unknown init, a number out of range, a model of columns with likelihoods
                of their own.
        """
        if "columns" in model.options:
            raise ValueError(
                "model has columns with likelihoods of their own, and a LatentModel has squared "
                "errors: call the model's `find_latents`."
            )
        new = cls(
            model.decoder,
            rows,
            model.noise_precision(),
            float(model.term_weights["beta"]),
            model.options["reduction"],
        )
        table = ops.convert_to_numpy(model.posterior.mean)
        new.table.assign(initial_latents(table, new.rows, init, seed))
        return new

    def latents(self):
        """The latents as they are now: NumPy `(rows, latent_dim)`, float32."""
        return ops.convert_to_numpy(self.table)

    @property
    def metrics(self):
        return [self.loss_mean]

    def call(self, inputs, training=None):
        index = ops.cast(ops.reshape(inputs["index"], (-1,)), "int32")
        return self.decoder.trace(ops.take(self.table, index, axis=0))[0]

    # -- one step -------------------------------------------------------------------------------
    def train_step(self, *arguments):
        """One step of the optimizer in the latents of the batch; on JAX with its state."""
        return self._run(self._move, *arguments)

    def test_step(self, *arguments):
        """The loss of a batch; on JAX with its state."""
        return self._run(self._measure, *arguments)

    def _move(self, data):
        index, gradient = self._gradient(data)
        shape = (self.rows, self.decoder.latent_dim)
        gradient = ops.stop_gradient(ops.scatter(index[:, None], gradient, shape))
        self.optimizer.apply([gradient], [self.table])
        return {"loss": self.loss_mean.result()}

    def _measure(self, data):
        self._gradient(data)
        return {"loss": self.loss_mean.result()}

    def _gradient(self, data):
        """The numbers of the rows of a batch, and the gradient of their losses in the latents."""
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        mask = inputs.get("mask")
        x = ops.cast(zero_missing(inputs["x"], mask), "float32")
        weight = ops.ones_like(x) if mask is None else ops.cast(mask, "float32")
        if self.reduction == "original":
            weight = weight / ops.maximum(ops.sum(weight, axis=-1, keepdims=True), 1.0)
        index = ops.cast(ops.reshape(inputs["index"], (-1,)), "int32")
        z = ops.stop_gradient(ops.take(self.table, index, axis=0))
        x_hat, trace = self.decoder.trace(z)
        error = weight * self.precision * (x_hat - x)
        loss = 0.5 * ops.sum(error * (x_hat - x), -1) + 0.5 * self.ratio * ops.sum(z * z, -1)
        self.loss_mean.update_state(ops.stop_gradient(loss))
        return index, self.decoder.pull_back(trace, error) + self.ratio * z

    def _run(self, step, *arguments):
        """Call `step(data)`, on JAX with the variables' values passed in and returned."""
        *state, data = arguments
        if not state:
            return step(data)
        (values,) = state
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]
        if len(values) > len(groups):
            groups.insert(2, self.optimizer.variables)
        pairs = [
            pair
            for group, found in zip(groups, values, strict=True)
            for pair in zip(group, found, strict=True)
        ]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            logs = step(data)
        return logs, tuple([scope.get_current_value(each) for each in group] for group in groups)

    # -- as Keras calls it ----------------------------------------------------------------------
    def fit(self, x=None, y=None, batch_size=None, **kwargs):
        """As `keras.Model.fit`; the default is a batch of up to 1000 rows.

        Args:
            x: dictionary of `x`, and of `mask` and `index` if there are any: all rows are numbered
                in their order; or batches of dictionaries that hold an `index`.
            y: None.
            batch_size: rows at a time.
            **kwargs: as for `keras.Model.fit`.
        """
        self._refuse_targets(y)
        return super().fit(*self._checked(x, batch_size), **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """As `keras.Model.evaluate`: the mean loss."""
        self._refuse_targets(y)
        return super().evaluate(*self._checked(x, batch_size), **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """f(z) of the rows, NumPy `(batch, features)`; missing entries are filled by it."""
        x, _, batch_size = self._checked(x, batch_size)
        return super().predict(x, batch_size=batch_size, **kwargs)

    def _refuse_targets(self, y):
        if y is not None:
            raise ValueError(f"y must be None, got {type(y).__name__}: the rows are the targets.")

    def _checked(self, x, batch_size):
        """x, y and batch size for Keras: arrays are checked, their rows numbered."""
        if not isinstance(x, dict):
            return x, None, batch_size
        rows, mask = read_rows(x, self.decoder.features)
        index = np.asarray(x.get("index", np.arange(len(rows)))).reshape(-1)
        whole = index.dtype.kind in "iu" and len(set(index.tolist())) == len(index) == len(rows)
        if not whole or index.min() < 0 or index.max() >= self.rows:
            raise ValueError(
                f"index must hold a different whole number from 0 to {self.rows - 1} for each of "
                f"the {len(rows)} rows of x, got {index.dtype} of shape {index.shape}: number the "
                f"rows, or create the model with rows={len(rows)}."
            )
        arrays = {"x": rows, "index": index.astype("int32")[:, None]}
        arrays |= {} if mask is None else {"mask": mask}
        return arrays, None, batch_size or min(len(rows), 1000)

    def get_config(self):
        config = {"decoder": keras.saving.serialize_keras_object(self.decoder), "rows": self.rows}
        config |= {"precision": self.precision.tolist(), "ratio": self.ratio}
        return {**config, "reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config):
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})
