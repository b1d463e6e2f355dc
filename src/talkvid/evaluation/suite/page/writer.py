"""The page of a run: one HTML file; of all it shows only the videos lie beside it."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.gathered import Gathered, gather
from talkvid.evaluation.suite.groups import GroupTable, group_tables
from talkvid.evaluation.suite.page import gaps, results
from talkvid.evaluation.suite.page.clip_plots import clip_plots
from talkvid.evaluation.suite.page.controls import better_than_truth_table, separation_table
from talkvid.evaluation.suite.page.extremes import extremes
from talkvid.evaluation.suite.page.glance import glance_table
from talkvid.evaluation.suite.page.overview import headline
from talkvid.evaluation.suite.page.people import user_score_table
from talkvid.evaluation.suite.page.protocol import protocol_table, settings_list
from talkvid.evaluation.suite.page.style import STYLE
from talkvid.evaluation.suite.page.subgroups import subgroup_tables
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.summary import Summary
from talkvid.files import atomic_path
from talkvid.page.marks import Html, contents, count, document, join, plural, section, tag

logger = logging.getLogger(__name__)

REPORT = "report.html"
GROUPS = (
    "Each row's clips, value by value, over the clips that the row has there. Where n is small the intervals "
    "are wide, and differences mean little."
)
PROTOCOL = (
    "What the measurements of each metric have in common; where they differ, the most frequent values with "
    "their counts, or the range. All facts of every single number are in results.json."
)


def write_page(
    evaluation: Evaluation,
    summary: Summary,
    folder: Path,
    *,
    title: str,
    groups: Sequence[GroupTable] | None = None,
    user_scores: Mapping[str, UserScore] | None = None,
    extremes_of: Sequence[str] = (),
) -> Path:
    """Write `report.html` into the folder and return its path; no script, nothing loaded but videos.

    Videos are named relative to the folder, so both can be moved together.

    Args:
        summary: of this evaluation.
        groups: of this evaluation; None: made here, which takes most of the time of a large page.
        user_scores: by system, of a study with raters; they have a section of their own.
        extremes_of: keys of the columns whose best and worst clips are shown; chosen from the run when empty.

    Raises:
        ValueError: a key is no column of this run.
    """
    begin = time.monotonic()
    if groups is None:
        groups = group_tables(evaluation, resamples=summary.resamples, seed=summary.seed)
    page = Page(evaluation, summary, folder, tuple(groups), dict(user_scores or {}), tuple(extremes_of))
    text = page.text(title)
    with atomic_path(folder / REPORT) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
    size = len(text.encode("utf-8", errors="replace")) / 1e6
    logger.info("%s: %.1f MB, made in %.1f s", folder / REPORT, size, time.monotonic() - begin)
    return folder / REPORT


@dataclass(frozen=True)
class Page:
    """What a page is made of."""

    evaluation: Evaluation
    summary: Summary
    folder: Path
    groups: tuple[GroupTable, ...]
    user_scores: Mapping[str, UserScore]
    extremes_of: tuple[str, ...]

    def text(self, heading: str) -> str:
        """Return the HTML of the page."""
        sections = self.sections()
        body = join(
            [
                tag("h1", heading),
                tag("p", f"Written by talkvid {version('talkvid')}.", class_="soft"),
                contents([(anchor, title) for anchor, title, _ in sections]),
                headline(self.evaluation, self.summary),
                *(section(anchor, title, *content) for anchor, title, content in sections),
            ]
        )
        return document(heading, STYLE, body)

    def sections(self) -> list[tuple[str, str, list[Html]]]:
        """Return (anchor, title, content) of every section in the order of the page."""
        measured = results.measured_columns(self.summary)
        tables = [*glance_table(self.summary, measured), results.result_tables(self.summary)]
        found = [
            ("results", "Results", [*self._how_to_read(), *tables]),
            (
                "controls",
                "Can the numbers be believed?",
                [separation_table(self.summary), better_than_truth_table(self.summary)],
            ),
            ("clips", "Every clip", [clip_plots(self._numbers, self.summary)]),
        ]
        if self.user_scores:
            found.insert(1, ("people", "What raters say", [user_score_table(self.user_scores)]))
        if self.groups and measured:
            found.append(("groups", "Subgroups", [_note(GROUPS), subgroup_tables(self.groups, self.summary)]))
        return [
            *found,
            ("extremes", "Best and worst clips", [extremes(self.evaluation, self.folder, self.extremes_of)]),
            ("missing", "What is missing and why", self._missing()),
            ("protocol", "How the numbers were made", [_note(PROTOCOL), protocol_table(self.evaluation)]),
            ("settings", "Settings", [settings_list(self.evaluation.settings)]),
        ]

    @cached_property
    def _numbers(self) -> Gathered:
        return gather(self.evaluation)

    def _how_to_read(self) -> list[Html]:
        if not results.measured_columns(self.summary):
            return []
        told = (
            f"Means over clips, below them 95 % intervals from {count(self.summary.resamples)} bootstrap "
            f"resamples of the clips (seed {self.summary.seed}); distances of whole sets have none. Arrows "
            "show where good values lie."
        )
        if len([row for row in self.summary.rows if results.kind(row) != "control"]) > 1:
            told += (
                " Systems and truth are compared, column by column, over the clips that all of them have a "
                "number for. \N{BLACK STAR} marks the best of several systems where its interval meets no "
                "other system's."
            )
        return [_note(told)]

    def _missing(self) -> list[Html]:
        """Return what failed, what is missing, what was not tried and what was noted, each only if there."""
        failed, lacking = gaps.failures(self.evaluation), gaps.missing(self.evaluation)
        untried, noted = gaps.untried(self.evaluation), gaps.notes(self.evaluation)
        parts: list[Html] = []
        if failed:
            parts += [tag("h3", "Videos that did not open"), gaps.gap_table(failed, metric=False)]
        if lacking:
            parts += [tag("h3", "Numbers that could not be had"), gaps.gap_table(lacking)]
        if untried:
            words = "Not tried, as the pair lacks what the metric needs (a true video, a sound or a portrait)"
            parts += [tag("h3", words), gaps.untried_table(untried)]
        if noted:
            told = tag("summary", f"Notes on single measurements ({plural(len(noted), 'kind')})")
            parts.append(tag("details", told, gaps.gap_table(noted)))
        return parts or [tag("p", "Nothing failed, and no number is missing.")]


def _note(text: str) -> Html:
    return tag("p", text, class_="soft")
