"""How far a video is and how long it will still take, told from the inside of its making."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from talkvid.inference.timing import Timings

TOLD = {
    "inputs": "Reading the files",
    "portrait": "Finding the face",
    "poses": "Following the head",
    "loading": "Loading the model",
    "speech": "Listening to the speech",
    "conditions": "Preparing the frames",
    "reference": "Studying the portrait",
    "denoising": "Making the frames",
    "decoding": "Making the frames",
    "encoding": "Making the frames",
}
"""What a visitor is told of each part of the work."""
PER_FRAME = ("decoding", "encoding")
PREPARED_SHARE = 0.05
"""Shown of the bar before the first frame is worked on, when nothing can be foreseen yet."""
TELL_EVERY_S = 0.2


class Cancelled(Exception):
    """The work was stopped because nobody wants it any more."""


@dataclass(frozen=True)
class Progress:
    """How far one video is."""

    told: str = "Starting"
    share: float = 0.0
    """0 to 1."""
    left_s: float | None = None
    """Seconds still to come; None where that cannot be foreseen yet."""


class WatchedTimings(Timings):
    """Timings that tell how far the work is, and end it by `Cancelled` at the next part when asked to."""

    def __init__(
        self,
        *,
        num_calls: int,
        num_frames: int,
        tell: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Take how often the denoiser will be asked, and how many frames there will be."""
        super().__init__()
        self._num_calls, self._num_frames = num_calls, num_frames
        self._tell, self._is_cancelled = tell, is_cancelled
        self._count: Counter[str] = Counter()
        self._start = time.monotonic()
        self._told_at, self._told, self._share = float("-inf"), "", 0.0

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time inside the block for this part; raise `Cancelled` when the work is to end."""
        if self._is_cancelled():
            raise Cancelled
        self._report(name)
        with super().part(name):
            yield
        self._count[name] += 1

    def progress(self, name: str) -> Progress:
        """Return how far the work is at the beginning of a part."""
        left_s = self.left_s()
        spent = time.monotonic() - self._start
        share = PREPARED_SHARE if left_s is None else spent / max(spent + left_s, 1e-9)
        # A bar that runs back would only frighten.
        self._share = max(self._share, min(share, 1.0))
        return Progress(TOLD[name], self._share, left_s)

    def left_s(self) -> float | None:
        """Return the seconds still to come, from what each kind of work cost so far; None before any."""
        if not self._count["denoising"]:
            return None
        frames_done = self._count["encoding"] / self._num_frames
        # Where windows are predicted together there are fewer calls than windows; frames then tell the share.
        calls_done = min(1.0, max(self._count["denoising"] / self._num_calls, frames_done))
        left = self.seconds.get("denoising", 0.0) * (1 - calls_done) / calls_done
        for name in PER_FRAME:
            if self._count[name]:
                left += (
                    self.seconds.get(name, 0.0) * (1 - frames_done) / max(frames_done, 1 / self._num_frames)
                )
        return left

    def _report(self, name: str) -> None:
        now = time.monotonic()
        told = TOLD.get(name)
        if told is None or (told == self._told and now - self._told_at < TELL_EVERY_S):
            return
        self._told, self._told_at = told, now
        self._tell(self.progress(name))


def in_words(seconds: float) -> str:
    """Return a stretch of time as a person says it: `about 40 s`, `about 3 min`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
