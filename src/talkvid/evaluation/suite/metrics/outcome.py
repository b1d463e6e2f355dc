"""What metrics have in common: numbers that are finite or absent with a note, and the usual facts."""

import math
from collections.abc import Mapping, Sequence

from talkvid.evaluation.facts import WHOLE, Fact, Facts
from talkvid.evaluation.frechet import FrechetDistance
from talkvid.evaluation.suite.metric import ClipView, Column, Distance, Measured
from talkvid.evaluation.tracks import FaceTracks
from talkvid.evaluation.video_look import VideoLook
from talkvid.media.video import VideoInfo

RESIZING = "made pictures brought to the true ones' size: area when shrinking, cubic otherwise"
PAIRING = "beside made picture k the true one shown at its middle"


def outcome(
    values: Mapping[str, float | None],
    *,
    facts: Facts,
    notes: Sequence[str] = (),
    absent: Mapping[str, str] | None = None,
) -> Measured:
    """Return the values, those that are not finite as None, each with the reason that `absent` has for it."""
    reasons = absent or {}
    kept: dict[str, float | None] = {}
    told = list(notes)
    for key, value in values.items():
        finite = value is not None and math.isfinite(value)
        kept[key] = float(value) if finite and value is not None else None
        if not finite:
            told.append(f"no {key}: {reasons.get(key, 'not a finite number')}")
    return Measured(kept, facts, tuple(told))


def size_of(info: VideoInfo) -> str:
    """Return "<width>x<height>"."""
    return f"{info.width}x{info.height}"


def true_video(view: ClipView) -> VideoInfo:
    """Return what the true video states; ValueError without one."""
    if view.reference is None:
        raise ValueError(f"{view.pair.id}: has no true video; give one with --reference")
    return view.reference


def pair_facts(view: ClipView) -> dict[str, Fact]:
    """Return rates, sizes and alignment of the made and the true video; ValueError without a true one."""
    truth = true_video(view)
    same = (view.made.width, view.made.height) == (truth.width, truth.height)
    return {
        "fps": view.made.fps,
        "true_fps": truth.fps,
        "made_size": size_of(view.made),
        "true_size": size_of(truth),
        "resize": "none, sizes are equal" if same else RESIZING,
        "pairing": PAIRING,
        "crop": WHOLE,
    }


def look_facts(view: ClipView, made: VideoLook, truth: VideoLook | None = None) -> dict[str, Fact]:
    """Return who looked, at how many pictures of which size and rate, and in how many there was no face."""
    facts: dict[str, Fact] = {
        "yardstick": view.yardstick_name,
        "fps": made.tracks.fps,
        "size": _size(made.tracks),
        "frames": len(made.tracks),
        "faceless": faceless(made.tracks),
        "crop": "the face that the yardstick follows",
    }
    if truth is not None:
        facts |= {
            "true_fps": truth.tracks.fps,
            "true_size": _size(truth.tracks),
            "true_frames": len(truth.tracks),
            "true_faceless": faceless(truth.tracks),
        }
    return facts


def portrait_origin(view: ClipView) -> str:
    """Return which picture stands for the portrait."""
    if view.pair.portrait is not None:
        return "given"
    whose = "made video's own" if view.pair.reference is None else "true video's"
    return f"the {whose} first picture"


def finite_distance(column: Column, found: FrechetDistance, facts: Facts) -> Distance:
    """Return a distance of two sets, with a note when there were too few samples for it."""
    notes = []
    if found.rank_deficient:
        notes.append(
            f"{found.num_made} made and {found.num_truth} true samples are fewer than the {found.dims + 1} "
            "that a covariance needs: much too large, and comparable with nothing"
        )
    known = math.isfinite(found.distance)
    return Distance({column.key: found.distance if known else None}, facts, tuple(notes))


def _size(tracks: FaceTracks) -> str:
    return f"{tracks.size[0]}x{tracks.size[1]}"


def faceless(tracks: FaceTracks) -> int:
    """Return in how many pictures no face was found."""
    return int((~tracks.found).sum())


def require_face(tracks: FaceTracks, what: str) -> None:
    """Raise ValueError with the count when no picture of the `what` video shows a face."""
    if not tracks.found.any():
        raise ValueError(f"no face is found in any of the {len(tracks)} pictures of the {what} video")


def face_notes(made: VideoLook, truth: VideoLook | None = None) -> list[str]:
    """Return a note for each side some of whose pictures show no face."""
    sides = [("made", made), *([] if truth is None else [("true", truth)])]
    return [
        f"{faceless(look.tracks)} of {len(look.tracks)} {what} pictures show no face and are left out"
        for what, look in sides
        if faceless(look.tracks)
    ]
