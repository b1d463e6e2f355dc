"""The report of a run: one HTML file that needs nothing beside it, and says of every clip why."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from talkvid.curation import report_picks
from talkvid.curation.report_clips import Pictures
from talkvid.curation.report_page import Page
from talkvid.curation.report_table import RunTable
from talkvid.curation.thumbnails import Request, make_thumbnails
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

REPORT = "report.html"
MOST_PAGE_BYTES = 4_500_000
"""Pictures stop here, so that the page stays below 5 MB."""


@dataclass(frozen=True)
class ReportConfig:
    """What the report shows."""

    title: str = ""
    """Empty: the name of the run folder."""
    each: int = 6
    """Clips on each side of every threshold."""
    rejects: int = 25
    """Rejected clips listed under each code; the exports hold all."""
    failures: int = 200
    thumbnails: int = 240
    """Most pictures in the page; 0: none, and no video is opened."""
    thumbnail_s: float = 45.0
    """Seconds that may be spent on the pictures."""
    workers: int = 2
    """Processes that draw pictures; 0: this one."""

    def __post_init__(self) -> None:
        for key in ("each", "rejects", "failures", "thumbnails", "workers"):
            if getattr(self, key) < 0:
                raise ValueError(f"report.{key} must be at least 0, got {getattr(self, key)}")
        if not self.thumbnail_s > 0:
            raise ValueError(f"report.thumbnail_s must be above 0, got {self.thumbnail_s}")


def build_report(out: Path, *, title: str = "", config: ReportConfig | None = None) -> Path:
    """Write `report.html` into a run folder and return its path; one file, without scripts or outside links.

    FileNotFoundError when the run has not written `clips.parquet`.
    """
    config = config or ReportConfig()
    begin = time.monotonic()
    out = Path(out)
    run = RunTable(out)
    calls = report_picks.close_calls(run, each=config.each)
    by_code = report_picks.rejects(run, each=config.rejects)
    wanted = report_picks.wanted_pictures(run, calls, by_code, most=config.thumbnails)
    pictures, missing = _pictures(wanted, config)
    heading = title or config.title or f"Curation of {out.resolve().name}"
    page = Page(out, run, calls, by_code, pictures, missing, config.failures).text(heading)
    with atomic_path(out / REPORT) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")
    size = len(page.encode("utf-8", errors="replace")) / 1e6
    logger.info("%s: %.1f MB, made in %.1f s", out / REPORT, size, time.monotonic() - begin)
    return out / REPORT


def _pictures(wanted: list[Request], config: ReportConfig) -> tuple[Pictures, int]:
    """Return the pictures that fit into the page, and how many of those wanted are not there."""
    found = make_thumbnails(
        wanted,
        workers=max(config.workers, 1),
        budget_s=config.thumbnail_s,
        executor="local" if config.workers else "inline",
    )
    room = MOST_PAGE_BYTES
    fitting = {}
    for request in wanted:
        thumbnail = found.get(request.id)
        if thumbnail is not None and (room := room - len(thumbnail.data_url)) > 0:
            fitting[request.id] = thumbnail
    return Pictures(fitting), len(wanted) - len(fitting)
