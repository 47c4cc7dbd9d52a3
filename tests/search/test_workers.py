"""Chief and workers: bad addresses, taken ports and absent chiefs are one sentence."""

import socket

import pytest
from search_case import Bowl

from cvae_keras import search
from cvae_keras.checks import RunError
from cvae_keras.search import workers

PORTS = ["99999", "-1", "", "abc", "0", "80.5", " 80", "٨٠", "1" * 5000]


@pytest.fixture
def environment(monkeypatch):
    """Sets the variables of a chief or a worker."""

    def set_to(who, port, address=workers.LOOPBACK):
        values = {workers.WHO: who, workers.PORT: port, workers.ADDRESS: address}
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, str(value))

    return set_to


def free_port():
    with socket.socket() as free:
        free.bind((workers.LOOPBACK, 0))
        return free.getsockname()[1]


def run(folder):
    return search.run(Bowl(), folder=folder, strategy="grid", trials=1, epochs=1)


@pytest.mark.parametrize("who", ["chief", "tuner0"])
def test_bad_ports_and_addresses_are_refused_by_their_variable(who, environment, tmp_path):
    for port in PORTS:
        environment(who, port)
        with pytest.raises(ValueError, match=rf"^{workers.PORT} is [^\n]*: set it to the port"):
            run(tmp_path / "new")
    for address in ("", " ", "999.1.1.1.1", "no such host", "http://127.0.0.1", "a" * 300):
        environment(who, 5000, address)
        with pytest.raises(ValueError, match=rf"^{workers.ADDRESS} is [^\n]*: set it to the addr"):
            run(tmp_path / "new")
    environment(None, 5000)
    with pytest.raises(ValueError, match=rf"^{workers.WHO} is missing"):
        run(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_chief_listens_on_loopback_unless_told_otherwise(environment):
    environment("chief", 5000, None)
    assert workers.role() == "chief" and workers._address() == "127.0.0.1:5000"
    environment("tuner0", 5000, "0.0.0.0")
    assert workers.role() == "worker" and workers._address() == "0.0.0.0:5000"


def test_a_second_chief_on_a_port_is_refused_before_it_touches_a_folder(environment, tmp_path):
    environment("chief", free_port())
    with workers.listening():
        with pytest.raises(ValueError, match=r"127.0.0.1:\d+ cannot be served: name a free port"):
            run(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with workers.listening():  # it is free again
        pass


def test_a_worker_without_its_chief_says_so_and_ends(environment, tmp_path, monkeypatch, capsys):
    environment("tuner0", port := free_port())
    monkeypatch.setattr(workers, "WAIT", 0.5)
    monkeypatch.setattr(workers, "SAY", 0.2)
    with pytest.raises(RunError, match=rf"^no chief answers on 127.0.0.1:{port}: start it, or"):
        run(tmp_path / "new")
    assert f"Waiting for the chief on 127.0.0.1:{port}, 0 s more." in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
