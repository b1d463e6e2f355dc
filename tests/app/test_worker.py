"""The process that makes videos: it tells how far it is, stops when asked, and is replaced when it dies."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from talkvid.app.limits import Limits
from talkvid.app.orders import Order, make_order
from talkvid.app.progress import Cancelled, Progress
from talkvid.app.results import settings_file
from talkvid.app.sentences import ServerTrouble
from talkvid.app.worker import GRACE_S, Worker
from talkvid.inference.settings import LoadOptions
from talkvid.media.video import probe
from tests.app.made_up import SAMPLE, embedded_config, first_second


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    begun = Worker(LoadOptions(device="cpu"))
    yield begun
    begun.end()


@pytest.fixture
def order(tmp_path: Path) -> Order:
    sound = first_second(tmp_path / "one.wav")
    return make_order(
        str(SAMPLE / "ref.png"), str(sound), {"size": 256}, limits=Limits(), config=embedded_config(),
        folder=tmp_path / "made",
    )  # fmt: skip


def test_a_video_is_made_and_its_progress_told(worker: Worker, order: Order) -> None:
    told: list[Progress] = []
    worker.make(order, told.append, threading.Event())
    assert probe(order.output).num_frames == order.num_frames == 25
    assert settings_file(order.output).is_file()
    assert {"Finding the face", "Loading the model", "Making the frames"} <= {one.told for one in told}
    assert [one.share for one in told] == sorted(one.share for one in told)


def test_what_is_wrong_with_an_order_comes_back_as_a_sentence_and_the_process_stays(
    worker: Worker, order: Order
) -> None:
    before = worker.pid
    with pytest.raises(ValueError, match=r"^gone\.png: this .* does not exist"):
        worker.make(replace(order, portrait=order.output.parent / "gone.png"), print, threading.Event())
    assert worker.pid == before


def test_a_job_is_stopped_within_the_grace_and_nothing_half_made_is_left(
    worker: Worker, order: Order
) -> None:
    cancelled, stopped_at = threading.Event(), [0.0]

    def tell(progress: Progress) -> None:
        if not cancelled.is_set():
            stopped_at[0] = time.monotonic()
            cancelled.set()

    long = replace(order, sound=SAMPLE / "aud.wav")
    with pytest.raises(Cancelled):
        worker.make(long, tell, cancelled)
    assert time.monotonic() - stopped_at[0] < GRACE_S + 3
    assert not order.output.exists()


def test_a_process_that_is_only_beginning_has_no_number_for_those_who_look(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []
    fresh = Worker(LoadOptions(device="cpu"))

    class Beginning:
        pid: int | None = None
        exitcode = 3

        def __init__(self, **given: object) -> None:
            pass

        def start(self) -> None:
            seen.append(fresh.pid)
            self.pid = 4711

        def kill(self) -> None:
            seen.append(fresh.pid)

        def join(self) -> None:
            pass

    context = SimpleNamespace(Pipe=multiprocessing.Pipe, Process=Beginning)
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: context)
    # Nobody holds the other end of the pipe, as when the process dies at once.
    with pytest.raises(ServerTrouble, match="exit code 3"):
        fresh.make(order, lambda progress: None, threading.Event())
    assert seen == [None, None] and fresh.pid is None


@pytest.mark.slow
def test_one_that_does_not_listen_is_ended_and_the_next_order_gets_a_new_process(
    worker: Worker, order: Order
) -> None:
    worker.make(order, lambda progress: None, threading.Event())
    first, cancelled = worker.pid, threading.Event()
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    cancelled.set()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        worker.make(order, lambda progress: None, cancelled)
    assert time.monotonic() - start < GRACE_S + 3 and worker.pid is None


@pytest.mark.slow
def test_a_process_that_dies_fails_one_job_alone(worker: Worker, order: Order) -> None:
    def kill(progress: Progress) -> None:
        if worker.pid is not None:
            os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(ServerTrouble, match=r"ended in the middle \(exit code -9"):
        worker.make(order, kill, threading.Event())
    worker.make(order, lambda progress: None, threading.Event())
    assert order.output.is_file()
