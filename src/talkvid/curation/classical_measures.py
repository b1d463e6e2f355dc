"""What can be measured on one picture without a trained model: edges, detail, block marks, noise, light."""

import math
from dataclasses import dataclass, fields

import numpy as np

from talkvid.records import Array

CENTRE = (0.15, 0.70, 0.30, 0.70)
"""Top, bottom, left and right of the part where a talking head is, as shares of the picture."""
LARGEST_CENTRE = 1024
"""Pixels of a side; what a larger picture has more of lies outside, so that its cost stays the same."""
GRID = 8
"""Side of the squares that block coders (JPEG, MPEG, H.264) transform, or of two of them."""
TILE = 32
MOST_TILES = 1000
"""Squares looked at for detail; of a larger picture every second, third … row of squares is taken."""
SMALLEST_SIDE = 128
FINE_SIGMA, COARSE_SIGMA = 0.7, 1.5
"""Blurs, in pixels, under which an edge is seen twice to tell its width."""
NUM_EDGES = 8
WIDEST_EDGE = 10.0
"""Pixels; edges wider than this cannot be told apart by the two blurs. Also for a picture without edges."""
DIAGONAL_DETAIL = np.array([1, -2, 1], np.float32)
"""Applied along both axes: answers to noise and texture, hardly to straight edges (Immerkaer, 1996)."""
MEAN_ABS_TO_SIGMA = float(np.sqrt(np.pi / 2) / 6)
"""From the mean absolute answer of DIAGONAL_DETAIL to the standard deviation of white noise that gives it."""
STEP, FLAT = 2.0, 1.0
"""Levels: a block mark is a step of at least STEP with differences of at most FLAT on both sides."""


@dataclass(frozen=True)
class PictureMeasures:
    """What one picture measures; levels are of 0 to 255."""

    edge_width_px: float
    """Gaussian sigma of the typical strong edge in the centre, in pixels of the file's own size."""
    detail: float
    """Levels of the finest detail where there is most of it (90th percentile of squares of 32 pixels)."""
    block_marks: float
    """How much more often steps stand on the 8-pixel grid than in the middle of its squares; 1 = no grid."""
    block_edges: float
    """Mean difference of neighbours across the 8-pixel grid by that inside the squares; 1 = no grid."""
    noise: float
    """Levels of the finest detail where there is least of it (10th percentile of squares of 32 pixels)."""
    brightness: float
    """Mean level of the centre."""
    contrast: float
    """Levels between the darkest and the brightest 2 % of the centre."""
    clipped: float
    """Share of pixels that are black (below 6) or white (above 249)."""


NAMES = tuple(field.name for field in fields(PictureMeasures))


def measure_picture(picture: Array) -> PictureMeasures:
    """Return the measures of an RGB picture (H W 3) uint8 in the size the file has.

    Raises ValueError for a side below 128 pixels, where the centre holds too little.
    """
    import cv2

    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"a picture of {width}x{height} is too small to be measured; {SMALLEST_SIDE} at least"
        )
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    centre = centre_of(grey).astype(np.float32)
    tiles = tile_detail(grey)
    thin, thin_centre = grey[::8, ::8], centre[::4, ::4]
    low, high = np.percentile(thin_centre, (2, 98))
    marks, edges = block_grid(centre)
    return PictureMeasures(
        edge_width_px=edge_width(centre),
        detail=float(np.percentile(tiles, 90)),
        block_marks=marks,
        block_edges=edges,
        noise=float(np.percentile(tiles, 10)),
        brightness=float(thin_centre.mean()),
        contrast=float(high - low),
        clipped=float(np.mean((thin < 6) | (thin > 249))),
    )


def centre_of(grey: Array) -> Array:
    """Return the part of (H W) where a talking head is, starting on the 8-pixel grid of the picture."""
    height, width = grey.shape
    top, bottom, left, right = CENTRE
    return grey[_extent(top, bottom, height), _extent(left, right, width)]


