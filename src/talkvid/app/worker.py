"""A process that makes videos for the server; it can be stopped at any moment, and replaced."""

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

from talkvid.app.orders import Order
from talkvid.app.progress import Cancelled, Progress, WatchedTimings
from talkvid.app.sentences import ServerTrouble, sentence
from talkvid.inference.settings import LoadOptions

logger = logging.getLogger(__name__)

GRACE_S = 1.0
"""What a process has to stop by itself, which keeps its model loaded, before it is ended."""
LOOK_EVERY_S = 0.05
ORDER, STOP = "order", "stop"
PROGRESS, MADE, STOPPED, REFUSED = "progress", "made", "stopped", "refused"


class Maker(Protocol):
    """Whoever makes videos."""

    @property
    def pid(self) -> int | None:
        """Return the number of the process, None while there is none."""

    def make(self, order: Order, tell: Callable[[Progress], None], cancelled: threading.Event) -> None:
        """Make the video of an order; raise `Cancelled` soon after the event was set."""

    def end(self) -> int | None:
        """Stop at once; the next order begins anew."""


class Worker:
    """One process with one model; it begins with the first order and is replaced when it had to be ended."""

    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._process: Any = None
        self._pipe: Connection | None = None
        self._number = 0
        self._ending = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Return the number of the process, None while there is none."""
        return None if self._process is None else int(self._process.pid)

    def make(self, order: Order, tell: Callable[[Progress], None], cancelled: threading.Event) -> None:
        """Make the video of an order. Raises `Cancelled` at most GRACE_S after the event was set.

        ValueError with the sentence of whatever was wrong with it; ServerTrouble when the process died.
        """
        pipe = self._begin()
        self._number += 1
        stop_at: float | None = None
        try:
            pipe.send((ORDER, self._number, order))
            while True:
                if cancelled.is_set() and stop_at is None:
                    pipe.send((STOP, self._number, None))
                    stop_at = time.monotonic() + GRACE_S
                if stop_at is not None and time.monotonic() > stop_at:
                    self.end()
                    raise Cancelled
                if pipe.poll(LOOK_EVERY_S):
                    kind, content = pipe.recv()
                    if self._heard(kind, content, tell):
                        return
        except (EOFError, OSError) as error:
            code = self.end()
            if cancelled.is_set():
                raise Cancelled from error
            logger.warning("the process that makes videos ended with exit code %s", code)
            raise ServerTrouble(
                f"The process that makes the videos ended in the middle (exit code {code}; -9 is most often "
                "a lack of memory). Try again, with a smaller size if it happens twice."
            ) from error

    def end(self) -> int | None:
        """End the process at once and return its exit code; the next order begins another one."""
        # Whoever closes the server may do this while the line's thread does it too.
        with self._ending:
            process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
            if process is None:
                return None
            process.kill()
            process.join()
            if pipe is not None:
                pipe.close()
            return None if process.exitcode is None else int(process.exitcode)

    def _heard(self, kind: str, content: Any, tell: Callable[[Progress], None]) -> bool:
        """Return whether the order is finished, from one message of the process."""
        if kind == PROGRESS:
            tell(content)
            return False
        if kind == STOPPED:
            raise Cancelled
        if kind == REFUSED:
            raise ValueError(content)
        return True

    def _begin(self) -> Connection:
        if self._pipe is not None and self._process.is_alive():
            return self._pipe
        self.end()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(theirs, self._options), name="talkvid-worker", daemon=True
        )
        process.start()
        theirs.close()
        # Only a process that runs is shown to other threads: before, it has no number.
        self._process, self._pipe = process, ours
        return ours


def serve(pipe: Connection, options: LoadOptions) -> None:
    """Make the videos of the orders that come through the pipe, until it is closed."""
    # Ctrl-C reaches every process of the terminal; the server ends this one itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from talkvid import log
    from talkvid.inference.api import TalkVidInference

    log.configure()
    model = TalkVidInference.from_options(options)
    while True:
        try:
            kind, number, order = pipe.recv()
            if kind == ORDER:
                pipe.send(_answer(model, order, pipe, number))
        except (EOFError, OSError):
            return


def _answer(model: Any, order: Order, pipe: Connection, number: int) -> tuple[str, Any]:
    def is_cancelled() -> bool:
        while pipe.poll():
            kind, meant, _ = pipe.recv()
            if kind == STOP and meant == number:
                return True
        return False

    timings = WatchedTimings(
        num_calls=order.num_calls,
        num_frames=order.num_frames,
        tell=lambda progress: pipe.send((PROGRESS, progress)),
        is_cancelled=is_cancelled,
    )
    try:
        model.generate_with(
            order.settings,
            reference_image=order.portrait,
            audio_file=order.sound,
            output_path=order.output,
            timings=timings,
        )
    except Cancelled:
        return STOPPED, None
    except Exception as error:  # the user's mistake in words, a fault under the number of its log entry
        return REFUSED, sentence(error, files=order.files)
    return MADE, None
