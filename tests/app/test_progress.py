"""How far a video is: shares that only grow, seconds from what the work cost so far, and a way out."""

import time

import pytest

from talkvid.app.limits import Limits
from talkvid.app.line import DONE, FAILED, RUNNING, FairLine, Job
from talkvid.app.progress import Cancelled, Progress, WatchedTimings, in_words
from talkvid.app.status_view import status, waiting_text
from tests.app.made_up import an_order


def watched(
    told: list[Progress], *, cancelled: bool = False, calls: int = 4, frames: int = 8
) -> WatchedTimings:
    return WatchedTimings(
        num_calls=calls, num_frames=frames, tell=told.append, is_cancelled=lambda: cancelled
    )


def test_the_time_left_is_what_each_part_cost_times_what_is_left_of_it() -> None:
    timings = watched([])
    assert timings.left_s() is None
    for _ in range(2):
        with timings.part("denoising"):
            pass
    for name in ("decoding", "encoding", "encoding"):
        with timings.part(name):
            pass
    timings.seconds.update(denoising=10.0, decoding=1.0, encoding=2.0)
    # Half of the calls are done and a quarter of the frames: 10 + (1 + 2) * 3.
    assert timings.left_s() == pytest.approx(19.0)


def test_windows_that_are_predicted_together_do_not_leave_the_time_hanging() -> None:
    timings = watched([], calls=100, frames=2)
    with timings.part("denoising"):
        pass
    for _ in range(2):
        with timings.part("encoding"):
            pass
    timings.seconds.update(denoising=5.0)
    assert timings.left_s() == pytest.approx(0.0, abs=1e-6)


def test_the_bar_never_runs_back_and_parts_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    timings = watched(told)
    monkeypatch.setattr("talkvid.app.progress.TELL_EVERY_S", 0.0)
    for name, cost in (("portrait", 0.0), ("denoising", 0.01), ("denoising", 0.03), ("encoding", 0.0)):
        with timings.part(name):
            time.sleep(cost)
    with timings.part("total"):
        pass
    shares = [progress.share for progress in told]
    assert shares == sorted(shares) and 0 < shares[-1] <= 1
    assert [progress.told for progress in told[:2]] == ["Finding the face", "Making the frames"]
    assert len(told) == 4


def test_work_that_nobody_wants_ends_at_the_next_part() -> None:
    told: list[Progress] = []
    with pytest.raises(Cancelled), watched(told, cancelled=True).part("denoising"):
        pytest.fail("this part must not begin")
    assert told == []


def test_what_the_visitor_reads_while_waiting_making_and_after() -> None:
    line = FairLine(Limits())
    job = line.join("a", an_order())
    assert "Your video is next." in status(job, line)
    assert waiting_text(2, 30.0) == "Waiting: 2 videos before yours, about 60 s."
    assert waiting_text(1, None) == "Waiting: 1 video before yours."
    making = Job("a", an_order(), RUNNING, Progress("Making <frames>", 0.25, 200.0))
    shown = status(making, line)
    assert "Making &lt;frames&gt;, about 3 min left (25 %)" in shown and 'aria-valuenow="25"' in shown
    assert "25 frames in 3 s" in status(Job("a", an_order(), DONE, seconds=3.2), line)
    failed = status(Job("a", an_order(), FAILED, message="<script>: no face"), line)
    assert "&lt;script&gt;" in failed and 'role="alert"' in failed
    assert in_words(7300) == "about 2.0 h" and in_words(0.2) == "about 1 s"
