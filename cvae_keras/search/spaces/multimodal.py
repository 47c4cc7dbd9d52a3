"""The search of the multimodal CVAE: scored by the ELBO at beta 1 of pictures not trained on."""

import keras
import numpy as np

from cvae_keras.checks import check_choice, check_count
from cvae_keras.data.multimodal import TASKS, picture_modalities
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.training.backends import at_once

HELD_OUT = 5  # one in so many of the training pictures is not trained on


class MultimodalHyperModel(SystemHyperModel):
    """beta, latent_dim, layers, prior and learning rate of a `MultimodalCVAE` of pictures.

    Scored by `elbo`, at beta 1 whatever beta the trial trained with, on every fifth picture of the
    training data; the test data are not looked at.

    Args:
        data: as for `picture_modalities`; given: "label" (the picture from its label) or "half"
            (the lower half from the upper one); batch_size; data_dir: folder of the image files.

    Raises:
        ValueError: an unknown task, or data that cannot be read.

    Example:
        >>> search.run(MultimodalHyperModel("digits"), folder="runs/mine", trials=20, epochs=30)
    """

    def __init__(self, data="digits", given="half", batch_size=64, data_dir=None):
        self.main, self.conditions = TASKS[check_choice("given", given, TASKS)]
        super().__init__(data=data, given=given, batch_size=check_count("batch_size", batch_size))
        pictures, _ = picture_modalities(data, data_dir)
        used = {name: pictures[name] for name in (self.main, *self.conditions)}
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
        )
        rate = hp.Float("learning_rate", 1e-4, 1e-2, default=1e-3, **log)
        model.compile(keras.optimizers.Adam(rate), steps_per_execution=at_once(10))
        return model

    def score(self, model):
        return self.evaluate(model, "elbo", "kl", "active_units")

    def grid(self):
        return choices(beta=[0.5, 1.0, 2.0], latent_dim=[5, 10], prior=["fixed", "learned", "flow"])
