"""The CVAE that solves the sinusoid tasks: a mixture density network with a categorical latent.

| slot | filled with |
|---|---|
| posterior | the optimal categorical, summed exactly over all categories |
| prior | learned p(k given y), a function of what each category proposes |
| condition | the two curves y, read once as phases, frequencies and their harmonics |
| likelihood | Normal on the four ramp ends, with a scale per category and y |
| special | one pair of ramps is proposed per category; the latent selects one |

A y of these tasks has one to eight exact solutions, far apart. The unimodal Gaussian prior of a
continuous latent covers the space between them too, and samples from there are no solutions; a
categorical latent has no space in between.
"""

import keras
import numpy as np
from keras import ops

from cvae_keras.checks import check_count
from cvae_keras.data.sinusoid import SinusoidTask
from cvae_keras.elbo import ELBOModel
from cvae_keras.parts.layers import CompositeLayer
from cvae_keras.parts.networks import ResidualMLP
from cvae_keras.parts.posteriors import CategoricalPosterior
from cvae_keras.parts.priors import CategoricalPrior
from cvae_keras.systems.sinusoid.model import check_curves, check_examples, forward
from cvae_keras.systems.sinusoid.ramp_normal import RampNormal
from cvae_keras.systems.sinusoid.wave_features import WaveFeatures


@keras.saving.register_keras_serializable("cvae_keras")
class Proposals(CompositeLayer):
    """Reads y once, and proposes one pair of ramps per category.

    Args:
        categories: K.
        box: range of the ramps, in which the initial proposals lie.
        width: of the residual network.
        depth: of the residual network.
        order: of the harmonics of `WaveFeatures`.

    Call arguments:
        y: curves `(batch, points, 2)`.

    Returns:
        Dictionary: "features" `(batch, width)`; "ends" `(batch, K, 4)`, the ramp ends lo0, hi0,
        lo1, hi1; "log_scale" `(batch, K, 1)`; "y", the curves.

    Example:
        >>> proposals = Proposals(3, (0.1, 1.0), width=8, depth=1, order=2)
        >>> tuple(proposals(np.zeros((5, 50, 2)))["ends"].shape)
        (5, 3, 4)
    """

    def __init__(self, categories, box, width, depth, order, **kwargs):
        super().__init__(**kwargs)
        self.categories = categories
        self.waves = WaveFeatures(order)
        self.body = ResidualMLP(width, depth, "relu")
        spread, start = keras.initializers.RandomUniform(*box), keras.initializers.Constant(-2.0)
        self.ends = keras.layers.Dense(4 * categories, bias_initializer=spread)
        self.log_scale = keras.layers.Dense(categories, bias_initializer=start)

    def call(self, y):
        features = self.body(self.waves(y))
        return {
            "features": features,
            "ends": ops.reshape(self.ends(features), (-1, self.categories, 4)),
            "log_scale": ops.expand_dims(self.log_scale(features), -1),
            "y": y,
        }


@keras.saving.register_keras_serializable("cvae_keras")
class ProposalDecoder(keras.layers.Layer):
    """Selects the proposal of a category.

    Call arguments:
        z: one-hot, `(samples, batch or 1, K)`.
        h: what `Proposals` returned.

    Returns:
        Dictionary: "mean" `(samples, batch, 4)`, ramp ends; "log_scale" `(samples, batch, 1)`.

    Example:
        >>> h = {"ends": np.zeros((5, 3, 4)), "log_scale": np.zeros((5, 3, 1))}
        >>> tuple(ProposalDecoder()(np.eye(3)[:, None], h)["mean"].shape)
        (3, 5, 4)
    """

    def call(self, z, h):
        if z.shape[1] == 1:  # the same categories for every y
            z, pick = z[:, 0], "sk,bkd->sbd"
        else:
            pick = "sbk,bkd->sbd"
        return {
            "mean": ops.einsum(pick, z, h["ends"]),
            "log_scale": ops.einsum(pick, z, h["log_scale"]),
        }


