"""One pass over a source video: exact picture numbers and times, cuts, clips, and who speaks in them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from talkvid.curation.cuts import PICTURE_SIDE, CutConfig, CutFinder
from talkvid.curation.records import Span
from talkvid.curation.sources import Unusable, VideoSource
from talkvid.curation.spans import Piece, Timeline, trimmed
from talkvid.media.files import container_kind
from talkvid.media.frame_scan import FrameScan, scan_frames


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


@dataclass(frozen=True)
class ScanResult:
    """What a scan found."""

    spans: list[Span]
    facts: dict[str, Any]
    """Of the file: size, number of pictures, length, rate, sound, damage."""


def scan_video(source: VideoSource, config: ScanConfig) -> ScanResult:
    """Return the clips of a video, or of the span of it that the source means, after one decode.

    Every clip's facts hold `duration_s`; verdicts are not made here. Raises `Unusable` with a code of
    `records.CODES` for a file that gives no clips.
    """
    _check(source)
    finder = CutFinder(config.cuts)
    numbers: list[int] = []
    stamps: list[int] = []
    end = 0
    try:
        with scan_frames(
            source.path, longest=PICTURE_SIDE, start_s=source.start_s, end_s=source.end_s
        ) as frames:
            for frame in frames:
                numbers.append(frame.number)
                stamps.append(frame.pts)
                end = frame.pts + frame.duration
                finder.see(frame.picture)
    except FileNotFoundError as error:
        raise Unusable("MISSING_FILE", str(error)) from error
    except ValueError as error:
        raise Unusable(_code_of(source.path), str(error)) from error
    if frames.damage:
        raise Unusable("DECODE_FAIL", f"{source.path}: {frames.damage}; copy it again")
    if not numbers:
        raise Unusable("DECODE_FAIL", f"{source.path}: no picture lies in the span asked for")
    timeline = Timeline([*stamps, end], frames.time_base)
    pieces = trimmed(
        timeline,
        finder.takes(),
        start_s=config.margin_start_s,
        end_s=config.margin_end_s,
        at_ends=config.margins_at_ends,
    )
    spans = [
        _span(source, frames, timeline, numbers[0], number, piece)
        for number, piece in enumerate(pieces, start=1)
    ]
    return ScanResult(
        spans, {"num_frames": len(numbers), "duration_s": float(timeline.length(0, len(numbers)))}
    )


def _span(
    source: VideoSource, frames: FrameScan, timeline: Timeline, offset: int, number: int, piece: Piece
) -> Span:
    length = timeline.length(piece.first, piece.stop)
    count = piece.stop - piece.first
    return Span(
        video_id=source.id,
        path=os.fspath(source.path),
        number=number,
        start_pts=timeline.stamps[piece.first],
        end_pts=timeline.stamps[piece.stop],
        time_base=(frames.time_base.numerator, frames.time_base.denominator),
        first_frame=offset + piece.first,
        num_frames=count,
        width=frames.width,
        height=frames.height,
        fps=float(count / length),
        vfr=is_uneven(timeline.stamps[piece.first : piece.stop + 1], frames.time_base),
        has_audio=frames.has_audio or bool(source.audio),
        facts={**source.info, "duration_s": float(length)},
    )


def is_uneven(stamps: Sequence[int], time_base: Fraction) -> bool:
    """Return whether pictures come at varying distance, by more than a container's rounding to 1 ms."""
    steps = [after - before for before, after in zip(stamps[:-2], stamps[1:-1], strict=True)]
    return bool(steps) and (max(steps) - min(steps)) * time_base > Fraction(2, 1000)


def _check(source: VideoSource) -> None:
    """Raise for a source that need not be opened."""
    if source.problem:
        raise Unusable("ERROR", source.problem)
    path = Path(source.path)
    if path.is_file() and not path.stat().st_size:
        raise Unusable("EMPTY_FILE", f"{path}: the file is empty (0 bytes); copy or download it again")


def _code_of(path: str) -> str:
    """Return the code of a file that does not open: a video by its first bytes is damaged, else it is none."""
    return "DECODE_FAIL" if container_kind(path) else "NOT_A_VIDEO"
