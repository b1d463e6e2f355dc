"""The square around mouth and jaw in which the embedded model works: cut out, warp, draw, paste back.

Training and inference use these same functions. The window is upright in the face frame, whatever the
picture's size or the head's tilt; SPAN of it is one side in face sizes.
"""

from functools import lru_cache

import cv2
import numpy as np

from talkvid.face.layout import CONTOUR_PARTS
from talkvid.face.lip_motion import JAW, FaceFrame, FaceShape
from talkvid.face.warp import sample, warp_image
from talkvid.records import Array

WINDOW_SIZE = 160
# The network sees only this part of the window, centred on the lips.
MOUTH_SIZE = 96
SPAN = 2.25
# Centre of the window below the eyes, in face sizes.
CENTRE_Y = 1.18
# How far the mouth mask reaches beyond the lips, and the width of soft edges, in face sizes.
MOUTH_MARGIN = 0.16
SOFT_EDGE = 0.10
# Brightness of the mouth's inside, of the lips' colour.
CAVITY_SHADE = 0.3


def window_matrix(frame: FaceFrame, size: int = WINDOW_SIZE) -> Array:
    """Return the 2x3 matrix that takes pixels of the picture to pixels of the face's window."""
    scale = size / SPAN / frame.size
    x, y = frame.axis
    turn = np.array([[x, y], [-y, x]]) * scale
    offset = -turn @ frame.origin + np.array([size / 2, size / 2 - CENTRE_Y * size / SPAN])
    return np.concatenate([turn, offset[:, None]], axis=1)


def to_window(points: Array, size: int = WINDOW_SIZE) -> Array:
    """Return face-frame `points` (… 2) as pixels of the window."""
    window: Array = (np.asarray(points) - np.array([0.0, CENTRE_Y])) * (size / SPAN) + size / 2
    return window


def cut_window(image: Array, frame: FaceFrame, size: int = WINDOW_SIZE) -> Array:
    """Return the window (size size 3) uint8 of the face at `frame` in `image` (H W 3)."""
    matrix = window_matrix(frame, size)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.6:  # bilinear sampling would skip pixels of a large portrait
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def warp_window(window: Array, source: FaceShape, target: FaceShape) -> Array:
    """Return `window` (S S 3) with the landmarks of `source` brought to those of `target`.

    Held at the border. Between the lips nothing is stretched: what the source shows there (teeth, which do
    not move with the lips) stays at its place under the nose, the rest is dark.
    """
    size = window.shape[0]
    start = to_window(source.landmarks[_CONTROL], size)
    end = to_window(target.landmarks[_CONTROL], size)
    return _with_cavity(warp_image(window, start, end), window, source, target)


