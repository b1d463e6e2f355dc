"""The report of a run: one HTML file that needs nothing beside it, and says of every clip why."""

import logging
import time
from pathlib import Path

from talkvid.curation import report_picks
from talkvid.curation.report_clips import Pictures
from talkvid.curation.report_page import Page
from talkvid.curation.report_settings import ReportConfig
from talkvid.curation.report_table import RunTable
from talkvid.curation.thumbnails import Request, make_thumbnails
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

REPORT = "report.html"
MOST_PAGE_BYTES = 4_500_000
"""Pictures stop here, so that the page stays below 5 MB."""


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
    found = make_thumbnails(wanted, **config.drawing())
    room = MOST_PAGE_BYTES
    fitting = {}
    for request in wanted:
        thumbnail = found.get(request.id)
        if thumbnail is not None and (room := room - len(thumbnail.data_url)) > 0:
            fitting[request.id] = thumbnail
    return Pictures(fitting), len(wanted) - len(fitting)
