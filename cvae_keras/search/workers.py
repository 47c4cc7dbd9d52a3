"""Several processes on one search: keras-tuner's chief, which hands out trials, and its workers.

The environment says which a process is, as in keras-tuner: `KERASTUNER_TUNER_ID` ("chief", or any
other name), `KERASTUNER_ORACLE_IP` and `KERASTUNER_ORACLE_PORT` (of the chief). Without the second
the chief listens on loopback.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from contextlib import contextmanager, suppress

from keras_tuner.errors import FatalError
from tqdm.auto import tqdm

from cvae_keras.checks import RunError

WHO, ADDRESS, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
CHIEF, PARENT = "chief", "CVAE_KERAS_CHIEF_PID"
LOOPBACK = "127.0.0.1"
WAIT, SAY = 120.0, 10.0  # seconds that a worker waits for its chief, and between its messages
#: seconds between two signs of life of a worker, without which it is lost, and without any worker
BEAT, LOST, ALONE = 5.0, 60.0, 600.0
NAME = "tuner"  # key under which a worker tells its name


def role():
    """What this process is: "chief", "worker", or "alone" when the environment names no chief.

    Raises:
        ValueError: a variable is missing, or what it holds is no address, port or name.
    """
    if ADDRESS not in os.environ and PORT not in os.environ:
        return "alone"
    os.environ.setdefault(ADDRESS, LOOPBACK)  # where keras-tuner reads it
    host, port = os.environ[ADDRESS], os.environ.get(PORT, "")
    if not (port.isascii() and port.isdecimal() and len(port) < 6 and 0 < int(port) < 2**16):
        raise ValueError(f"{PORT} is {port!r}: set it to the port of the chief, 1 to 65535.")
    if not os.environ.get(WHO):
        raise ValueError(
            f"{WHO} is missing: set it to chief, or for workers to tuner0, tuner1, ..."
        )
    try:
        socket.getaddrinfo(host.strip("[]") or None, port, type=socket.SOCK_STREAM)
        known = host == host.strip() != ""
    except (OSError, UnicodeError):
        known = False
    if not known:
        raise ValueError(f"{ADDRESS} is {host!r}: set it to the address of the chief's machine.")
    return "chief" if CHIEF in os.environ[WHO] else "worker"


def _address():
    return f"{os.environ[ADDRESS]}:{os.environ[PORT]}"


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


@contextmanager
def listening():
    """Take the port of the chief, before anything is written.

    Returns:
        Context manager of a server for `serve`.

    Raises:
        ValueError: the port is taken, or the address is not of this machine.

    Example:
        ```python
        with listening() as server:
            serve(server, oracle)
        ```
    """
    import grpc

    alone = [("grpc.so_reuseport", 0)]  # else two chiefs could share a port
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=alone)
    if _is_taken() or not _bind(server):
        raise ValueError(
            f"{_address()} cannot be served: name a free port in {PORT}, and an address of this "
            f"machine in {ADDRESS}."
        )
    try:
        yield server
    finally:
        with suppress(ValueError):  # it has started
            server.start()  # one that did not would keep the port
        server.stop(grace=None).wait()


def _is_taken():
    """Whether the port is: where it is, grpc prints more than one sentence."""
    host, port = os.environ[ADDRESS].strip("[]"), os.environ[PORT]
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return True
    return False


def _bind(server):
    try:
        return server.add_insecure_port(_address()) != 0
    except RuntimeError:  # as newer versions of grpc say it
        return False


def serve(server, oracle, processes=None):
    """Hand out trials until all are done, as keras-tuner's chief does.

    The trial of a worker that gives no sign of life for `LOST` seconds goes to another. Workers
    wait until the last trial has ended, so that there is one to take it over.

    Args:
        server: of `listening`.
        oracle: of `cvae_keras.search.oracles`.
        processes: those of `on_this_machine`: the trial of one that ended goes to another at once.

    Raises:
        RunError: all of these processes ended before the search did, or no worker was there for
            `ALONE` seconds.
        OSError: the results cannot be written.

    Example:
        ```python
        with listening() as server:
            serve(server, oracle)
        ```
    """
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import exit_chief

    servicer = _servicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    server.start()
    tqdm.write(f"The chief of the search listens on {_address()}.")
    running, said = dict(processes or {}), time.monotonic()
    while not (servicer.stop_triggered and exit_chief(oracle)):
        time.sleep(0.2)
        if oracle.failure is not None:
            raise oracle.failure
        for name in [name for name, process in running.items() if process.poll() is not None]:
            running.pop(name)
            oracle.lose(name)
        if processes and not running and not servicer.stop_triggered:
            raise RunError("all workers ended before the search: see their messages above.")
        for name in servicer.silent():
            tqdm.write(f"{name} gave no sign of life for {LOST:.0f} s: another takes its trial.")
            oracle.lose(name)
        if not oracle.tuner_ids and time.monotonic() - said > SAY:
            said = time.monotonic()
            left = servicer.last + ALONE - said
            if left < 0:
                raise RunError(
                    f"no worker was there for {ALONE:.0f} s: start some, and resume the search."
                )
            tqdm.write(f"Waiting for workers on {_address()}, {left:.0f} s more.", sys.stderr)
    server.stop(grace=5).wait()


def _servicer(oracle):
    """keras-tuner's answers of a chief, which notes who asks."""
    import grpc
    from keras_tuner.engine.trial import TrialStatus
    from keras_tuner.src import protos
    from keras_tuner.src.distribute.oracle_chief import OracleServicer

    class Servicer(OracleServicer):
        def __init__(self, oracle):
            super().__init__(oracle)
            self.heard, self.gone, self.last = {}, set(), time.monotonic()

        def silent(self):
            """The workers that count as lost from now on."""
            ago = time.monotonic() - LOST
            found = [name for name in list(oracle.tuner_ids) if self.heard.get(name, ago) <= ago]
            self.gone.update(found)
            return found

        def note(self, context):
            name = dict(context.invocation_metadata()).get(NAME)
            self.last = time.monotonic()
            if name is not None:
                self.heard[name] = self.last
            return name

        def GetSpace(self, request, context):
            self.note(context)
            return super().GetSpace(request, context)

        def CreateTrial(self, request, context):
            self.note(context)
            name = request.tuner_id
            self.heard[name] = self.last
            self.gone.discard(name)
            trial = oracle.create_trial(name)
            if trial.status == TrialStatus.STOPPED:
                if oracle.ongoing_trials:  # it may have to take one over
                    trial.status = TrialStatus.IDLE
                    oracle.tuner_ids.add(name)
                else:
                    self.stop_triggered = True
            return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

        def UpdateTrial(self, request, context):
            self.refuse_lost(context)
            return super().UpdateTrial(request, context)

        def EndTrial(self, request, context):
            self.refuse_lost(context)
            return super().EndTrial(request, context)

        def refuse_lost(self, context):
            name = self.note(context)
            if name in self.gone:
                message = f"{name} gave no sign of life for {LOST:.0f} s and has lost its trial"
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)

    return Servicer(oracle)


