"""The face backend inside the package: CenterFace boxes, then our own landmark network; no download."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from talkvid.face.alignment import Window, window_of
from talkvid.face.centerface import LOOK_SIDES, CenterFaceDetector
from talkvid.face.landmark_net import (
    FIVE,
    NUM_ROTATION,
    channels_last,
    fold_norms,
    load_landmark_net,
    rotation_from_six,
)
from talkvid.face.layout import mirrored_contour, mirrored_lips
from talkvid.face.pose import about_z, angles_from_matrix
from talkvid.records import NUM_LIP, Array, Face

NUM_PASSES = 2
"""The first pass looks where the detector says, the second where the first pass found the face."""
MAX_FACES = 8
LARGEST_MOVE = 0.5
"""A second window further off than this, in sides of the first, or this much larger or smaller, is not
trusted.
"""
MIRRORED_ORDER = (*mirrored_lips(), *(NUM_LIP + index for index in mirrored_contour()))
MIRRORED_SIX = (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)
"""What mirroring does to the first two columns of a head's rotation."""


@dataclass(frozen=True)
class EmbeddedFace:
    """A Face together with how far the network thinks the jaw is open, 0 to 1."""

    face: Face
    jaw_open: float


class EmbeddedDetector:
    """Finds faces with points, 40 lip points, 105 contour points and pose on one CPU thread."""

    name = "embedded"

    def __init__(
        self,
        *,
        num_threads: int = 1,
        weights: Path | None = None,
        num_passes: int = NUM_PASSES,
        look_sides: tuple[int, ...] = LOOK_SIDES,
    ) -> None:
        self.boxes = CenterFaceDetector(num_threads=num_threads, look_sides=look_sides)
        net = load_landmark_net(weights)
        self._size = net.config.size
        self._trunk: nn.Module = channels_last(fold_norms(net))
        self._hidden, self._points, self._others = net.hidden, net.points, net.others
        self._num_passes = num_passes

    def detect(self, image: Array) -> list[Face]:
        """Return the faces of an RGB (H W 3) uint8 image, largest first, at most 8."""
        return self.refine(image, self.boxes.detect(image)[:MAX_FACES])

    def refine(self, image: Array, faces: list[Face]) -> list[Face]:
        """Return the same faces with points, lips, contour and pose by the landmark network."""
        if not faces:
            return []
        windows = [window_of(face.points) for face in faces]
        for number in range(self._num_passes):
            points, others = self._look(image, windows)
            if number + 1 < self._num_passes:
                windows = [
                    _better(window, window_of(shape[list(FIVE)]))
                    for window, shape in zip(windows, points, strict=True)
                ]
        found = [
            _face(face, window, shape, told)
            for face, window, shape, told in zip(faces, windows, points, others, strict=True)
        ]
        return sorted(found, key=lambda face: -face.area)

    def look(self, image: Array, face: Face) -> EmbeddedFace:
        """Return the same face by the mean of two looks through one window, straight and mirrored."""
        first, _ = self._look(image, [window_of(face.points)])
        window = _better(window_of(face.points), window_of(first[0][list(FIVE)]))
        points, others = self._look(image, [window], mirrored=True)
        told = others.mean(axis=0)
        jaw_open = float(np.clip(told[NUM_ROTATION], 0.0, 1.0))
        return EmbeddedFace(_face(face, window, points.mean(axis=0), told), jaw_open)

    @torch.inference_mode()
    def _look(self, image: Array, windows: list[Window], *, mirrored: bool = False) -> tuple[Array, Array]:
        """Return points (B 145 2) in picture pixels, and rotation and jaw (B 7) as seen in the windows.

        `mirrored` adds B looks at the windows' mirror images, turned back.
        """
        cut = np.stack([window.cut(image, self._size) for window in windows])
        if mirrored:
            cut = np.concatenate([cut, cut[:, :, ::-1]])
        batch = torch.from_numpy(cut).permute(0, 3, 1, 2).float().div(255)
        found, told = self._run(batch.contiguous(memory_format=torch.channels_last))
        shapes, others = found.double().numpy(), told.double().numpy()
        if mirrored:
            count = len(windows)
            shapes[count:] = shapes[count:, MIRRORED_ORDER] * (-1, 1)
            others[count:, :NUM_ROTATION] *= MIRRORED_SIX
            windows = [*windows, *windows]
        pixels = shapes * self._size + (self._size - 1) / 2
        points = [window.to_picture(shape, self._size) for window, shape in zip(windows, pixels, strict=True)]
        return np.stack(points), others

    def _run(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.relu(self._hidden(self._trunk(windows * 4 - 2).flatten(1)))
        points: Tensor = self._points(hidden)
        return points.reshape(len(windows), -1, 2), self._others(hidden)


def _better(first: Window, second: Window) -> Window:
    """Return the second window unless it lies so far off that it must be wrong."""
    move = float(np.hypot(*(second.centre - first.centre))) / first.side
    change = abs(math.log(second.side / first.side))
    return second if move < LARGEST_MOVE and change < LARGEST_MOVE else first


def _face(face: Face, window: Window, shape: Array, told: Array) -> Face:
    rotation = rotation_from_six(torch.from_numpy(told[None, :NUM_ROTATION])).numpy()[0]
    points = shape.astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    return Face(
        box=np.concatenate([low, high]),
        points=points[list(FIVE)],
        score=face.score,
        lips=points[:NUM_LIP],
        pose=angles_from_matrix(about_z(-window.angle) @ rotation),
        contour=points[NUM_LIP:],
    )
