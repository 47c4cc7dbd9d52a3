"""The Conv1D CVAE of the sinusoid tasks, with SidWorks01's network or a deeper one.

| slot | filled with |
|---|---|
| posterior | amortized Gaussian, with or without a flow, that reads [x, y], or x alone |
| prior | N(0, I), a learned Gaussian given y, or a learned flow given y |
| condition | the two curves y, `(batch, 50, 2)`, read by convolutions |
| likelihood | squared or absolute error, a Normal with learned scale, or a Normal on ramps |
| special | the term `wy * d(f(x_hat), y)`, differentiable through the task's functions f |
"""

from typing import NamedTuple

import keras
from keras import ops

from cvae_keras.checks import check_arrays, check_choice, check_count
from cvae_keras.data.sinusoid import SinusoidTask
from cvae_keras.elbo import ELBOModel, elbo
from cvae_keras.parts.likelihoods import AbsoluteError, Normal, SquaredError
from cvae_keras.parts.networks import ConvDecoder, ConvEncoder, PriorHead
from cvae_keras.parts.posteriors import GaussianPosterior, IAFPosterior
from cvae_keras.parts.priors import ConditionalNormal, FlowPrior, StandardNormal
from cvae_keras.systems.sinusoid.deep_network import (
    CurveReader,
    RampDecoder,
    RampEncoder,
)
from cvae_keras.systems.sinusoid.ramp_normal import RampNormal

LOSSES = {"mse": SquaredError, "l1_mean": AbsoluteError, "l1_sum": AbsoluteError, "normal": Normal}
DEEP_LOSS = "ramps"
INITIALIZERS = {
    "glorot": "glorot_uniform",
    "he": "he_uniform",
    "orthogonal": "orthogonal",
    "random_normal": "random_normal",
    "zeros": "zeros",
}
PRIORS = {"standard": StandardNormal, "conditional": ConditionalNormal, "flow": FlowPrior}
POSTERIORS = {"gaussian": GaussianPosterior, "flow": IAFPosterior}
NETWORKS = ("original", "deep")
POSTERIOR_STEPS, PRIOR_STEPS = 2, 4  # of the flows
REDUCTIONS = ("elbo", "original")
ENCODER_READS = ("xy", "x")
INNER_ACTIVATIONS = ("relu", "linear")
LARGEST = 1e15  # values whose squares and sums stay finite in float32


class Weight(NamedTuple):
    """A weight of the objective in experiments and searches.

    Attributes:
        default: its value where a search does not tune it. `SinusoidCVAE` has defaults of its own,
            those of an ELBO of x alone.
        low: the least that a search tries.
        high: the greatest that a search tries.
    """

    default: float
    low: float
    high: float


#: The weights of the objective, by name.
WEIGHTS = {
    "beta": Weight(1.0, 0.05, 8.0),
    "wx": Weight(0.5, 0.1, 4.0),
    "wy": Weight(0.5, 0.001, 1.0),
}


def forward(task, x):
    """The task's functions on tensors: y_i = g_i(p_i x0 + q_i x1), for x `(..., points, 2)`.

    Args:
        task: a `SinusoidTask`.
        x: ramps `(..., points, 2)`.

    Returns:
        The curves y `(..., points, 2)`, differentiable, as `SinusoidTask.forward`.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> forward(TASKS["data_1"], ops.zeros((1, 50, 2)))[0, 0].numpy().tolist()
        [0.0, 1.0]
    """
    x0, x1 = ops.unstack(x, axis=-1)  # once: slices would each cost a gradient of x's size
    curves = []
    for name, p, q in task.functions:
        phase = p * x0 + q * x1
        curves.append(ops.sin(phase) if name == "sin" else ops.cos(phase))
    return ops.stack(curves, axis=-1)


def check_curves(task, c):
    """Return the curves y of a batch as float32, or refuse them in one sentence.

    Args:
        task: a `SinusoidTask`.
        c: `(batch, points, 2)`, in [-1, 1].

    Raises:
        ValueError: c has another shape, is empty, holds NaN or leaves [-1, 1].

    Example:
        >>> import numpy as np
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> check_curves(TASKS["data_1"], np.zeros((7, 50, 2))).dtype
        dtype('float32')
    """
    if c is None:
        raise ValueError(f"y is missing: give curves of shape (batch, {task.points}, 2).")
    c = task.check_curves(c).astype("float32")
    if c.ndim != 3 or len(c) == 0:
        raise ValueError(
            f"y must have shape (batch, {task.points}, 2) and not be empty, got {c.shape}: give "
            f"one pair of curves as y[None]."
        )
    return c


