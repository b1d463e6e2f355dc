"""Fits the embedded model's head motion and blinks to the training persons: seconds, no gradient.

python -m talkvid.training.mini_motion --config src/configs/mini/head_motion.yaml media=… data=…
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.optimize import least_squares

from talkvid import log
from talkvid.face.head_warp import head_depth
from talkvid.files import atomic_path
from talkvid.model.head_motion import POSE_NUMBERS, RATE_HZ, HeadMotion, HeadMotionConfig
from talkvid.records import Array
from talkvid.training.mini_command import read_command
from talkvid.training.mini_data import load_clips
from talkvid.training.mini_motion_clips import MovingClip, moving_clip
from talkvid.training.mini_motion_figures import blink_events, log_speed, motion_figures

logger = logging.getLogger("talkvid.training.mini_motion")

NAME = "head_motion"
FASTEST_HZ = (4.0, 7.0)
"""The spectrum is let die away between these: above them the teacher's noise is larger than the motion."""
FULL_BLINK = 0.6
"""A dip of the eye's opening at least this deep counts as a whole blink; the teacher never sees 1."""
PARTIAL_BLINK = 0.35


@dataclass(frozen=True)
class MotionTraining:
    """Everything `mini_motion` can be told."""

    media: str = "media"
    data: str = "exp/talkvid-mini/data"
    out: str = "exp/talkvid-mini"
    seed: int = 42
    """Seed of the motion that is compared with the held-out persons'."""
    model: HeadMotionConfig = field(default_factory=HeadMotionConfig)


def usable_clips(media: Path, data: Path, split: str) -> list[MovingClip]:
    """Return the real clips of `split` with a face in nearly every picture; made-up clips teach no motion."""
    clips = [
        moving_clip(clip)
        for clip in load_clips(media, data, split)
        if clip.source.path.parent.name != "generated"
    ]
    usable = [clip for clip in clips if clip is not None]
    if not usable:
        raise ValueError(f"{data}: no real {split} clip of 2 s or more shows its face throughout; add some")
    return usable


def fit(model: HeadMotion, clips: list[MovingClip]) -> None:
    """Set every buffer of `model` from the training `clips`."""
    deviations = np.stack([clip.poses.std(axis=0) for clip in clips])
    deviation = np.median(deviations, axis=0)
    kernel = noise_filter([clip.poses / deviation for clip in clips], model.config.taps)
    _set(model.deviation, deviation)
    _set(model.kernel, kernel)
    _set(model.liveliness, np.array([liveliness(clips, deviation)]))
    _set(model.depth, fit_depth(clips))
    curve, timing = fit_blinks(clips, model.config.curve_samples)
    _set(model.blink_curve, curve)
    _set(model.blink_timing, timing)


