"""How SyncNet's numbers are got: the choices, and the facts that stand beside every number."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from talkvid.evaluation.facts import Fact
from talkvid.evaluation.mfcc import RATE_HZ
from talkvid.evaluation.sync_crop import CROP_SCALE, MEDIAN_FRAMES, PADDING
from talkvid.evaluation.sync_distance import REACH_FRAMES, WINDOW_FRAMES
from talkvid.evaluation.sync_report import COMBINATION
from talkvid.evaluation.sync_tracks import Tracking, TrackRules
from talkvid.evaluation.syncnet import SyncEncoder
from talkvid.evaluation.syncnet_network import PICTURE_SIDE
from talkvid.records import Array

VERSION = 1
"""Raised with every change that alters numbers."""
FPS = 25
CROPS = ("whole_frame", "tracked")


@dataclass(frozen=True)
class SyncSettings:
    """How a video is looked at."""

    crop: Literal["whole_frame", "tracked"]
    reach_frames: int = REACH_FRAMES
    """Shifts looked at to both sides."""
    legacy_jpeg: bool = False
    """Whether the pictures pass through JPEG first, as the published scripts write them."""
    rules: TrackRules = field(default_factory=TrackRules)
    crop_scale: float = CROP_SCALE
    cuts: Literal["content", "none"] = "content"
    """Whether tracks end at cuts, found by PySceneDetect's content detector (extra `eval`)."""

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise ValueError(f"crop {self.crop!r} is unknown; choose {' or '.join(CROPS)}")
        if self.reach_frames < 1 or self.crop_scale < 0:
            raise ValueError(
                f"reach_frames must be at least 1 and crop_scale at least 0, got {self.reach_frames} and "
                f"{self.crop_scale:g}"
            )
        least = self.reach_frames + WINDOW_FRAMES
        if self.crop == "tracked" and self.rules.min_track < least:
            raise ValueError(
                f"min_track is {self.rules.min_track}, but tracks of fewer than {least + 1} frames cannot be "
                f"scored at shifts of {self.reach_frames}; give at least {least}"
            )


def settings_facts(settings: SyncSettings, encoder: SyncEncoder) -> dict[str, Fact]:
    """Return what was chosen and with which network."""
    facts: dict[str, Fact] = {
        "version": VERSION,
        "network": encoder.name,
        "network_sha256": encoder.sha256,
        "published_weights": encoder.published,
        "crop": settings.crop,
        "fps": FPS,
        "frame_rule": "nearest in time",
        "size": f"{PICTURE_SIDE}x{PICTURE_SIDE}, bilinear",
        "sample_rate": RATE_HZ,
        "sound_rule": "mono, 16 bits",
        "reach_frames": settings.reach_frames,
        "outside_the_clip": "zero features",
        "legacy_jpeg": settings.legacy_jpeg,
    }
    if settings.crop == "tracked":
        facts |= {name: value for name, value in asdict(settings.rules).items()}
        facts |= {"crop_scale": settings.crop_scale, "median_frames": MEDIAN_FRAMES, "padding": PADDING}
        facts |= {"cuts": settings.cuts, "combination": COMBINATION}
    return facts


def tracking_facts(
    detector_name: str, boxes: Sequence[Array], num_shots: int, tracking: Tracking
) -> dict[str, Fact]:
    """Return who found the faces, and how many frames and tracks there are."""
    return {
        "detector": f"{detector_name} (the published pipeline uses S3FD)",
        "frames_without_face": sum(len(found) == 0 for found in boxes),
        "shots": num_shots,
        "tracks_too_short": tracking.num_short,
        "tracks_too_small": tracking.num_small,
    }
