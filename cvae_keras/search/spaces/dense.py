"""The search of the dense system: scored by the ELBO at beta 1, whose optimum is known."""

import numpy as np

from cvae_keras.checks import check_count
from cvae_keras.data.conditions import ALL_PATTERNS_UP_TO, known_patterns
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.dense.config import make_source, read_config
from cvae_keras.systems.dense.model import DenseCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.batches import FreshBatches
from cvae_keras.training.optimizers import FusedAdam
from cvae_keras.truth.gaussian import optimum

EXAMPLES = 5000
VALIDATION = 987_654_321  # seed of the validation examples, which no trial trains on


class DenseHyperModel(SystemHyperModel):
    """beta, latent_dim, layers, gates and learning rate of a `DenseCVAE`.

    Scored by `elbo` at beta 1, whatever beta the trial was trained with, on 5,000 examples; for
    complete Gaussian data of few dimensions `gap` is its distance to the optimum, in nats.

    Args:
        config: name of a shipped configuration, or a JSON file, for its data.
        steps: batches per epoch.
        batch_size: examples per batch.

    Raises:
        ValueError: a count below 1, or a configuration that cannot be read.

    Example:
        ```python
        search.run(DenseHyperModel("correlated"), folder="runs/mine", trials=20)
        ```
    """

    __test__ = False  # pytest would collect its older name

    def __init__(self, config="correlated", steps=100, batch_size=500):
        counts = {"steps": steps, "batch_size": batch_size}
        counts = {name: check_count(name, value) for name, value in counts.items()}
        super().__init__(config=config, **counts)
        read = read_config(config)
        self.source = make_source(read)
        self.held_out = self.source.examples(EXAMPLES, VALIDATION)
        self.best = self._best()

    def build(self, hp):
        width, log = hp.Choice("width", [32, 64, 128], default=64), {"sampling": "log"}
        data = self.source.data
        model = DenseCVAE(
            data.dim,
            latent_dim=hp.Int("latent_dim", 1, 32, default=8, **log),
            enc_layers=[width] * 2,
            dec_layers=[width] * 2,
            gated=hp.Boolean("gated", default=True),
            beta=hp.Float("beta", 0.05, 4.0, default=1.0, **log),
            scale=np.where(data.scale > 0, data.scale, 1.0),
            masked=self.source.masked,
            seed=self.seed,
        )
        rate = hp.Float("learning_rate", 1e-4, 3e-2, default=3e-3, **log)
        model.compile(FusedAdam(rate), steps_per_execution=at_once(20))
        return model

    def batches(self):
        return FreshBatches(self.source, self.batch_size, self.steps, self.seed)

    def score(self, model):
        row = self.evaluate(model, "elbo", "kl", "active_units")
        return row if self.best is None else {**row, "gap": self.best - row["elbo"]}

    def grid(self):
        return choices(beta=[0.5, 1.0, 2.0], latent_dim=[2, 4, 8], width=[32, 128])

    def _best(self):
        """The highest elbo that a model can have, or None where there is no closed form."""
        data = self.source.data
        missing = self.source.mask_percentage > 0
        if not hasattr(data, "covariance") or missing or 2**data.dim > ALL_PATTERNS_UP_TO:
            return None
        patterns = known_patterns(data.dim)
        return -np.mean([optimum(data.covariance, k, 1.0)["objective"] for k in patterns])


TestbedHyperModel = DenseHyperModel  # its older name
