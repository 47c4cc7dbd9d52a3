"""What a search trains and how it scores it: the base of the hypermodels, one per system."""

import keras_tuner

from cvae_keras.training.batches import ShuffledBatches


class SystemHyperModel(keras_tuner.HyperModel):
    """A keras-tuner `HyperModel` with data and a score of its own.

    A subclass defines `build` and `score`, and sets `arrays` (to train on), `held_out` (for early
    stopping) and `batch_size`, or overrides `batches` and `validation`. The hyperparameters are
    those that `build` asks for; `search.run` tunes all of them, or those in a space it is given.

    Args:
        options: plain values that decide what a trial gives; each becomes an attribute.

    Attributes:
        objective: `keras_tuner.Objective`, an entry of `score`. It must not depend on the weights
            of the loss: the lowest weighted loss belongs to the lowest weights.
        weights: names of the hyperparameters that are weights of the loss.
        ratios: dictionary, name -> name of another: weights of which only the ratio matters, so
            that Bayesian search learns from fewer trials.
        seed: of the trial; the search sets it before `build`.

    Example:
        ```python
        class Deeper(SinusoidHyperModel):
            def build(self, hp):
                self.batch_size = hp.Choice("batch_size", [50, 250])
                return super().build(hp)
        ```
    """

    objective = keras_tuner.Objective("elbo", "max")
    weights = ("beta",)
    ratios = None
    seed = 0

    def __init__(self, **options):
        super().__init__()
        self.options = options
        for name, value in options.items():
            setattr(self, name, value)

    def build(self, hp):
        """A compiled model of the hyperparameters `hp`, a `keras_tuner.HyperParameters`."""
        raise NotImplementedError

    def architecture(self, hp):
        """All that the training step of `build(hp)` depends on beside variables, or None.

        Trials of the same architecture, a tuple of plain values, share one compiled training step:
        a hyperparameter may be left out of it only if the model and its optimizer keep it in a
        variable. By default None: each trial compiles its own.
        """
        return None

    def batches(self):
        """What to train on, a `Batches` whose order follows from `seed`."""
        return ShuffledBatches(self.arrays, self.batch_size, self.seed)

    def validation(self):
        """Arrays on which the weighted loss is monitored, for early stopping: a dictionary."""
        return self.held_out

    def score(self, model):
        """Dictionary of numbers of a trained model, the objective among them."""
        raise NotImplementedError

    def evaluate(self, model, *names):
        """These metrics of a model on the held-out arrays, as a dictionary."""
        measured = model.evaluate(self.held_out, batch_size=1000, verbose=0, return_dict=True)
        return {name: measured[name] for name in names}

    def grid(self):
        """The space of a grid search: `keras_tuner.HyperParameters` with a few values each."""
        raise ValueError(
            f"{type(self).__name__} has no grid of its own: give a space with a Choice for each "
            f"hyperparameter."
        )

    def fit(self, hp, model, **options):
        """Train the model; options are those of `keras.Model.fit`."""
        options |= {"validation_data": (self.validation(),), "validation_batch_size": 1000}
        return model.fit(self.batches(), verbose=0, **options)

    def get_config(self):
        """Plain values that decide what a trial gives: a resumed search must have the same."""
        return {"class": type(self).__name__, **self.options}


def choices(**values):
    """A space of a few values for each hyperparameter.

    Args:
        values: name -> list of values.

    Returns:
        `keras_tuner.HyperParameters`.

    Example:
        >>> space = choices(beta=[0.5, 1.0], latent_dim=[2, 4])
        >>> [hp.name for hp in space.space]
        ['beta', 'latent_dim']
    """
    space = keras_tuner.HyperParameters()
    for name, options in values.items():
        space.Choice(name, options)
    return space
