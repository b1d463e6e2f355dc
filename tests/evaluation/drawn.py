"""Faces that move as told: tracks without any picture, and sounds that say something about them."""

from collections.abc import Iterable, Iterator

import numpy as np

from talkvid.evaluation.tracks import FaceTracks, Sighting, gather
from talkvid.records import Array, Face

EYE_DISTANCE = 100.0
RATE = 16000


class ToldYardstick:
    """Sees what it is told, picture by picture."""

    name = "told"

    def __init__(self, seen: list[Sighting | None], num_faces: int = 1) -> None:
        self.seen, self.num_faces = seen, num_faces

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        yield from zip(frames, self.seen, strict=True)

    def count(self, frame: Array) -> int:
        return self.num_faces


def lips_of(opening: float, width: float = 0.9) -> Array:
    """Return (40, 3) lip points: inner lips `opening` apart, corners `width` apart, in eye distances."""
    lips = np.zeros((40, 3))
    for ring, gap in ((slice(0, 20), opening + 0.3), (slice(20, 40), opening)):
        upper = np.linspace(-0.5, 0.5, 11) * width
        half = np.full(11, gap / 2)
        half[[0, -1]] = 0.0
        shape = np.concatenate(
            [
                np.stack([upper, -half, 0 * upper], axis=1),
                np.stack([upper[9:0:-1], half[9:0:-1], 0 * upper[9:0:-1]], axis=1),
            ]
        )
        lips[ring] = shape
    return lips * EYE_DISTANCE


def sighting(
    opening: float, *, width: float = 0.9, jaw: float = 0.0, at: tuple[float, float] = (200.0, 200.0)
) -> Sighting:
    """Return a frontal face whose mouth's centre is `at`, eyes 110 px above it and EYE_DISTANCE apart."""
    centre = np.array([*at, 0.0])
    eyes = centre + np.array([[-EYE_DISTANCE / 2, -110, 0], [EYE_DISTANCE / 2, -110, 0]])
    lips = lips_of(opening, width) + centre
    five = np.stack([*eyes, centre - [0, 50, 0], lips[0], lips[10]])[:, :2]
    box = np.array([at[0] - 90, at[1] - 150, at[0] + 90, at[1] + 60])
    face = Face(box=box, points=five, score=1.0, lips=lips[:, :2], pose=np.zeros(3))
    return Sighting(face=face, lips=lips, eyes=eyes, jaw_open=jaw)


def tracks_with(opening: Array, *, fps: float = 25.0, width: Array | None = None) -> FaceTracks:
    """Return tracks whose mouth opens as told (F,) in eye distances; NaN where no face is found."""
    widths = np.full(len(opening), 0.9) if width is None else width
    seen = [
        sighting(float(gap), width=float(wide), jaw=float(gap)) if np.isfinite(gap) else None
        for gap, wide in zip(opening, widths, strict=True)
    ]
    return gather(seen, fps=fps, size=(400, 400))


def babble(seconds: float, *, seed: int) -> tuple[Array, Array]:
    """Return a sound (N,) at 16 kHz whose loudness wanders, and that loudness at 100 values per second."""
    rng = np.random.default_rng(seed)
    knots = rng.uniform(0, 1, int(seconds * 5) + 2)
    loudness = np.interp(np.arange(int(seconds * 100)) / 100, np.arange(len(knots)) / 5, knots)
    samples = np.interp(
        np.arange(int(seconds * RATE)) / RATE, (np.arange(len(loudness)) + 0.5) / 100, loudness
    )
    sound = 0.3 * samples * rng.standard_normal(len(samples))
    return sound.astype(np.float32), loudness


def opening_from(loudness: Array, *, fps: float = 25.0, late_s: float = 0.0) -> Array:
    """Return openings (F,) that follow a loudness, `late_s` later."""
    count = int(len(loudness) / 100 * fps)
    middles = (np.arange(count) + 0.5) / fps - late_s
    opening: Array = 0.05 + 0.2 * np.interp(middles, (np.arange(len(loudness)) + 0.5) / 100, loudness)
    return opening
