"""What is exported of a `CVAE`: samples as a function of noise and condition."""

import keras
from keras import ops


class Sampler(keras.Model):
    """The mean of p(x | z, c), with z made of standard normal noise by the prior p(z | c).

    Args:
        model: a `CVAE` with a continuous prior.

    Call arguments:
        inputs: dictionary of "z" `(batch, latent_dim)` and the arrays of c by name.

    Returns:
        Dictionary of float32 tensors `(batch, *shape)` by name, in the units of the data.

    Raises:
        ValueError: the prior is categorical.
    """

    def __init__(self, model):
        super().__init__(name="sampler")
        if model.prior.family == "categorical":
            raise ValueError(
                "export needs a prior that is a function of normal noise, got a categorical one: "
                "use a model with a continuous latent."
            )
        if model.data.c is not None and "z" in model.data.c.names:
            raise ValueError("an array of c is named 'z', as the noise of export: rename it.")
        self.model = model

    def _shapes(self):
        arrays = self.model.data.c
        given = {} if arrays is None else arrays.variables_by_name
        shapes = {name: variable.shape for name, variable in given.items()}
        return {"z": (self.model.latent_dim,), **shapes}

    def example(self):
        """Inputs of two rows."""
        return {name: ops.zeros((2, *shape)) for name, shape in self._shapes().items()}

    def signature(self):
        """The inputs as `keras.Model.export` takes them."""
        return {
            name: keras.InputSpec(shape=(None, *shape), dtype="float32", name=name)
            for name, shape in self._shapes().items()
        }

    def call(self, inputs):
        model, h = self.model, None
        if model.data.c is not None:
            given = {name: inputs[name] for name in model.data.c.names}
            c = model.data.c.tensors({"c": given} if not model.data.c.single else given)
            h = model.read(c)
        z = model.prior(h).from_noise(ops.expand_dims(inputs["z"], 0))
        means = model.likelihood.mean(model.decoder(z, h))
        return model.data.x.write({name: mean[0] for name, mean in means.items()})
