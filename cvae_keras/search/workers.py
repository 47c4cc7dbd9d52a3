"""Several processes on one search: keras-tuner's chief, which hands out trials, and its workers.

The environment says which a process is, as in keras-tuner: `KERASTUNER_TUNER_ID` ("chief", or any
other name), `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` (of the chief).
"""

import os
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from contextlib import contextmanager

WHO, ADDRESS, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
CHIEF, PARENT = "chief", "CVAE_KERAS_CHIEF_PID"


def role():
    """What this process is: "chief", "worker", or "alone" when the environment names no chief."""
    if ADDRESS not in os.environ:
        return "alone"
    return "chief" if CHIEF in os.environ.get(WHO, "") else "worker"


@contextmanager
def on_this_machine(command, workers):
    """Make this process the chief, and start workers that run `command` beside it.

    Workers have one TensorFlow thread each. They are terminated when the context ends, and exit by
    themselves when this process is killed.

    Args:
        command: list of strings.
        workers: how many.

    Returns:
        Context manager of a dictionary, name -> `subprocess.Popen`, as `serve` takes it.

    Example:
        ```python
        with on_this_machine([sys.executable, "search_of_mine.py"], workers=2) as processes:
            search.run(hypermodel, folder="runs/mine", processes=processes)
        ```
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    chief = {ADDRESS: "127.0.0.1", PORT: port, WHO: CHIEF}
    threads = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    before = {name: os.environ.get(name) for name in chief}
    processes = {}
    os.environ.update(chief)
    try:
        for number in range(workers):
            name = f"tuner{number}"
            env = {**os.environ, **threads, WHO: name, PARENT: str(os.getpid())}
            processes[name] = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def serve(oracle, processes=None):
    """Hand out trials until all are done, as keras-tuner's chief does.

    Args:
        oracle: of `cvae_keras.search.oracles`.
        processes: those of `on_this_machine`: the trial of one that ended goes to another.

    Raises:
        ValueError: all of these processes ended before the search did, or the port is taken.

    Example:
        ```python
        serve(oracle)
        ```
    """
    import grpc
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer, exit_chief

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    servicer = OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    address = f"{os.environ[ADDRESS]}:{os.environ[PORT]}"
    if server.add_insecure_port(address) == 0:
        raise ValueError(f"{address} cannot be served: name a free port in {PORT}.")
    server.start()
    running = dict(processes or {})
    while not (servicer.stop_triggered and exit_chief(oracle)):
        time.sleep(0.2)
        for name in [name for name, process in running.items() if process.poll() is not None]:
            running.pop(name)
            oracle.lose(name)
        if processes and not running and not servicer.stop_triggered:
            raise ValueError("all workers ended before the search: see their messages above.")
    server.stop(grace=5).wait()


def end_with_parent():
    """In a worker of `on_this_machine`: exit when the chief has ended, even if it was killed."""
    if PARENT in os.environ:
        threading.Thread(target=_watch, args=(int(os.environ[PARENT]),), daemon=True).start()


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def this_command():
    """The command line that this process was started with, to start it again beside it."""
    return [sys.executable, "-m", "cvae_keras", *sys.argv[1:]]
