"""How much later than the sound the mouth moves, from the opening of the lips and the bands of the sound.

Both become signals of 100 values per second: the gap between the inner lips in sizes of the face, and a fixed
weighting of the log-mel bands that is high in open vowels and low in silence, hum and hiss. Their correlation
is taken at every lag within LARGEST_LAG_S; its peak is the offset, and how far the peak stands out of the
correlations at lags that cannot be right says whether to believe it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from talkvid.face.lip_motion import face_frame, mouth_opening
from talkvid.records import Array

ROWS_PER_S = 100
LARGEST_LAG_S = 0.7
"""Offsets are looked for within this much either way."""
SMOOTH_S, DRIFT_S = 0.03, 1.0
"""What changes faster than the first or slower than the second (deviations of Gaussians) is taken out."""
BAND_WEIGHTS = (
    -0.185, -0.258, -0.152, 0.143, 0.116, 0.032, -0.036, 0.051,
    0.187, 0.248, 0.248, 0.099, 0.012, 0.044, -0.026, -0.146,
)  # fmt: skip
"""Of 16 groups of 5 mel bands; fitted by `python benchmarks/sync_offset.py fit`."""
USUAL_LATE_S = -0.02
"""What this measure says of well-synchronised speech: lips part a little before the vowel is heard."""

TOLERANCE_S = 0.1
"""Up to this a clip counts as synchronised: viewers do not notice it, and single clips cannot tell it."""
LIKELY = (0.3, 3.0, 0.1)
"""Least correlation, score and margin (see `SoundOffset`) of a verdict `ok` …"""
SURE = (0.4, 3.5, 0.2)
"""… and of a verdict `offset`, upon which sound may be moved."""
NO_MATCH_SCORE, NO_MATCH_S = 2.5, 6.0
"""Below this score speech of at least this length does not belong to the mouth."""
FAR_S = 1.0
"""Lags at least this far from the peak show what correlations chance gives."""
SHORTEST_S = 4.0
LEAST_MOVEMENT = 0.008
"""Deviation of the opening, in face sizes, below which the mouth rests."""
LEAST_SOUND = 0.1
"""Deviation of the sound signal below which there is no speech to hear."""
INNER_UPPER_OF_106, INNER_LOWER_OF_106 = (66, 62, 70), (54, 60, 57)
"""Facing points of the inner lips among insightface's 106 landmarks."""

WEAKNESSES = ("the correlation is low", "it hardly stands out of chance", "two lags fit about as well")
OK, OFFSET, UNDECIDED, NO_MATCH = "ok", "offset", "undecided", "no match"


@dataclass(frozen=True)
class SoundOffset:
    """What was found; `correlation`, `score` and `margin` say how much to trust it."""

    verdict: str
    """`ok`, `offset`, `undecided` or `no match`."""
    mouth_late_s: float
    """Seconds by which the mouth moves later than the sound; 0 where nothing could be measured."""
    correlation: float = 0.0
    """Height of the peak, -1 to 1."""
    score: float = 0.0
    """Peak over chance: its distance from the mean of the correlations far away, in their deviations."""
    margin: float = 0.0
    """Height of the peak above the next one within the range."""
    reason: str = ""
    """Why it is undecided, in words."""


def lip_opening(values: Mapping[str, Array]) -> Array | None:
    """Return the gap between the inner lips (F,) in face sizes from the arrays of a face info.

    Taken from `lips` (F 40 2) or `lmk106` (F 106 2), with `points` (F 5 2); None when neither is there.
    """
    if "lips" in values:
        gap = mouth_opening(np.asarray(values["lips"], np.float64))
    elif "lmk106" in values:
        marks = np.asarray(values["lmk106"], np.float64)
        across = marks[:, INNER_UPPER_OF_106] - marks[:, INNER_LOWER_OF_106]
        gap = np.linalg.norm(across, axis=-1).mean(axis=-1)
    else:
        return None
    opening: Array = gap / np.array([face_frame(five).size for five in values["points"]])
    return opening


def measure_offset(opening: Array, log_mel: Array, *, fps: float, found: Array | None = None) -> SoundOffset:
    """Return the offset of one clip from its lips' opening (F,) and its sound's log-mel rows (T 80).

    Frame k is shown from k / fps on, row i is centred on (i + 0.5) / 100 s. Frames where `found` (F,) is
    false, or the opening is not a number, are left out. Positive offsets mean a late mouth.
    """
    count = min(len(log_mel), math.floor(len(opening) / fps * ROWS_PER_S))
    seen = np.isfinite(opening) if found is None else np.isfinite(opening) & np.asarray(found, bool)
    if seen.sum() / fps < SHORTEST_S or count / ROWS_PER_S < SHORTEST_S:
        return _undecided(f"shorter than {SHORTEST_S:g} s")
    mouth, known = mouth_signal(opening, seen, fps=fps, num_rows=count)
    sound = sound_signal(log_mel[:count])
    if np.std(np.asarray(opening)[seen]) < LEAST_MOVEMENT:
        return _undecided("the mouth hardly moves")
    if np.std(sound) < LEAST_SOUND:
        return _undecided("there is no speech in the sound")
    reach = round(LARGEST_LAG_S * ROWS_PER_S)
    curve = lagged_correlations(mouth, sound, known, reach=reach)
    peak = int(curve.argmax())
    mean, deviation = _chance(mouth, sound, known, lag=peak - reach)
    return judge(
        mouth_late_s=(peak - reach + _between(curve, peak)) / ROWS_PER_S - USUAL_LATE_S,
        correlation=float(curve[peak]),
        score=(float(curve[peak]) - mean) / max(deviation, 1e-6),
        margin=float(curve[peak]) - _second_peak(curve, peak),
        at_edge=peak in (0, len(curve) - 1),
        length_s=float(known.sum()) / ROWS_PER_S,
    )


