"""Clips that show the same pictures, found from small looks at them; no clip is compared with all others.

Two clips are the same when their lengths agree, their mean pictures have nearly the same perceptual hash, and
what changes from picture to picture changes alike.  The last is what tells two moments of one talk before one
wall apart: their mean pictures agree, their movement does not.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.curation.look import MOMENTS, SIDE
from talkvid.curation.manifest import ClipRow
from talkvid.records import Array

HASH_SIDE = 8
BAND_BITS = 16
MOST_DIFFERENT_BITS = 7
"""Of 2 * 64; one less than there are bands, so that a pair within it always shares a band."""
EDGE_LEVELS = 2.0
"""Grey levels by which one part must be brighter than its neighbour; even areas have no edges."""
LEAST_AGREEMENT = 0.7
"""Correlation of what moves; copies give 0.9 and more, other moments of the same talk around 0."""
STILL_LEVELS = 0.35
"""Mean change (grey levels) below which a clip counts as still: there the hash alone decides."""
MOST_LENGTH_DIFFERENCE = 0.02


@dataclass(frozen=True)
class Group:
    """Clips with the same pictures."""

    id: str
    """`duplicates-` and the name of the clip that stands for them."""
    kept: str
    """Clip id of the one that stands for them: the largest picture, then the longest, then the first name."""
    members: tuple[str, ...]
    """Clip ids of all, the one that stands for them first."""


@dataclass(frozen=True)
class _Print:
    """What one clip is compared by."""

    bits: Array
    """(2 * 64,) bool: whether each of 8 x 8 parts is brighter than its right and its lower neighbour."""
    motion: Array
    """(MOMENTS * SIDE * SIDE,) differences from the mean picture."""
    duration_s: float


def find_duplicates(rows: Sequence[ClipRow], looks: Mapping[str, Sequence[Sequence[int]]]) -> list[Group]:
    """Return the groups of clips with the same pictures, sorted; the same for any order of the rows.

    `looks` maps a clip id to its small pictures, see `look.look_at`; clips without one are left out.
    """
    known = sorted((row for row in rows if row.clip_id in looks), key=lambda row: row.clip_id)
    prints = [_print(looks[row.clip_id], row.duration_s) for row in known]
    parent = list(range(len(known)))
    for first, second in _candidates(prints):
        if _root(parent, first) != _root(parent, second) and same(prints[first], prints[second]):
            parent[max(_root(parent, first), _root(parent, second))] = min(
                _root(parent, first), _root(parent, second)
            )
    together: dict[int, list[ClipRow]] = defaultdict(list)
    for place, row in enumerate(known):
        together[_root(parent, place)].append(row)
    groups = [_group(members) for members in together.values() if len(members) > 1]
    return sorted(groups, key=lambda group: group.id)


def same(first: _Print, second: _Print) -> bool:
    """Return whether two clips show the same pictures."""
    longer = max(first.duration_s, second.duration_s)
    if abs(first.duration_s - second.duration_s) > MOST_LENGTH_DIFFERENCE * longer:
        return False
    if int((first.bits != second.bits).sum()) > MOST_DIFFERENT_BITS:
        return False
    levels = [float(np.abs(one.motion).mean()) for one in (first, second)]
    if max(levels) < STILL_LEVELS:
        return True
    return agreement(first.motion, second.motion) >= LEAST_AGREEMENT


def compare(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> tuple[int, float]:
    """Return in how many bits the hashes of two looks differ, and how well what moves in them agrees."""
    one, other = (_print(look, 1.0) for look in (first, second))
    return int((one.bits != other.bits).sum()), agreement(one.motion, other.motion)


def agreement(first: Array, second: Array) -> float:
    """Return the correlation of two motions, from -1 to 1; 0 where one of them does not move."""
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 0 else 0.0


def _print(look: Sequence[Sequence[int]], duration_s: float) -> _Print:
    pictures = np.array(look, np.float64).reshape(len(MOMENTS), SIDE, SIDE)
    mean = pictures.mean(0)
    parts = mean.reshape(HASH_SIDE, SIDE // HASH_SIDE, HASH_SIDE, SIDE // HASH_SIDE).mean((1, 3))
    right, below = (parts - np.roll(parts, -1, axis) > EDGE_LEVELS for axis in (1, 0))
    return _Print(np.concatenate([right.ravel(), below.ravel()]), (pictures - mean).ravel(), duration_s)


def _candidates(prints: Sequence[_Print]) -> Iterator[tuple[int, int]]:
    """Yield pairs that share at least one band of their hash and whose lengths agree, each once."""
    seen: set[tuple[int, int]] = set()
    for begin in range(0, 2 * HASH_SIDE * HASH_SIDE, BAND_BITS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for place, one in enumerate(prints):
            buckets[np.packbits(one.bits[begin : begin + BAND_BITS]).tobytes()].append(place)
        for key in sorted(buckets):
            members = sorted(buckets[key], key=lambda place: (prints[place].duration_s, place))
            yield from _near_in_length(members, prints, seen)


def _near_in_length(
    members: Sequence[int], prints: Sequence[_Print], seen: set[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    for number, first in enumerate(members):
        for second in members[number + 1 :]:
            longer = prints[second].duration_s
            if longer - prints[first].duration_s > MOST_LENGTH_DIFFERENCE * longer:
                break
            pair = (min(first, second), max(first, second))
            if pair not in seen:
                seen.add(pair)
                yield pair


def _group(members: Sequence[ClipRow]) -> Group:
    best = sorted(members, key=lambda row: (-row.width * row.height, -row.duration_s, row.name, row.clip_id))
    return Group(f"duplicates-{best[0].name}", best[0].clip_id, tuple(row.clip_id for row in best))


def _root(parent: list[int], place: int) -> int:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place
