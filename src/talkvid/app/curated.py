"""A curated data set as the page shows it: filtered by scores, clip by clip, with the reason of each."""

import math
import shutil
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkvid.app.sentences import without_folders
from talkvid.curation.clip_row import COLUMNS, ClipRow
from talkvid.curation.cut_files import cut_files
from talkvid.curation.materialise import CutJob, MaterialiseConfig, cut
from talkvid.curation.records import CODES
from talkvid.curation.report_table import STATUSES, RunTable, rule_text
from talkvid.curation.thumbnails import Request, make_thumbnails
from talkvid.files import atomic_path
from talkvid.media.image import save_image
from talkvid.page.marks import Html, join, name, table, tag
from talkvid.records import Array

PER_PAGE = 24
QUICK = MaterialiseConfig(crf=23, preset="veryfast")
LONGEST_PLAYED_S = 120.0


@dataclass(frozen=True)
class ScoreRange:
    """One score of a run, and what a slider over it means."""

    stage: str
    score: str
    low: float
    high: float
    at_least: bool
    """Whether the slider keeps what lies above it; a rule of the run decides, else larger is better."""
    threshold: float | None
    """That rule's threshold."""

    @property
    def key(self) -> tuple[str, str]:
        """Return stage and score."""
        return self.stage, self.score

    @property
    def step(self) -> float:
        """Return by how much the slider moves."""
        return rounded(self.low, self.high)[2]

    @property
    def open_end(self) -> float:
        """Return where the slider lets everything pass."""
        return self.low if self.at_least else self.high


class CuratedSet:
    """The run folder of a curation, read once.

    Raises:
        FileNotFoundError: the folder holds no `clips.parquet`.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder, self._scratch = folder, scratch
        self._cutting = threading.Lock()
        self.table = RunTable(folder)
        self.ranges = tuple(self._ranges())

    @property
    def codes(self) -> list[str]:
        """Return the codes that occur, by name."""
        return sorted({str(code) for code in self.table.code if code in CODES})

    def select(
        self, *, statuses: Collection[str] = (), code: str = "", bounds: Mapping[tuple[str, str], float] = {}
    ) -> Array:
        """Return the rows (N,) int64 with one of the statuses (none: any), the code, scores within bounds.

        A bound at the open end of its range lets everything pass, clips without that score included.
        """
        chosen = np.ones(len(self.table), bool)
        if statuses:
            chosen &= np.isin(self.table.status.astype(str), list(statuses))
        if code:
            chosen &= self.table.code.astype(str) == code
        for one in self.ranges:
            bound = bounds.get(one.key, one.open_end)
            if not np.isclose(bound, one.open_end):
                values = self.table.score_columns[one.key]
                chosen &= values >= bound if one.at_least else values <= bound
        return np.flatnonzero(chosen)

    def pictures(self, rows: Collection[int]) -> dict[int, Path]:
        """Return row -> JPEG in the scratch folder, without the rows whose picture cannot be had."""
        targets = {int(row): self._scratch / f"thumb-{self._clip_id(row)}.jpg" for row in rows}
        wanted = {row: target for row, target in targets.items() if not target.is_file()}
        requests = [self._request(row) for row in wanted if not self.table.whole_file[row]]
        made = make_thumbnails(requests, executor="inline", budget_s=20)
        for row, target in wanted.items():
            if (picture := made.get(self._clip_id(row))) is not None:
                target.write_bytes(picture.jpeg)
        return {row: target for row, target in targets.items() if target.is_file()}

    def blank(self) -> Path:
        """Return a grey picture that stands where there is none."""
        target = self._scratch / "blank.jpg"
        if not target.is_file():
            save_image(target, np.full((90, 160, 3), 128, np.uint8))
        return target

    def clip(self, row: int) -> Path:
        """Return a file in the scratch folder with the clip alone; ValueError when there is none to play.

        It is a copy of the run's cut file where there is one, else it is cut now.
        """
        place = self.table.place(row)
        if self.table.whole_file[row]:
            raise ValueError("No clip was found in this file, so there is nothing to play.")
        if place["duration_s"] > LONGEST_PLAYED_S:
            raise ValueError(f"This clip lasts {place['duration_s']:.0f} s, too long to be cut for playing.")
        target = self._scratch / f"clip-{place['clip_id']}.mp4"
        with self._cutting:
            if target.is_file():
                return target
            ready = cut_files(self._folder).get(place["clip_id"])
            if ready is not None:
                with atomic_path(target) as temporary:
                    shutil.copyfile(ready, temporary)
            else:
                clip = ClipRow(**{column: place[column] for column in COLUMNS}, facts=self.table.told[row])
                cut(CutJob(clip.clip_id, clip, target, ""), config=QUICK)
        return target

    def caption(self, row: int) -> str:
        """Return two lines under a picture: what became of the clip, and why or what it is called."""
        place = self.table.place(row)
        return f"{place['status']}\n{place['code'] or place['name']}"

    def why(self, row: int) -> Html:
        """Return why a clip is what it is: the sentence, and every comparison, those it failed first."""
        place, checks = self.table.place(row), self.table.checks
        meaning = CODES.get(place["code"], "")
        lines = [
            tag("h3", name(place["name"])),
            tag("p", tag("b", place["status"]), f" {place['code']}: {meaning}" if meaning else ""),
        ]
        if place["reason"]:
            lines.append(tag("p", without_folders(place["reason"])))
        spot = f"{place['start_s']:.2f} s to {place['end_s']:.2f} s of {Path(place['path']).name}"
        size = f"{place['width']}x{place['height']}, {place['fps']:.3g} frames per second"
        if not self.table.whole_file[row]:
            lines.append(tag("p", name(spot), f", {size}"))
        rows = [
            [
                "passed" if checks.passed[number] else tag("b", "failed"),
                name(rule_text(self.table.rules[int(checks.rule[number])])),
                f"{checks.value[number]:.4g}",
                f"{checks.margin[number]:+.3g}",
            ]
            for number in sorted(np.flatnonzero(checks.row == row), key=lambda number: checks.passed[number])
        ]
        if rows:
            lines.append(table(["", "rule", "value", "margin"], rows, numbers=(2, 3)))
        return join(lines)

    def _clip_id(self, row: int) -> str:
        return str(self.table.column("clip_id")[int(row)])

    def _request(self, row: int) -> Request:
        place = self.table.place(row)
        return Request(place["clip_id"], place["path"], place["start_s"], place["end_s"], longest_side=320)

    def _ranges(self) -> list[ScoreRange]:
        rules = {(rule.stage, rule.score): rule for rule in reversed(self.table.rules)}
        found = []
        for key, values in self.table.score_columns.items():
            known = values[np.isfinite(values)]
            if len(known) and known.min() < known.max():
                rule = rules.get(key)
                upward = rule is None or rule.op.startswith(">")
                threshold = None if rule is None else rule.threshold
                low, high, _ = rounded(float(known.min()), float(known.max()))
                found.append(ScoreRange(*key, low, high, upward, threshold))
        return found


def rounded(low: float, high: float) -> tuple[float, float, float]:
    """Return ends that enclose a range in about a hundred steps of 1, 10, 0.1 …, and the step."""
    step = 10.0 ** (math.floor(math.log10(high - low)) - 2)
    digits = max(0, -round(math.log10(step)))
    return (
        round(math.floor(low / step) * step, digits),
        round(math.ceil(high / step) * step, digits),
        round(step, digits),
    )


def counted(set_: CuratedSet) -> str:
    """Return how many rows of each status there are, as one line."""
    counts = {status: int(set_.table.has(status).sum()) for status in STATUSES}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing"
