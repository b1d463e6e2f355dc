"""The whole page of a report, section by section."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from importlib.metadata import version
from pathlib import Path

import numpy as np

from talkvid.curation import report_clips, report_overview, report_picks, report_scores, report_work
from talkvid.curation.records import FAILED, REJECTED
from talkvid.curation.report_clips import Pictures, preformatted
from talkvid.curation.report_events import read_models, read_work
from talkvid.curation.report_marks import Unit
from talkvid.curation.report_numbers import Amount, codes_of, distributions, funnel, rule_counts, totals
from talkvid.curation.report_picks import CloseCalls, Pick
from talkvid.curation.report_style import STYLE
from talkvid.curation.report_table import RunTable
from talkvid.page.marks import Html, contents, document, join, name, plural, section, tag

CONFIG = "config.yaml"
PACKAGES = ("av", "numpy", "opencv-python", "scenedetect", "onnxruntime", "pyarrow", "torch")


@dataclass(frozen=True)
class Page:
    """What a page is made of."""

    out: Path
    run: RunTable
    calls: Sequence[CloseCalls]
    by_code: Mapping[str, Sequence[Pick]]
    pictures: Pictures
    missing: int
    """Pictures that were wanted and are not there."""
    failures: int
    """Most failed files listed."""

    def text(self, heading: str) -> str:
        """Return the HTML of the page; nothing in it is loaded from anywhere, and no script is in it."""
        sections = self.sections()
        written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        told = f" \N{MIDDLE DOT} written {written} by talkvid {version('talkvid')}"
        body = join(
            [
                tag("h1", heading),
                tag("p", name(str(self.out.resolve())), told, class_="soft"),
                report_overview.summary(self.totals, self.rejected, num_whole=self.num_whole, unit=self.unit),
                contents([(anchor, title) for anchor, title, _ in sections]),
                self.headline(),
                *(section(anchor, title, *content) for anchor, title, content in sections),
            ]
        )
        return document(heading, f"{STYLE}\n{self.pictures.style()}", body)

    @cached_property
    def totals(self) -> dict[str, Amount]:
        """Return what came in and what became of it."""
        return totals(self.run)

    @cached_property
    def rejected(self) -> dict[str, Amount]:
        """Return the codes of the rejected clips, the most frequent first."""
        return codes_of(self.run, self.run.has(REJECTED))

    @property
    def unit(self) -> Unit:
        """Return the unit of all lengths of this page."""
        return Unit.fitting(self.totals["in"].seconds)

    @property
    def num_whole(self) -> int:
        """Return how many files gave no clip."""
        return int(np.count_nonzero(self.run.whole_file))

    def headline(self) -> Html:
        """Return the totals."""
        num_files = len(np.unique(self.run.column("video_id").astype(str)))
        return report_overview.headline(
            self.totals, num_files=num_files, num_whole=self.num_whole, unit=self.unit
        )

    def sections(self) -> list[tuple[str, str, list[Html]]]:
        """Return (anchor, title, content) of every section in the order of the page."""
        work = read_work(self.out)
        spread = report_overview.distribution_cards(distributions(self.run), self.unit)
        return [
            ("funnel", "Funnel", [report_overview.funnel_list(funnel(self.run), self.unit)]),
            ("rejected", "Why clips were rejected", self._rejected()),
            ("failed", "What failed", [self._failed()]),
            ("close", "Close calls", self._close_calls()),
            ("scores", "Scores and thresholds", self._scores()),
            ("spread", "What the clips are", [_note("Green: kept, of all clips of the run."), spread]),
            ("judged", "How it was judged", self._judged()),
            ("time", "Time", [report_work.cost_tables(work)]),
            ("errors", "Errors on the way", [report_work.error_table(work)]),
            ("settings", "Settings and versions", self._settings()),
        ]

    def _rejected(self) -> list[Html]:
        if not self.rejected:
            return [tag("p", "No clip was rejected.")]
        told = (
            "Each clip bears the code of the first rule it broke; those nearest to the threshold come first."
        )
        if self.missing:
            told += f" {plural(self.missing, 'picture')} could not be had in time, or the file has gone."
        numbers = {code: found.clips for code, found in self.rejected.items()}
        return [
            report_overview.rejected_codes(self.rejected, self.totals["in"], self.unit),
            _note(told),
            report_clips.reject_tables(self.run, self.by_code, self.pictures, num_by_code=numbers),
        ]

    def _failed(self) -> Html:
        rows = report_picks.failures(self.run, most=self.failures)
        return report_clips.failed_table(self.run, rows, num_failed=self.totals[FAILED].clips)

    def _close_calls(self) -> list[Html]:
        told = "The value, and in brackets how far inside (+) or outside (-) of the threshold it lies."
        return [_note(told), report_clips.close_call_cards(self.run, self.calls, self.pictures)]

    def _scores(self) -> list[Html]:
        told = "Green passes, amber does not; the dashed line is the threshold."
        return [_note(told), report_scores.score_cards(self.run)]

    def _judged(self) -> list[Html]:
        return [
            report_scores.rule_table(self.run, rule_counts(self.run)),
            tag("h3", "Ways of scoring, models and licences"),
            report_scores.backend_table(self.run, read_models(self.out)),
        ]

    def _settings(self) -> list[Html]:
        path = self.out / CONFIG
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        shown = [tag("details", tag("summary", CONFIG), preformatted(text))] if text else []
        return [*shown, report_work.versions_table(versions())]


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of the packages that scores depend on."""
    found = {"talkvid": version("talkvid"), "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _note(text: str) -> Html:
    return tag("p", text, class_="soft")
