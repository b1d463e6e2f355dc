"""Training pairs of the embedded model's generator: a frame as portrait, others of its clip to be made."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkvid.face.lip_motion import FaceShape, mouth_opening
from talkvid.face.mouth_window import (
    MOUTH_SIZE,
    cut_mouth,
    draw_mouth,
    mouth_corner,
    mouth_mask,
    warp_window,
)
from talkvid.records import Array
from talkvid.speech.align import FrameAligner
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_data import PackedClip
from talkvid.training.mini_samples import as_signed, choose_clip, draw_jitter

# Deviation of the error put on the landmarks, in face sizes: those of a real run are not exact.
LANDMARK_ERROR = 0.005
CORNER_ERROR_PX = 3.0
CLOSED_SHARE = 0.5


@dataclass(frozen=True)
class PairBatch:
    """B portraits and F frames each; pictures are mouth squares (S = MOUTH_SIZE)."""

    reference: Tensor
    """(B 3 S S) in [-1, 1]: the portrait's mouth as it is."""
    warped: Tensor
    """(B F 3 S S) in [-1, 1]: the portrait's mouth warped to the frame."""
    target: Tensor
    """(B F 3 S S) in [-1, 1]: the real frame."""
    drawing: Tensor
    """(B 3 F S S) in [0, 1]"""
    mask: Tensor
    """(B F 1 S S) in [0, 1]: where the network's picture counts."""
    audio: Tensor
    """(B F W D) log-mel windows."""

    def to(self, device: torch.device) -> "PairBatch":
        """Return the batch on another device."""
        return PairBatch(**{name: value.to(device, non_blocking=True) for name, value in vars(self).items()})


def closed_frames(clip: PackedClip) -> Array:
    """Return the usable frames (K,) of the clip whose mouth is among the least open third."""
    opening = np.array([mouth_opening(clip.shape(int(index)).lips) for index in clip.usable])
    closed: Array = clip.usable[opening <= np.percentile(opening, 33)]
    return closed


class PairSampler:
    """Draws batches from packed clips."""

    def __init__(self, clips: list[PackedClip], *, num_pad: int = 2) -> None:
        self.clips = clips
        encoder = LogMelEncoder()
        self._closed = {clip.source.id: closed_frames(clip) for clip in clips}
        self.aligners = {
            clip.source.id: FrameAligner(encoder.encode(clip.audio), len(clip), num_pad=num_pad)
            for clip in clips
        }

    def batch(
        self, num_portraits: int, num_frames: int, random: np.random.Generator, *, strength: float = 1.0
    ) -> PairBatch:
        """Return a random batch; `strength` scales the augmentation."""
        rows = [
            self._row(choose_clip(self.clips, random), num_frames, random, strength)
            for _ in range(num_portraits)
        ]
        return _stack(rows)

    def in_order(self, clip: PackedClip, frames: Array) -> PairBatch:
        """Return the first usable frame of `clip` as portrait and `frames` (K,) to be made, as they are."""
        portrait = int(clip.usable[0])
        return _stack([self._make(clip, portrait, frames, np.random.default_rng(0), strength=0.0)])

    def _row(
        self, clip: PackedClip, num_frames: int, random: np.random.Generator, strength: float
    ) -> dict[str, Array]:
        frames = random.choice(clip.usable, num_frames, replace=len(clip.usable) < num_frames)
        # A portrait's lips are mostly closed, so half of the time it comes from the more closed frames.
        sources = self._closed[clip.source.id] if random.random() < CLOSED_SHARE else clip.usable
        return self._make(clip, int(random.choice(sources)), frames, random, strength=strength)

    def _make(
        self, clip: PackedClip, portrait: int, frames: Array, random: np.random.Generator, *, strength: float
    ) -> dict[str, Array]:
        jitter = draw_jitter(random, strength)
        source = jitter.shape(clip.shape(portrait))
        window = jitter.window(clip.picture(portrait), clip.frames[portrait])
        off_place = random.normal(0, CORNER_ERROR_PX * strength, 2) if strength else np.zeros(2)
        made = list(self._frames(clip, frames, jitter, source, window, random, strength, off_place))
        return {
            "reference": cut_mouth(window, _moved(mouth_corner(source), off_place)),
            "audio": self.aligners[clip.source.id].windows_at(torch.as_tensor(np.asarray(frames))).numpy(),
            **{
                name: np.stack([one[name] for one in made])
                for name in ("warped", "target", "drawing", "mask")
            },
        }

    def _frames(
        self,
        clip: PackedClip,
        frames: Array,
        jitter: object,
        source: FaceShape,
        window: Array,
        random: np.random.Generator,
        strength: float,
        off_place: Array,
    ) -> Iterator[dict[str, Array]]:
        """Yield warped portrait, real frame, drawing and mask of each frame."""
        known_source = _with_error(source, random, strength)
        for frame in frames:
            exact = jitter.shape(clip.shape(int(frame)))  # type: ignore[attr-defined]
            target = _with_error(exact, random, strength)
            corner = _moved(mouth_corner(target), off_place)
            real = jitter.window(clip.picture(int(frame)), clip.frames[int(frame)])  # type: ignore[attr-defined]
            yield {
                "warped": cut_mouth(warp_window(window, known_source, target), corner),
                "target": cut_mouth(real, corner),
                "drawing": cut_mouth(draw_mouth(target), corner),
                "mask": cut_mouth(mouth_mask(source, target), corner),
            }


def _with_error(shape: FaceShape, random: np.random.Generator, strength: float) -> FaceShape:
    """Return the landmarks with a small error, part of it common to all lip points."""
    if not strength:
        return shape
    common = random.normal(0, LANDMARK_ERROR, 2)
    lips = shape.lips + common + random.normal(0, LANDMARK_ERROR / 2, shape.lips.shape)
    return FaceShape(shape.frame, lips, shape.contour)


def _moved(corner: tuple[int, int], off_place: Array) -> tuple[int, int]:
    left, top = (
        int(np.clip(round(place + off), 0, 160 - MOUTH_SIZE))
        for place, off in zip(corner, off_place, strict=True)
    )
    return left, top


def _stack(rows: list[dict[str, Array]]) -> PairBatch:
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    drawing = np.moveaxis(stacked["drawing"], -1, 1).astype(np.float32) / 255  # B 3 F S S
    return PairBatch(
        reference=torch.from_numpy(as_signed(stacked["reference"])),
        warped=torch.from_numpy(as_signed(stacked["warped"])),
        target=torch.from_numpy(as_signed(stacked["target"])),
        drawing=torch.from_numpy(np.ascontiguousarray(drawing)),
        mask=torch.from_numpy(stacked["mask"][:, :, None].astype(np.float32)),
        audio=torch.from_numpy(stacked["audio"]),
    )
