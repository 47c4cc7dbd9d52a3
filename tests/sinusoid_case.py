"""The sinusoid models as a `Case` of the shared checks."""

import numpy as np
from model_checks import Case, with_value


def sinusoid_case(make, task):
    """The case of a model of `task`, made by `make(**options)`."""

    def bad_inputs(arrays):
        x, y = arrays["x"], arrays["c"]
        return [
            ({"x": x, "c": y[..., :1]}, "shape"),
            ({"x": x, "c": 2 * y}, "y reaches"),
        ]

    def bad_conditions(y):
        return [
            (with_value(y, 1.5), "y reaches 1.5"),
            (with_value(y, np.nan), "y holds NaN or infinity"),
            (y[:, :-1], "y has shape"),
        ]

    return Case(make, task, bad_inputs, bad_conditions)
