"""The decoder of the latent plane of digits: `python website/export_digits.py FOLDER`."""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_digits

from cvae_keras import CompressionVAE, load_model
from cvae_keras.files import replacing, write_json


class ImageDecoder(keras.Model):
    """The mean of p(x | z) of a `CompressionModel`, in the units of x.

    Args:
        model: a `CompressionModel`.

    Call arguments:
        z: `(batch, latent_dim)`.

    Returns:
        `(batch, features)`.
    """

    def __init__(self, model):
        super().__init__(name="decoder")
        self.model = model
        self.shift, self.scale = (part.astype("float32") for part in model.shift_and_scale())

    def call(self, z):
        return self.model.decoder(ops.expand_dims(z, 0))[0] * self.scale + self.shift


def main(folder):
    """Write `digits.onnx`, and `digits.json` with the embedded digits; train the model if needed.

    Args:
        folder: where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digits, trained = load_digits(), folder / "digits.keras"
    if not trained.is_file():
        print("Training the embedding of digits", flush=True)
        options = {"cells_encoder": (128, 128), "feature_normalization": "images"}
        embedder = CompressionVAE(dim_latent=2, num_steps=1000, random_state=0, **options)
        embedder.fit(digits.data)
        with replacing(trained) as partial:
            embedder.model_.save(partial)
    model = load_model(trained)
    z = model.encode(digits.data)
    labels = digits.target.tolist()
    write_json(folder / "digits.json", {"z": np.round(z, 3).tolist(), "labels": labels})
    decoder = ImageDecoder(model)
    decoder(ops.zeros((1, 2)))
    signature = [keras.InputSpec(shape=(None, 2), dtype="float32", name="z")]
    with replacing(folder / "digits.onnx") as partial:
        decoder.export(partial, format="onnx", input_signature=signature, verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
