"""The rows of a metadata table joined to the clips of a bench by name."""

from collections.abc import Sequence
from dataclasses import replace

from talkvid.evaluation.bench.clips import BenchClip, told
from talkvid.evaluation.bench.metadata import Metadata, Row


def with_groups(clips: Sequence[BenchClip], table: Metadata) -> tuple[list[BenchClip], list[str]]:
    """Return the clips with the subgroups of their rows, broken clips for rows without a file, and remarks.

    A row is meant by the clip's id, or by the name of its files where the id also tells the sub-folder.
    Where the rows of one clip disagree about a dimension, it has none there.
    """
    by_name: dict[str, list[int]] = {}
    for number, row in enumerate(table.rows):
        for name in row.names:
            by_name.setdefault(name, []).append(number)
    used: set[int] = set()
    result: list[BenchClip] = []
    rowless, torn = [], []
    for clip in clips:
        numbers = by_name.get(clip.id) or by_name.get(_stem(clip), [])
        used.update(numbers)
        groups, conflicts = _joined([table.rows[number] for number in numbers])
        kept = {key: value for key, value in clip.groups.items() if key not in conflicts}
        result.append(replace(clip, groups={**kept, **groups}))
        if conflicts:
            torn.append(f"{clip.id} ({', '.join(conflicts)})")
        if not numbers:
            rowless.append(clip.id)
    for number, row in enumerate(table.rows):
        if number not in used:
            problem = f"named in {table.path.name}, and no file has its name"
            result.append(BenchClip(max(row.names, key=len), groups=row.groups, problem=problem))
    remarks = []
    if rowless:
        remarks.append(f"{len(rowless)} clips are not in {table.path.name}: {told(rowless)}")
    if torn:
        remarks.append(f"{len(torn)} clips have rows that disagree, so no such subgroup: {told(torn)}")
    return result, remarks


def _stem(clip: BenchClip) -> str:
    path = clip.portrait or clip.audio or clip.reference or clip.keypoints
    return clip.id if path is None else path.stem


def _joined(rows: Sequence[Row]) -> tuple[dict[str, str], list[str]]:
    """Return the values all rows agree on, and the dimensions they disagree about."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for dimension, value in row.groups.items():
            values.setdefault(dimension, set()).add(value)
    agreed = {name: next(iter(told_by)) for name, told_by in values.items() if len(told_by) == 1}
    return agreed, sorted(name for name, told_by in values.items() if len(told_by) > 1)
