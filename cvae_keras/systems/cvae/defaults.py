"""How a `CVAE` trains that the user did not compile.

AdamW in few operations, ten steps in one call, batches of 128, at most 100 epochs, a learning rate
that falls along half a cosine, and the weights of the epoch with the least validation loss.
"""

import keras

from cvae_keras.elbo import FIT_ARGUMENTS
from cvae_keras.training.backends import at_once
from cvae_keras.training.optimizers import FusedAdam
from cvae_keras.training.schedules import half_cosine

NAME = "adamw_of_fit"  # of the optimizer, which is saved with it: by this it is known
RATE, DECAY = 1e-3, 0.1
EPOCHS, PATIENCE, BATCH = 100, 10, 128
RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def compiled_by_fit(model):
    """Whether the model was not compiled by the user, but by `compile_for_fit` or not at all."""
    return not model.compiled or model.optimizer.name == NAME


def compile_for_fit(model):
    """Compile a model that the user did not."""
    adamw = FusedAdam(RATE, weight_decay=DECAY, name=NAME)
    model.compile(adamw, steps_per_execution=at_once(10))


def completed(args, kwargs, arrays, validation_data):
    """The arguments of a `fit` of a model that the user did not compile.

    The rate depends on the epoch alone, so that it is right in a training that continues, from
    `initial_epoch` or a backup, and for a generator of unknown length.

    Args:
        args: positional arguments of `keras.Model.fit` after y.
        kwargs: its named arguments.
        arrays: whether the data are arrays, which can be split.
        validation_data: that of `fit`.

    Returns:
        Dictionary of named arguments: those given, and defaults for the others.

    Example:
        >>> completed((), {"epochs": 3}, arrays=True, validation_data=None)["validation_split"]
        0.1
    """
    given = {**dict(zip(FIT_ARGUMENTS, args, strict=False)), **kwargs}
    found = {"epochs": EPOCHS, **given}
    if arrays:
        found = {"batch_size": BATCH, **found}
        if validation_data is None:
            found = {"validation_split": 0.1, **found}
    callbacks = keras.tree.flatten(found.get("callbacks") or [])
    if found["epochs"] and not any(isinstance(each, RATES) for each in callbacks):
        callbacks = [half_cosine(RATE, found["epochs"]), *callbacks]
    if validation_data is not None or found.get("validation_split"):
        stop = {"patience": PATIENCE, "mode": "min", "restore_best_weights": True}
        callbacks = [*callbacks, keras.callbacks.EarlyStopping("val_loss", **stop)]
    return {**found, "callbacks": callbacks}
