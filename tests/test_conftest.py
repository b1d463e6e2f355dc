"""The rules of conftest hold: no network, no logged errors."""

import logging
import socket
import urllib.request

import pytest


def test_the_network_is_out_of_reach() -> None:
    with pytest.raises(RuntimeError, match=r"look up example\.org"):
        urllib.request.urlopen("https://example.org/", timeout=1)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link,
        pytest.raises(RuntimeError, match="tried to connect"),
    ):
        link.connect(("93.184.216.34", 80))


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


@pytest.mark.logs_errors
def test_a_marked_test_may_log_errors() -> None:
    logging.getLogger("talkvid.test").error("on purpose")
