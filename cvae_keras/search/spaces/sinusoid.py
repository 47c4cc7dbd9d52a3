"""The search of the sinusoid tasks: SidWorks01's network, scored by samples from the prior."""

import keras
import keras_tuner

from cvae_keras.checks import check_count
from cvae_keras.data.sinusoid import TASKS, load
from cvae_keras.metrics.modes import posterior_score
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.sinusoid.model import WEIGHTS, SinusoidCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.schedules import half_cosine

SAMPLES = 100
#: The values that SidWorks01 tried by hand, as a grid: 144 cells.
ORIGINAL_GRID = {
    "beta": [0.8, 1.0, 1.1, 2.0],
    "wx": [0.5, 0.6, 0.7],
    "wy": [0.5, 0.6, 0.7],
    "latent_dim": [60, 85, 100, 120],
}


class SinusoidHyperModel(SystemHyperModel):
    """beta, wx, wy, latent_dim, learning rate and prior of a `SinusoidCVAE`.

    Scored by `posterior_score` of 100 samples from the prior, on curves of the validation split.
    The learning rate falls along half a cosine over the epochs of a trial. The ranges exclude
    values at which no trial of earlier searches came near the best: rates below 0.001, wy above 1.

    Args:
        data: "data_1" or "data_2".
        examples: how many of the training split.
        batch_size: smaller than the 250 of SidWorks01's network, for more steps on few examples.
        loss: of `SinusoidCVAE`.
        curves: how many of the validation split, to score on.
        precision: "float32" or "mixed_bfloat16".

    Raises:
        ValueError: a count below 1, or an unknown name.

    Example:
        ```python
        search.run(SinusoidHyperModel("data_1"), folder="runs/mine", trials=30, epochs=10)
        ```
    """

    objective = keras_tuner.Objective("score", "min")
    weights = tuple(WEIGHTS)
    ratios = {"beta": "wx", "wy": "wx"}  # Adam's steps do not depend on the scale of the loss

    def __init__(
        self,
        data="data_1",
        examples=20_000,
        batch_size=50,
        loss="l1_mean",
        curves=200,
        precision="float32",
    ):
        counts = {"examples": examples, "batch_size": batch_size, "curves": curves}
        counts = {name: check_count(name, value) for name, value in counts.items()}
        super().__init__(data=data, loss=loss, precision=precision, **counts)
        x, c = load(data, "train")
        self.arrays = {"x": x[:examples], "c": c[:examples]}
        x, c = load(data, "validation")
        self.held_out = {"x": x[:1000], "c": c[:1000]}
        self.scored = c[-curves:]

    def build(self, hp):
        log = {"sampling": "log"}
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)  # layers read it when they are made
        try:
            model = SinusoidCVAE(
                TASKS[self.data],
                latent_dim=hp.Int("latent_dim", 2, 128, default=100, **log),
                loss=self.loss,
                **{
                    name: hp.Float(name, weight.low, weight.high, default=weight.default, **log)
                    for name, weight in WEIGHTS.items()
                },
                prior=hp.Choice("prior", ["standard", "conditional"]),
                seed=self.seed,
            )
        finally:
            keras.config.set_dtype_policy(before)
        rate = hp.Float("learning_rate", 1e-3, 1e-2, default=1e-3, **log)
        model.compile(keras.optimizers.Adam(rate), steps_per_execution=at_once(10))
        return model

    def fit(self, hp, model, epochs, callbacks, **options):
        falls = half_cosine(float(model.optimizer.learning_rate), epochs)
        return super().fit(hp, model, epochs=epochs, callbacks=[falls, *callbacks], **options)

    def score(self, model):
        samples = model.sample(self.scored, n_samples=SAMPLES, seed=self.seed)
        return posterior_score(TASKS[self.data], samples, self.scored)

    def grid(self):
        return choices(**ORIGINAL_GRID)