def await_chief():
    """In a worker: wait until the chief answers, and say so.

    A worker of `on_this_machine` ends with the chief and waits as long as that runs, in silence.

    Raises:
        RunError: it does not within `WAIT` seconds.

    Example:
        ```python
        await_chief()
        ```
    """
    import grpc

    end = time.monotonic() + WAIT
    with grpc.insecure_channel(_address()) as channel:
        ready = grpc.channel_ready_future(channel)
        if PARENT in os.environ:
            return ready.result()
        while True:
            try:
                return ready.result(timeout=max(0.0, min(SAY, end - time.monotonic())))
            except grpc.FutureTimeoutError:
                left = end - time.monotonic()
            if left <= 0:
                raise NoChief(
                    f"no chief answers on {_address()}: start it, or correct {ADDRESS} and {PORT}."
                )
            tqdm.write(f"Waiting for the chief on {_address()}, {left:.0f} s more.", sys.stderr)


def work(tuner):
    """In a worker: run trials that the chief hands out.

    Args:
        tuner: a `Tuner`.

    Raises:
        RunError: the chief ended before the search did, or refused a result.

    Example:
        ```python
        work(tuner)
        ```
    """
    stub = tuner.oracle.stub
    threading.Thread(target=_beat, args=(stub,), daemon=True).start()
    tuner.oracle.stub = _Patient(stub)
    tuner.search()


def _name():
    """What a worker tells the chief with each call."""
    return ((NAME, os.environ[WHO]),)


def _beat(stub):
    """Give the chief a sign of life, again and again; whether it answers is seen elsewhere."""
    import grpc
    from keras_tuner.src import protos

    while True:
        with suppress(grpc.RpcError):
            stub.GetSpace(protos.get_service().GetSpaceRequest(), metadata=_name(), timeout=WAIT)
        time.sleep(BEAT)


class NoChief(RunError, FatalError):
    """A `RunError` that keras-tuner does not take for one of the trial.

    Example:
        ```python
        raise NoChief("no chief answers: start it.")
        ```
    """


class _Patient:
    """keras-tuner's stub of the chief, which makes sure that the chief answers before each call."""

    def __init__(self, stub):
        self._stub = stub

    def __getattr__(self, name):
        import grpc
        from keras_tuner.engine.trial import Trial

        def call(request, **options):
            await_chief()
            options |= {"timeout": WAIT, "metadata": _name()}
            try:
                answer = getattr(self._stub, name)(request, **options)
                if name == "CreateTrial" and Trial.from_proto(answer.trial).status == "IDLE":
                    time.sleep(1)  # keras-tuner asks again at once
                return answer
            except grpc.RpcError as error:
                raise NoChief(
                    f"the chief on {_address()} ended or refused a result ({error.details()}): "
                    f"start this worker again while the search runs."
                ) from error

        return call


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