def check_examples(task, inputs):
    """Return the examples of a task as float32, or refuse them in one sentence.

    Args:
        task: a `SinusoidTask`.
        inputs: dictionary of `x` and `c`, each `(batch, points, 2)`.

    Raises:
        ValueError: x or c is missing, they do not fit the task or each other, or x is so large that
            the loss would overflow.

    Example:
        >>> from cvae_keras.data.sinusoid import TASKS
        >>> x, y = TASKS["data_1"].sample(3, seed=0)
        >>> sorted(check_examples(TASKS["data_1"], {"x": x, "c": y}))
        ['c', 'x']
    """
    if not {"x", "c"} <= set(inputs):
        raise ValueError(f"the inputs must hold 'x' and 'c' (the curves y), got {sorted(inputs)}.")
    inputs = check_arrays(inputs)
    if inputs["x"].shape[1:] != (task.points, 2):
        raise ValueError(
            f"x has shape {inputs['x'].shape}; give (batch, {task.points}, 2), as task.sample does."
        )
    if abs(inputs["x"]).max() > LARGEST:
        raise ValueError(
            f"x holds numbers up to {abs(inputs['x']).max():.3g}, whose squares overflow in "
            f"float32: give ramps in or near the task's box {task.box}."
        )
    return {**inputs, "c": check_curves(task, inputs["c"])}


def original_parts(task, options):
    """The parts of SidWorks01's network, which reads and generates whole curves."""
    latent, inner = options["latent_dim"], options["inner_activation"]
    init = {"kernel_initializer": INITIALIZERS[options["initializer"]]}
    encoder = ConvEncoder(reads_condition=options["encoder_reads"] == "xy", **init)
    posterior = {"flow_length": POSTERIOR_STEPS} if options["posterior"] == "flow" else {}
    return {
        "posterior": POSTERIORS[options["posterior"]](encoder, latent, **init, **posterior),
        "prior": PRIORS[options["prior"]](latent),
        "decoder": ConvDecoder(task.points, inner_activation=inner, activation="relu", **init),
        "likelihood": LOSSES[options["loss"]](),
    }


