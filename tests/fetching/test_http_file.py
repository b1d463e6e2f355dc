"""A file over HTTP: who hears the password, what a full disk is called, and when to stop."""

from pathlib import Path

import pytest

from talkvid.fetching.errors import FetchError
from talkvid.fetching.http_file import HttpSettings, Watch, _write, fetch_http
from tests.cli.model_server import serve

QUICK = HttpSettings(timeout_s=5, retries=1, backoff_s=0.0)
CONTENT = bytes(range(256)) * 40


def test_a_full_disk_is_no_fault_of_the_connection() -> None:
    # Once: it counted as a lost connection, and the same block was asked for again and again.
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("wb", buffering=0) as file, pytest.raises(FetchError, match="No space left") as caught:
        _write(file, CONTENT)
    assert caught.value.kind == "cannot_write" and caught.value.permanent


def test_what_the_watcher_raises_ends_the_fetch_before_a_byte_is_kept(tmp_path: Path) -> None:
    def refuse(begin: int, total: int | None) -> None:
        raise ValueError(f"{total} bytes from {begin} are not wanted")

    with serve() as server:
        server.files["/it"] = CONTENT
        with pytest.raises(ValueError, match="10240 bytes from 0 are not wanted"):
            fetch_http(
                f"{server.address}/it", tmp_path / "a.part", settings=QUICK, watch=Watch(begins=refuse)
            )
        assert len(server.asked) == 1 and not list(tmp_path.iterdir())


def test_the_watcher_hears_every_byte_once(tmp_path: Path) -> None:
    heard: list[int] = []
    begun: list[tuple[int, int | None]] = []
    watch = Watch(begins=lambda begin, total: begun.append((begin, total)), comes=heard.append)
    with serve() as server:
        server.files["/it"], server.cuts["/it"] = CONTENT, [5000]
        fetch_http(f"{server.address}/it", tmp_path / "a.part", settings=QUICK, watch=watch)
    assert sum(heard) == len(CONTENT) and begun == [(0, 10240), (5000, 10240)]


def test_a_password_stays_with_the_host_it_was_meant_for(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer secret"}
    with serve() as server:
        server.hub_file("me/it", "weights.bin", CONTENT)
        address = f"{server.address}/me/it/resolve/main/weights.bin"
        fetch_http(address, tmp_path / "a.part", settings=QUICK, headers=headers)
        told = [(one.path.split("/")[1], one.authorization) for one in server.asked]
    assert told == [("me", "Bearer secret"), ("store", "")]
    assert (tmp_path / "a.part").read_bytes() == CONTENT
