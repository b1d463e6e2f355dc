"""From takes to clips: margins beside the cuts, fixed lengths, windows, and long takes split at pauses."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


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


def _exact(seconds: float) -> Fraction:
    """Return decimal seconds as they were written: 0.3 is 3/10."""
    return Fraction(str(seconds))
