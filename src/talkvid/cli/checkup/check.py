"""One finding of the doctor, and what it means for each job."""

from collections.abc import Iterable
from dataclasses import dataclass, field

JOBS = ("generate", "preprocess", "curate", "train", "evaluate", "app")
"""What talkvid can be asked to do, the main job first."""
STATUSES = ("ok", "note", "absent", "broken")


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    topic: str
    name: str
    status: str
    """`ok`; `note`: works, but look; `absent`: not there; `broken`: there and does not work."""
    detail: str
    remedy: str = ""
    """What to do about it, where something can be done."""
    stops: tuple[str, ...] = field(default=())
    """Jobs that cannot run as long as this stays as it is."""

    def __post_init__(self) -> None:
        assert self.status in STATUSES, self.status
        assert set(self.stops) <= set(JOBS), self.stops
        assert not (self.stops and self.status == "ok"), self.name


def stoppers(checks: Iterable[Check], job: str) -> list[Check]:
    """Return the findings for which a job cannot run."""
    return [check for check in checks if job in check.stops]


def one_line(text: object, *, longest: int = 300) -> str:
    """Return a message in one line, cut at its end where it is longer than a report can bear."""
    line = " ".join(str(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
