"""Closes the eyes of a portrait: the upper lid is drawn down over the eye, its skin stretched from above."""

from dataclasses import dataclass

import cv2
import numpy as np

from talkvid.face.layout import CONTOUR_PARTS
from talkvid.face.monotone import MonotoneCurve
from talkvid.face.warp import sample
from talkvid.records import Array, Face

EYES = ("image_left", "image_right")
SHUT = 0.11
"""An eye opened less than this, in widths of the eye, is shut or hardly open: it is left alone."""
NARROW = 0.75
"""An eye narrower than this part of the other is turned away: lids are seen askew and left alone."""
DARK_LENS = 0.35
"""An eye and its lid both darker than this part of the cheek are behind a dark lens: left alone."""
LASHES = 0.1
"""Height above the lid's edge, in widths of the eye, taken by lashes: not stretched as skin."""
SOFT_SKIN = 0.05
"""How much of the stretched skin's detail is smoothed away, in widths of the eye."""
CHEEK_SHARE = 0.35
LIGHT_SKIN = (50, 90)
"""Percentiles of brightness between which the lid's skin is neither fold nor highlight."""
OVERLAP = 0.02
"""The shut upper lid reaches over the lower one by this, in widths of the eye."""
LINE_WIDTH, LINE_STRENGTH = 0.04, 0.6
"""The line of lashes painted along the edge of the shut lid: half width, in widths of the eye, and weight."""
LINE_SHARE = 15
"""Its colour is that of this darkest percentage of the lid's edge."""
SKIN = (0.1, 0.45)
"""Least and greatest height of the skin that stretches, in widths of the eye."""
MOST_SPENT = 0.6
"""At 2 / 3 the skin midway would be stretched without end."""
ROOM = 0.35
"""Space about the eye that is looked at, in widths of the eye."""
_FLAT = np.array([[0.0, 0.0], [1.0, 0.0]])
STILL = 0.02
"""A lid moved less than this part of its way is not moved."""


@dataclass(frozen=True)
class _Eye:
    """One eye in its own axes: along from the image-left corner to the other one (0 to 1), down across."""

    corner: Array
    axis: Array
    width: float
    upper: MonotoneCurve
    lower: MonotoneCurve
    skin: float

    def local(self, points: Array) -> tuple[Array, Array]:
        """Return (along, down) of `points` (… 2) px, in widths of the eye."""
        offset = (points - self.corner) / self.width
        x, y = self.axis
        return offset[..., 0] * x + offset[..., 1] * y, offset[..., 1] * x - offset[..., 0] * y

    @property
    def middle(self) -> Array:
        """Return the middle of the eye (2,) px."""
        middle: Array = self.corner + self.axis * self.width / 2
        return middle


class Eyelids:
    """The lids of one portrait (H W 3) uint8; without an open eye in it nothing is ever drawn."""

    def __init__(self, portrait: Array, face: Face) -> None:
        self._portrait = portrait
        self._eyes = [_find_eye(face, side) for side in EYES] if face.contour is not None else []
        if self._eyes and not _can_blink(portrait, self._eyes):
            self._eyes = []
        self._smooth = [_smooth_skin(portrait, eye) for eye in self._eyes]
        self._lines = [_line_colour(portrait, eye) for eye in self._eyes]

    @property
    def count(self) -> int:
        """Return how many eyes can blink: both or, where one of them is shut, hidden or turned away, none."""
        return len(self._eyes)

    def close(self, picture: Array, closure: float, *, places: Array | None = None) -> Array:
        """Return `picture` (H W 3) uint8 with the lids shut by `closure` from 0 to 1.

        `places` (H W 2) float32 says where in the portrait each pixel of the picture comes from.
        """
        if closure < STILL or not self._eyes:
            return picture
        result = picture.copy()
        for eye, eye_line, smooth in zip(self._eyes, self._lines, self._smooth, strict=True):
            rows, columns = self._box(eye, places)
            if places is None:
                here = np.stack(
                    np.meshgrid(np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)), -1
                ).astype(np.float32)
            else:
                here = places[rows, columns]
            if not here.size:
                continue
            lid = _lid(eye, here.astype(np.float64), closure)
            colours = result[rows, columns].astype(np.float32)
            layers = (
                (self._portrait, lid.skin, lid.skin_weight),
                (smooth, lid.skin, lid.smooth_weight),
                (self._portrait, lid.lashes, lid.lashes_weight),
            )
            for image, source, weight in layers:
                laid = sample(image, source.astype(np.float32)).astype(np.float32)
                colours += (laid - colours) * weight[..., None].astype(np.float32)
            colours += (np.minimum(eye_line, colours) - colours) * lid.line_weight[..., None].astype(
                np.float32
            )
            result[rows, columns] = np.rint(colours).clip(0, 255).astype(np.uint8)
        return result

    def _box(self, eye: _Eye, places: Array | None) -> tuple[slice, slice]:
        height, width = self._portrait.shape[:2]
        centre = eye.middle
        if places is not None:
            x, y = np.clip(np.rint(centre).astype(int), 0, [width - 1, height - 1])
            centre = 2 * centre - places[y, x]
        reach = eye.width * (0.5 + ROOM) + 4
        low = np.maximum(np.floor(centre - reach).astype(int), 0)
        high = np.minimum(np.ceil(centre + reach).astype(int) + 1, [width, height])
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