def _extent(low: float, high: float, side: int) -> slice:
    """Return the pixels between two shares of a side, at most LARGEST_CENTRE of them, in whole squares."""
    length = min(round((high - low) * side), LARGEST_CENTRE) // GRID * GRID
    first = round(((low + high) * side - length) / 2) // GRID * GRID
    return slice(first, first + length)


def tile_detail(grey: Array) -> Array:
    """Return the finest detail in levels for squares of 32 pixels of (H W) uint8, spread over all of it."""
    import cv2

    rows, columns = grey.shape[0] // TILE, grey.shape[1] // TILE
    every = math.ceil(rows * columns / MOST_TILES)
    tiles = []
    for row in range((rows - 1) % every // 2, rows, every):
        band = grey[row * TILE : (row + 1) * TILE, : columns * TILE]
        answer = cv2.sepFilter2D(band, cv2.CV_32F, DIAGONAL_DETAIL, DIAGONAL_DETAIL)
        tiles.append(cv2.resize(np.abs(answer), (columns, 1), interpolation=cv2.INTER_AREA)[0])
    found: Array = np.stack(tiles) * MEAN_ABS_TO_SIGMA
    return found


def edge_width(grey: Array) -> float:
    """Return the median Gaussian sigma in pixels of the strongest 3 % of the edges of (H W) float32.

    An edge of width s has, under a blur of a, a slope that falls as 1 / sqrt(s^2 + a^2); the ratio of its
    slopes under two blurs gives s (the idea of Zhuo and Sim, 2011). Slopes are taken over two pixels, which
    adds 1/3 to the square of s.
    """
    import cv2

    fine = _slope(cv2.GaussianBlur(grey, (0, 0), FINE_SIGMA))
    coarse = _slope(cv2.GaussianBlur(grey, (0, 0), COARSE_SIGMA))
    strong = max(2.0, float(np.percentile(coarse[::3, ::3], 97)))
    ridge = (coarse >= strong) & (coarse >= cv2.dilate(coarse, np.ones((5, 5), np.uint8)))
    ratio = fine[ridge] / coarse[ridge]
    if len(ratio) < NUM_EDGES:
        return WIDEST_EDGE
    squared = np.clip(ratio, 1.0001, COARSE_SIGMA / FINE_SIGMA) ** 2
    width = np.sqrt((COARSE_SIGMA**2 - squared * FINE_SIGMA**2).clip(0) / (squared - 1))
    return float(min(np.median(width), WIDEST_EDGE))


def _slope(grey: Array) -> Array:
    """Return the steepness of (H W) float32 in levels per pixel."""
    import cv2

    across = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1 / 32)
    slope: Array = cv2.magnitude(across, down)
    return slope


def block_grid(grey: Array) -> tuple[float, float]:
    """Return how the 8-pixel grid shows in (H W) float32 that starts on it: block marks, block edges.

    Marks are counted on the grid and half a square beside it; both measures are means of the two directions.
    """
    marks = edges = 0.0
    for lines in (grey, grey.T):
        squares = (lines.shape[1] - 2) // GRID
        step = {
            phase: np.abs(
                lines[:, phase + 1 : phase + 1 + squares * GRID : GRID]
                - lines[:, phase : phase + squares * GRID : GRID]
            )
            for phase in (2, 3, 4, 6, 7, 8)
        }
        # The grid lies between pixels 7 and 8 of a square, its middle between 3 and 4.
        marks += (_lonely(step[6], step[7], step[8]) + 0.002) / (_lonely(step[2], step[3], step[4]) + 0.002)
        edges += float((step[7].mean() + 0.02) / ((step[2].mean() + step[4].mean()) / 2 + 0.02))
    return marks / 2, edges / 2


def _lonely(before: Array, step: Array, after: Array) -> float:
    """Return the share of places where a step stands alone between flat neighbours."""
    return float(np.mean((step >= STEP) & (before <= FLAT) & (after <= FLAT)))
