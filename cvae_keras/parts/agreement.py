"""What parts and arrays must agree on: checked where a wrong shape or value would only broadcast.

`check_latents` and `check_decoded` look at static shapes, whenever a model is called;
`check_model_arrays` looks at the values of the arrays that are given to `fit`, `evaluate`, ...
"""

import numpy as np

from cvae_keras.checks import check_arrays
from cvae_keras.parts.likelihoods import Bernoulli, Categorical, Poisson


def _in_unit_interval(x, mask):
    return (x >= 0) & (x <= 1) | (mask == 0)


def _sums_to_one(x, mask):
    incomplete = (mask == 0).any(axis=-1, keepdims=True)
    return (x >= 0) & (np.abs(x.sum(axis=-1, keepdims=True) - 1) < 1e-3) | incomplete


def _counts(x, mask):
    return (x >= 0) & (x == np.round(x)) | (mask == 0)


#: likelihood -> the x for which it has a density, in words, and where an array x with its mask
#: holds such
SUPPORTS = {
    Bernoulli: ("values in [0, 1]", _in_unit_interval),
    Categorical: ("one-hot rows, or probabilities that sum to 1", _sums_to_one),
    Poisson: ("counts, whole numbers from 0", _counts),
}


def check_latents(posterior, prior):
    """Refuse a posterior and a prior of different latent sizes.

    Args:
        posterior: the `Distribution` q(z | x, c).
        prior: the `Distribution` p(z | c).

    Raises:
        ValueError: their sizes differ.

    Example:
        >>> from cvae_keras.parts.distributions import Gaussian
        >>> standard = Gaussian(np.zeros((1, 2)), np.zeros((1, 2)))
        >>> check_latents(standard, standard)
    """
    if posterior.dims != prior.dims:
        categorical = hasattr(posterior, "logits")
        what, name = (
            ("categories", "number") if categorical else ("latent dimensions", "latent_dim")
        )
        raise ValueError(
            f"the posterior has {posterior.dims} {what} and the prior {prior.dims}: give both the "
            f"same {name}."
        )


def check_mask(x, mask):
    """Refuse a mask of another shape than x, which would broadcast.

    Args:
        x: array or tensor `(batch, ...)`, or a dictionary of such.
        mask: array or tensor, None, or a dictionary of such with names of x.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> check_mask(np.zeros((5, 2)), np.ones((5, 2)))
    """
    if mask is not None and isinstance(x, dict) != isinstance(mask, dict):
        raise ValueError("mask must be a dictionary if and only if x is one: pair them up.")
    if isinstance(mask, dict) and not set(mask) <= set(x):
        raise ValueError(
            f"mask holds {sorted(set(mask) - set(x))}, which x does not: pair them up."
        )
    for name, one in _named(mask, "mask").items():
        values = x[name] if isinstance(x, dict) else x
        if one is not None and not _agree(one.shape, values.shape):
            raise ValueError(
                f"{_of(mask, 'mask', name)} must have the shape of x, {_text(values.shape)}, got "
                f"{_text(one.shape)}: give 1 or 0 for each entry."
            )


def check_decoded(likelihood, x, x_hat, z):
    """Refuse what a decoder returned if it does not fit x, the latents or the likelihood.

    Args:
        likelihood: a `Likelihood`.
        x: tensor `(batch, ...)`, or a dictionary of such.
        x_hat: what the decoder returned.
        z: what it got, `(samples, batch, latent_dim)`.

    Raises:
        ValueError: another shape than `(samples, batch, ...)`, with x's shape of one example, or a
            log-scale where the likelihood has its own, or none where it needs one.

    Example:
        >>> check_decoded(Bernoulli(), np.zeros((5, 2)), np.zeros((1, 5, 2)), np.zeros((1, 5, 3)))
    """
    name, scale = type(likelihood).__name__, getattr(likelihood, "scale", None)
    given = sorted(x_hat) if isinstance(x_hat, dict) and not isinstance(x, dict) else []
    if scale == "decoder" and not {"mean", "log_scale"} <= set(given):
        raise ValueError(
            f"likelihood is {name}('decoder'), and the decoder returns no dictionary with 'mean' "
            f"and 'log_scale': let it, or choose another scale."
        )
    if scale != "decoder" and not likelihood.reads_log_scale and "log_scale" in given:
        raise ValueError(
            f"likelihood is {name} with scale {scale!r}, and the decoder returns a log_scale of "
            f"its own: use {name if scale is not None else 'Normal'}('decoder')."
        )
    mean = likelihood.mean(x_hat)
    for key, values in _named(x, "x").items():
        found = mean[key] if isinstance(x, dict) else mean
        wanted = (z.shape[0], values.shape[0], *values.shape[1:])
        single = (z.shape[0], 1, *values.shape[1:])  # the same for all examples
        if not _agree(found.shape, wanted) and not (
            z.shape[1] == 1 and _agree(found.shape, single)
        ):
            raise ValueError(
                f"the decoder returned {_text(found.shape)} for {_of(x, 'x', key)} of shape "
                f"{_text(values.shape)} and z of shape {_text(z.shape)}: it must return (samples, "
                f"batch, ...) with the shape of x after that, and class numbers must be one-hot."
            )


