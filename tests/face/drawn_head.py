"""A drawn head whose landmarks are known: skin, eyes with white, iris and lashes, on a striped background."""

import cv2
import numpy as np

from talkvid.face.layout import CONTOUR_PARTS, NUM_CONTOUR
from talkvid.records import Array, Face

SIZE = 256
EYES = {"image_left_eye": (100.0, 110.0), "image_right_eye": (156.0, 110.0)}
EYE_WIDTH, EYE_OPENING = 30.0, 12.0
SKIN, WHITE, IRIS, LASHES = (200, 160, 140), (240, 240, 240), (40, 60, 90), (20, 15, 15)


def eye_ring(centre: tuple[float, float], *, outer_is_left: bool, opening: float) -> Array:
    """Return the 16 points of an eye: outer corner, lower lid, inner corner, and back along the upper lid."""
    along = np.linspace(-1, 1, 9)
    half = opening / 2 * (1 - along**2)
    lower = np.stack([along * EYE_WIDTH / 2, half], -1)
    upper = np.stack([along * EYE_WIDTH / 2, -half], -1)[-2:0:-1]
    ring = np.concatenate([lower, upper])
    return (ring if outer_is_left else ring * [-1, 1]) + np.array(centre)


def drawn_head(*, opening: float = EYE_OPENING, glasses: bool = False) -> tuple[Array, Face]:
    """Return a picture (256 256 3) uint8 and its face."""
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[:] = (90, 120, 90)
    picture[:, ::16] = (60, 90, 60)
    cv2.ellipse(picture, (128, 130), (62, 82), 0, 0, 360, SKIN, -1)
    contour = np.zeros((NUM_CONTOUR, 2))
    turn = np.arange(36) / 36 * 2 * np.pi
    contour[CONTOUR_PARTS["outline"]] = np.stack([128 + 58 * np.sin(turn), 130 - 78 * np.cos(turn)], -1)
    for name, centre in EYES.items():
        ring = eye_ring(centre, outer_is_left=name == "image_left_eye", opening=opening)
        contour[CONTOUR_PARTS[name]] = ring
        if opening > 2:
            cv2.fillPoly(picture, [np.rint(ring).astype(np.int32)], WHITE)
            cv2.circle(picture, (int(centre[0]), int(centre[1])), 5, IRIS, -1)
        cv2.polylines(picture, [np.rint(ring[8:]).astype(np.int32)], False, LASHES, 1)
        brow = CONTOUR_PARTS[name.replace("eye", "brow")]
        across = np.linspace(-16, 16, 5)
        contour[brow] = np.concatenate(
            [np.stack([centre[0] + across, np.full(5, centre[1] - dy)], -1) for dy in (26, 21)]
        )
        if glasses:
            cv2.ellipse(picture, (int(centre[0]), int(centre[1])), (26, 20), 0, 0, 360, (20, 20, 20), -1)
    contour[CONTOUR_PARTS["nose_ridge"]] = np.stack([np.full(6, 128.0), np.linspace(112, 145, 6)], -1)
    contour[CONTOUR_PARTS["nose_base"]] = np.stack([np.linspace(116, 140, 9), np.full(9, 150.0)], -1)
    contour[CONTOUR_PARTS["irises"]] = list(EYES.values())
    angles = np.pi - np.arange(20) / 20 * 2 * np.pi
    outer = np.stack([128 + 26 * np.cos(angles), 180 - 11 * np.sin(angles)], -1)
    inner = np.stack([128 + 20 * np.cos(angles), 180 - 4 * np.sin(angles)], -1)
    face = Face(
        box=np.array([70, 52, 186, 208], np.float32),
        points=np.array([*EYES.values(), (128, 145), (102, 180), (154, 180)], np.float32),
        score=1.0,
        lips=np.concatenate([outer, inner]).astype(np.float32),
        contour=contour.astype(np.float32),
    )
    return picture, face
