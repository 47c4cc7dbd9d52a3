"""The models of the playground as ONNX files: `python website/export.py FOLDER`."""

import sys
from pathlib import Path

import keras
from keras import ops

from cvae_keras import load_model, load_pretrained
from cvae_keras.data.sinusoid import load
from cvae_keras.experiments.sinusoid.cases import CASES, case_config, train_case
from cvae_keras.experiments.sinusoid.collapse import EPOCHS
from cvae_keras.files import replacing

TASK_NUMBERS = (1, 2)


class Sampler(keras.Model):
    """Samples of x as a function of one y and of noise.

    For a categorical prior the noise is U(0, 1), one number a sample, and k the first category with
    `sum_{j <= k} p(j | y) > noise`; for a continuous prior it is N(0, I), `(samples, latent_dim)`.

    Args:
        model: a `SinusoidSolver` or a `SinusoidCVAE`.

    Call arguments:
        inputs: dictionary of "y" `(1, points, 2)` and "noise" `(samples, noise_dim)`.

    Returns:
        `(samples, points, 2)`, the mean of p(x | z, y).
    """

    def __init__(self, model):
        super().__init__(name="sampler")
        self.model = model
        self.categorical = model.prior.family == "categorical"
        self.noise_dim = 1 if self.categorical else model.latent_dim

    def signature(self):
        """The inputs as `keras.Model.export` takes them."""
        shapes = {"y": (1, self.model.task.points, 2), "noise": (None, self.noise_dim)}
        return {
            name: keras.InputSpec(shape=shape, dtype="float32", name=name)
            for name, shape in shapes.items()
        }

    def call(self, inputs):
        model = self.model
        h, noise = model.read(inputs["y"]), inputs["noise"]
        prior = model.prior(h)
        if self.categorical:
            below = ops.cumsum(prior.mean, axis=-1) <= noise  # (samples, K)
            k = ops.sum(ops.cast(below, "int32"), axis=-1)
            last = prior.dims - 1  # for a sum that rounding leaves below 1
            z = ops.one_hot(ops.minimum(k, last), prior.dims, dtype="float32")
        else:
            z = prior.from_noise(ops.expand_dims(noise, 1))[:, 0]
        return model.likelihood.mean(model.decoder(ops.expand_dims(z, 1), h))[:, 0]


def collapsed(number):
    """The model of `cvae-keras collapse`, trained: its latent is not used.

    Args:
        number: of the task, 1 or 2.

    Returns:
        A `SinusoidCVAE`.
    """
    name = f"data_{number}"
    config = case_config(name, CASES[name][3], "original", False, "float32", 0)
    return train_case({**config, "epochs": EPOCHS}, load(name, "train"))[0]


def export(model, path):
    """Write the `Sampler` of a model as an ONNX file.

    Args:
        model: a `SinusoidSolver` or a `SinusoidCVAE`.
        path: of the file.
    """
    sampler = Sampler(model)
    signature = sampler.signature()
    sampler({name: ops.zeros([n or 2 for n in spec.shape]) for name, spec in signature.items()})
    with replacing(path) as partial:
        sampler.export(partial, format="onnx", input_signature=[signature], verbose=False)


def main(folder):
    """Write the files; a collapsed model that was trained before is read again.

    Args:
        folder: where they go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in TASK_NUMBERS:
        print(f"The models of task {number} as ONNX files", flush=True)
        export(load_pretrained(f"sinusoid_{number}"), folder / f"solver_{number}.onnx")
        trained = folder / f"collapsed_{number}.keras"
        if not trained.is_file():
            print(f"Training the collapsed model of task {number}: some minutes", flush=True)
            with replacing(trained) as partial:
                collapsed(number).save(partial)
        export(load_model(trained), folder / f"collapsed_{number}.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
