"""Jobs that cost nothing, in a module that processes can import."""

import os
from dataclasses import dataclass
from pathlib import Path

from cvae_keras.experiments.rows import Job


@dataclass(frozen=True)
class Square(Job):
    """number -> its square; a number below 0 raises, and 13 kills its process."""

    number: int
    label: str = ""

    @property
    def name(self):
        return f"square_{self.number}"

    def config(self):
        return {"number": self.number, "version": 2}

    @staticmethod
    def upgrade(config):
        return {**config, "version": 2}


def run(job, path, log):
    """Notes in `log` that the job was run, and in which process."""
    if job.number < 0:
        raise ValueError(f"number {job.number} is negative")
    if job.number == 13:
        os._exit(1)
    with Path(log).open("a") as file:
        file.write(f"{job.number} {os.getpid()} {os.environ.get('TF_NUM_INTRAOP_THREADS')}\n")
    return {"square": job.number**2}, 1.25
