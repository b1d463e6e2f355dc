"""The line is fair, bounded, gives a place back at once, and one failure ends nothing but its own job."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkvid.app.limits import Limits
from talkvid.app.line import DONE, FAILED, RUNNING, STOPPED, WAITING, FairLine, Job
from talkvid.app.orders import Order
from talkvid.app.progress import Cancelled, Progress
from tests.app.made_up import an_order

MANY = Limits(waiting=100, waiting_each=100)


class Bench:
    """A worker that holds every job until it is let go, and notes the order."""

    def __init__(self, line: FairLine) -> None:
        self.made: list[str] = []
        self.gate = threading.Semaphore(0)
        self.thread = threading.Thread(target=line.work, args=(self.make,), daemon=True)

    def make(self, order: Order, tell: Callable[[Progress], None], cancelled: threading.Event) -> None:
        tell(Progress("Making the frames", 0.5, 1.0))
        while not self.gate.acquire(timeout=0.01):
            if cancelled.is_set():
                raise Cancelled
        self.made.append(order.output.stem)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def line() -> Iterator[FairLine]:
    opened = FairLine(MANY)
    yield opened
    opened.close()


def test_who_asks_for_one_video_is_served_after_the_first_of_who_asks_for_many(line: FairLine) -> None:
    greedy = [line.join("greedy", an_order(f"greedy{number}")) for number in range(4)]
    modest = line.join("modest", an_order("modest0"))
    third = line.join("third", an_order("third0"))
    assert [line.ahead(job) for job in (*greedy, modest, third)] == [0, 3, 4, 5, 1, 2]
    bench = Bench(line)
    bench.gate.release(6)
    bench.thread.start()
    until(lambda: third.state == DONE and greedy[-1].state == DONE)
    assert bench.made == ["greedy0", "modest0", "third0", "greedy1", "greedy2", "greedy3"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=14))
def test_the_told_place_in_the_line_is_the_place_in_which_jobs_are_made(users: list[str]) -> None:
    line = FairLine(MANY)
    jobs = [line.join(user, an_order(str(number))) for number, user in enumerate(users)]
    told = [line.ahead(job) for job in jobs]
    bench = Bench(line)
    bench.gate.release(len(jobs))
    bench.thread.start()
    until(lambda: all(job.is_over for job in jobs))
    line.close()
    assert [bench.made[place] for place in told] == [str(number) for number in range(len(jobs))]


def test_a_job_that_is_stopped_frees_its_slot_at_once(line: FairLine) -> None:
    bench = Bench(line)
    bench.thread.start()
    first, second = line.join("a", an_order("first")), line.join("b", an_order("second"))
    until(lambda: first.state == RUNNING)
    assert line.ahead(second) == 1 and first.progress.share == 0.5
    start = time.monotonic()
    line.leave(first)
    until(lambda: second.state == RUNNING)
    assert first.state == STOPPED and time.monotonic() - start < 2
    bench.gate.release()
    until(lambda: second.state == DONE)
    line.leave(second)
    assert second.state == DONE and bench.made == ["second"] and line.counts() == (0, 0)


def test_a_waiting_job_leaves_the_line_and_all_of_a_user_leave_together(line: FairLine) -> None:
    jobs = [line.join("a", an_order(str(number))) for number in range(3)]
    other = line.join("b", an_order("other"))
    line.leave(jobs[1])
    assert jobs[1].state == STOPPED and line.counts() == (3, 0)
    assert line.files() == {
        Path("face.png"),
        Path("speech.wav"),
        *(Path(f"{n}.mp4") for n in (0, 2, "other")),
    }
    assert line.leave_all("a") == 2 and line.ahead(other) == 0
    assert [job.state for job in jobs] == [STOPPED] * 3 and other.state == WAITING


def test_a_line_and_a_users_share_of_it_can_be_full() -> None:
    line = FairLine(Limits(waiting=3, waiting_each=2))
    line.join("a", an_order())
    line.join("a", an_order())
    with pytest.raises(ValueError, match="You already have 2 videos"):
        line.join("a", an_order())
    line.join("b", an_order())
    with pytest.raises(ValueError, match="3 videos are waiting already"):
        line.join("c", an_order())
    line.close()
    with pytest.raises(ValueError, match="shut down"):
        line.join("d", an_order())


@pytest.mark.logs_errors
def test_a_failure_ends_one_job_with_a_sentence_and_the_next_one_is_made(line: FairLine) -> None:
    def make(order: Order, tell: Callable[[Progress], None], cancelled: threading.Event) -> None:
        if order.output.stem == "bad":
            raise ValueError(f"{order.portrait}: no face found")
        if order.output.stem == "worse":
            raise RuntimeError("secret detail")

    threading.Thread(target=line.work, args=(make,), daemon=True).start()
    jobs: list[Job] = [line.join(name, an_order(name)) for name in ("bad", "worse", "good")]
    until(lambda: all(job.is_over for job in jobs))
    assert [job.state for job in jobs] == [FAILED, FAILED, DONE]
    assert jobs[0].message == "face.png: no face found"
    assert "secret" not in jobs[1].message and "its log says more" in jobs[1].message