def noise_filter(tracks: Sequence[Array], taps: int) -> Array:
    """Return the filter (taps C C) that gives white noise the mean spectrum of `tracks`, (F C) each.

    Welch spectra of windows of `taps` moments, every clip scaled to the same power so that a wild speaker
    counts no more than a calm one; the filter is the Hermitian root of the spectrum, without delay, and
    gives every channel the deviation 1.
    """
    channels = tracks[0].shape[1]
    total = np.zeros((taps // 2 + 1, channels, channels), np.complex128)
    for track in tracks:
        spectrum = _spectrum(track, taps)
        total += spectrum / np.trace(spectrum.sum(axis=0)).real
    frequency = np.fft.rfftfreq(taps, 1 / RATE_HZ)
    low, high = FASTEST_HZ
    share = np.clip((high - frequency) / (high - low), 0, 1)
    total[0] = total[1].real
    total *= (share**2)[:, None, None]
    values, vectors = np.linalg.eigh(total)
    root = (vectors * np.sqrt(values.clip(0))[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
    kernel = np.roll(np.fft.irfft(root, taps, axis=0), taps // 2, axis=0)
    edge = np.hanning(taps + 1)[:taps] ** 0.25
    kernel = kernel * edge[:, None, None]
    power = np.sqrt((kernel**2).sum(axis=(0, 2)))
    scaled: Array = kernel / power[None, :, None]
    return scaled


def _spectrum(track: Array, taps: int) -> Array:
    """Return the cross spectrum (taps / 2 + 1, C, C) of a track (F C)."""
    window = np.hanning(taps)[:, None]
    track = track - track.mean(axis=0)
    if len(track) < taps:
        track = np.pad(track, ((0, taps - len(track)), (0, 0)))
    starts = range(0, len(track) - taps + 1, taps // 2)
    pieces = [np.fft.rfft(track[start : start + taps] * window, axis=0) for start in starts]
    spectrum: Array = np.mean([np.einsum("fa,fb->fab", piece, piece.conj()) for piece in pieces], axis=0)
    return spectrum


def liveliness(clips: list[MovingClip], deviation: Array) -> float:
    """Return by how much the logarithm of the head's speed grows per deviation of loudness, within clips."""
    heard, moved = [], []
    for clip in clips:
        if not clip.synced or clip.spoken.sum() < RATE_HZ:
            continue
        speed = log_speed(clip.poses / deviation)[clip.spoken]
        loud = clip.loudness[clip.spoken]
        heard.append(loud - loud.mean())
        moved.append(speed - speed.mean())
    first, second = np.concatenate(heard), np.concatenate(moved)
    return float((first * second).sum() / (first**2).sum())


def fit_depth(clips: list[MovingClip]) -> Array:
    """Return the numbers (8,) of `head_depth`: how landmarks move against each other when the head turns.

    Least squares of each landmark's way on yaw and pitch within clips gives its depth; the hills are
    fitted to these. The outline slides over the skin when the head turns sideways, so it counts from pitch.
    """
    turns = np.concatenate([clip.poses[:, 4:] - clip.poses[:, 4:].mean(axis=0) for clip in clips])
    ways = np.concatenate([clip.shapes - clip.shapes.mean(axis=0) for clip in clips])
    effect = np.linalg.lstsq(turns, ways.reshape(len(ways), -1), rcond=None)[0].reshape(2, -1, 2)
    mean = np.mean([clip.shapes.mean(axis=0) for clip in clips], axis=0)
    depth = (effect[0, :, 0] - effect[1, :, 1]) / 2
    outline = slice(40, 76)
    depth[outline] = -effect[1, outline, 1]
    start = np.array([-1.5, 1.5, 0.5, 1.2, 1.5, 0.4, 0.65, 0.3])
    low = [-3, 0, -0.5, 0.7, 0.9, 0, 0.4, 0.2]
    high = [0, 4, 1.2, 2.5, 3.0, 1.0, 0.9, 0.5]
    found = least_squares(
        lambda numbers: head_depth(mean, numbers) - depth, start, bounds=(low, high), loss="soft_l1"
    )
    logger.info(
        "depth of landmarks: deviation %.3f, left over %.3f face sizes", depth.std(), np.std(found.fun)
    )
    fitted: Array = found.x
    return fitted


def fit_blinks(clips: list[MovingClip], samples: int) -> tuple[Array, Array]:
    """Return the closure over time (samples,) and the timing (5,), buffers of `HeadMotion`.

    The times between whole blinks have the median rate of the persons; their spread is that of all.
    """
    events = {clip.name: blink_events(clip.closure, at_least=PARTIAL_BLINK) for clip in clips}
    before = samples * 2 // 5
    curves: list[Array] = []
    between: list[float] = []
    depths: list[float] = []
    rates: dict[str, list[float]] = {}
    for clip in clips:
        peaks = events[clip.name]
        depth = clip.closure[peaks]
        depths.extend(depth)
        whole = peaks[depth >= FULL_BLINK]
        between.extend(np.diff(peaks) / RATE_HZ)
        person = rates.setdefault(clip.person, [0.0, 0.0])
        person[0] += len(peaks)
        person[1] += len(clip.closure) / RATE_HZ
        curves += [
            clip.closure[peak - before : peak - before + samples] / clip.closure[peak]
            for peak in whole
            if before <= peak < len(clip.closure) - samples + before
        ]
    if not curves or len(between) < 2:
        raise ValueError("the training clips hold too few blinks to tell how people blink; add clips")
    curve = np.median(curves, axis=0)
    curve = np.clip((curve - curve[:3].mean()) / (1 - curve[:3].mean()), 0, 1)
    curve[:3] = 0.0
    curve[-6:] *= np.linspace(1, 0, 6)
    rate = float(np.median([count / seconds for count, seconds in rates.values()]))
    spread = float(np.std(np.log(between)))
    partial = float((np.array(depths) < FULL_BLINK).mean())
    logger.info("%d blinks, median person %.1f a minute, partial %.2f", len(depths), 60 * rate, partial)
    mean = float(-np.log(rate) - spread**2 / 2)
    return curve, np.array([mean, spread, float(np.percentile(between, 2)), partial, 0.15])


def _set(buffer: torch.Tensor, values: Array) -> None:
    buffer.copy_(torch.as_tensor(np.asarray(values, np.float32)))


def main() -> None:
    """Fit from the command line; figures of the held-out persons beside the model's own go to the log."""
    config = read_command(MotionTraining)
    log.configure()
    media, data = Path(config.media), Path(config.data)
    clips, held_out = (usable_clips(media, data, split) for split in ("train", "val"))
    logger.info("%d training clips (%.0f s), %d held-out clips (%.0f s)", len(clips),
                sum(len(clip.poses) for clip in clips) / RATE_HZ, len(held_out),
                sum(len(clip.poses) for clip in held_out) / RATE_HZ)  # fmt: skip
    model = HeadMotion(config.model)
    fit(model, clips)
    figures = motion_figures(model, clips, held_out, seed=config.seed)
    folder = Path(config.out) / NAME
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / f"{NAME}.safetensors") as temporary:
        save_file(dict(model.state_dict()), temporary)
    with atomic_path(folder / "figures.json") as temporary:
        temporary.write_text(json.dumps({"pose": POSE_NUMBERS, **figures}, indent=1) + "\n", encoding="utf-8")
    for name, row in figures.items():
        logger.info("%s: %s", name, row)


if __name__ == "__main__":
    main()
