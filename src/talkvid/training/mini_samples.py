"""Training samples of the embedded model, drawn at random from packed clips: windows, pairs, augmentation."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from talkvid.face.layout import mirrored_contour, mirrored_lips
from talkvid.face.lip_motion import FaceFrame, FaceShape
from talkvid.face.mouth_window import WINDOW_SIZE, cut_window
from talkvid.records import Array
from talkvid.training.mini_data import PackedClip


@dataclass(frozen=True)
class Jitter:
    """One random change of framing and colour, the same for all pictures of a sample."""

    shift: Array
    scale: float
    turn_deg: float
    flip: bool
    gain: Array
    gamma: float

    def frame(self, frame: FaceFrame) -> FaceFrame:
        """Return the face frame moved, so that the window shows the face off its usual place."""
        angle = np.deg2rad(self.turn_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        origin = frame.to_picture(self.shift)
        return FaceFrame(origin=origin, axis=frame.axis @ turn, size=frame.size * self.scale)

    def window(self, picture: Array, frame: FaceFrame) -> Array:
        """Return the changed window (S S 3) uint8 of `picture`."""
        window = cut_window(picture, self.frame(frame))
        if self.flip:
            window = window[:, ::-1]
        table = 255 * np.clip(np.linspace(0, 1, 256)[:, None] * self.gain, 0, 1) ** self.gamma
        return cv2.LUT(np.ascontiguousarray(window), np.rint(table).astype(np.uint8)[:, None, :])

    def shape(self, shape: FaceShape) -> FaceShape:
        """Return the landmarks as they lie in the changed window (face frame of that window)."""
        frame = self.frame(shape.frame)
        lips = frame.to_face(shape.frame.to_picture(shape.lips))
        contour = frame.to_face(shape.frame.to_picture(shape.contour))
        if self.flip:
            mirror = np.array([-1.0, 1.0])
            lips, contour = lips[mirrored_lips()] * mirror, contour[mirrored_contour()] * mirror
        return replace(shape, frame=frame, lips=lips, contour=contour)


def draw_jitter(random: np.random.Generator, strength: float = 1.0) -> Jitter:
    """Return a random jitter; `strength` 0 gives the plain window, 1 the usual spread."""
    if strength == 0:
        return Jitter(np.zeros(2), 1.0, 0.0, False, np.ones(3), 1.0)
    return Jitter(
        shift=random.normal(0, 0.04 * strength, 2),
        scale=float(np.exp(random.normal(0, 0.06 * strength))),
        turn_deg=float(random.normal(0, 4 * strength)),
        flip=bool(random.random() < 0.5),
        gain=np.clip(1 + random.normal(0, 0.08) + random.normal(0, 0.03, 3), 0.6, 1.3),
        gamma=float(np.exp(random.normal(0, 0.1))),
    )


def choose_clip(clips: list[PackedClip], random: np.random.Generator) -> PackedClip:
    """Return a random clip; a long one comes more often, but less than its length."""
    weights = np.sqrt([len(clip.usable) for clip in clips])
    return clips[int(random.choice(len(clips), p=weights / weights.sum()))]


def as_signed(windows: Array) -> Array:
    """Return pictures (… H W 3) uint8 as (… 3 H W) float32 in [-1, 1]."""
    return np.moveaxis(windows, -1, -3).astype(np.float32) / 127.5 - 1


def window_batch(
    clips: list[PackedClip], count: int, random: np.random.Generator, *, strength: float = 2.0
) -> tuple[Array, list[FaceShape]]:
    """Return `count` windows (B S S 3) uint8 of random pictures and their landmarks."""
    windows, shapes = np.empty((count, WINDOW_SIZE, WINDOW_SIZE, 3), np.uint8), []
    for row in range(count):
        clip = choose_clip(clips, random)
        index = int(random.choice(clip.usable))
        jitter = draw_jitter(random, strength)
        windows[row] = jitter.window(clip.picture(index), clip.frames[index])
        shapes.append(jitter.shape(clip.shape(index)))
    return windows, shapes
