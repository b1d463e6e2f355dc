"""Training and validation clips that share no person and no video, the same in every run."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from talkvid.curation.manifest import ClipRow
from talkvid.curation.talkvid_entry import info_of
from talkvid.curation.talkvid_json import PERSON

TRAIN, VALIDATION = "train", "validation"
MOST_TIMES = 2.0
"""A group that would make the validation split larger than this multiple of its share stays in training."""


@dataclass(frozen=True)
class Split:
    """Which clip is in which split."""

    by_clip: Mapping[str, str]
    """Clip id -> `train` or `validation`."""
    num_groups: int
    """Groups of clips that share a person or a video."""
    num_without_person: int
    """Clips of which nobody has told the person: of these only the video counts."""


def split_clips(rows: Sequence[ClipRow], *, val_share: float) -> Split:
    """Return the split of clips; clips linked by a person or a video are on one side.

    Groups go to validation in the order of a hash of their names until it has `val_share` of the length,
    large ones being passed over; if all are too large, the shortest goes. A single group is training.
    """
    groups = _groups(rows)
    seconds = {name: sum(row.duration_s for row in members) for name, members in groups.items()}
    wanted = val_share * sum(seconds.values())
    order = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    chosen: list[str] = []
    if wanted > 0 and len(groups) > 1:
        length = 0.0
        for name in order:
            if length < wanted and length + seconds[name] <= MOST_TIMES * wanted:
                chosen.append(name)
                length += seconds[name]
        chosen = chosen or [min(order, key=lambda name: seconds[name])]
    held = {row.clip_id for name in chosen for row in groups[name]}
    by_clip = {row.clip_id: VALIDATION if row.clip_id in held else TRAIN for row in rows}
    return Split(by_clip, len(groups), sum(not info_of(row)[PERSON] for row in rows))


def _groups(rows: Sequence[ClipRow]) -> dict[str, list[ClipRow]]:
    """Return the clips that hang together by persons and videos, under the least of their names."""
    above: dict[str, str] = {}

    def root(name: str) -> str:
        above.setdefault(name, name)
        while above[name] != name:
            above[name] = above[above[name]]
            name = above[name]
        return name

    for row in rows:
        person = info_of(row)[PERSON]
        video = root(f"video {row.video_id}")
        if person:
            first, second = sorted((video, root(f"person {person}")))
            above[second] = first
    groups: dict[str, list[ClipRow]] = {}
    for row in rows:
        groups.setdefault(root(f"video {row.video_id}"), []).append(row)
    return groups
