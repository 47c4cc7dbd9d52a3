"""The tables of the sinusoid tasks: test cases, solved models, searches."""

from cvae_keras.experiments.sinusoid.cases import CASES, Case, case_config, train_case
from cvae_keras.experiments.sinusoid.searches import best_published, on_test
from cvae_keras.experiments.sinusoid.solved import run_solved, score_model

__all__ = [
    "CASES",
    "Case",
    "best_published",
    "case_config",
    "on_test",
    "run_solved",
    "score_model",
    "train_case",
]
