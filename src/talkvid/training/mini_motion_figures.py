"""Figures of head motion and blinks: of real speakers, and of the model heard with the same sound."""

from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from talkvid.model.head_motion import POSE_NUMBERS, RATE_HZ, HeadMotion
from talkvid.records import Array
from talkvid.training.mini_motion_clips import MovingClip

BAND_FRAMES = (1.5, 8.0)
"""Head speed is looked at between these two smoothings."""
SPEED_SOFT = 5.0
SLOW_FRAMES = 12.0
BANDS_HZ = (0.2, 0.5, 1.0, 2.0, 4.0)


def log_speed(poses: Array) -> Array:
    """Return the smoothed logarithm of the speed (F,) of poses (F C) given in deviations."""
    slow, fast = (gaussian_filter1d(poses, width, axis=0) for width in reversed(BAND_FRAMES))
    speed = np.linalg.norm(np.gradient(fast - slow, axis=0), axis=1)
    smooth: Array = gaussian_filter1d(np.log(speed + 1e-4), SPEED_SOFT)
    return smooth


def blink_events(closure: Array, *, at_least: float) -> Array:
    """Return the frames (K,) at which the lids are furthest shut, one per blink."""
    peaks, _ = find_peaks(closure, height=at_least, prominence=0.8 * at_least, distance=4)
    found: Array = peaks
    return found


def band_shares(tracks: list[Array]) -> Array:
    """Return (bands, C): the mean share of each channel's speed power between the frequencies BANDS_HZ."""
    shares = []
    for track in tracks:
        speed = np.gradient(track, axis=0) * np.hanning(len(track))[:, None]
        power = np.abs(np.fft.rfft(speed, axis=0)) ** 2
        place = np.digitize(np.fft.rfftfreq(len(track), 1 / RATE_HZ), BANDS_HZ)
        bands = np.stack([power[place == band].sum(axis=0) for band in range(1, len(BANDS_HZ))])
        shares.append(bands / bands.sum(axis=0))
    mean: Array = np.mean(shares, axis=0)
    return mean


def speech_speed_ratio(clips: list[MovingClip], deviation: Array) -> float:
    """Return how many times faster the head is in speech than in the pauses of the same clips."""
    speeds, spoken = [], []
    for clip in clips:
        if clip.synced and clip.spoken.any():
            speed = log_speed(clip.poses / deviation)
            speeds.append(speed - speed.mean())
            spoken.append(clip.spoken)
    speed, heard = np.concatenate(speeds), np.concatenate(spoken)
    return float(np.exp(speed[heard].mean() - speed[~heard].mean())) if not heard.all() else float("nan")


def told_by_loudness(clips: list[MovingClip], held_out: list[MovingClip]) -> Array:
    """Return (C,): the share of the held-out persons' fast motion that loudness within 0.5 s explains.

    Least squares of poses, freed of what is slower than 1 s, on 13 moments of loudness; below 0: worse.
    """

    def pairs(some: list[MovingClip]) -> tuple[Array, Array]:
        heard, moved = [], []
        for clip in some:
            if clip.synced and clip.spoken.any():
                padded = np.pad(clip.loudness, 12, mode="edge")
                rows = np.stack(
                    [padded[step : step + len(clip.loudness)] for step in range(0, 25, 2)], axis=1
                )
                fast = clip.poses - gaussian_filter1d(clip.poses, SLOW_FRAMES, axis=0)
                heard.append(rows - rows.mean(axis=0))
                moved.append(fast - fast.mean(axis=0))
        return np.concatenate(heard), np.concatenate(moved)

    weights = np.linalg.lstsq(*pairs(clips), rcond=None)[0]
    heard, moved = pairs(held_out)
    explained: Array = 1 - ((moved - heard @ weights) ** 2).sum(axis=0) / (moved**2).sum(axis=0)
    return explained


def motion_figures(
    model: HeadMotion, clips: list[MovingClip], held_out: list[MovingClip], *, seed: int
) -> dict[str, Any]:
    """Return deviations, speeds and spectra of training persons, held-out persons and the model.

    The model makes one track for each held-out clip, as long as it and told when speech is, at amplitude 1.
    """
    scale = 1 / model.config.amplitude
    made, rates = [], []
    for index, clip in enumerate(held_out):
        frames = len(clip.poses)
        rows = torch.zeros(frames * 4, 1)
        poses = model.poses(rows, frames, fps=RATE_HZ, seed=seed + index, spoken=clip.spoken) * scale
        made.append(poses[round(RATE_HZ) :].astype(np.float64))
        minute = model.blinks(round(60 * RATE_HZ), fps=RATE_HZ, seed=seed + index)
        rates.append(len(blink_events(minute, at_least=0.35)))
    real = {"train": [clip.poses for clip in clips], "held_out": [clip.poses for clip in held_out]}
    figures: dict[str, Any] = {}
    for name, tracks in {**real, "model": made}.items():
        figures[name] = {
            "deviation": _rounded(np.median([track.std(axis=0) for track in tracks], axis=0)),
            "speed_per_s": _rounded(
                np.median([np.abs(np.diff(track, axis=0)).mean(axis=0) * RATE_HZ for track in tracks], axis=0)
            ),
            "band_shares": {
                f"{low:g}-{high:g} Hz": _rounded(row)
                for low, high, row in zip(BANDS_HZ, BANDS_HZ[1:], band_shares(tracks), strict=False)
            },
        }
    for name, some in (("train", clips), ("held_out", held_out)):
        counts = sum(len(blink_events(clip.closure, at_least=0.35)) for clip in some)
        figures[name]["blinks_per_minute"] = round(
            counts / sum(len(clip.closure) for clip in some) * 60 * RATE_HZ, 1
        )
        deviation = np.array(figures["train"]["deviation"])
        figures[name]["speech_speed_ratio"] = round(speech_speed_ratio(some, deviation), 3)
    figures["held_out"]["told_by_loudness"] = _rounded(told_by_loudness(clips, held_out))
    figures["model"]["blinks_per_minute"] = round(float(np.mean(rates)), 1)
    figures["model"]["liveliness"] = round(float(model.liveliness), 4)
    assert len(figures["model"]["deviation"]) == len(POSE_NUMBERS)
    return figures


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 4) for value in values]