def judge(
    *, mouth_late_s: float, correlation: float, score: float, margin: float, at_edge: bool, length_s: float
) -> SoundOffset:
    """Return the measured values with their verdict: only a high, lone peak within the range is believed."""
    measured = round(mouth_late_s, 3), round(correlation, 3), round(score, 2), round(margin, 3)
    if score < NO_MATCH_SCORE and length_s >= NO_MATCH_S:
        return SoundOffset(NO_MATCH, *measured, reason="no lag fits better than chance")
    verdict = OK if abs(mouth_late_s) <= TOLERANCE_S else OFFSET
    least = zip((correlation, score, margin), LIKELY if verdict == OK else SURE, WEAKNESSES, strict=True)
    weak = [text for value, needed, text in least if value < needed]
    if at_edge:
        weak.append("the best lag lies at the end of the range")
    if weak:
        return SoundOffset(UNDECIDED, *measured, reason=", ".join(weak))
    return SoundOffset(verdict, *measured)


def mouth_signal(opening: Array, seen: Array, *, fps: float, num_rows: int) -> tuple[Array, Array]:
    """Return the band-passed opening and whether it is known, (num_rows,) each, at 100 values per second."""
    frames = np.arange(len(opening))
    filled = np.interp(frames, frames[seen], np.asarray(opening, np.float64)[seen])
    rows_s = (np.arange(num_rows) + 0.5) / ROWS_PER_S
    # A picture shows the middle of the time for which it stands.
    rows = np.interp(rows_s, (frames + 0.5) / fps, filled)
    known = seen[np.minimum((rows_s * fps).astype(int), len(seen) - 1)]
    return _band(rows), known


def sound_signal(log_mel: Array) -> Array:
    """Return (T,): how open a mouth the sound (T 80 log-mel rows) speaks of, band-passed."""
    groups = np.asarray(log_mel, np.float64).reshape(len(log_mel), len(BAND_WEIGHTS), -1).mean(axis=2)
    return _band(groups @ np.array(BAND_WEIGHTS))


def lagged_correlations(mouth: Array, sound: Array, known: Array, *, reach: int) -> Array:
    """Return the correlation of mouth[t + lag] with sound[t] for lags -reach … reach, known rows only."""
    count = len(mouth)
    curve = np.zeros(2 * reach + 1)
    for place, lag in enumerate(range(-reach, reach + 1)):
        ours, theirs = slice(max(lag, 0), count + min(lag, 0)), slice(max(-lag, 0), count - max(lag, 0))
        curve[place] = _correlation(mouth[ours], sound[theirs], known[ours])
    return curve


def _chance(mouth: Array, sound: Array, known: Array, *, lag: int) -> tuple[float, float]:
    """Return mean and deviation of the correlation with the sound turned round to impossible lags."""
    far = round(FAR_S * ROWS_PER_S)
    turns = range(lag + far, lag + len(sound) - far, 5)
    values = [_correlation(mouth, np.roll(sound, turn), known) for turn in turns]
    return float(np.mean(values)), float(np.std(values))


def _correlation(first: Array, second: Array, known: Array) -> float:
    first, second = first[known], second[known]
    if len(first) < ROWS_PER_S:
        return 0.0
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / norm if norm > 0 else 0.0


def _between(curve: Array, peak: int) -> float:
    """Return where, -0.5 to 0.5 rows from the peak, the parabola through it and its neighbours is highest."""
    if not 0 < peak < len(curve) - 1:
        return 0.0
    before, top, after = (float(value) for value in curve[peak - 1 : peak + 2])
    bend = before - 2 * top + after
    return 0.0 if bend >= 0 else 0.5 * (before - after) / bend


def _second_peak(curve: Array, peak: int) -> float:
    """Return the highest other local maximum; the lowest value where there is none."""
    inner = np.arange(1, len(curve) - 1)
    tops = inner[(curve[inner] >= curve[inner - 1]) & (curve[inner] >= curve[inner + 1])]
    others = [*tops[tops != peak], *({0, len(curve) - 1} - {peak})]
    return float(curve[[int(other) for other in others]].max()) if others else float(curve.min())


def _band(values: Array) -> Array:
    smooth = gaussian_filter1d(values, SMOOTH_S * ROWS_PER_S)
    band: Array = smooth - gaussian_filter1d(smooth, DRIFT_S * ROWS_PER_S, mode="nearest")
    return band


def _undecided(reason: str) -> SoundOffset:
    return SoundOffset(UNDECIDED, 0.0, reason=reason)
