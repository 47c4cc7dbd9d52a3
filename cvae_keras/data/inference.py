"""The seven tasks of the benchmark sbibm: infer a simulator's parameters from what it returned."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cvae_keras.checks import check_choice, check_count, check_generator
from cvae_keras.data import simulators
from cvae_keras.data.arrays import read_arrays
from cvae_keras.files import expand

OBSERVATIONS = 5  # for which there are reference samples
OPEN = {"uniform": None, "normal": (-np.inf, np.inf), "log_normal": (0.0, np.inf)}


@dataclass(frozen=True)
class InferenceTask:
    """A prior over parameters and a simulator: what is p(theta | x)?

    Args:
        name: of the task, and of its file of reference samples.
        prior: the distribution of each parameter, all independent: "uniform", "normal" or
            "log_normal".
        first: of each parameter the low end, the mean, or the mean of the logarithm.
        second: of each parameter the high end, the standard deviation, or that of the logarithm.
        simulator: function of theta `(n, dim)` and a `numpy.random.Generator`, from
            `cvae_keras.data.simulators`.
        data_dim: how many numbers the simulator returns.

    Source: Lueckmann, Boelts, Greenberg, Goncalves and Macke, "Benchmarking simulation-based
    inference", 2021, appendix T; package sbibm 1.1.0.

    Example:
        >>> from cvae_keras.data import INFERENCE_TASKS
        >>> task = INFERENCE_TASKS["two_moons"]
        >>> theta = task.draw_prior(1000, seed=0)
        >>> task.simulate(theta, seed=1).shape
        (1000, 2)
    """

    name: str
    prior: str
    first: tuple
    second: tuple
    simulator: Callable
    data_dim: int

    def __post_init__(self):
        check_choice("prior", self.prior, OPEN)
        if len(self.first) != len(self.second) or not self.first:
            raise ValueError(
                f"first and second must hold one number per parameter, got {len(self.first)} and "
                f"{len(self.second)}: give as many of both."
            )

    @property
    def dim(self):
        """Number of parameters."""
        return len(self.first)

    @property
    def bounds(self):
        """Least and largest value of each parameter, `(dim, 2)`, infinite where there is none."""
        if self.prior == "uniform":
            return np.stack([self.first, self.second], axis=1).astype(float)
        return np.tile(OPEN[self.prior], (self.dim, 1))

    def draw_prior(self, n, seed=0):
        """Draw parameters from the prior.

        Args:
            n: number of draws.
            seed: anything that `numpy.random.default_rng` takes.

        Returns:
            float64 `(n, dim)`.
        """
        rng, shape = check_generator("seed", seed), (check_count("n", n), self.dim)
        if self.prior == "uniform":
            return rng.uniform(self.first, self.second, shape)
        normal = rng.normal(self.first, self.second, shape)
        return np.exp(normal) if self.prior == "log_normal" else normal

    def simulate(self, theta, seed=0):
        """Run the simulator once for each row of theta.

        Args:
            theta: `(n, dim)`, inside the bounds.
            seed: anything that `numpy.random.default_rng` takes.

        Returns:
            float64 `(n, data_dim)`.

        Raises:
            ValueError: theta has another shape, or leaves the bounds.
        """
        theta = np.asarray(theta, float)
        if theta.ndim != 2 or theta.shape[1] != self.dim:
            raise ValueError(f"theta has shape {theta.shape}: {self.name} needs (n, {self.dim}).")
        low, high = self.bounds.T
        inside = (theta >= low) & (theta <= high) & np.isfinite(theta)
        if not inside.all():
            value = theta[~inside][0]
            raise ValueError(f"theta holds {value}, outside the prior of {self.name}: remove it.")
        return self.simulator(theta, check_generator("seed", seed))

    def examples(self, n, seed=0):
        """Draw examples: parameters from the prior, and what the simulator returns for them.

        Args:
            n: number of examples.
            seed: anything that `numpy.random.default_rng` takes.

        Returns:
            Dictionary of float32 arrays: `x` `(n, dim)`, the parameters, which are inferred, and
            `c` `(n, data_dim)`, the data that are given.
        """
        rng = check_generator("seed", seed)
        theta = self.draw_prior(n, rng)
        return {"x": theta.astype("float32"), "c": self.simulate(theta, rng).astype("float32")}


TASKS = [
    InferenceTask("two_moons", "uniform", (-1,) * 2, (1,) * 2, simulators.two_moons, 2),
    InferenceTask(
        "gaussian_mixture", "uniform", (-10,) * 2, (10,) * 2, simulators.gaussian_mixture, 2
    ),
    InferenceTask(
        "gaussian_linear", "normal", (0,) * 10, (0.1**0.5,) * 10, simulators.gaussian_linear, 10
    ),
    InferenceTask(
        "gaussian_linear_uniform", "uniform", (-1,) * 10, (1,) * 10, simulators.gaussian_linear, 10
    ),
    InferenceTask("slcp", "uniform", (-3,) * 5, (3,) * 5, simulators.slcp, 8),
    InferenceTask(
        "sir", "log_normal", (math.log(0.4), math.log(0.125)), (0.5, 0.2), simulators.sir, 10
    ),
    InferenceTask(
        *("lotka_volterra", "log_normal", (-0.125, -3, -0.125, -3), (0.5,) * 4),
        *(simulators.lotka_volterra, 20),
    ),
]
#: The tasks by name.
INFERENCE_TASKS = {task.name: task for task in TASKS}


def load_reference(folder, task):
    """Load the observations of a task, and samples of the posterior of each.

    Args:
        folder: that of the files `TASK.npz`, each with `observation_i` `(1, data_dim)` and
            `reference_i` `(samples, dim)` for i = 1 to 5.
        task: name of the task.

    Returns:
        List of five pairs: the observation, float64 `(data_dim,)`, and the samples, float64
        `(samples, dim)`.

    Raises:
        ValueError: an unknown task; or a file that is absent, damaged, or holds other arrays.

    Source: the package sbibm 1.1.0, its files `observation.csv` and
    `reference_posterior_samples.csv.bz2`.

    Example:
        ```python
        observation, reference = load_reference("sbibm", "two_moons")[0]
        ```
    """
    task = INFERENCE_TASKS[check_choice("task", task, INFERENCE_TASKS)]
    path = expand(folder) / f"{task.name}.npz"
    kinds = {"observation": task.data_dim, "reference": task.dim}
    names = [f"{kind}_{i + 1}" for i in range(OBSERVATIONS) for kind in kinds]
    arrays = read_arrays(path, names)
    for name, array in arrays.items():
        width = kinds[name.split("_")[0]]
        if array.ndim != 2 or array.shape[1] != width or not len(array):
            raise ValueError(
                f"{name} in {path} has shape {array.shape}: {task.name} needs (n, {width})."
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} in {path} holds NaN or infinity: replace the file.")
    pairs = [(arrays[f"observation_{i + 1}"][0], arrays[f"reference_{i + 1}"]) for i in range(5)]
    return [(observation.astype(float), samples.astype(float)) for observation, samples in pairs]
