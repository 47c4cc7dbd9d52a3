"""The search space of the auto-decoder, scored by the ELBO, at beta 1, of held-out rows."""

import keras
import numpy as np

from cvae_keras.checks import check_count
from cvae_keras.data.missing import draw_mask, load_rows, observed_entries
from cvae_keras.search.hypermodel import SystemHyperModel, choices
from cvae_keras.systems.auto_decoder.laplace import laplace_bound
from cvae_keras.systems.auto_decoder.model import VariationalAutoDecoder
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import two_rates


class AutoDecoderHyperModel(SystemHyperModel):
    """beta, latent_dim, layers and both learning rates of a `VariationalAutoDecoder`.

    Scored by `elbo`, an objective independent of the trial's beta: the ELBO at beta 1 of held-out
    rows, whose latents are inferred from their observed entries (`laplace_bound`).

    Args:
        data: name or path of a data set, as for `load_rows`.
        missing: share of the entries that are hidden, beside those that are missing in the data.
        batch_size: rows per step.
        rows: maximum number of training rows.
        data_dir: folder of the image files.

    Raises:
        ValueError: as `load_rows`.

    Example:
        ```python
        search.run(AutoDecoderHyperModel("digits"), folder="runs/mine", trials=20, epochs=30)
        ```
    """

    def __init__(self, data="digits", missing=0.3, batch_size=32, rows=5000, data_dir=None):
        counts = {"batch_size": batch_size, "rows": rows}
        counts = {name: check_count(name, value) for name, value in counts.items()}
        super().__init__(data=data, missing=missing, **counts)
        x, known = observed_entries(load_rows(data, data_dir=data_dir, train=counts["rows"])[0])
        mask = known * draw_mask(x.shape, missing, 1)
        kept = len(x) - min(500, len(x) // 5)
        self.arrays = {"x": (x * mask)[:kept], "mask": mask[:kept]}
        self.arrays["index"] = np.arange(kept, dtype="int32")[:, None]
        self.held_out = {"x": (x * mask)[kept:], "mask": mask[kept:]}

    def build(self, hp):
        width, log = hp.Choice("width", [50, 100, 200], default=100), {"sampling": "log"}
        model = VariationalAutoDecoder(
            *self.arrays["x"].shape[::-1],
            latent_dim=hp.Int("latent_dim", 2, 32, default=10, **log),
            hidden=(width, width),
            activation="tanh",
            noise="learned",
            latent_init="pca",
            beta=hp.Float("beta", 0.1, 4.0, default=1.0, **log),
            seed=self.seed,
        )
        net = hp.Float("net_lr", 1e-4, 1e-2, default=2e-3, **log)
        latent = hp.Float("latent_lr", 1e-3, 0.3, default=0.015, **log)
        model.compile(two_rates(net, latent), steps_per_execution=at_once(10))
        return model

    def fit(self, hp, model, **options):
        """As `SystemHyperModel.fit`; callbacks monitor the bound of the held-out rows."""
        callbacks = [HeldOutBound(self.held_out), *options.pop("callbacks", [])]
        return model.fit(self.batches(), verbose=0, callbacks=callbacks, **options)

    def score(self, model):
        elbo = laplace_bound(model, **self.held_out, seed=self.seed)
        return {"elbo": elbo.mean(), "elbo_se": elbo.std() / np.sqrt(len(elbo))}

    def grid(self):
        return choices(beta=[0.5, 1.0, 2.0], latent_dim=[5, 10, 20], width=[50, 200])


class HeldOutBound(keras.callbacks.Callback):
    """Logs minus the `laplace_bound` of held-out rows as `val_loss`, for the callbacks after it.

    Args:
        arrays: dictionary of `x` and `mask`, `(batch, features)` each.

    Example:
        ```python
        model.fit(batches, callbacks=[HeldOutBound({"x": x, "mask": mask}), stop_early])
        ```
    """

    def __init__(self, arrays):
        super().__init__()
        self.arrays = arrays

    def on_epoch_end(self, epoch, logs=None):
        bound = laplace_bound(self.model, **self.arrays, n_samples=3)
        logs["val_loss"] = -float(bound.mean())


VADHyperModel = AutoDecoderHyperModel  # its older name
