"""Adam in few operations, on the rows of a table of latents, and with two learning rates."""

import keras

from cvae_keras.checks import check_choice, check_weight

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
else:  # there the gradient of a looked-up table is dense, and so is the step
    tf = None

KINDS = ("adam", "sgd")


@keras.saving.register_keras_serializable("cvae_keras")
class FusedAdam(keras.optimizers.Adam):
    """Adam in one operation for each variable on TensorFlow, where Keras's Adam takes a dozen.

    A step of a small model then takes less time, and so does tracing the first one. The numbers are
    those of `keras.optimizers.Adam`, to rounding. On other backends, with `amsgrad`, and for
    variables that are looked up, it is that optimizer.

    Args:
        learning_rate: a number or a Keras schedule.
        **kwargs: as for `keras.optimizers.Adam`; with `weight_decay` it is AdamW.

    Source: Kingma and Ba, "Adam", 2015, algorithm 1.

    Example:
        ```python
        model.compile(FusedAdam(1e-3))
        ```
    """

    def apply(self, grads, trainable_variables=None):
        if tf is not None:  # once for all variables
            steps = tf.cast(self.iterations, "float32") + 1.0
            self.power_1, self.power_2 = self.beta_1**steps, self.beta_2**steps
        super().apply(grads, trainable_variables)
        self.power_1 = self.power_2 = None

    def update_step(self, gradient, variable, learning_rate):
        if tf is None or self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        number = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            beta1_power=tf.cast(self.power_1, variable.dtype),
            beta2_power=tf.cast(self.power_2, variable.dtype),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )


@keras.saving.register_keras_serializable("cvae_keras")
class ScheduledAdam(FusedAdam):
    """Adam whose learning rate is a variable times a schedule.

    `rate(step) = learning_rate * schedule(step)`

    A Keras schedule in the place of the learning rate is a constant of the compiled training step.
    Here the largest rate can be changed without compiling again.

    Args:
        learning_rate: a number, the variable of that name.
        schedule: a `keras.optimizers.schedules.LearningRateSchedule` of values in [0, 1], or None
            for 1.
        **kwargs: as for `keras.optimizers.Adam`.

    Example:
        ```python
        cosine = keras.optimizers.schedules.CosineDecay(1.0, decay_steps=1000)
        model.compile(ScheduledAdam(3e-3, cosine))
        ```
    """

    def __init__(self, learning_rate=1e-3, schedule=None, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.schedule = schedule

    def apply(self, grads, trainable_variables=None):
        # once for all variables: a schedule has branches, which are slow to trace
        self.share = 1.0 if self.schedule is None else self.schedule(self.iterations)
        super().apply(grads, trainable_variables)
        self.share = None

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * self.share)

    def get_config(self):
        schedule = self.schedule and keras.optimizers.schedules.serialize(self.schedule)
        return {**super().get_config(), "schedule": schedule}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        if isinstance(config.get("schedule"), dict):
            schedule = keras.optimizers.schedules.deserialize(config["schedule"], custom_objects)
            config = {**config, "schedule": schedule}
        return super().from_config(config, custom_objects)


