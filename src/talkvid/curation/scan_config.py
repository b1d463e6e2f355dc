"""Settings of the scan, and what they make of the takes that were found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, get_args

from talkvid.curation.balance import draw_lengths
from talkvid.curation.cuts import CutConfig
from talkvid.curation.spans import Pauses, Piece, Timeline, centred, divided, trimmed, windowed
from talkvid.curation.speech_spans import SpeechConfig

Lengths = Literal["whole", "balanced", "fixed", "windows"]
OnDamage = Literal["fail", "keep"]


@dataclass(frozen=True)
class ScanConfig:
    """How source videos become clips."""

    cuts: CutConfig = field(default_factory=CutConfig)
    margin_start_s: float = 0.1
    """Left out behind a cut, where codecs and fades leave a trace of the old take."""
    margin_end_s: float = 0.1
    """Left out before a cut."""
    margins_at_ends: bool = False
    """Whether the margins are also left out where the file begins and ends, though no cut is there."""
    lengths: Lengths = "whole"
    """whole: a take is a clip, one longer than `longest_s` becomes equal parts; balanced: parts of lengths
    drawn evenly from `shortest_s` to `longest_s`; fixed: the middle of a take, as long as the longest of
    `fixed_s` that fits; windows: every `window_frames` pictures.
    """
    shortest_s: float = 3.0
    """No part of a divided take is shorter. Takes that are shorter by themselves are judged by the rules."""
    longest_s: float = 30.0
    """Longer takes are divided; 0: never."""
    pause_reach_s: float = 3.0
    """A take is divided in a pause of speech at most so far from the place aimed at; 0: right there."""
    seed: int = 42
    """Of the lengths drawn for `balanced`."""
    fixed_s: tuple[float, ...] = (5.0, 10.0, 15.0, 20.0, 25.0)
    window_frames: int = 121
    duration_digits: int = -1
    """Decimals to which lengths are rounded before rules judge them; -1: not at all."""
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    on_damage: OnDamage = "fail"
    """A file that breaks off: give it up by name, or keep what decodes before the damage."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("lengths", self.lengths, get_args(Lengths)),
            ("on_damage", self.on_damage, get_args(OnDamage)),
        ):
            if value not in known:
                raise ValueError(f"{name} '{value}' is unknown; choose one of {', '.join(known)}")
        for name in ("margin_start_s", "margin_end_s", "pause_reach_s", "longest_s"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name} must be 0 or more seconds, got {seconds}")
        if not self.shortest_s > 0 or (self.longest_s and self.longest_s < 2 * self.shortest_s):
            raise ValueError(
                f"shortest_s must be above 0 and at most half of longest_s, got {self.shortest_s} and "
                f"{self.longest_s}"
            )
        if not self.fixed_s or min(self.fixed_s) <= 0:
            raise ValueError(f"fixed_s must hold lengths above 0, got {list(self.fixed_s)}")
        if self.window_frames < 1:
            raise ValueError(f"window_frames must be at least 1, got {self.window_frames}")

    def judged_length(self, length_s: Fraction, nominal_s: Fraction) -> float:
        """Return the length that rules see: that of the pictures, or the one aimed at, rounded."""
        if self.duration_digits < 0:
            return float(length_s) if nominal_s > 0 else 0.0
        return round(max(0.0, float(nominal_s)), self.duration_digits)


def pieces_of(
    timeline: Timeline,
    takes: Sequence[tuple[int, int]],
    config: ScanConfig,
    *,
    key: str,
    pauses: Pauses,
) -> list[Piece]:
    """Return the clips of the takes [first, stop) in the order of time; `key` seeds the lengths drawn."""
    trimmings = trimmed(
        timeline,
        takes,
        start_s=config.margin_start_s,
        end_s=config.margin_end_s,
        at_ends=config.margins_at_ends,
    )
    if config.lengths == "fixed":
        return [centred(timeline, piece, config.fixed_s) for piece in trimmings]
    if config.lengths == "windows":
        return [part for piece in trimmings for part in windowed(timeline, piece, config.window_frames)]
    if not config.longest_s:
        return trimmings
    limits = {"shortest_s": config.shortest_s, "longest_s": config.longest_s}
    drawn = draw_lengths(key, seed=config.seed, **limits) if config.lengths == "balanced" else None
    return [
        part
        for piece in trimmings
        for part in divided(
            timeline, piece, lengths_s=drawn, pauses=pauses, reach_s=config.pause_reach_s, **limits
        )
    ]
