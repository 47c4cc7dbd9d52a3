"""Bayesian optimization: a Gaussian process over the trials so far proposes the next one.

It replaces keras-tuner's own search for the next point, which takes seconds per trial, and its
process without noise, which fits the noise of single results.
"""

import warnings

import numpy as np
from keras_tuner import HyperParameters, oracles
from keras_tuner.engine.hyperparameters import Boolean, Choice, Float
from keras_tuner.engine.trial import TrialStatus
from scipy.stats.qmc import LatinHypercube
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from cvae_keras.search.journal import RUNG_SCORE, Journaled, diverged, pruned, results_of

CANDIDATES, KEPT = 2000, 20
SPREADS = (0.1, 0.03, 0.01)  # of new candidates around the kept ones, in shares of the range
BELOW_ONE = 1 - 1e-9
CHANGED = 0.25  # share of new candidates in which a choice, which has no near values, is redrawn


class Bayesian(Journaled, oracles.BayesianOptimizationOracle):
    """A Latin hypercube at first, then the lowest lower confidence bound of a Gaussian process.

    `next = argmin mean(v) - beta * std(v)` over vectors v in [0, 1]^d, one entry per hyperparameter

    The process has a Matern kernel with a length scale per hyperparameter, and noise. Trials that
    diverged count as the worst of those that did not, so that the search looks elsewhere; trials
    that are still running count as mean + std, so that workers do not all try the same; those that
    were pruned count with the score at which they were, which training to the end might lower. Only
    positions of values are candidates: between two choices nothing is ever measured, and the bound
    would stay low there.

    Args:
        journal: as for `Journaled`.
        beta: how much is explored.
        ratios: dictionary, name -> name of another, of values on log scales of which the ratio
            matters: the process sees it instead of the first. Others are left as they are.
        options: as for keras-tuner's oracle, for instance `num_initial_points` of the hypercube,
            which holds each value of a choice equally often.

    Source: McKay, Beckman and Conover, "A comparison of three methods for selecting values of
    input variables", 1979; Srinivas, Krause, Kakade and Seeger, "Gaussian process optimization in
    the bandit setting", 2010.

    Example:
        ```python
        Bayesian(journal, max_trials=30, num_initial_points=10, objective=objective)
        ```
    """

    def __init__(self, journal, beta=1.0, ratios=None, **options):
        super().__init__(journal=journal, beta=beta, **options)
        self.ratios = dict(ratios or {})

    def populate_space(self, trial_id):
        done = [
            trial
            for trial in self.trials.values()
            if trial.status == TrialStatus.COMPLETED or pruned(trial)
        ]
        if self._recorded is not None:  # in a replay
            return super().populate_space(trial_id)
        self.seed_draws(trial_id)
        if len(done) < self.num_initial_points:
            return self._choose(self._first(int(trial_id)))
        rng = np.random.default_rng([self.seed, int(trial_id)])
        process = self._process(done)
        points = self._snap(rng.random((CANDIDATES, len(self._tuned()))))
        for spread in (*SPREADS, None):
            mean, std = process.predict(self._seen(points), return_std=True)
            points = points[np.argsort(mean - self.beta * std, kind="stable")]
            if spread is not None:
                near = points[rng.integers(KEPT, size=CANDIDATES // 2)]
                moved = np.clip(near + spread * rng.standard_normal(near.shape), 0.0, 1.0)
                anew, drawn = rng.random(near.shape) < CHANGED, rng.random(near.shape)
                choice = np.array([isinstance(hp, (Choice, Boolean)) for hp in self._tuned()])
                near = np.where(choice, np.where(anew, drawn, near), moved)
                points = np.concatenate([points[:KEPT], self._snap(near)])
        return self._choose(points)

    def _first(self, number):
        """The point of this number in a Latin hypercube, or none after its last."""
        cube = LatinHypercube(len(self._tuned()), rng=np.random.default_rng(self.seed))
        return cube.random(self.num_initial_points)[number : number + 1]

    def _choose(self, points):
        """The first of the points that was not tried yet."""
        for point in points:
            if not self._duplicate(values := self._values(point)):
                return {"status": TrialStatus.RUNNING, "values": values}
        return self._random_populate_space()  # of a space of few values

    def _process(self, done):
        """The process that was fitted to the trials."""
        sign = 1.0 if self.objective.direction == "min" else -1.0
        lost = [trial for trial in self.trials.values() if diverged(trial)]
        x = self._seen([self._place(trial) for trial in [*done, *lost]])
        y = sign * np.array([_score(trial) for trial in done])
        y = np.concatenate([y, np.full(len(lost), y.max())])
        kernel = ConstantKernel() * Matern(np.full(x.shape[1], 0.5), (0.1, 10.0), nu=2.5)
        kernel += WhiteKernel(0.01, (1e-6, 1.0))
        options = {"normalize_y": True, "random_state": self.seed % 2**32}
        process = GaussianProcessRegressor(kernel, n_restarts_optimizer=1, **options)
        with warnings.catch_warnings():  # a length scale at its bound is no concern
            warnings.simplefilter("ignore", ConvergenceWarning)
            process.fit(x, y)
            if self.ongoing_trials:
                running = self._seen([self._place(t) for t in self.ongoing_trials.values()])
                mean, std = process.predict(running, return_std=True)
                process = GaussianProcessRegressor(process.kernel_, optimizer=None, **options)
                process.fit(np.concatenate([x, running]), np.concatenate([y, mean + std]))
        return process

    def _tuned(self):
        return self.hyperparameters.space

    def _place(self, trial):
        """The hyperparameters of a trial in [0, 1]^d; an inactive one has that of its default."""
        values = trial.hyperparameters.values
        return [hp.value_to_prob(values.get(hp.name, hp.default)) for hp in self._tuned()]

    def _seen(self, points):
        """Points of [0, 1]^d as the process sees them."""
        points = np.array(points)
        seen = points.copy()
        column = {hp.name: number for number, hp in enumerate(self._tuned())}
        span = {hp.name: np.log(hp.max_value / hp.min_value) for hp in self._tuned() if _is_log(hp)}
        for name, other in self.ratios.items():
            if name in span and other in span:  # those that are tuned
                share = span[other] / span[name]
                seen[:, column[name]] -= share * points[:, column[other]]
        return seen

    def _snap(self, points):
        """The positions of the values that the points stand for: each choice has one."""
        points = points.copy()
        for column, hp in enumerate(self._tuned()):
            if isinstance(hp, Float) and hp.step is None:
                continue
            values = [hp.prob_to_value(min(p, BELOW_ONE)) for p in points[:, column].tolist()]
            points[:, column] = [hp.value_to_prob(value) for value in values]
        return points

    def _values(self, point):
        """The hyperparameters of a point in [0, 1]^d, those that are active."""
        chosen = HyperParameters()
        for hp, place in zip(self._tuned(), point, strict=True):
            chosen.merge([hp])
            if chosen.is_active(hp):
                chosen.values[hp.name] = hp.prob_to_value(min(float(place), BELOW_ONE))
        return chosen.values


def _score(trial):
    """The score of a trial, for a pruned one that when it was stopped."""
    return results_of(trial)[RUNG_SCORE] if pruned(trial) else trial.score


def _is_log(hp):
    return getattr(hp, "sampling", None) == "log"