@keras.saving.register_keras_serializable("cvae_keras")
class LazyAdam(FusedAdam):
    """Adam that updates only the rows of the batch, and leaves all others unchanged.

    Plain Adam moves every row in every step as long as its momentum lasts, at a cost proportional
    to the size of the table. Here, for the rows i of the batch only,

        m_i <- b1 m_i + (1 - b1) g_i,    v_i <- b2 v_i + (1 - b2) g_i^2,    t_i <- t_i + 1
        row_i <- row_i - lr * (m_i / (1 - b1^t_i)) / (sqrt(v_i / (1 - b2^t_i)) + eps)

    with one step count t_i per row. The rows of a batch must all be different.

    **TensorFlow only**: there the gradient of `ops.take(table, index)` consists of its rows. On
    other backends, and for variables that are not looked up, this is `FusedAdam`.

    Args:
        learning_rate: a number or a Keras schedule.
        **kwargs: as for `keras.optimizers.Adam`; clipping, weight decay and `amsgrad` apply only to
            variables that are not looked up.

    Source: Kingma and Ba, "Adam", 2015, algorithm 1; the rows are those of a sparse gradient.

    Example:
        ```python
        model.compile(LazyAdam(0.1))
        ```
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.row_steps = [
            self.add_variable((v.shape[0],) if len(v.shape) == 2 else (), name=f"row_steps_{i}")
            for i, v in enumerate(variables)
        ]

    def update_step(self, gradient, variable, learning_rate):
        if tf is None or self.amsgrad or not isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        number = self._get_variable_index(variable)
        m, v = self._momentums[number].value, self._velocities[number].value
        lr = tf.cast(learning_rate, variable.dtype)
        rows, g = gradient.indices, gradient.values
        steps = self.row_steps[number].value
        new_m = self.beta_1 * tf.gather(m, rows) + (1 - self.beta_1) * g
        new_v = self.beta_2 * tf.gather(v, rows) + (1 - self.beta_2) * tf.square(g)
        t = tf.gather(steps, rows)[:, None] + 1.0
        size = lr * tf.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m.scatter_update(tf.IndexedSlices(new_m, rows))
        v.scatter_update(tf.IndexedSlices(new_v, rows))
        steps.scatter_update(tf.IndexedSlices(t[:, 0], rows))
        variable.scatter_sub(tf.IndexedSlices(size * new_m / (tf.sqrt(new_v) + self.epsilon), rows))


@keras.saving.register_keras_serializable("cvae_keras")
class TwoRates(keras.optimizers.MultiOptimizer):
    """One optimizer for the latents of an auto-decoder and another one for its network.

    The latents are the variables handed to `select_latents`, compared by identity: no name decides.
    `VariationalAutoDecoder.compile` calls it.

    Args:
        network: Keras optimizer of all variables that were not selected.
        latents: Keras optimizer of the selected variables.
        **kwargs: as for `keras.optimizers.MultiOptimizer`.

    Raises:
        ValueError: on the first training step, if none of the trained variables was selected.

    Example:
        ```python
        optimizer = TwoRates(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(0.1))
        optimizer.select_latents(model.posterior.weights)
        model.compile(optimizer)
        ```
    """

    def __init__(self, network, latents, name="two_rates", **kwargs):
        super().__init__(self.optimizer_of, name=name, **kwargs)
        self.network, self.latents = network, latents
        self.selected = set()

    def select_latents(self, variables):
        """Train these variables with the optimizer `latents`.

        Args:
            variables: list of `keras.Variable`.
        """
        self.selected = {id(variable) for variable in variables}

    def optimizer_of(self, variable):
        """The optimizer of one variable."""
        return self.latents if id(variable) in self.selected else self.network

    def build(self, variables):
        if not self.built and not any(self.optimizer_of(v) is self.latents for v in variables):
            raise ValueError(
                f"two_rates found no latents among {len(variables)} trained variables: compile a "
                f"VariationalAutoDecoder with it, or call its select_latents(variables) first."
            )
        super().build(variables)

    @property
    def optimizers(self):
        return [self.latents, self.network]

    def get_config(self):
        parts = {"network": self.network, "latents": self.latents}
        config = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**config, "loss_scale_factor": self.loss_scale_factor, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("network", "latents")
        }
        return cls(**{**config, **parts})


def _rate(name, value):
    """A learning rate: a number >= 0, or a schedule of Keras."""
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    return check_weight(name, value)


def two_rates(net_lr=1e-3, latent_lr=0.1, kind="adam"):
    """An optimizer with one learning rate for the network and one for the latents.

    Args:
        net_lr: learning rate of the network, a number or a Keras schedule.
        latent_lr: learning rate of the latents, a number or a Keras schedule.
        kind: "adam" (`LazyAdam`) or "sgd".

    Returns:
        A `TwoRates`. `keras.callbacks.ReduceLROnPlateau` reduces both rates.

    Raises:
        ValueError: an unknown kind, or a learning rate that is negative or no number.

    Example:
        ```python
        model.compile(two_rates(net_lr=1e-3, latent_lr=0.1))
        ```
    """
    make = {"adam": LazyAdam, "sgd": keras.optimizers.SGD}[check_choice("kind", kind, KINDS)]
    net_lr, latent_lr = _rate("net_lr", net_lr), _rate("latent_lr", latent_lr)
    return TwoRates(make(net_lr, name="network"), make(latent_lr, name="latents"))
