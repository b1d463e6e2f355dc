"""How a talking head moves by itself and when it blinks: noise shaped like the motion of real speakers."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talkvid.records import FeatureRows

# F frames of the video  G moments at RATE_HZ  C = 6 numbers of a pose  T feature rows at 100 Hz

POSE_NUMBERS = ("across", "down", "log_scale", "roll", "yaw", "pitch")
"""Shift of the face to the image's right and downwards in face sizes, logarithm of its size, angles in
radians with the signs of `records.Face.pose`."""
RATE_HZ = 25.0
ROWS_PER_S = 100.0
ROWS_AT_ONCE = 1024
GATE_SOFT_S = 0.25
"""How softly the head comes to rest where speech ends."""
LOUDNESS_SOFT_S = 0.08
LOUDNESS_LIMIT = 2.0
FIRST_BLINK_S, LAST_BLINK_S = 0.6, 0.4
"""No blink this near to the first or before the last frame: a video begins and ends with open eyes."""
PARTIAL_DEPTH = (0.45, 0.85)
"""How far the lids come down in partial blinks."""
HEAD_STREAM, BLINK_STREAM = 1, 2
"""Numbers that part the random numbers of one seed."""


@dataclass(frozen=True)
class HeadMotionConfig:
    """Sizes of a `HeadMotion` and how its motion is shaped when a video is made."""

    taps: int = 128
    curve_samples: int = 20
    depth_numbers: int = 8
    amplitude: float = 0.5
    """Factor on the motion of the median speaker: a warped picture shows less than a camera does."""
    silence: float = 0.45
    """Amplitude of the motion's causes in silence, as a part of that in speech."""
    start_s: float = 1.0
    """The head leaves the portrait's own pose within this time."""
    limit: float = 2.2
    """Poses further out than this, in deviations, are softly held back."""

    def __post_init__(self) -> None:
        if self.taps % 2:
            raise ValueError(f"head motion: taps must be even, got {self.taps}")