@dataclass(frozen=True)
class _Lid:
    """The lid over some places: where its skin and its lashes come from, and how much of each is seen."""

    skin: Array
    skin_weight: Array
    smooth_weight: Array
    """Of the skin without its detail: lashes and pores would become streaks."""
    lashes: Array
    lashes_weight: Array
    line_weight: Array


def _lid(eye: _Eye, points: Array, closure: float) -> _Lid:
    """Return the lid at `points` (… 2) px of the portrait with open eyes."""
    along, down = eye.local(points)
    inside = np.clip(along, 0, 1)
    upper, lower = eye.upper(inside), eye.lower(inside)
    # Lashes are short and the lids meet at the corners.
    round_off = np.clip(4 * inside * (1 - inside), 0, 1) ** 0.35
    drop = closure * np.maximum(lower + OVERLAP * round_off - upper, 0)
    lashes = LASHES * round_off
    top = upper - lashes - eye.skin
    # The skin above the lashes is stretched down to the lid's edge: not at its ends, most in between.
    length = eye.skin + lashes + drop
    share = np.clip((down - top) / length, 0, 1)
    spent = np.minimum((lashes + drop) / length, MOST_SPENT)
    stretched = top + eye.skin / (1 - spent) * (share - spent * share**2 * (3 - 2 * share))
    skin_down = np.where(down < top, down, np.where(share < 1, stretched, down - drop - lashes))
    pixel = 1 / eye.width
    reach = upper + drop - down
    covered = np.clip(reach / (1.5 * pixel) + 0.5, 0, 1) * np.clip(drop / pixel, 0, 1)
    # What lies about the edge goes down with it, and gives way to bare skin while the eye shuts.
    ride = np.clip((lashes - reach) / (0.5 * LASHES) + 1, 0, 1) * np.clip(1.5 - 2.0 * closure, 0, 1)
    line = np.exp(-np.square(reach / (LINE_WIDTH * np.maximum(round_off, 0.3))))
    line = line * (along > -0.03) * (along < 1.03) * np.clip(3 * closure - 1, 0, 1)
    x, y = eye.axis
    across = np.array([-y, x]) * eye.width
    return _Lid(
        skin=points + (skin_down - down)[..., None] * across,
        skin_weight=covered,
        smooth_weight=covered * np.clip(2.5 * share - 0.4, 0, 1) * np.clip(2 * closure, 0, 1),
        lashes=points - drop[..., None] * across,
        lashes_weight=covered * ride,
        line_weight=LINE_STRENGTH * line,
    )


def _find_eye(face: Face, side: str) -> _Eye:
    assert face.contour is not None
    ring = np.asarray(face.contour[CONTOUR_PARTS[f"{side}_eye"]], np.float64)
    brow = np.asarray(face.contour[CONTOUR_PARTS[f"{side}_brow"]], np.float64)[5:]
    lower, upper = ring[:9], np.concatenate([ring[:1], ring[:7:-1]])
    if side == "image_right":
        lower, upper = lower[::-1], upper[::-1]
    between = lower[-1] - lower[0]
    width = max(float(np.hypot(*between)), 1e-6)
    bare = _Eye(lower[0], between / width, width, _line(_FLAT), _line(_FLAT), SKIN[0])
    curves = [_line(np.stack(bare.local(points), axis=-1)) for points in (upper, lower)]
    height = float(np.mean(np.stack(bare.local(upper[2:-2]), -1)[:, 1]) - np.mean(bare.local(brow)[1]))
    return _Eye(
        bare.corner, bare.axis, width, curves[0], curves[1], float(np.clip(0.8 * height - LASHES, *SKIN))
    )


