"""The line of those who wait for a video: fair, bounded, and a place is given back at once."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from talkvid.app.limits import Limits
from talkvid.app.orders import Order
from talkvid.app.progress import Cancelled, Progress
from talkvid.app.sentences import sentence

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
OVER = (DONE, FAILED, STOPPED)
Make = Callable[[Order, Callable[[Progress], None], threading.Event], None]
"""Makes the video of an order, telling how far it is; raises `Cancelled` soon after the event is set."""


@dataclass
class Job:
    """One order on its way; its state is written by the line alone."""

    user: str
    order: Order
    state: str = WAITING
    progress: Progress = field(default_factory=Progress)
    message: str = ""
    """Why it failed."""
    seconds: float = 0.0
    """How long the making took."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will happen to it."""
        return self.state in OVER


class FairLine:
    """Hands out jobs user by user in turn: who asks for five videos does not hold up who asks for one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._usual_s: float | None = None

    def join(self, user: str, order: Order) -> Job:
        """Return the job that now waits; raise ValueError when the line or the user's share of it is full."""
        with self._changed:
            own = sum(job.user == user for job in self._running) + len(self._waiting.get(user, ()))
            if self._closed:
                raise ValueError("The server is being shut down; try again later.")
            if own >= self._limits.waiting_each:
                raise ValueError(f"You already have {own} videos in the line; wait for one or stop it.")
            if sum(map(len, self._waiting.values())) >= self._limits.waiting:
                raise ValueError(f"{self._limits.waiting} videos are waiting already; try again later.")
            job = Job(user, order)
            self._waiting.setdefault(user, deque()).append(job)
            self._changed.notify_all()
            return job

    def leave(self, job: Job) -> None:
        """Take a job out of the line, or stop it where it is being made; one that is over stays as it is."""
        with self._changed:
            if job.state == WAITING:
                own = self._waiting[job.user]
                own.remove(job)
                if not own:
                    del self._waiting[job.user]
                job.state = STOPPED
            elif job.state == RUNNING:
                job.cancelled.set()
            self._changed.notify_all()

    def leave_all(self, user: str) -> int:
        """Stop every job of a user and return how many there were."""
        with self._changed:
            jobs = [job for job in (*self._running, *self._waiting.get(user, ())) if job.user == user]
            for job in jobs:
                self.leave(job)
            return len(jobs)

    def ahead(self, job: Job) -> int:
        """Return how many jobs will be made before this one, those being made included; 0 once it is."""
        with self._changed:
            if job.state != WAITING:
                return 0
            users = list(self._waiting)
            place, mine = self._waiting[job.user].index(job), users.index(job.user)
            # In every round each user gets one turn, in the order of the line.
            rounds = (place + (number < mine) for number in range(len(users)))
            others = sum(
                min(len(self._waiting[user]), most)
                for user, most in zip(users, rounds, strict=True)
                if user != job.user
            )
            return len(self._running) + place + others

    @property
    def usual_s(self) -> float | None:
        """Return how long a video takes of late; None before the first."""
        return self._usual_s

    def files(self) -> set[Path]:
        """Return what visitors gave for the jobs that wait or are being made."""
        with self._changed:
            jobs = [*self._running, *(job for jobs in self._waiting.values() for job in jobs)]
            return {Path(file) for job in jobs for file in job.order.files if file is not None}

    def counts(self) -> tuple[int, int]:
        """Return how many jobs wait and how many are being made."""
        with self._changed:
            return sum(map(len, self._waiting.values())), len(self._running)

    def close(self) -> None:
        """Stop everything; whoever works in this line comes to an end."""
        with self._changed:
            self._closed = True
            for job in [*self._running, *(job for jobs in self._waiting.values() for job in jobs)]:
                self.leave(job)
            self._changed.notify_all()

    def work(self, make: Make) -> None:
        """Make one job after the other until the line is closed; every failure ends in the job alone."""
        while (job := self._take()) is not None:
            self._work_on(job, make)

    def _take(self) -> Job | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            user, jobs = next(iter(self._waiting.items()))
            job = jobs.popleft()
            if jobs:
                self._waiting.move_to_end(user)
            else:
                del self._waiting[user]
            job.state = RUNNING
            self._running.append(job)
            return job

    def _work_on(self, job: Job, make: Make) -> None:
        start, state = time.monotonic(), FAILED

        def tell(progress: Progress) -> None:
            job.progress = progress

        try:
            make(job.order, tell, job.cancelled)
            state = DONE
        except Cancelled:
            state = STOPPED
        except Exception as error:  # one job's failure must not end the server
            job.message = sentence(error, files=job.order.files)
        finally:
            with self._changed:
                job.seconds = time.monotonic() - start
                if state == DONE:
                    before = self._usual_s
                    self._usual_s = job.seconds if before is None else 0.7 * before + 0.3 * job.seconds
                self._running.remove(job)
                job.state = state
                self._changed.notify_all()
