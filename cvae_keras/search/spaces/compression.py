"""The search space of `CompressionModel`, scored by its ELBO at beta 1."""

from sklearn.preprocessing import StandardScaler

from cvae_keras.checks import check_count
from cvae_keras.data.images import load_images
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.compression.model import CompressionModel
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import FusedAdam

KEPT = 0.8  # of the training rows; the others validate


class CompressionHyperModel(SystemHyperModel):
    """beta, flow length, layers and learning rate of a `CompressionModel`.

    The score is `elbo`, at beta 1 whatever beta the trial trained with, on the last fifth of the
    training rows. Neighbors are not used: their weight gamma would change what is measured.

    Args:
        data: "digits", "mnist" or "fashion_mnist".
        latent_dim: dimensions of z, which is not tuned.
        batch_size: rows of a batch.
        data_dir: folder of the image files; None for Keras's own.

    Raises:
        ValueError: as `load_images`.

    Example:
        ```python
        search.run(CompressionHyperModel("digits"), folder="runs/mine", trials=20, epochs=30)
        ```
    """

    def __init__(self, data="digits", latent_dim=2, batch_size=64, data_dir=None):
        counts = {"latent_dim": latent_dim, "batch_size": batch_size}
        counts = {name: check_count(name, value) for name, value in counts.items()}
        super().__init__(data=data, **counts)
        (x, _), _ = load_images(data, data_dir)
        kept = round(KEPT * len(x))
        x = x.astype("float32")
        scaler = StandardScaler().fit(x[:kept])
        x = scaler.transform(x)
        self.shift, self.scale = scaler.mean_, scaler.scale_
        self.arrays, self.held_out = {"x": x[:kept]}, {"x": x[kept:]}

    def build(self, hp):
        width, log = hp.Choice("width", [64, 128, 256], default=128), {"sampling": "log"}
        model = CompressionModel(
            len(self.shift),
            self.latent_dim,
            flow_length=hp.Int("flow_length", 1, 8, default=5),
            widths=(width, width // 2),
            beta=hp.Float("beta", 0.1, 4.0, default=1.0, **log),
            seed=self.seed,
        )
        model.standardize_with(self.shift, self.scale)
        rate = hp.Float("learning_rate", 1e-4, 1e-2, default=1e-3, **log)
        model.compile(FusedAdam(rate), steps_per_execution=at_once(10))
        return model

    def score(self, model):
        return self.evaluate(model, "elbo", "kl", "reconstruction")

    def grid(self):
        return choices(beta=[0.5, 1.0, 2.0], flow_length=[1, 4, 8], width=[64, 256])