def deep_parts(task, options, min_scale):
    """The parts of the deep network, which generates the ends of ramps."""
    latent, width, depth = (options[name] for name in ("latent_dim", "width", "depth"))
    posterior = {"flow_length": POSTERIOR_STEPS} if options["posterior"] == "flow" else {}
    prior = {"flow_length": PRIOR_STEPS} if options["prior"] == "flow" else {}
    if options["prior"] != "standard":
        prior["network"] = PriorHead(latent, max(1, width // 2))
    return {
        "condition": CurveReader(width, depth),
        "posterior": POSTERIORS[options["posterior"]](
            RampEncoder(width, task.box, task.points), latent, **posterior
        ),
        "prior": PRIORS[options["prior"]](latent, **prior),
        "decoder": RampDecoder(width, depth, task.box),
        "likelihood": RampNormal(task.points, min_scale=min_scale),
    }


@keras.saving.register_keras_serializable("cvae_keras")
class SinusoidCVAE(ELBOModel):
    """The Conv1D CVAE; each choice that decides whether its latent is used is an option.

    `loss = wx * d(x, x_hat) + wy * d(y, f(x_hat)) + beta * KL(q(z|x,y) || p(z|y))`

    Args:
        task: a `SinusoidTask`.
        latent_dim: latent dimensions.
        loss: the distance d: "mse", "l1_mean", "l1_sum", or "normal" (minus the log-density of a
            Normal whose scale is learned), or for the deep network "ramps" (minus the log-density
            of `RampNormal`, whose scale the decoder gives for each sample). "l1_mean" and "l1_sum"
            are the same with the reduction "elbo"; with "original" they differ by the number of
            entries in a batch.
        beta: weight of the KL, not negative; can be scheduled.
        wx: weight of the x term.
        wy: weight of the y term.
        prior: "standard" for N(0, I), "conditional" for a learned Gaussian p(z | y), "flow" for one
            transformed by a flow.
        initializer: of the original network: "glorot", "he", "orthogonal", "random_normal" or
            "zeros".
        y_gradient: whether the y term trains the decoder. SidWorks01's project computes it on
            detached values (False), so that it has no effect on training.
        reduction: "elbo" sums over event and latent dimensions and averages over the batch.
            "original" is that of SidWorks01's project: it sums the KL over the batch too, but
            averages the distances over batch, points and channels ("l1_sum" sums them), and the
            latent collapses. It is kept to reproduce that.
        encoder_reads: "xy", or "x" as in SidWorks01's project: the posterior is then q(z | x).
        inner_activation: of the decoder's transposed convolution before the last: "relu", or
            "linear" as in SidWorks01's project.
        network: "original", that of SidWorks01's project, or "deep": a `CurveReader` that
            posterior, prior and decoder share, and gated dense blocks; x is generated as the ends
            of its ramps. It needs the loss "ramps".
        posterior: "gaussian", or "flow" for one transformed by an inverse autoregressive flow.
        width: units of the dense blocks of the deep network.
        depth: number of blocks of its reader and of its decoder.
        min_scale: of the loss "ramps": the scale of the noise is at least this, an RMS distance of
            curves in units of x. While it is large, the latent is worth its rate only where it
            tells solutions apart, and the decoder has to read the rest from y; `WeightSchedule`
            lowers it.
        seed: of the posterior samples; initial weights follow `keras.utils.set_random_seed`.

    Call arguments:
        inputs: dictionary of `x` and `c` (the curves y), each `(batch, points, 2)`.

    Returns:
        The terms of `ELBOModel` and `x_loss`, `y_loss` `(batch,)`, summed over points and channels.

    Raises:
        ValueError: an unknown name or a negative weight; TypeError: task is not a `SinusoidTask`.

    Example:
        ```python
        model = SinusoidCVAE(TASKS["data_1"], latent_dim=4, loss="normal")
        model.compile(keras.optimizers.Adam(1e-3))
        model.fit({"x": x, "c": y}, batch_size=250, epochs=25)
        model.sample(y[:3], n_samples=100, seed=0).shape        # (100, 3, 50, 2)
        ```
    """

    def __init__(
        self,
        task,
        latent_dim=100,
        loss="l1_mean",
        beta=1.0,
        wx=1.0,
        wy=0.0,
        prior="standard",
        initializer="glorot",
        y_gradient=True,
        reduction="elbo",
        encoder_reads="xy",
        inner_activation="relu",
        network="original",
        posterior="gaussian",
        width=256,
        depth=3,
        min_scale=0.003,
        seed=0,
        **kwargs,
    ):
        if not isinstance(task, SinusoidTask):
            raise TypeError(f"task must be a SinusoidTask, got {type(task).__name__}: build one.")
        check_choice("network", network, NETWORKS)
        check_choice("loss", loss, [*LOSSES, DEEP_LOSS])
        check_choice("prior", prior, PRIORS)
        check_choice("posterior", posterior, POSTERIORS)
        check_choice("reduction", reduction, REDUCTIONS)
        check_choice("initializer", initializer, INITIALIZERS)
        check_choice("encoder_reads", encoder_reads, ENCODER_READS)
        check_choice("inner_activation", inner_activation, INNER_ACTIVATIONS)
        latent_dim = check_count("latent_dim", latent_dim)
        if (network == "deep") != (loss == DEEP_LOSS):
            raise ValueError(
                f"loss is {loss!r} with network {network!r}: the deep network generates ramp ends "
                f"and needs the loss {DEEP_LOSS!r}, the original one needs another."
            )
        if network == "deep" and (reduction == "original" or encoder_reads == "x"):
            raise ValueError(
                f"reduction is {reduction!r} and encoder_reads {encoder_reads!r}: the deep network "
                f"needs 'elbo' and 'xy'."
            )
        options = {
            "latent_dim": latent_dim,
            "loss": loss,
            "prior": prior,
            "initializer": initializer,
            "y_gradient": bool(y_gradient),
            "reduction": reduction,
            "encoder_reads": encoder_reads,
            "inner_activation": inner_activation,
            "network": network,
            "posterior": posterior,
            "width": check_count("width", width),
            "depth": check_count("depth", depth),
        }
        if network == "deep":
            parts = deep_parts(task, options, min_scale)
        else:
            parts = original_parts(task, options)
        super().__init__(**parts, beta=beta, seed=seed, **kwargs)
        self.y_likelihood = LOSSES.get(loss, Normal)()
        self.add_term_weight("wx", wx)
        self.add_term_weight("wy", wy)
        if network == "deep":
            self.term_weights["min_scale"] = self.likelihood.min_scale
        self.task, self.latent_dim, self.options = task, latent_dim, options
        example = ops.zeros((1, task.points, 2))
        self({"x": example, "c": example})  # builds the weights

    def term_names(self):
        return ["elbo", "reconstruction", "x_loss", "y_loss"]

    def extra_terms(self, x, c, mask, x_hat, w):
        x_loss = -ops.sum(w * self.likelihood.log_prob(x, x_hat, mask), axis=0)
        mean = self.likelihood.mean(x_hat)
        mean = mean if self.options["y_gradient"] else ops.stop_gradient(mean)
        log_y = self.y_likelihood.log_prob(c, forward(self.task, mean))
        return {"x_loss": x_loss, "y_loss": -ops.sum(w * log_y, axis=0)}

    def loss_per_example(self, terms):
        weights, batch = self.term_weights, ops.cast(ops.shape(terms["kl"])[0], "float32")
        distance = weights["wx"] * terms["x_loss"] + weights["wy"] * terms["y_loss"]
        beta = weights["beta"]
        if (
            self.options["reduction"] == "original"
        ):  # a sum over the batch is its size times the mean
            beta = beta * batch
            distance *= batch if self.options["loss"] == "l1_sum" else 1.0 / (2 * self.task.points)
        return -elbo(-distance, terms["kl"], beta)

    def check_condition(self, c):
        return check_curves(self.task, c)

    def check_inputs(self, inputs):
        return check_examples(self.task, inputs)

    def get_config(self):
        config = {name: float(weight) for name, weight in self.term_weights.items()}
        config |= {"task": self.task.get_config(), "seed": self.seed, "name": self.name}
        return {**config, **self.options}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "task": SinusoidTask.from_config(config["task"])})