@keras.saving.register_keras_serializable("cvae_keras")
class ProposalPrior(CategoricalPrior):
    """p(k | y), computed from the proposals: are they inside the box, do they reproduce y?

    `logit_k = W features + score(proposal k, features)`, the score a small network shared by the
    categories. Its inputs are the distances of a proposal to the box and between the ramp ends,
    also in units of the proposal's scale, that scale, and |f(x_k) - y| at five points. The weight
    of a category falls to 0 abruptly at the edge of the box, which a network of y alone learns
    slowly.

    Args:
        task: a `SinusoidTask`.
        categories: K.
        width: hidden units of the score.

    Returns:
        Called with what `Proposals` returned: a `Categorical`, `(batch, K)`.

    Example:
        ```python
        prior = ProposalPrior(TASKS["data_1"], categories=3)
        prior(proposals(y)).mean                                # (batch, 3), probabilities
        ```
    """

    def __init__(self, task, categories, width=24, **kwargs):
        super().__init__(categories, **kwargs)
        self.task, self.width = task, width
        self.at = np.linspace(0, task.points - 1, 5).round().astype(int)
        rise = self.at / (task.points - 1)
        self.lines = np.stack([1.0 - rise, rise]).astype("float32")  # (2, 5)
        self.see, self.share = keras.layers.Dense(width), keras.layers.Dense(width)
        self.judge = keras.layers.Dense(width, activation="relu")
        self.score = keras.layers.Dense(1, dtype="float32")

    def get_config(self):
        config = {"task": self.task.get_config(), "width": self.width}
        config |= {"categories": self.categories, "independent": self.independent}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "task": SinusoidTask.from_config(config["task"])})

    def compute_logits(self, h):
        ends, log_scale = ops.stop_gradient(h["ends"]), ops.stop_gradient(h["log_scale"])
        low, high = self.task.box
        lo, hi = ends[..., 0::2], ends[..., 1::2]
        margins = ops.concatenate([lo - low, high - hi, hi - lo], axis=-1)
        in_scales = ops.tanh(margins * ops.exp(-ops.maximum(log_scale, -6.0)) / 3.0)
        misfit = self._misfit(ends, h["y"])
        prior = ops.log(ops.maximum(high - lo, 0.01 * (high - low)))
        seen = [margins, in_scales, log_scale, misfit, ops.log(misfit + 1e-3), prior]
        hidden = self.see(ops.concatenate(seen, axis=-1))
        hidden = ops.relu(hidden + ops.expand_dims(self.share(h["features"]), 1))
        return super().compute_logits(h["features"]) + self.score(self.judge(hidden))[..., 0]

    def _misfit(self, ends, y):
        """Root mean square of f(x_k) - y over five points, `(batch, K, 2)`."""
        x0 = ops.matmul(ops.flip(ends[..., :2], axis=-1), self.lines)  # hi0 falls to lo0
        x1 = ops.matmul(ends[..., 2:], self.lines)
        given = ops.expand_dims(ops.take(y, self.at, axis=1), 1)
        error = forward(self.task, ops.stack([x0, x1], axis=-1)) - given
        return ops.sqrt(ops.mean(ops.square(error), axis=2) + 1e-8)


@keras.saving.register_keras_serializable("cvae_keras")
class SinusoidSolver(ELBOModel):
    """A categorical CVAE for a sinusoid task; its ELBO equals log p(x | y).

    `ELBO = log sum_k p(k | y) N(x; x_k(y), s_k(y))`, the sum being the exact expectation under the
    optimal posterior.

    Args:
        task: a `SinusoidTask`.
        categories: K; several times the largest number of solutions, so that the weight of a
            category can go to 0 where its solution leaves the box, and another take its place.
        width: of the residual network that reads y.
        depth: of the residual network that reads y.
        order: of its harmonics.
        beta: weight of the KL.
        seed: as in `ELBOModel`.

    Call arguments:
        inputs: dictionary of `x` and `c` (the curves y), each `(batch, points, 2)`.

    Raises:
        TypeError: task is not a `SinusoidTask`; ValueError: a count below 1.

    Source: Bishop, "Mixture density networks", 1994, read as a CVAE with an exact E-step.

    Example:
        ```python
        model = SinusoidSolver(TASKS["data_1"], categories=12, width=64, depth=2)
        model.sample(y, n_samples=100, seed=0)                  # (100, n, 50, 2)
        ```
    """

    def __init__(self, task, categories=64, width=256, depth=3, order=8, seed=0, **kwargs):
        if not isinstance(task, SinusoidTask):
            raise TypeError(f"task must be a SinusoidTask, got {type(task).__name__}: build one.")
        counts = {"categories": categories, "width": width, "depth": depth, "order": order}
        options = {name: check_count(name, value) for name, value in counts.items()}
        categories, width, depth, order = options.values()
        super().__init__(
            posterior=CategoricalPosterior(categories),
            prior=ProposalPrior(task, categories),
            decoder=ProposalDecoder(),
            likelihood=RampNormal(task.points),
            condition=Proposals(categories, task.box, width, depth, order),
            seed=seed,
            **kwargs,
        )
        self.task = task
        self.options = options
        example = ops.zeros((1, task.points, 2))
        self({"x": example, "c": example})  # builds the weights

    def check_condition(self, c):
        return check_curves(self.task, c)

    def check_inputs(self, inputs):
        return check_examples(self.task, inputs)

    def get_config(self):
        config = {"task": self.task.get_config(), "seed": self.seed, "name": self.name}
        return {**config, "beta": float(self.term_weights["beta"]), **self.options}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "task": SinusoidTask.from_config(config["task"])})
