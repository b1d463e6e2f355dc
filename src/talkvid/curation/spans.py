"""From takes to clips: margins beside the cuts, fixed lengths, windows, and long takes split at pauses."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from talkvid.curation.fixed_windows import fixed_windows

Pauses = Callable[[Fraction, Fraction], Sequence[Fraction]]
"""Gives the middles of the pauses of speech in a span, in seconds, ascending."""


@dataclass(frozen=True)
class Timeline:
    """When the pictures of one pass are shown; all places are numbers within the pass, from 0."""

    stamps: Sequence[int]
    """F + 1 ascending time stamps: the start of every picture, then the end of the last one."""
    time_base: Fraction

    def seconds(self, place: int) -> Fraction:
        """Return the start of a picture; of place F the end of the last one."""
        return self.stamps[place] * self.time_base

    def length(self, first: int, stop: int) -> Fraction:
        """Return the seconds from the start of `first` to the start of `stop`."""
        return (self.stamps[stop] - self.stamps[first]) * self.time_base

    def at_or_after(self, moment: Fraction) -> int:
        """Return the first picture that starts at or behind a moment in seconds."""
        return bisect_left(self.stamps, -int(-moment // self.time_base))

    def last_until(self, moment: Fraction) -> int:
        """Return the last picture that starts at or before a moment in seconds."""
        return bisect_right(self.stamps, int(moment // self.time_base)) - 1


@dataclass(frozen=True)
class Piece:
    """A clip to be, as places of a timeline."""

    first: int
    stop: int
    nominal_s: Fraction
    """The length aimed at, before it was rounded to whole pictures."""
    take: int
    """Which take of the pass it is from, from 1."""


def trimmed(
    timeline: Timeline,
    takes: Sequence[tuple[int, int]],
    *,
    start_s: float,
    end_s: float,
    at_ends: bool,
) -> list[Piece]:
    """Return one piece per take, without the margins beside its cuts.

    `start_s` is left out behind a cut and `end_s` before one: pictures whose start lies in
    [take start + start_s, take end - end_s) stay. With `at_ends` the same at the beginning and the end of the
    file, where no cut is. A take too short for its margins stays whole, with what is left (0 or less) as its
    nominal length, so that a rule can reject it by name.
    """
    pieces = []
    for number, (first, stop) in enumerate(takes, start=1):
        head = _exact(start_s) if number > 1 or at_ends else Fraction(0)
        tail = _exact(end_s) if number < len(takes) or at_ends else Fraction(0)
        begin, end = timeline.seconds(first) + head, timeline.seconds(stop) - tail
        inner = timeline.at_or_after(begin), timeline.at_or_after(end)
        if inner[0] >= inner[1]:
            inner = first, stop
        pieces.append(Piece(*inner, nominal_s=end - begin, take=number))
    return pieces


def centred(timeline: Timeline, piece: Piece, lengths_s: Sequence[float]) -> Piece:
    """Return the middle of a clip, as long as the longest of the fixed lengths that fits.

    A clip shorter than all of them stays as it is.
    """
    fitting = [length for length in map(_exact, lengths_s) if length <= piece.nominal_s]
    if not fitting:
        return piece
    length = max(fitting)
    room = timeline.length(piece.first, piece.stop) - length
    first = max(piece.first, timeline.at_or_after(timeline.seconds(piece.first) + room / 2))
    stop = min(piece.stop, timeline.at_or_after(timeline.seconds(first) + length))
    return replace(piece, first=first, stop=stop, nominal_s=length)


def windowed(timeline: Timeline, piece: Piece, window: int) -> list[Piece]:
    """Return the windows of exactly `window` pictures over a clip, or the clip where it is too short."""
    windows = fixed_windows(piece.stop - piece.first, window)
    return [_part(timeline, piece, piece.first + first, piece.first + stop) for first, stop in windows] or [
        piece
    ]


def divided(
    timeline: Timeline,
    piece: Piece,
    *,
    shortest_s: float,
    longest_s: float,
    lengths_s: Iterator[float] | None,
    pauses: Pauses,
    reach_s: float,
) -> list[Piece]:
    """Return the parts of a clip longer than `longest_s`, none longer than that or shorter than `shortest_s`.

    Each part aims at the next of `lengths_s`, or with None at equal parts, and ends in the pause of speech
    nearest to that if one lies within `reach_s` of it, else right there. Nothing is left out between parts.
    Clips not longer than `longest_s` come back as they are. Needs longest_s >= 2 shortest_s.
    """
    shortest, longest = _exact(shortest_s), _exact(longest_s)
    first, end = piece.first, timeline.seconds(piece.stop)
    if end - timeline.seconds(first) <= longest:
        return [piece]
    places = pauses(timeline.seconds(first), end)
    parts: list[Piece] = []
    while (left := end - (begin := timeline.seconds(first))) > longest:
        wish = left / math.ceil(left / longest) if lengths_s is None else _exact(next(lengths_s))
        earliest, latest = begin + shortest, min(begin + longest, end - shortest)
        aim = min(max(begin + wish, earliest), latest)
        near = [
            place for place in places if earliest <= place <= latest and abs(place - aim) <= _exact(reach_s)
        ]
        goal = min(near, key=lambda place: (abs(place - aim), place)) if near else aim
        stop = min(timeline.at_or_after(goal), timeline.last_until(latest))
        if stop <= first:
            break  # pictures further apart than the lengths asked for
        parts.append(_part(timeline, piece, first, stop))
        first = stop
    return [*parts, _part(timeline, piece, first, piece.stop)]


def _part(timeline: Timeline, piece: Piece, first: int, stop: int) -> Piece:
    return replace(piece, first=first, stop=stop, nominal_s=timeline.length(first, stop))


def _exact(seconds: float) -> Fraction:
    """Return decimal seconds as they were written: 0.3 is 3/10."""
    return Fraction(str(seconds))
