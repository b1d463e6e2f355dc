"""How much a video changes from one picture to the next, beside how much the true one does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from talkvid.evaluation.facts import WHOLE, Facts, checked_frame, picture_size
from talkvid.evaluation.frame_pairs import FramePair
from talkvid.evaluation.lpips import Lpips
from talkvid.evaluation.pixel_metrics import DATA_RANGE, pixel_agreement
from talkvid.records import Array

VERSION = 1
STILL = 1e-9
"""A change below this, in either measure, is none: nothing is divided by it."""


@dataclass(frozen=True)
class TemporalChange:
    """Mean change between consecutive pictures of one video."""

    name: str
    mean: float
    """L1: mean absolute difference, 0 to 255; LPIPS: its distance."""
    num_steps: int
    """Pictures less one."""
    fps: float
    protocol: Facts


@dataclass(frozen=True)
class ChangeRatio:
    """The made video's change over the true one's; 1 means as lively, above 1 more restless."""

    made: TemporalChange
    truth: TemporalChange
    ratio: float | None
    """None when the true video stands still."""


def temporal_l1(frames: Iterable[Array], *, fps: float) -> TemporalChange:
    """Return the mean absolute difference (0 to 255) of consecutive RGB uint8 pictures (H W 3).

    ValueError for fewer than two pictures or pictures of different sizes.
    """
    steps = _Steps(frames)
    mean = pixel_agreement(steps).l1
    facts: Facts = {"version": VERSION, "data_range": DATA_RANGE, **steps.facts(fps)}
    return TemporalChange("temporal L1", mean, steps.count, fps, facts)


def temporal_lpips(frames: Iterable[Array], lpips: Lpips, *, fps: float) -> TemporalChange:
    """Return the mean LPIPS of consecutive RGB uint8 pictures (H W 3); ValueError as `temporal_l1`."""
    steps = _Steps(frames)
    mean = lpips.agreement(steps).mean
    facts = {**lpips.facts, **steps.facts(fps), "version": VERSION}
    return TemporalChange(f"temporal {lpips.name}", mean, steps.count, fps, facts)


def change_ratio(made: TemporalChange, truth: TemporalChange) -> ChangeRatio:
    """Return both changes and their ratio.

    ValueError when measure, frame rate or picture size differ: a step at 24 pictures per second is larger
    than one at 30, and a smaller picture changes more from pixel to pixel.
    """
    for what in ("name", "fps"):
        ours, theirs = getattr(made, what), getattr(truth, what)
        if ours != theirs:
            raise ValueError(f"the changes differ in {what}: {ours} and {theirs}; measure both alike")
    if made.protocol["size"] != truth.protocol["size"]:
        sizes = f"{made.protocol['size']} and {truth.protocol['size']}"
        raise ValueError(f"the changes differ in size: {sizes}; bring the videos to one size")
    return ChangeRatio(made, truth, made.mean / truth.mean if truth.mean > STILL else None)


class _Steps:
    """Consecutive pictures as pairs, counted while they go by."""

    def __init__(self, frames: Iterable[Array]) -> None:
        self._frames = frames
        self.count = 0
        self._size = ""

    def __iter__(self) -> Iterator[FramePair]:
        before: Array | None = None
        for frame in self._frames:
            size = picture_size(checked_frame(frame))
            if before is not None:
                if size != self._size:
                    raise ValueError(f"picture {self.count + 1} is {size}, those before are {self._size}")
                self.count += 1
                yield frame, before
            before, self._size = frame, size
        if not self.count:
            raise ValueError("change needs two pictures or more; this video has fewer")

    def facts(self, fps: float) -> Facts:
        """Return what was seen."""
        counts: Facts = {"frames": self.count + 1, "steps": self.count}
        return {"fps": fps, "crop": WHOLE, "size": self._size, **counts}
