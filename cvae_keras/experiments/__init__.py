"""Each table in `results/`: what is run for it, and how it is written."""

from cvae_keras.experiments.rows import Job, run_jobs

__all__ = ["Job", "run_jobs"]
