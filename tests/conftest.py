"""What holds for every test: no network, no logged errors, and the shared material only where it is named."""

import ipaddress
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHARED_VARIABLE = "TALKVID_SHARED"

if "PYTEST_XDIST_WORKER" in os.environ:  # One of several processes, which share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


class Collector(logging.Handler):
    """Keeps the messages of errors."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_logged_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which talkvid logged an error, unless it is marked `logs_errors`; restore the logger."""
    logger = logging.getLogger("talkvid")
    before = list(logger.handlers), logger.level, logger.propagate
    collector = Collector()
    logger.addHandler(collector)
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])
    if collector.messages and not request.node.get_closest_marker("logs_errors"):
        pytest.fail(f"logged errors: {collector.messages}")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch work on one thread, as when the stored numbers were recorded: sums then run in one order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def is_local(host: Any) -> bool:
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or host == "0.0.0.0"
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every connection and look-up beyond this machine fail at once."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            raise RuntimeError(f"a test tried to connect to {address}")
        connect(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            raise RuntimeError(f"a test tried to look up {host}")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of material that is not in the repository; skip the test where it is not named."""
    folder = os.environ.get(SHARED_VARIABLE)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"{SHARED_VARIABLE} does not name the folder of material outside the repository")
    return Path(folder)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent
