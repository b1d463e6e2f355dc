"""What report and statistics are told: how much they show, and how long they may draw."""

from dataclasses import dataclass
from typing import TypedDict


class Drawing(TypedDict):
    """Arguments of `make_thumbnails`."""

    workers: int
    budget_s: float
    executor: str


@dataclass(frozen=True)
class ReportConfig:
    """What report and statistics show."""

    title: str = ""
    """Name of the data set; empty: that of the run folder."""
    each: int = 6
    """Clips on each side of every threshold."""
    rejects: int = 25
    """Rejected clips listed under each code; the exports hold all."""
    failures: int = 200
    """Failed files and clips listed; the exports hold all."""
    thumbnails: int = 240
    """Most pictures in the page; 0: none, and no video is opened."""
    sheet: int = 48
    """Pictures on the diversity sheet; 0: no sheet."""
    thumbnail_s: float = 30.0
    """Seconds that may be spent on the pictures of the page, and again on those of the sheet."""
    workers: int = 2
    """Processes that draw pictures; 0: this one."""

    def __post_init__(self) -> None:
        for key in ("each", "rejects", "failures", "thumbnails", "sheet", "workers"):
            if getattr(self, key) < 0:
                raise ValueError(f"report.{key} must be at least 0, got {getattr(self, key)}")
        if not self.thumbnail_s > 0:
            raise ValueError(f"report.thumbnail_s must be above 0, got {self.thumbnail_s}")

    def drawing(self) -> Drawing:
        """Return how pictures are made."""
        return {
            "workers": max(self.workers, 1),
            "budget_s": self.thumbnail_s,
            "executor": "local" if self.workers else "inline",
        }
