"""The search space of the multimodal CVAE, scored by the ELBO of held-out images at beta 1."""

import numpy as np

from cvae_keras.checks import check_choice, check_count
from cvae_keras.data.multimodal import TASKS, image_modalities
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import FusedAdam

HELD_OUT = 5  # every fifth training image is held out


class MultimodalHyperModel(SystemHyperModel):
    """Search space of `MultimodalCVAE` on images: beta, latent_dim, width, prior, learning rate.

    The score is `elbo` at beta 1, whatever the beta of the trial, on every fifth image of the
    training data. The test data are not used.

    Args:
        data: "mnist", "fashion_mnist" or "digits", see `image_modalities`.
        given: "label" (the image from its label) or "half" (the lower half from the upper one).
        batch_size: batch size of the training.
        data_dir: folder of the image files, see `load_images`.

    Raises:
        ValueError: given is unknown, or the data cannot be read.

    Example:
        ```python
        search.run(MultimodalHyperModel("digits"), folder="runs/mine", trials=20, epochs=30)
        ```
    """

    def __init__(self, data="digits", given="half", batch_size=64, data_dir=None):
        self.main, self.conditions = TASKS[check_choice("given", given, TASKS)]
        super().__init__(data=data, given=given, batch_size=check_count("batch_size", batch_size))
        images, _ = image_modalities(data, data_dir)
        used = {name: images[name] for name in (self.main, *self.conditions)}
        out = np.arange(len(used[self.main])) % HELD_OUT == 0
        self.arrays = {name: array[~out] for name, array in used.items()}
        self.held_out = {name: array[out] for name, array in used.items()}
        self.dims = {name: array.shape[1:] or (10,) for name, array in used.items()}

    def build(self, hp):
        width, log = hp.Choice("width", [64, 128, 256], default=128), {"sampling": "log"}
        networks = {"fixed": None, "learned": "dense", "flow": "flow"}
        prior = hp.Choice("prior", list(networks), default="learned")
        model = MultimodalCVAE(
            self.main,
            self.conditions,
            self.dims,
            latent_dim=hp.Int("latent_dim", 2, 32, default=10, **log),
            beta=hp.Float("beta", 0.1, 4.0, default=1.0, **log),
            decoder_dist="bernoulli",
            prior_network=networks[prior],
            hidden=(width, width),
            seed=self.seed,
            images=[name for name in self.dims if name != "label"],
        )
        rate = hp.Float("learning_rate", 1e-4, 1e-2, default=1e-3, **log)
        model.compile(FusedAdam(rate), steps_per_execution=at_once(10))
        return model

    def score(self, model):
        return self.evaluate(model, "elbo", "kl", "active_units")

    def grid(self):
        return choices(beta=[0.5, 1.0, 2.0], latent_dim=[5, 10], prior=["fixed", "learned", "flow"])
