"""Whether the draws of a `CVAE` may be trusted: their calibration, and what else stands out."""

import numpy as np
from keras import ops

from cvae_keras.elbo import ACTIVE_NATS

GAP = 0.1  # nats an entry by which the validation loss may exceed the training loss
ROWS = 2_000  # examples of which the latent is looked at


def report(model, inputs, c, n_samples, confidence, seed):
    """Calibration of the draws of a model on examples that it has not seen, see `CVAE.report`.

    Args:
        model: a `CVAE`.
        inputs: the examples as the model reads them, from `check_inputs`.
        c: their condition, from `check_condition`.
        n_samples: draws of each example.
        confidence: of the bands of chance.
        seed: integer.

    Returns:
        `CalibrationReport`.

    Raises:
        ValueError: x holds classes alone.
    """
    from cvae_keras.metrics.report import calibration_report  # loads scipy.stats

    drawn = model.draw(c, n_samples, seed, noise=True)
    names, draws, truth = [], [], []
    for name, variable in model.data.x.variables_by_name.items():
        if variable.kind == "classes":
            continue
        size = int(np.prod(variable.shape))
        names += [name] if size == 1 else [f"{name}[{number}]" for number in range(size)]
        draws.append(drawn[name].reshape(n_samples, -1, size))
        truth.append(np.asarray(inputs[f"x:{name}"]).reshape(-1, size))
    if not names:
        raise ValueError(
            "report needs an array of numbers, and x holds classes: use metrics of classification."
        )
    draws, truth = np.concatenate(draws, axis=-1), np.concatenate(truth, axis=-1)
    warnings = [*_latent(model, inputs, seed), *_overfit(model)]
    return calibration_report(
        draws, truth, names, warnings=warnings, confidence=confidence, seed=seed
    )


def _latent(model, inputs, seed):
    """Sentences about latent dimensions that are not used, and a posterior wider than the prior."""
    part = {name: ops.convert_to_tensor(array[:ROWS]) for name, array in inputs.items()}
    kl = ops.convert_to_numpy(model(part)["kl"]).mean(axis=0)
    unused, dims = int((kl <= ACTIVE_NATS).sum()), len(kl)
    if unused == dims:
        yield (
            "The latent is not used: the KL of every dimension is below "
            f"{ACTIVE_NATS} nats, so that all of p(x | c) is the likelihood's own noise."
        )
    elif unused:
        yield f"{unused} of {dims} latent dimensions are not used: a smaller latent_dim would do."
    if model.posterior.family == "categorical":
        return
    _, c, _ = model.split(part)
    h, generator = model.read(c), model.generator(seed)
    q, p = model.infer(part, h), model.prior(h)
    rows = len(next(iter(part.values())))
    of_q, of_p = (
        -float(ops.mean(each.log_prob(each.sample(8, batch=rows, seed=generator))))
        for each in (q, p)
    )
    if of_q > of_p + 0.1 * dims:
        yield (
            f"The posterior is wider than the prior (entropy {of_q:.2f} against {of_p:.2f} nats): "
            f"samples of the prior miss what the decoder was trained on; train longer, or with "
            f"another prior."
        )


def _overfit(model):
    """A sentence if the validation loss of the last `fit` is far above its training loss."""
    history = getattr(getattr(model, "history", None), "history", {})
    if not history.get("val_loss"):
        return
    best = int(np.argmin(history["val_loss"]))
    loss, val_loss = history["loss"][best], history["val_loss"][best]
    entries = sum(int(np.prod(shape)) for shape in model.decoder.shapes.values())
    if val_loss > loss + GAP * entries:
        yield (
            f"The validation loss is {val_loss - loss:.2f} nats above the training loss: the model "
            f"overfits; give it more data, dropout, or fewer units."
        )
