"""Which hyperparameters to try next: keras-tuner's strategies, and a resumable grid."""

from itertools import product

import numpy as np
from keras_tuner import Oracle, oracles
from keras_tuner.engine.trial import TrialStatus

from cvae_keras.search.bayesian import Bayesian
from cvae_keras.search.journal import Journaled


class Random(Journaled, oracles.RandomSearchOracle):
    """Independent draws from the space.

    Example:
        ```python
        Random(journal, max_trials=30, objective=objective, hyperparameters=space)
        ```
    """


class Hyperband(Journaled, oracles.HyperbandOracle):
    """Many trials of few epochs, of which the best are continued.

    Source: Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization",
    2018.

    Example:
        ```python
        Hyperband(journal, max_epochs=27, objective=objective).size()
        ```
    """

    follows_from_trials = False  # brackets are filled as trials are made

    def size(self):
        """How many trials the whole search has, if none fails."""
        brackets = range(self._get_num_brackets())
        return sum(self._get_size(b, r) for b in brackets for r in range(b + 1))


class Grid(Journaled, Oracle):
    """Every combination of the values of the space, in order, each once.

    Example:
        ```python
        Grid(journal, max_trials=144, objective=objective, hyperparameters=space)
        ```
    """

    def populate_space(self, trial_id):
        cells = grid_cells(self.get_space())
        if int(trial_id) >= len(cells):
            return {"status": TrialStatus.STOPPED, "values": None}
        return {"status": TrialStatus.RUNNING, "values": cells[int(trial_id)]}


def grid_cells(space):
    """All combinations of the values of a space.

    Args:
        space: `keras_tuner.HyperParameters`.

    Returns:
        List of dictionaries, name -> value; the last hyperparameter changes fastest.

    Raises:
        ValueError: a hyperparameter is a range without a step, so that it has no values of its
            own, has conditions, or names a value twice.

    Example:
        >>> from cvae_keras.search import choices
        >>> grid_cells(choices(beta=[0.5, 1.0]))
        [{'beta': 0.5}, {'beta': 1.0}]
    """
    values = {}
    for hp in space.space:
        if getattr(hp, "step", 1) is None:
            raise ValueError(
                f"{hp.name} is a range without a step, which has no grid: give a step or a Choice."
            )
        if hp.conditions:
            raise ValueError(f"{hp.name} has conditions, which no grid supports: leave it out.")
        values[hp.name] = list(hp.values)
    cells = [dict(zip(values, cell, strict=True)) for cell in product(*values.values())]
    size = int(np.prod([len(v) for v in values.values()]))
    if len({str(cell) for cell in cells}) != size:
        raise ValueError("a hyperparameter of the grid names a value twice: name each once.")
    return cells


STRATEGIES = {"bayesian": Bayesian, "grid": Grid, "random": Random, "hyperband": Hyperband}
