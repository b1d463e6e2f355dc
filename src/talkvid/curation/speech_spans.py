"""How much is spoken in a clip: by the embedded voice activity, and by subtitles where there are some."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from talkvid.curation.sources import VideoSource
from talkvid.curation.subtitles import overlap_s, read_subtitles, speech_of
from talkvid.media.audio import stream_mono
from talkvid.records import Array
from talkvid.speech.activity import HOP, SAMPLE_RATE, level_and_flatness, speech_rows

ROWS_PER_S = SAMPLE_RATE // HOP
BLOCK_ROWS = 3000
SIGNALS = ("activity", "subtitles", "both", "either")


@dataclass(frozen=True)
class SpeechConfig:
    """Who says whether a clip is spoken."""

    signal: str = "activity"
    """activity: sound that behaves like a voice; subtitles: cues with words; both: where the two agree (music
    is not told from speech by sound alone); either. Without usable subtitles it is activity always.
    """

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise ValueError(f"speech.signal '{self.signal}' is unknown; choose one of {', '.join(SIGNALS)}")


@dataclass(frozen=True)
class SoundRows:
    """Where somebody speaks in a sound, per 10 ms."""

    start_s: Fraction
    """Time of the first row, counted from the first picture."""
    rows: Array
    """(T,) bool."""

    def active(self, start_s: Fraction, end_s: Fraction) -> Array:
        """Return bool (R,): where somebody speaks in a span; R = 0 behind the end of the sound."""
        first, stop = (max(0, round((time - self.start_s) * ROWS_PER_S)) for time in (start_s, end_s))
        rows: Array = self.rows[first:stop]
        return rows

    def pauses(self, start_s: Fraction, end_s: Fraction) -> list[Fraction]:
        """Return the middles of the pauses between words in a span, in seconds; those of 0.2 s and more."""
        active = self.active(start_s, end_s)
        edges = np.flatnonzero(np.diff(active.astype(np.int8)))
        # A pause lies between a falling edge and the next rising one; those at either end have one edge.
        inner = edges[0 if len(active) and active[0] else 1 :]
        pairs = zip(inner[::2], inner[1::2], strict=False)
        return [start_s + Fraction(int(fall + rise + 2), 2 * ROWS_PER_S) for fall, rise in pairs]


def sound_rows(
    path: str | os.PathLike[str], *, start_s: Fraction = Fraction(0), end_s: Fraction | None = None
) -> SoundRows:
    """Return where somebody speaks in a sound, judged as a whole: dense speech needs its surroundings.

    The sound is read piece by piece, so that its length costs a few bytes per 10 ms.
    Raises FileNotFoundError or ValueError, one line, for a file without sound that can be decoded.
    """
    length = None if end_s is None else int((end_s - start_s) * SAMPLE_RATE)
    levels, flats = [], []
    for block, before, after in _blocks(stream_mono(path, rate=SAMPLE_RATE, start_s=float(start_s)), length):
        level, flat = level_and_flatness(block)
        levels.append(level[before : len(level) - after])
        flats.append(flat[before : len(flat) - after])
    return SoundRows(start_s, speech_rows(np.concatenate(levels), np.concatenate(flats)))


def _blocks(pieces: Iterator[Array], length: int | None) -> Iterator[tuple[Array, int, int]]:
    """Yield stretches of sound and how many rows at either end are only there as neighbours."""
    held = np.zeros(0, np.float32)
    before = received = 0
    for piece in pieces:
        if length is not None:
            piece = piece[: max(0, length - received)]
        received += len(piece)
        held = np.concatenate([held, piece])
        while len(held) >= (before + BLOCK_ROWS + 1) * HOP:
            rows = before + BLOCK_ROWS
            yield held[: (rows + 1) * HOP], before, 1
            held, before = held[(rows - 1) * HOP :], 1
        if length is not None and received >= length:
            break
    yield held, before, 0


@dataclass(frozen=True)
class Speech:
    """What is known of the speech in one source."""

    rows: SoundRows | None
    """None without sound that can be decoded."""
    cues: list[tuple[float, float]] | None
    """Spoken times by the subtitles; None without usable ones."""
    problems: dict[str, str]
    """Why the sound or the subtitles could not be used, by name."""

    def pauses(self, start_s: Fraction, end_s: Fraction) -> list[Fraction]:
        """Return the middles of the pauses of speech in a span; none without sound."""
        return [] if self.rows is None else self.rows.pauses(start_s, end_s)

    def facts(self, start_s: Fraction, end_s: Fraction, signal: str) -> dict[str, Any]:
        """Return speech_s, speech_ratio (0 to 1 of the span) and speech_by, and both signals apart."""
        length = float(end_s - start_s)
        active = np.zeros(0, bool) if self.rows is None else self.rows.active(start_s, end_s)
        apart = {"activity_s": round(float(active.sum()) / ROWS_PER_S, 3)}
        spoken, by = apart["activity_s"], "no sound" if self.rows is None else "voice activity"
        if self.cues is not None:
            apart["subtitles_s"] = round(overlap_s(self.cues, float(start_s), float(end_s)), 3)
            if signal == "subtitles":
                spoken, by = apart["subtitles_s"], "subtitles"
            elif signal in ("both", "either"):
                told = self._told(start_s, len(active), end_s)
                heard = np.pad(active, (0, len(told) - len(active)))
                joined = heard & told if signal == "both" else heard | told
                word = "and" if signal == "both" else "or"
                spoken, by = round(float(joined.sum()) / ROWS_PER_S, 3), f"voice activity {word} subtitles"
        spoken = min(spoken, length)
        return {
            "speech_s": spoken,
            "speech_ratio": round(spoken / length, 4) if length else 0.0,
            "speech_by": by,
            "speech": apart,
        }

    def _told(self, start_s: Fraction, least: int, end_s: Fraction) -> Array:
        """Return bool (R,): where subtitles tell of speech in a span, per 10 ms, at least `least` rows."""
        assert self.cues is not None
        rows = np.arange(max(least, round((end_s - start_s) * ROWS_PER_S)))
        middles = float(start_s) + (rows + 0.5) / ROWS_PER_S
        told = np.zeros(len(rows), bool)
        for begin, end in self.cues:
            told |= (middles >= begin) & (middles < end)
        return told


def listen(source: VideoSource, *, has_audio: bool, start_s: Fraction, end_s: Fraction) -> Speech:
    """Return what sound and subtitles of a source tell; what cannot be used is named, never fatal."""
    rows, cues, problems = None, None, {}
    if has_audio or source.audio:
        try:
            rows = sound_rows(source.audio or source.path, start_s=start_s, end_s=end_s)
        except (ValueError, OSError) as error:
            problems["sound"] = str(error)
    if source.subtitles:
        try:
            cues = speech_of(read_subtitles(source.subtitles))
        except (ValueError, OSError) as error:
            problems["subtitles"] = str(error)
    return Speech(rows, cues, problems)
