"""Is prepared data sound? Every clip's files are opened, decoded and compared with what its list says."""

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from talkvid import runner
from talkvid.dataset.check_clip import CheckSettings, ClipReport, check_clip, least_threads
from talkvid.dataset.index import read_entries
from talkvid.files import atomic_path
from talkvid.records import SampleEntry

logger = logging.getLogger(__name__)

COLUMNS = ("id", "frames", "fps", "size", "sound_s", "rows", "gop", "mouth_late_s", "sync")
MOST_ID = 44


@dataclass(frozen=True)
class CheckItem:
    """One entry of a list, to be checked by a worker."""

    id: str
    entry: SampleEntry
    root: Path


@dataclass(frozen=True)
class Report:
    """What was found in a whole list."""

    clips: list[ClipReport]
    counts: dict[str, int] = field(default_factory=dict)
    """How many clips have each kind of problem."""

    @property
    def is_sound(self) -> bool:
        """Return whether nothing is wrong with any clip."""
        return not self.counts


def check(path: Path, settings: CheckSettings, *, workers: int = 1, executor: str = "local") -> Report:
    """Return what is wrong with the clips of a training list; raise ValueError when the list is unreadable.

    A clip whose files cannot be read is reported like any other: as many clips come out as are listed.
    """
    entries = read_entries(path)
    items = [CheckItem(f"{n}:{entry.id}", entry, path.parent) for n, entry in enumerate(entries)]
    with tempfile.TemporaryDirectory() as folder:
        summary = runner.run(
            items,
            partial(check_item, settings=settings),
            setup=least_threads,
            journal=Path(folder) / "check.jsonl",
            workers=workers,
            executor=executor,
            description=f"checking {path.name}",
        )
    clips = []
    for item in items:
        if item.id in summary.results:
            clips.append(ClipReport(**summary.results[item.id]))
        else:
            clips.append(ClipReport(item.entry.id, problems={"unreadable": summary.failures[item.id]}))
    return judge_together(clips)


def check_item(item: CheckItem, _: None, *, settings: CheckSettings) -> dict[str, Any]:
    """Return the report of one clip as plain values; the body of a worker."""
    return asdict(check_clip(item.entry, item.root, settings))


def judge_together(clips: Sequence[ClipReport]) -> Report:
    """Return the report of a list: what only the clips together show is added to them, and counted."""
    sizes = Counter(clip.size for clip in clips if clip.size)
    usual = sizes.most_common(1)[0][0] if sizes else ""
    widths = Counter(clip.dim for clip in clips if clip.dim)
    usual_dim = widths.most_common(1)[0][0] if widths else 0
    names = Counter(clip.id for clip in clips)
    judged = []
    for clip in clips:
        more = {}
        if clip.size and clip.size != usual:
            more["size"] = f"{clip.size} pixels, most clips of the list have {usual}"
        if clip.dim and clip.dim != usual_dim:
            more["encoder"] = f"features {clip.dim} wide, most clips of the list have {usual_dim}"
        if names[clip.id] > 1:
            more["id"] = f"the id is used by {names[clip.id]} clips"
        judged.append(replace(clip, problems={**clip.problems, **more}))
    counts = Counter(kind for clip in judged for kind in clip.problems)
    return Report(judged, dict(sorted(counts.items())))


def write_report(path: Path, report: Report) -> None:
    """Write the report as JSON: `sound`, `counts` of the problems and `clips`."""
    value = {
        "sound": report.is_sound,
        "counts": report.counts,
        "clips": [asdict(clip) for clip in report.clips],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(report: Report, *, only_bad: bool = False) -> str:
    """Return the report as text: a row per clip, then a line per problem and note."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for clip in report.clips:
        if only_bad and not clip.problems:
            continue
        name = clip.id if len(clip.id) <= MOST_ID else "…" + clip.id[1 - MOST_ID :]
        values = (name, clip.frames, f"{clip.fps:g}", clip.size, f"{clip.sound_s:.3f}", clip.rows, clip.gop)
        rows.append((*map(str, values), f"{clip.mouth_late_s:+.3f}", clip.sync))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [
        "  ".join(
            value.ljust(width) if column in (0, len(COLUMNS) - 1) else value.rjust(width)
            for column, (value, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    for clip in report.clips:
        lines += [f"{clip.id}: {kind}: {text}" for kind, text in clip.problems.items()]
        if not only_bad:
            lines += [f"{clip.id}: note: {text}" for text in clip.notes]
    bad = sum(bool(clip.problems) for clip in report.clips)
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.counts.items())
    total = len(report.clips)
    lines.append(f"{total} clips = {total - bad} sound + {bad} faulty{f' ({kinds})' if kinds else ''}")
    return "\n".join(lines)