def _with_cavity(warped: Array, window: Array, source: FaceShape, target: FaceShape) -> Array:
    """Return `warped` (S S 3) with the mouth's inside drawn between the lips of `target`."""
    size = window.shape[0]
    nose = CONTOUR_PARTS["nose_base"]
    shift = (target.contour[nose] - source.contour[nose]).mean(axis=0) * size / SPAN
    lips = to_window(target.lips[20:], size)
    box = _box(lips, size, margin=size / 50 + 1)
    places = np.mgrid[box][::-1].astype(np.float32) - shift[:, None, None].astype(np.float32)
    teeth = cv2.remap(window, places[0], places[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    opening = _soft_polygon(lips, box, size / 100)
    shown = _soft_polygon(to_window(source.lips[20:], size) + shift, box, size / 100)
    below = warped[box].astype(np.float32)
    inside = below + np.minimum(opening, shown) * (teeth.astype(np.float32) - below)
    inside += np.maximum(opening - shown, 0) * (_cavity_colour(window, source) - inside)
    filled = warped.copy()
    filled[box] = np.clip(np.rint(inside), 0, 255).astype(np.uint8)
    return filled


def _cavity_colour(window: Array, shape: FaceShape) -> Array:
    """Return the colour (3,) of an empty mouth: that of the lips, darker."""
    lips = to_window(shape.lips[:20], window.shape[0])
    box = _box(lips, window.shape[0], margin=1)
    weight = _soft_polygon(lips, box, 0)
    colour: Array = CAVITY_SHADE * (window[box] * weight).sum(axis=(0, 1)) / max(float(weight.sum()), 1.0)
    return colour.astype(np.float32)


def _box(points: Array, size: int, *, margin: float) -> tuple[slice, slice]:
    """Return rows and columns of the window around `points` (N 2)."""
    left, top = np.floor(points.min(axis=0) - margin).astype(int).clip(0, size - 1)
    right, bottom = np.ceil(points.max(axis=0) + margin).astype(int).clip(1, size)
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _soft_polygon(points: Array, box: tuple[slice, slice], softness: float) -> Array:
    """Return (h w 1) float32 in [0, 1]: the inside of a polygon of the window, as far as the box shows it."""
    rows, columns = box
    plane: Array = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    _fill(plane, points - np.array([columns.start, rows.start]))
    plane = plane.astype(np.float32) / 255
    return (cv2.GaussianBlur(plane, (0, 0), softness) if softness else plane)[..., None]


def draw_mouth(shape: FaceShape, size: int = WINDOW_SIZE) -> Array:
    """Return the guider's map (size size 3) uint8: red lips, green mouth opening, blue jaw and nose."""
    outer = to_window(shape.lips[:20], size)
    inner = to_window(shape.lips[20:], size)
    planes = [np.zeros((size, size), np.uint8) for _ in range(3)]
    _fill(planes[0], outer)
    _fill(planes[1], inner)
    jaw = to_window(shape.contour[JAW], size)
    nose = to_window(shape.contour[CONTOUR_PARTS["nose_base"]], size)
    for line in (jaw, nose):
        cv2.polylines(planes[2], [_fixed(line)], False, 255, 2, cv2.LINE_AA, _SHIFT)
    return np.stack(planes, axis=-1)


def mouth_mask(source: FaceShape, target: FaceShape, size: int = WINDOW_SIZE) -> Array:
    """Return where the network's picture counts, (size, size) float32 in [0, 1]: the lips and around them."""
    scale = size / SPAN
    both = np.concatenate([to_window(source.lips[:20], size), to_window(target.lips[:20], size)])
    hull = cv2.convexHull(both.astype(np.float32))[:, 0]
    plane: Array = np.zeros((size, size), np.uint8)
    _fill(plane, hull)
    reach = 2 * round(MOUTH_MARGIN * scale) + 1
    plane = cv2.dilate(plane, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return cv2.GaussianBlur(plane.astype(np.float32) / 255, (0, 0), SOFT_EDGE * scale / 2)


def mouth_corner(shape: FaceShape, size: int = WINDOW_SIZE) -> tuple[int, int]:
    """Return the left and upper edge of the network's square in a window of `size`, centred on the lips."""
    side = size * MOUTH_SIZE // WINDOW_SIZE
    centre = to_window(shape.lips[:20], size).mean(axis=0)
    # Even numbers, so that the corner is whole in a window one and a half times as large.
    left, top = (int(min(max(2 * round(float(place) / 2 - side / 4), 0), size - side)) for place in centre)
    return left, top


def cut_mouth(plane: Array, corner: tuple[int, int]) -> Array:
    """Return the network's square of a `plane` of the window (S S …), its edge at `corner`."""
    side = plane.shape[0] * MOUTH_SIZE // WINDOW_SIZE
    left, top = corner
    square: Array = plane[top : top + side, left : left + side]
    return square


@lru_cache(maxsize=8)
def paste_mask(size: int = WINDOW_SIZE) -> Array:
    """Return the weight (size, size) float32 with which a window is pasted: 1 inside, 0 at the border."""
    index = (np.arange(size) + 0.5) / size * 2 - 1
    edge = np.clip((1 - np.abs(index)) / (2 * SOFT_EDGE / SPAN * 2), 0, 1)
    smooth = edge * edge * (3 - 2 * edge)
    mask: Array = np.minimum(smooth[:, None], smooth[None, :]).astype(np.float32)
    return mask


_NOTHING = np.zeros(4)


def paste_window(image: Array, window: Array, frame: FaceFrame, *, places: Array | None = None) -> Array:
    """Return `image` (H W 3) uint8 with `window` (S S 3) laid softly over the face.

    The face lies at `frame` in the portrait; `places` (H W 2) says where in the portrait each pixel of
    `image` comes from, without it the image is the portrait. Only the window's part of it is touched.
    """
    size = window.shape[0]
    matrix = window_matrix(frame, size)
    rows, columns = _covered(image, frame, places)
    if places is None:
        across = np.arange(columns.start, columns.stop, dtype=np.float32)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)
        here = np.stack(np.meshgrid(across, down), axis=-1)
    else:
        here = places[rows, columns]
    spots = cv2.transform(here, matrix)
    mixed = sample(window.astype(np.float32, copy=False), spots)
    weight = sample(paste_mask(size), spots, method=cv2.INTER_LINEAR, outside=cv2.BORDER_CONSTANT)
    below = image[rows, columns].astype(np.float32)
    mixed -= below
    mixed *= weight[..., None]
    mixed += below
    pasted = image.copy()
    pasted[rows, columns] = cv2.add(mixed, _NOTHING, dtype=cv2.CV_8U)  # rounds to even, holds the range
    return pasted


def _covered(image: Array, frame: FaceFrame, places: Array | None) -> tuple[slice, slice]:
    """Return the rows and columns of `image` that the window may cover."""
    height, width = image.shape[:2]
    half = SPAN / 2
    corners = frame.to_picture(np.array([[x, CENTRE_Y + y] for x in (-half, half) for y in (-half, half)]))
    reach = 1.0
    if places is not None:
        down, across = np.mgrid[0:height:16, 0:width:16]
        reach += float(np.abs(places[::16, ::16] - np.stack([across, down], axis=-1)).max())
    low = np.floor(corners.min(axis=0) - reach).astype(int).clip(0, [width - 1, height - 1])
    high = np.ceil(corners.max(axis=0) + reach + 1).astype(int).clip(1, [width, height])
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


_SHIFT = 4


def _fixed(points: Array) -> Array:
    fixed: Array = np.rint(points * (1 << _SHIFT)).astype(np.int32)
    return fixed


def _fill(plane: Array, polygon: Array) -> None:
    cv2.fillPoly(plane, [_fixed(polygon)], 255, cv2.LINE_AA, _SHIFT)


def _control_points() -> Array:
    """Return which landmarks steer the warp: lips, every second outline point, nose and lower eyelids."""
    base = 40
    outline = range(base + 6, base + 31, 2)
    nose = range(base + CONTOUR_PARTS["nose_ridge"].start + 3, base + CONTOUR_PARTS["nose_base"].stop)
    lids = [
        base + CONTOUR_PARTS[eye].start + index
        for eye in ("image_left_eye", "image_right_eye")
        for index in (0, 4, 8)
    ]
    return np.array([*range(40), *outline, *nose, *lids])


_CONTROL = _control_points()
