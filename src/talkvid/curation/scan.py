"""One pass over a source video: exact picture numbers and times, cuts, clips, and who speaks in them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from talkvid.curation.cuts import PICTURE_SIDE, CutFinder
from talkvid.curation.records import Span
from talkvid.curation.scan_config import ScanConfig, pieces_of
from talkvid.curation.sources import Unusable, VideoSource
from talkvid.curation.spans import Piece, Timeline
from talkvid.curation.speech_spans import Speech, listen
from talkvid.media.container import NoVideoStream
from talkvid.media.files import container_kind
from talkvid.media.frame_scan import FrameScan, scan_frames

__all__ = ["ScanConfig", "ScanResult", "Unusable", "VideoSource", "scan_video"]

UNEVEN_S = Fraction(2, 1000)
"""Distances of pictures may differ by this much, a container's rounding to 1 ms at both ends."""
LEAD_S = 1.0
"""A span is looked at from so much earlier on, because no cut is found right where the looking begins."""


@dataclass(frozen=True)
class ScanResult:
    """What a scan found."""

    spans: list[Span]
    facts: dict[str, Any]
    """Of the file: size, rate, length, sound, the numbers of the pictures that begin a take, problems."""


@dataclass
class _Pass:
    """What one decode of a file leaves behind."""

    scan: FrameScan
    finder: CutFinder
    numbers: list[int]
    stamps: list[int]
    damaged: list[int]
    """Places, within the pass, of pictures that the decoder had to patch."""
    end: int
    lead: int
    """How many pictures from before the span the cuts were also looked for in."""

    def takes(self) -> list[tuple[int, int]]:
        """Return [first, stop) of the takes as places within the span."""
        shifted = [(max(0, first - self.lead), stop - self.lead) for first, stop in self.finder.takes()]
        return [(first, stop) for first, stop in shifted if stop > 0]

    @property
    def timeline(self) -> Timeline:
        return Timeline([*self.stamps, self.end], self.scan.time_base)


def scan_video(source: VideoSource, config: ScanConfig) -> ScanResult:
    """Return the clips of a video, or of the span of it that the source means, after one decode.

    Every clip's facts hold what a rule may judge: `duration_s`, `speech_s`, `speech_ratio`, and
    `damaged_frames` where there are any; verdicts are not made here. Raises `Unusable` with a code of
    `records.CODES` for a file that gives no clips.
    """
    _check(source)
    seen = _decode(source, config)
    timeline, takes = seen.timeline, seen.takes()
    has_audio = seen.scan.has_audio or bool(source.audio)
    start, end = timeline.seconds(0), timeline.seconds(len(seen.numbers))
    speech = listen(source, has_audio=has_audio, start_s=start, end_s=end)
    pieces = pieces_of(timeline, takes, config, key=source.id, pauses=speech.pauses)
    spans = [
        _span(source, config, seen, timeline, speech, number, piece)
        for number, piece in enumerate(pieces, start=1)
    ]
    facts = {
        "width": seen.scan.width,
        "height": seen.scan.height,
        "num_frames": len(seen.numbers),
        "duration_s": float(end - start),
        "fps": float(len(seen.numbers) / (end - start)),
        "vfr": is_uneven(timeline.stamps, timeline.time_base),
        "has_audio": has_audio and "sound" not in speech.problems,
        "cuts": [seen.numbers[first] for first, _ in takes[1:]],
        "num_damaged": len(seen.damaged),
        "problems": {**({"picture": seen.scan.damage} if seen.scan.damage else {}), **speech.problems},
    }
    return ScanResult(spans, facts)


def is_uneven(stamps: Sequence[int], time_base: Fraction) -> bool:
    """Return whether pictures come at varying distance; `stamps` end with the end of the last picture.

    How long the last one is shown does not count: files often do not say.
    """
    steps = [stamps[place + 1] - stamps[place] for place in range(len(stamps) - 2)]
    return bool(steps) and (max(steps) - min(steps)) * time_base > UNEVEN_S


def _decode(source: VideoSource, config: ScanConfig) -> _Pass:
    """Return what the one pass saw; raise `Unusable` where it leaves nothing to use."""
    try:
        with scan_frames(
            source.path, longest=PICTURE_SIDE, start_s=max(0.0, source.start_s - LEAD_S), end_s=source.end_s
        ) as scan:
            seen = _Pass(scan, CutFinder(config.cuts), [], [], [], 0, 0)
            start = Fraction(str(source.start_s))
            for frame in scan:
                seen.finder.see(frame.picture)
                if frame.pts * scan.time_base < start:
                    seen.lead += 1
                    continue
                seen.numbers.append(frame.number)
                seen.stamps.append(frame.pts)
                seen.end = frame.pts + frame.duration
                if frame.corrupt:
                    seen.damaged.append(len(seen.numbers) - 1)
    except FileNotFoundError as error:
        raise Unusable("MISSING_FILE", str(error)) from error
    except NoVideoStream as error:
        raise Unusable("NOT_A_VIDEO", str(error)) from error
    except (ValueError, OSError) as error:
        raise Unusable(_code_of(source.path), str(error)) from error
    if scan.damage and config.on_damage == "fail":
        raise Unusable("DECODE_FAIL", f"{source.path}: {scan.damage}; copy or download it again")
    if not seen.numbers:
        span = f"{source.start_s:g} s to {'the end' if source.end_s is None else f'{source.end_s:g} s'}"
        raise Unusable("BAD_ENTRY", f"{source.path}: no picture lies in the span from {span}; correct it")
    return seen


def _span(
    source: VideoSource,
    config: ScanConfig,
    seen: _Pass,
    timeline: Timeline,
    speech: Speech,
    number: int,
    piece: Piece,
) -> Span:
    start, end = timeline.seconds(piece.first), timeline.seconds(piece.stop)
    count = piece.stop - piece.first
    return Span(
        video_id=source.id,
        path=os.fspath(source.path),
        number=number,
        start_pts=timeline.stamps[piece.first],
        end_pts=timeline.stamps[piece.stop],
        time_base=(timeline.time_base.numerator, timeline.time_base.denominator),
        first_frame=seen.numbers[piece.first],
        num_frames=count,
        width=seen.scan.width,
        height=seen.scan.height,
        fps=float(count / (end - start)),
        vfr=is_uneven(timeline.stamps[piece.first : piece.stop + 1], timeline.time_base),
        has_audio=speech.rows is not None,
        facts={
            **source.facts(),
            "duration_s": config.judged_length(end - start, piece.nominal_s),
            **speech.facts(start, end, config.speech.signal),
            **_damage(seen.damaged, piece),
        },
    )


def _damage(damaged: Sequence[int], piece: Piece) -> dict[str, int]:
    count = sum(piece.first <= place < piece.stop for place in damaged)
    return {"damaged_frames": count} if count else {}


def _check(source: VideoSource) -> None:
    """Raise for a source that need not be opened."""
    if source.problem:
        raise Unusable("BAD_ENTRY", source.problem)
    path = Path(source.path)
    if path.is_file() and not path.stat().st_size:
        raise Unusable("EMPTY_FILE", f"{path}: the file is empty (0 bytes); copy or download it again")


def _code_of(path: str) -> str:
    """Return the code of a file that does not open: by its first bytes a damaged video, or none at all."""
    return "DECODE_FAIL" if container_kind(path) else "NOT_A_VIDEO"
