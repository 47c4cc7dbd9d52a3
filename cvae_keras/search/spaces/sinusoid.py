"""The search of the sinusoid tasks, scored by samples from the prior."""

import keras
import keras_tuner

from cvae_keras.checks import check_choice, check_count
from cvae_keras.data.sinusoid import TASKS, load
from cvae_keras.metrics.modes import posterior_score
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.sinusoid.model import DEEP_LOSS, NETWORKS, WEIGHTS, SinusoidCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches
from cvae_keras.training.optimizers import ScheduledAdam
from cvae_keras.training.schedules import WeightSchedule, fall, half_cosine

SAMPLES = 100
#: The values that SidWorks01 tried by hand, as a grid: 144 cells.
ORIGINAL_GRID = {
    "beta": [0.8, 1.0, 1.1, 2.0],
    "wx": [0.5, 0.6, 0.7],
    "wy": [0.5, 0.6, 0.7],
    "latent_dim": [60, 85, 100, 120],
}
#: A grid that spans the space of the deep network, of which wx sets the scale alone: 48 cells.
DEEP_GRID = {
    "beta": [0.3, 3.0],
    "wx": [1.0],
    "wy": [0.01, 0.3],
    "latent_dim": [2, 6],
    "prior": ["standard", "conditional", "flow"],
    "learning_rate": [0.002, 0.006],
    "min_scale": [0.02],
}
#: network -> the batch size, the loss, and the grid of its search.
USUAL = {"deep": (256, DEEP_LOSS, DEEP_GRID), "original": (50, "l1_mean", ORIGINAL_GRID)}
#: The hyperparameters that a model and its optimizer keep in variables.
VARIABLES = {*WEIGHTS, "min_scale", "learning_rate"}
WARM_UP = 100  # steps, of the deep network
CLIP = 5.0  # largest norm of its gradient
FIRST_SCALE = 0.1  # of its noise, held for the first 30 % of a trial


class SinusoidHyperModel(SystemHyperModel):
    """beta, wx, wy, latent_dim, learning rate and prior of a `SinusoidCVAE`.

    Scored by `posterior_score` of 100 samples from the prior, on curves of the validation split.
    The learning rate falls along half a cosine over a trial. The deep network is trained on fresh
    examples, its rate rises first, and `min_scale`, to which its noise falls, is tuned too. For the
    original network the ranges exclude values at which no trial of earlier searches came near the
    best: rates below 0.001, wy above 1.

    Args:
        data: "data_1" or "data_2".
        network: "deep", or "original" for SidWorks01's, as of `SinusoidCVAE`.
        examples: of an epoch; the original network has the same in each.
        batch_size: None for 256, with the original network 50.
        loss: of `SinusoidCVAE`; None for "ramps", with the original network "l1_mean".
        curves: how many of the validation split, to score on.
        width: units of the dense blocks of the deep network.
        depth: number of its dense blocks.
        precision: "float32" or "mixed_bfloat16".

    Raises:
        ValueError: a count below 1, an unknown name, or a loss that the network cannot have.

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
        network="deep",
        examples=20_000,
        batch_size=None,
        loss=None,
        curves=200,
        width=128,
        depth=3,
        precision="float32",
    ):
        usual_size, usual_loss, _ = USUAL[check_choice("network", network, NETWORKS)]
        batch_size = usual_size if batch_size is None else batch_size
        loss = usual_loss if loss is None else loss
        if (network == "deep") != (loss == DEEP_LOSS):
            raise ValueError(
                f"loss is {loss!r} with network {network!r}: {DEEP_LOSS!r} is the loss of the deep "
                f"network and of no other, name another loss or network."
            )
        counts = {"examples": examples, "batch_size": batch_size, "curves": curves}
        counts |= {"width": width, "depth": depth} if network == "deep" else {}
        options = {name: check_count(name, value) for name, value in counts.items()}
        if network == "deep":  # the original network was the only one in older searches
            options["network"] = network
        super().__init__(data=data, loss=loss, precision=precision, **options)
        self.network = network
        x, c = load(data, "train")
        self.arrays = {"x": x[:examples], "c": c[:examples]}
        x, c = load(data, "validation")
        self.held_out = {"x": x[:1000], "c": c[:1000]}
        self.scored = c[-curves:]

    def build(self, hp):
        log, deep = {"sampling": "log"}, self.network == "deep"
        latent = (2, 8, 2) if deep else (2, 128, 100)
        options = {
            "latent_dim": hp.Int("latent_dim", *latent[:2], default=latent[2], **log),
            "loss": self.loss,
            **{
                name: hp.Float(name, weight.low, weight.high, default=weight.default, **log)
                for name, weight in WEIGHTS.items()
            },
            "seed": self.seed,
        }
        if deep:
            options |= {"network": "deep", "posterior": "flow", "width": self.width}
            options |= {"depth": self.depth, "min_scale": FIRST_SCALE}
            options["prior"] = hp.Choice(
                "prior", ["standard", "conditional", "flow"], default="flow"
            )
            hp.Float("min_scale", 0.005, 0.05, default=0.02, **log)  # read by `fit`
        else:
            options["prior"] = hp.Choice("prior", ["standard", "conditional"])
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)  # layers read it when they are made
        try:
            model = SinusoidCVAE(TASKS[self.data], **options)
        finally:
            keras.config.set_dtype_policy(before)
        usual = 4e-3 if deep else 1e-3
        rate = hp.Float("learning_rate", 1e-3, 1e-2, default=usual, **log)
        optimizer = ScheduledAdam(rate, global_clipnorm=CLIP if deep else None)
        model.compile(optimizer, steps_per_execution=at_once(10))
        return model

    def architecture(self, hp):
        return tuple(sorted((k, v) for k, v in hp.values.items() if k not in VARIABLES))

    def batches(self):
        if self.network == "original":
            return super().batches()
        steps = max(1, self.examples // self.batch_size)
        return FreshBatches(TASKS[self.data], self.batch_size, steps, self.seed)

    def fit(self, hp, model, epochs, callbacks, **options):
        if self.network == "original":
            falls = half_cosine(float(model.optimizer.learning_rate), epochs)
        else:
            steps = epochs * len(self.batches())
            warm_up = min(WARM_UP, steps // 2)
            model.optimizer.schedule = keras.optimizers.schedules.CosineDecay(
                0.0, steps - warm_up, warmup_target=1.0, warmup_steps=warm_up
            )
            scales = fall(FIRST_SCALE, hp.get("min_scale"), 0.3 * epochs, epochs - 1)
            falls = WeightSchedule(min_scale=scales)
        return super().fit(hp, model, epochs=epochs, callbacks=[falls, *callbacks], **options)

    def score(self, model):
        samples = model.sample(self.scored, n_samples=SAMPLES, seed=self.seed)
        return posterior_score(TASKS[self.data], samples, self.scored)

    def grid(self):
        return choices(**USUAL[self.network][2])
