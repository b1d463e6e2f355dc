"""Worker processes on this machine: one that dies or is late costs the item it held, nothing else."""

import logging
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from talkvid.runner.outcome import ERROR, TIMEOUT, WORKER_DIED, Item, Outcome, Setup, Work, attempt

logger = logging.getLogger(__name__)

MAX_START_FAILURES = 3
STOP_GRACE_S = 5.0


def execute(
    items: Sequence[Item], work: Work, *, setup: Setup | None, workers: int, deadline_s: float | None
) -> Iterator[Outcome]:
    """Yield one outcome per item, computed by `workers` processes that each called `setup` once."""
    waiting = deque(range(len(items)))
    pool: list[_Worker] = []
    left = len(items)
    start_failures = 0
    try:
        while left:
            idle = sum(1 for worker in pool if worker.index is None)
            for _ in range(min(workers - len(pool), len(waiting) - idle)):
                pool.append(_Worker(work, setup))
            for worker in pool:
                if worker.ready and worker.index is None and waiting:
                    worker.give(waiting.popleft(), items)
            for worker in _next_to_report(pool, deadline_s):
                message = worker.message()
                if message == READY:
                    worker.ready, start_failures = True, 0
                elif not worker.ready:
                    pool.remove(worker)
                    worker.process.join(STOP_GRACE_S)
                    worker.kill()
                    start_failures += 1
                    _raise_if_it_never_starts(message, worker, start_failures)
                else:
                    outcome = worker.outcome(message, deadline_s)
                    if message is None:
                        pool.remove(worker)
                    if outcome is not None:
                        left -= 1
                        yield outcome
    finally:
        _stop(pool)


def execute_inline(
    items: Sequence[Item], work: Work, *, setup: Setup | None, workers: int, deadline_s: float | None
) -> Iterator[Outcome]:
    """Yield one outcome per item, computed in this process: for a debugger, or one GPU already in use."""
    if deadline_s is not None or workers != 1:
        raise ValueError("executor 'inline' has one worker and no deadline; use executor 'local'")
    state = () if setup is None else (setup(),)
    for index, item in enumerate(items):
        begin = time.monotonic()
        payload, reason = attempt(work, item, state)
        yield Outcome(index, payload, reason, time.monotonic() - begin, "" if payload else ERROR)


READY = "ready"


class _Worker:
    """The parent's view of one process: its pipe and the item it holds."""

    def __init__(self, work: Work, setup: Setup | None) -> None:
        context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        self.pipe, theirs = context.Pipe()
        given = theirs, dict(os.environ), work, setup
        self.process = context.Process(target=_serve, args=given, daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.index: int | None = None
        self.begin = 0.0

    def give(self, index: int, items: Sequence[Item]) -> None:
        """Hand over one item and start its clock."""
        self.index, self.begin = index, time.monotonic()
        try:
            self.pipe.send(items[index])
        except (BrokenPipeError, ConnectionResetError):
            logger.debug("worker %s died before it was given an item", self.process.pid)

    def late(self, deadline_s: float | None) -> bool:
        """Return whether the item it holds has run out of time."""
        return (
            deadline_s is not None
            and self.index is not None
            and time.monotonic() - self.begin >= deadline_s
            and not self.pipe.poll()
        )

    def message(self) -> Any:
        """Return what the worker sent, or None when it has died or must be stopped."""
        try:
            return self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, ConnectionResetError):
            return None

    def outcome(self, message: Any, deadline_s: float | None) -> Outcome | None:
        """Return the outcome of the item it held; a silent worker is ended and its item has failed."""
        index, wall_s = self.index, time.monotonic() - self.begin
        self.index = None
        payload: str | None = None
        if message is not None:
            payload, reason = message
            fault = ERROR if payload is None else ""
        else:
            late = deadline_s is not None and wall_s >= deadline_s and self.process.is_alive()
            if not late:
                self.process.join(STOP_GRACE_S)  # its pipe closes a moment before it has ended
            self.kill()
            reason = f"not finished after {deadline_s:g} s" if late else f"the worker {self.epitaph()}"
            fault = TIMEOUT if late else WORKER_DIED
        return None if index is None else Outcome(index, payload, reason, wall_s, fault)

    def epitaph(self) -> str:
        """Return how the process ended, in words."""
        code = self.process.exitcode
        if code is not None and code < 0:
            hint = "; out of memory?" if -code == signal.SIGKILL else ""
            return f"was killed by {signal.Signals(-code).name}{hint}"
        return f"ended with exit code {code}"

    def kill(self) -> None:
        """End the process and whatever it started."""
        pid = self.process.pid
        if self.process.is_alive() and pid is not None:
            try:
                os.killpg(pid, signal.SIGKILL)
            except (AttributeError, ProcessLookupError, PermissionError):
                self.process.kill()
        self.process.join()
        self.pipe.close()


def _next_to_report(pool: list[_Worker], deadline_s: float | None) -> list[_Worker]:
    """Return the workers that sent something, died or are late; wait until there is one."""
    timeout = None
    busy = [worker.begin for worker in pool if worker.index is not None]
    if deadline_s is not None and busy:
        timeout = max(0.0, min(busy) + deadline_s - time.monotonic())
    sources = [source for worker in pool for source in (worker.pipe, worker.process.sentinel)]
    heard = set(connection.wait(sources, timeout))
    return [
        worker
        for worker in pool
        if worker.pipe in heard or worker.process.sentinel in heard or worker.late(deadline_s)
    ]


def _raise_if_it_never_starts(message: Any, worker: _Worker, failures: int) -> None:
    """Raise what `setup` raised, or, after several tries, that the processes die before they begin."""
    if isinstance(message, Exception):
        raise message
    if failures >= MAX_START_FAILURES:
        raise RuntimeError(f"{failures} workers in a row died while starting: the last {worker.epitaph()}")


def _stop(pool: list[_Worker]) -> None:
    """Let idle workers go home and end the busy ones."""
    for worker in pool:
        if worker.ready and worker.index is None:
            try:
                worker.pipe.send(None)
            except OSError:
                continue
            worker.process.join(STOP_GRACE_S)
        worker.kill()


def _serve(pipe: "Connection[Any, Any]", environ: Mapping[str, str], work: Work, setup: Setup | None) -> None:
    """Work until told to stop or the parent is gone; the body of a worker process."""
    os.environ.update(environ)  # The server it was forked from has the variables of its own beginning.
    if hasattr(os, "setsid"):
        os.setsid()  # a late worker is ended together with the ffmpeg it may have started
        _end_with_parent(pipe)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        state = () if setup is None else (setup(),)
    except Exception as error:
        pipe.send(portable(error))
        return
    try:
        pipe.send(READY)
        while (item := pipe.recv()) is not None:
            pipe.send(attempt(work, item, state))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _end_with_parent(pipe: "Connection[Any, Any]") -> None:
    """End this process and what it started when the run is killed, though it be in the midst of an item."""
    poller = select.poll()
    poller.register(pipe.fileno(), 0)  # no data, only that the other end has gone

    def wait() -> None:
        poller.poll()
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def portable(error: Exception) -> Exception:
    """Return the error itself where its type is a plain one, else its text: it must survive pickling."""
    if type(error) in (ValueError, FileNotFoundError, ImportError, ModuleNotFoundError):
        return type(error)(*error.args)
    return RuntimeError(f"a worker could not start: {type(error).__name__}: {error}")
