"""The table of the dense system, and its runs from a JSON file."""

from cvae_keras.experiments.dense.run import RateDistortionLog, run_config
from cvae_keras.experiments.dense.table import EXPERIMENTS, Experiment, experiment_config

__all__ = ["EXPERIMENTS", "Experiment", "RateDistortionLog", "experiment_config", "run_config"]