def _line(points: Array) -> MonotoneCurve:
    """Return the curve down(along) through `points` (N 2), corners at 0 and 1, without overshoot."""
    inner = points[(points[:, 0] > 0.02) & (points[:, 0] < 0.98)]
    inner = inner[np.argsort(inner[:, 0])]
    along, first = np.unique(np.concatenate([[0.0], inner[:, 0], [1.0]]), return_index=True)
    down = np.concatenate([[0.0], inner[:, 1], [0.0]])[first]
    return MonotoneCurve(along, down)


def _opening(eye: _Eye) -> float:
    """Return the mean gap between the lids in widths of the eye."""
    along = np.linspace(0.2, 0.8, 13)
    return float(np.mean(eye.lower(along) - eye.upper(along)))


def _can_blink(portrait: Array, eyes: list[_Eye]) -> bool:
    """Return whether both eyes are open, seen from the front and not behind dark lenses."""
    narrow, wide = sorted(eye.width for eye in eyes)
    if narrow < NARROW * wide or min(_opening(eye) for eye in eyes) < SHUT:
        return False
    return not all(_behind_dark_lens(portrait, eye) for eye in eyes)


def _behind_dark_lens(portrait: Array, eye: _Eye) -> bool:
    """Return whether the eye, its white included, and the skin above it are much darker than the cheek."""
    along = np.linspace(0.15, 0.85, 15)
    upper, lower = eye.upper(along), eye.lower(along)
    skin, cheek = (
        float(np.median(_colours(portrait, eye, along, down).mean(axis=-1)))
        for down in (upper - LASHES - eye.skin / 2, lower + 0.6)
    )
    inside = [_colours(portrait, eye, along, upper + (lower - upper) * part) for part in (0.4, 0.6, 0.8)]
    white = float(np.percentile(np.concatenate(inside).mean(axis=-1), 90))
    return max(skin, white) < DARK_LENS * cheek


def _smooth_skin(portrait: Array, eye: _Eye) -> Array:
    """Return the portrait (H W 3) uint8, about the eye without detail and with nothing but the lid's skin.

    A blur that leaves out lashes and eye (normalised convolution, Knutsson and Westin 1993), half of it
    replaced by the colour of the lid's lighter skin and some of the cheek's: the fold over an open eye lies
    in shadow, a shut lid does not.
    """
    height, width = portrait.shape[:2]
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    along, down = eye.local(places)
    inside = np.clip(along, 0, 1)
    near = (along > -0.15) & (along < 1.15) & (down < eye.lower(inside) + 0.15)
    bare = (~(near & (down > eye.upper(inside) - LASHES))).astype(np.float32)
    sigma = SOFT_SKIN * eye.width
    amount = cv2.GaussianBlur(bare, (0, 0), sigma)[..., None] + 1e-3
    blurred = cv2.GaussianBlur(portrait * bare[..., None], (0, 0), sigma) / amount
    skin = portrait[(bare > 0) & near & (down > eye.upper(inside) - LASHES - eye.skin)].astype(np.float32)
    if len(skin):
        level = skin.mean(axis=-1)
        low, high = np.percentile(level, LIGHT_SKIN)
        light = skin[(level >= low) & (level <= high)].mean(axis=0)
        spots = np.linspace(0.2, 0.8, 13)
        cheek = np.median(_colours(portrait, eye, spots, eye.lower(spots) + 0.45), axis=0)
        light = np.maximum(light, light + CHEEK_SHARE * (cheek - light))
        blurred = blurred + (light - blurred) * 0.5 * np.minimum(amount, 1)
    smooth: Array = np.rint(blurred).clip(0, 255).astype(np.uint8)
    return smooth


def _line_colour(portrait: Array, eye: _Eye) -> Array:
    """Return the colour (3,) float32 of the lashes: of the darkest places along the edge of the upper lid."""
    along = np.linspace(0.1, 0.9, 25)
    edge = [_colours(portrait, eye, along, eye.upper(along) + down) for down in (-0.04, -0.02, 0.0, 0.02)]
    colours = np.concatenate(edge)
    level = colours.mean(axis=-1)
    dark: Array = colours[level <= np.percentile(level, LINE_SHARE)].mean(axis=0).astype(np.float32)
    return dark


def _colours(portrait: Array, eye: _Eye, along: Array, down: Array) -> Array:
    """Return the colours (N 3) float64 of the portrait at places of the eye's axes."""
    x, y = eye.axis
    height, width = portrait.shape[:2]
    points = eye.corner + (along[:, None] * eye.axis + down[:, None] * np.array([-y, x])) * eye.width
    columns, rows = np.clip(np.rint(points).astype(int), 0, [width - 1, height - 1]).T
    colours: Array = portrait[rows, columns].astype(np.float64)
    return colours