def check_model_arrays(inputs, likelihood):
    """Check the arrays of a model: names, numbers, the mask, and that x lies in the support.

    Args:
        inputs: dictionary of arrays `(batch, ...)`; x, c and mask may be dictionaries of such. x
            may be anything, also NaN, where the mask is 0.
        likelihood: a `Likelihood`.

    Returns:
        The same with float32 NumPy arrays, x being 0 where it is missing.

    Raises:
        ValueError: x is absent, NaN where it is observed, a mask of another shape than x or with
            other values than 0 and 1, or x outside the support of the likelihood.

    Example:
        >>> x, mask = np.array([[0.5, np.nan]]), np.array([[1, 0]])
        >>> check_model_arrays({"x": x, "mask": mask}, Bernoulli())["x"].tolist()
        [[0.5, 0.0]]
    """
    if "x" not in inputs:
        raise ValueError(f"the inputs must hold 'x', got {sorted(inputs)}: add it.")
    inputs = {name: each for name, each in inputs.items() if each is not None}
    mask = inputs.get("mask")
    if mask is not None:
        x, mask = (_each(np.asarray, inputs[name]) for name in ("x", "mask"))
        check_mask(x, mask)
        if not all(np.isin(one, (0, 1)).all() for one in _named(mask, "mask").values()):
            raise ValueError(
                "mask must hold 1 where x is observed and 0 where it is missing: build it with "
                "`~np.isnan(x)`."
            )
        inputs = {**inputs, "x": _fill(x, mask), "mask": mask}
    places = {}
    for name, each in inputs.items():
        if isinstance(each, dict):
            places |= {f"{name}[{key!r}]": (name, key) for key in sorted(each)}
        else:
            places[name] = (name, None)
    arrays = check_arrays(
        {
            label: inputs[name] if key is None else inputs[name][key]
            for label, (name, key) in places.items()
        }
    )
    found = {}
    for label, (name, key) in places.items():
        if key is None:
            found[name] = arrays[label]
        else:
            found.setdefault(name, {})[key] = arrays[label]
    check_support(likelihood, found["x"], found.get("mask"))
    return found


def bounded(likelihood):
    """Whether a likelihood, or one of its parts, has no density for some real numbers.

    Example:
        >>> bounded(Bernoulli())
        True
    """
    parts = getattr(likelihood, "parts", {"x": likelihood}).values()
    return any(isinstance(part, tuple(SUPPORTS)) for part in parts)


def check_support(likelihood, x, mask=None):
    """Refuse values of x for which a likelihood has no density.

    Args:
        likelihood: a `Likelihood`.
        x: array `(batch, ...)`, or a dictionary of such for a likelihood with `parts`.
        mask: of x's shape, 1 where observed, or None.

    Raises:
        ValueError: an observed value is outside the support.

    Example:
        >>> check_support(Bernoulli(), np.array([[0.0, 1.0]]))
    """
    if isinstance(x, dict):
        for name, each in x.items():
            check_support(likelihood.parts[name], each, None if mask is None else mask.get(name))
        return
    for kind, (words, holds) in SUPPORTS.items():
        if isinstance(likelihood, kind):
            allowed = holds(x, np.ones((1,) * x.ndim) if mask is None else mask)
            if not allowed.all():
                raise ValueError(
                    f"x holds {x[~np.broadcast_to(allowed, x.shape)][0]:g}, and "
                    f"{type(likelihood).__name__} is for {words}: rescale or encode x, or choose "
                    f"another likelihood."
                )


def _named(values, name):
    """A dictionary of arrays as it is, one array by this name, nothing for None."""
    if values is None or isinstance(values, dict):
        return values or {}
    return {name: values}


def _each(function, values):
    if isinstance(values, dict):
        return {name: function(each) for name, each in values.items()}
    return function(values)


def _fill(x, mask):
    """x with 0 where the mask is 0."""
    if isinstance(x, dict):
        return {name: _fill(each, mask.get(name)) for name, each in x.items()}
    return x if mask is None else np.where(mask == 0, np.zeros((), x.dtype), x)


def _agree(shape, wanted):
    """Whether two static shapes are the same, where both are known."""
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(a == b or None in (a, b) for a, b in pairs)


def _of(values, name, key):
    return f"{name}[{key!r}]" if isinstance(values, dict) else name


def _text(shape):
    return "(" + ", ".join("batch" if size is None else str(size) for size in shape) + ")"
