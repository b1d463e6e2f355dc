"""Source videos: what one is, and why one cannot be used."""

from dataclasses import dataclass, field
from typing import Any


class Unusable(ValueError):
    """A source file that gives no clips; `code` is one of `records.CODES`, the message one sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code

    def __reduce__(self) -> tuple[type["Unusable"], tuple[str, str]]:
        return type(self), (self.code, str(self))


@dataclass(frozen=True)
class VideoSource:
    """One video to be cut into clips, or one span of it."""

    id: str
    path: str
    audio: str = ""
    """File with the sound; empty takes that of the video."""
    subtitles: str = ""
    """File with subtitles, .srt or .vtt; empty: none."""
    start_s: float = 0.0
    end_s: float | None = None
    """Only this span is scanned; None goes to the end. Time 0 is the first picture."""
    info: dict[str, Any] = field(default_factory=dict)
    """What the list says besides: language, person, description, …"""
    problem: str = ""
    """Why this entry of a list cannot be used; it then fails by name instead of vanishing."""
