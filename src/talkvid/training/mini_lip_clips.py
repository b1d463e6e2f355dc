"""Clips as the lip predictor's training sees them: log-mel rows and lip shapes freed of the head's turn."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkvid.face.layout import mirrored_contour, mirrored_lips
from talkvid.face.lip_motion import JAW, mouth_opening
from talkvid.model.lip_predictor import ROWS_PER_S
from talkvid.records import NUM_LIP, Array
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_clips import FPS
from talkvid.training.mini_data import PackedClip

QUIET_SHARE = 15.0
"""Percentile of a clip's mouth opening below which its lips count as closed."""


@dataclass(frozen=True)
class SpokenClip:
    """One clip as this training sees it: feature rows, lip shapes without the head's turn, opening."""

    name: str
    rows: Tensor
    """(T D) log-mel."""
    shapes: Tensor
    """(F P 2) lips and jaw in the face frame."""
    frames: Tensor
    """(K,) usable frame numbers."""
    rest: Tensor
    """(P 2) mean shape of the frames with nearly closed lips."""


@dataclass(frozen=True)
class FramePool:
    """The usable frames of all clips in a row, so that a batch is one look-up."""

    rows: Tensor
    """Feature rows of all clips, each with silence around it."""
    centre: Tensor
    """(K,) row of the moment of each frame."""
    shapes: Tensor
    """(K P 2)"""
    first_frame: Tensor
    """(clips,) where a clip's frames begin."""
    num_frames: Tensor
    rest: Tensor
    """(clips P 2)"""


def pool_frames(clips: list[SpokenClip], silence: Tensor, *, margin: int) -> FramePool:
    """Return the frames of `clips` with `margin` rows of `silence` (D) before and after each sound."""
    around = silence.expand(margin, -1)
    rows = [torch.cat([around, clip.rows, around]) for clip in clips]
    starts = np.cumsum([0, *(len(part) for part in rows[:-1])])
    centres = [
        int(start) + margin + torch.round(clip.frames * (ROWS_PER_S / FPS)).long().clamp(max=len(clip.rows))
        for start, clip in zip(starts, clips, strict=True)
    ]
    counts = [len(clip.frames) for clip in clips]
    return FramePool(
        rows=torch.cat(rows),
        centre=torch.cat(centres),
        shapes=torch.cat([clip.shapes[clip.frames] for clip in clips]),
        first_frame=torch.from_numpy(np.cumsum([0, *counts[:-1]])),
        num_frames=torch.tensor(counts),
        rest=torch.stack([clip.rest for clip in clips]),
    )


def moving_shapes(clip: PackedClip) -> Array:
    """Return lips and jaw (F P 2) of every picture in its face frame, zeros where no face was found."""
    shapes = np.zeros((len(clip), NUM_LIP + JAW.stop - JAW.start, 2), np.float32)
    for index in clip.usable:
        shapes[index] = clip.shape(int(index)).moving
    return shapes


def mirror_moving() -> Array:
    """Return the index swap (P,) of the moving points in a mirrored picture."""
    contour = np.array(mirrored_contour())[JAW] - JAW.start
    return np.concatenate([np.array(mirrored_lips()), NUM_LIP + contour])


def pose_effect(clips: list[PackedClip], shapes: list[Array]) -> Array:
    """Return how the shape changes with pitch and yaw (radians), (2, P, 2), by least squares within clips."""
    poses, moved = [], []
    for clip, shape in zip(clips, shapes, strict=True):
        pose = np.deg2rad(clip.pose[clip.usable][:, :2])
        poses.append(pose - pose.mean(axis=0))
        moved.append(shape[clip.usable] - shape[clip.usable].mean(axis=0))
    pose, move = np.concatenate(poses), np.concatenate(moved)
    effect = np.linalg.lstsq(pose, move.reshape(len(move), -1), rcond=None)[0]
    return effect.reshape(2, -1, 2).astype(np.float32)


def spoken_clips(clips: list[PackedClip], effect: Array | None = None) -> tuple[list[SpokenClip], Array]:
    """Return the clips for training and the pose effect, measured on them when it is not given."""
    shapes = [moving_shapes(clip) for clip in clips]
    if effect is None:
        effect = pose_effect(clips, shapes)
    encoder = LogMelEncoder()
    spoken = []
    for clip, shape in zip(clips, shapes, strict=True):
        pose = np.nan_to_num(np.deg2rad(clip.pose[:, :2]))
        pose = pose - pose[clip.usable].mean(axis=0)
        shape = shape - np.einsum("fa,apc->fpc", pose, effect).astype(np.float32)
        opening = mouth_opening(shape[clip.usable, :NUM_LIP])
        closed = clip.usable[opening <= np.percentile(opening, QUIET_SHARE)]
        spoken.append(
            SpokenClip(
                name=clip.source.id,
                rows=encoder.encode(clip.audio),
                shapes=torch.from_numpy(shape),
                frames=torch.from_numpy(clip.usable),
                rest=torch.from_numpy(shape[closed].mean(axis=0)),
            )
        )
    return spoken, effect
