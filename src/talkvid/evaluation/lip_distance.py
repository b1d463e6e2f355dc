"""How far the lips are from where the true clip's lips are, freed of where and how large the face is."""

from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.pairing import paired
from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array


@dataclass(frozen=True)
class LipAgreement:
    """Both distances in % of the inter-ocular distance, and what a still mouth would get."""

    distance: float
    movement: float
    still_distance: float
    """Lip distance of a mouth that stays as in the true clip's first picture."""
    still_movement: float


def lip_agreement(made: FaceTracks, truth: FaceTracks) -> LipAgreement:
    """Return all four; ValueError when the clips share no picture with a face."""
    distance = lip_distance(made, truth)
    still = still_mouth(truth)
    return LipAgreement(
        distance=distance,
        movement=lip_movement_distance(made, truth),
        still_distance=lip_distance(still, truth),
        still_movement=lip_movement_distance(still, truth),
    )


def lip_distance(made: FaceTracks, truth: FaceTracks) -> float:
    """Return the mean distance of the 40 lip points in % of the inter-ocular distance.

    Points are taken in the picture plane, each picture's own centre of the lips removed, in units of its own
    inter-ocular distance; the mean runs over points and over pictures with a face on both sides.
    """
    ours, theirs = paired(made, truth)
    return _percent(centred_lips(ours) - centred_lips(theirs))


def lip_movement_distance(made: FaceTracks, truth: FaceTracks) -> float:
    """Return the same distance between what the lips do: roll and the neutral mouth removed as well.

    The eye line is turned level in every picture, then each clip's own mean mouth is taken away, so that
    another shape of lips or another tilt of the head costs nothing.
    """
    ours, theirs = (upright_lips(tracks) for tracks in paired(made, truth))
    return _percent((ours - ours.mean(axis=0)) - (theirs - theirs.mean(axis=0)))


def still_mouth(truth: FaceTracks, *, first: int = 0) -> FaceTracks:
    """Return the tracks of a mouth that stays as in picture `first`, or the next one with a face."""
    after = np.flatnonzero(truth.found[first:])
    if not len(after):
        raise ValueError("no picture shows a face")
    return truth.at(np.full(len(truth), first + int(after[0])))


def centred_lips(tracks: FaceTracks) -> Array:
    """Return (F, 40, 2): lip points in inter-ocular distances about their own centre."""
    lips = tracks.lips[..., :2].astype(np.float64) / tracks.eye_distance[:, None, None]
    centred: Array = lips - lips.mean(axis=1, keepdims=True)
    return centred


def upright_lips(tracks: FaceTracks) -> Array:
    """Return (F, 40, 2): centred lips turned so that the eye line is level."""
    across = (tracks.eyes[:, 1] - tracks.eyes[:, 0])[:, :2].astype(np.float64)
    x, y = (across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)).T
    back = np.stack([np.stack([x, -y], axis=-1), np.stack([y, x], axis=-1)], axis=-2)
    turned: Array = centred_lips(tracks) @ back
    return turned


def _percent(difference: Array) -> float:
    return 100.0 * float(np.linalg.norm(difference, axis=-1).mean())
