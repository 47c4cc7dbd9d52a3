"""The loop that the tables share: find the saved rows, run the others, keep each one."""

import json
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict

from tqdm.auto import tqdm

from cvae_keras.checks import RunError, check_count, check_part
from cvae_keras.files import (
    claim,
    fill_template,
    manifest,
    open_folder,
    saved_result,
    write_json,
)
from cvae_keras.training.checkpoint import Checkpoint

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


class Job:
    """One unit of work of a table: a frozen dataclass of all that its result depends on.

    A subclass defines the property `name`, of the file that keeps the result, without its ending,
    and `holds`, what that file must hold: entry -> names of the numbers in it, or in each of its
    rows. It may override `config()`, what the manifest of that file must say (by default the
    fields), and `upgrade(config)`, which brings the configuration of an older file to the present
    version.

    Example:
        ```python
        @dataclass(frozen=True)
        class Fit(Job):
            holds = {"row": ("error",)}
            data: str
            seed: int

            @property
            def name(self):
                return f"{self.data}_{self.seed}"
        ```
    """

    holds = {}

    def config(self):
        """Dictionary of plain values."""
        return json.loads(json.dumps(asdict(self)))

    @staticmethod
    def upgrade(config):
        """The configuration of a file as this version writes it."""
        return config

    def path(self, folder):
        """The file in `folder` that keeps the result."""
        return folder / f"{self.name}.json"

    def saved(self, folder):
        """The dictionary that `folder` keeps of this job, `manifest` in it, or None.

        Raises:
            ValueError: the file is damaged, or does not hold what it should.
        """
        path = self.path(folder)
        saved = saved_result(path, self.config(), self.upgrade)
        for entry, names in self.holds.items() if saved else ():
            rows = saved.get(entry)
            rows = rows if isinstance(rows, list) else [rows]
            if not rows or not all(_is_row(row, names) for row in rows):
                raise ValueError(
                    f"{path} lacks numbers in its entry {entry!r}: restore the file, or delete it "
                    f"to run the row again."
                )
        return saved


def _is_row(row, names):
    """Whether it is a dictionary of plain values in which each of these names has a number."""
    if not isinstance(row, dict) or not set(names) <= set(row):
        return False
    plain = all(each is None or type(each) in (bool, int, float, str) for each in row.values())
    return plain and all(type(row[name]) in (int, float) for name in names)


def checkpoint(job, path):
    """The checkpoint of the training of a job, which is kept until its result is.

    Args:
        job: a `Job`.
        path: of its result.

    Returns:
        A `Checkpoint`, for the callbacks of `fit`.

    Example:
        ```python
        model.fit(batches, epochs=30, callbacks=[checkpoint(job, path)])
        ```
    """
    return Checkpoint(path.with_name(f".{path.stem}.npz"), job.config())


def run_jobs(jobs, run, folder, part=(1, 1), processes=1, title="rows", done=None):
    """Run those jobs whose result is not in `folder` yet; each is kept as soon as it is done.

    Args:
        jobs: list of `Job`.
        run: function of a job and its path that returns `(result, seconds)`, a dictionary and the
            wall time that its manifest names. Where processes is above 1, a function of a module,
            or a `functools.partial` of one.
        folder: of the results.
        part: (i, n), to run only every n-th job from the i-th, so that n machines share the work.
        processes: how many share the work here, each with one thread.
        title: of the progress bar.
        done: None, or a function of a job and its result, called after each job that was run.

    Returns:
        List of `(job, result)` of all jobs; the result is None where there is none yet.

    Raises:
        ValueError: the folder cannot be written, a bad part or number of processes, a file in the
            folder that is damaged.
        RunError: a process was killed. Any exception of `run`, after the jobs that were running.

    Example:
        ```python
        results = run_jobs(jobs, run_row, "results/example_rows", processes=2)
        ```
    """
    (index, parts), processes = check_part(part), check_count("processes", processes)
    folder, mine = claim(folder, "rows"), jobs[index - 1 :: parts]
    todo = []
    for job in mine:
        if job.saved(folder) is None:
            todo.append(job)
        else:  # there is a checkpoint if it was killed when its result was there already
            checkpoint(job, job.path(folder)).remove()
    with tqdm(total=len(mine), initial=len(mine) - len(todo), desc=title, unit="row") as bar:
        for job in _run_each(todo, run, folder, min(processes, len(todo))):
            bar.update()
            if done:
                done(job, job.saved(folder))
    return [(job, job.saved(folder)) for job in jobs]


def _run_each(jobs, run, folder, processes):
    """Run the jobs, here or in several processes, and yield each when it is done."""
    if processes < 2:
        for job in jobs:
            _run_one(job, run, folder)
            yield job
        return
    # spawn: a forked TensorFlow hangs
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin_process)
    try:
        futures = {pool.submit(_run_one, job, run, folder): job for job in jobs}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise RunError(
            "a process was killed before its row was done, perhaps for want of memory: start again "
            "with fewer processes."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _run_one(job, run, folder):
    path = job.path(folder)
    open_folder(path.parent)
    result, seconds = run(job, path)
    write_json(path, {**result, "manifest": manifest(job.config(), seconds)})
    checkpoint(job, path).remove()


def _begin_process():
    """Keep to one thread, and end with the process that started this one."""
    os.environ.update(ONE_THREAD)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def notes(name, /, **values):
    """The text under a table, from its Markdown template in `cvae_keras/experiments/notes`.

    Args:
        name: of the template.
        values: of its placeholders.

    Returns:
        Markdown.

    Example:
        >>> "residual" in notes("solved", curves=1000)
        True
    """
    return fill_template("cvae_keras.experiments", name, **values)