class HeadMotion(nn.Module):
    """A linear Gaussian model of head poses and a renewal process of blinks; `mini_motion` fits both.

    Poses are white noise per moment, louder where speech is loud, through a fixed filter whose spectrum
    is that of real speakers. A moment's noise depends on the seed and its number alone.
    """

    def __init__(self, config: HeadMotionConfig | None = None) -> None:
        super().__init__()
        self.config = size = config or HeadMotionConfig()
        channels = len(POSE_NUMBERS)
        self.kernel: Tensor
        self.deviation: Tensor
        self.liveliness: Tensor
        self.depth: Tensor
        self.blink_curve: Tensor
        self.blink_timing: Tensor
        # Filter from noise to poses of unit deviation, and the deviations of the median speaker.
        self.register_buffer("kernel", torch.zeros(size.taps, channels, channels))
        self.register_buffer("deviation", torch.zeros(channels))
        # Logarithm of the motion's amplitude per deviation of loudness.
        self.register_buffer("liveliness", torch.zeros(1))
        # Numbers of `face.head_warp.head_depth`.
        self.register_buffer("depth", torch.zeros(size.depth_numbers))
        # Closure over time at RATE_HZ, 1 when the lids are shut; mean and deviation of the logarithm of the
        # time from blink to blink (s), its least, the share of partial blinks, deviation of log duration.
        self.register_buffer("blink_curve", torch.zeros(size.curve_samples))
        self.register_buffer("blink_timing", torch.zeros(5))

    def poses(
        self,
        features: FeatureRows,
        num_frames: int,
        *,
        fps: float,
        seed: int,
        spoken: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return poses (F C) float32, numbers of POSE_NUMBERS relative to the portrait's; the first is zero.

        `features` (T D) are log-mel rows of the whole sound, `spoken` (F,) bool says where speech is.
        """
        size = self.config
        moments = int(np.ceil(num_frames / fps * RATE_HZ)) + 2
        random = np.random.default_rng([seed % 2**63, HEAD_STREAM])
        noise = random.standard_normal((moments + size.taps, len(POSE_NUMBERS)))
        gain = self._gain(features, moments, fps, spoken)
        half = size.taps // 2
        noise = noise * np.pad(gain, (half, half), mode="edge")[:, None]
        kernel = self.kernel.double().numpy()
        motion = sum(noise[size.taps - tap :][:moments] @ kernel[tap].T for tap in range(size.taps))
        motion = size.limit * np.tanh(motion / size.limit) * self.deviation.double().numpy() * size.amplitude
        motion = motion * _rise(np.arange(moments) / RATE_HZ / size.start_s)[:, None]
        times = np.arange(num_frames) * (RATE_HZ / fps)
        grid = np.arange(moments)
        return np.stack([np.interp(times, grid, column) for column in motion.T], axis=1).astype(np.float32)

    def blinks(self, num_frames: int, *, fps: float, seed: int) -> np.ndarray:
        """Return how far the lids are shut in each frame, (F,) float32 from 0 to 1; 0 at both ends."""
        mean, spread, least, partial, stretch = self.blink_timing.double().tolist()
        random = np.random.default_rng([seed % 2**63, BLINK_STREAM])
        curve = self.blink_curve.double().numpy()
        peak = int(curve.argmax())
        times = np.arange(num_frames) / fps
        closure = np.zeros(num_frames)
        moment = FIRST_BLINK_S + np.exp(random.normal(mean, spread)) * random.random()
        while moment < times[-1] + 1.0:
            depth = random.uniform(*PARTIAL_DEPTH) if random.random() < partial else 1.0
            slow = np.exp(random.normal(0, stretch))
            place = (times - moment) * RATE_HZ / slow + peak
            if times[-1] > moment + LAST_BLINK_S:
                blink = depth * np.interp(place, np.arange(len(curve)), curve, 0.0, 0.0)
                closure = np.maximum(closure, blink)
            moment += max(least, np.exp(random.normal(mean, spread)))
        return closure.astype(np.float32)

    def to_config(self) -> dict[str, Any]:
        """Return the sizes as plain values for `config.json`."""
        return asdict(self.config)

    def _gain(self, features: FeatureRows, moments: int, fps: float, spoken: np.ndarray | None) -> np.ndarray:
        """Return the amplitude (G,) of the noise: 1 in speech of usual loudness."""
        times = np.arange(moments) / RATE_HZ
        loudness = smooth_loudness(features)[
            np.clip(np.rint(times * ROWS_PER_S).astype(int), 0, len(features) - 1)
        ]
        if spoken is None:
            gate = np.ones(moments)
        else:
            gate = spoken[np.clip(np.rint(times * fps).astype(int), 0, len(spoken) - 1)].astype(float)
        usual = standard_loudness(loudness, gate > 0.5)
        gate = smoothed(gate, GATE_SOFT_S * RATE_HZ)
        lively: np.ndarray = np.exp(float(self.liveliness) * usual * gate)
        return lively * (self.config.silence + (1 - self.config.silence) * gate)


def smooth_loudness(features: FeatureRows) -> np.ndarray:
    """Return the mean of log-mel rows (T D), smoothed over time, (T,) float64; rows are read in blocks."""
    means = np.empty(len(features))
    for first in range(0, len(features), ROWS_AT_ONCE):
        means[first : first + ROWS_AT_ONCE] = features[first : first + ROWS_AT_ONCE].double().mean(dim=1)
    return smoothed(means, LOUDNESS_SOFT_S * ROWS_PER_S)


def smoothed(values: np.ndarray, deviation: float) -> np.ndarray:
    """Return values (N,) under a Gaussian of this deviation, cut at four of them; the ends are held."""
    reach = int(4 * deviation + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    softened: np.ndarray = np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), "valid")
    return softened


def standard_loudness(loudness: np.ndarray, spoken: np.ndarray) -> np.ndarray:
    """Return loudness (G,) in deviations from its mean in speech, within LOUDNESS_LIMIT; 0 without speech."""
    if spoken.sum() < 2:
        return np.zeros(len(loudness))
    heard = loudness[spoken]
    usual: np.ndarray = (loudness - heard.mean()) / max(float(heard.std()), 0.2)
    return usual.clip(-LOUDNESS_LIMIT, LOUDNESS_LIMIT)


def _rise(share: np.ndarray) -> np.ndarray:
    share = share.clip(0, 1)
    risen: np.ndarray = share * share * (3 - 2 * share)
    return risen
