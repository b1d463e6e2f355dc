"""Smooth dense warp of a picture that carries landmark points to new places."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from talkvid.records import Array

GRID = 49
"""Nodes along each side of the coarse grid on which the displacement is computed."""
STIFFNESS = 3e-4
"""Regularisation of the spline: larger follows the points less closely and folds less."""
ANCHORS_PER_SIDE = 6
TINY = 1e-9
KEPT_SIZES = 8


def warp_image(image: Array, source: Array, target: Array, *, stiffness: float = STIFFNESS) -> Array:
    """Return the RGB (H W 3) uint8 image with what lies at `source` points (N 2) carried to `target` points
    (N 2).

    Points are pixels, centres at whole numbers. The border of the picture stays where it is.
    """
    height, width = image.shape[:2]
    field = backward_field(source, target, width, height, stiffness=stiffness)
    across, down = _full_size(field, width, height)
    return cv2.remap(image, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def sample(
    image: Array, places: Array, *, method: int = cv2.INTER_CUBIC, outside: int = cv2.BORDER_REPLICATE
) -> Array:
    """Return (H W …), of the type of `image` (h w …): its colours at `places` (H W 2) float32 px."""
    sampled: Array = cv2.remap(image, places, None, method, borderMode=outside)  # type: ignore[call-overload]
    return sampled


def backward_field(
    source: Array, target: Array, width: int, height: int, *, stiffness: float = STIFFNESS
) -> Array:
    """Return (2 GRID GRID) float32: for each node of a grid over the result, how far off in the picture to
    look, in pixels.

    A thin-plate spline (Duchon 1977) through the displacements source - target at the target points (N 2)
    and zero displacements at anchors along the border; stiffness is its ridge, in units of the squared
    picture side.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[-1] != 2:
        raise ValueError(
            f"source and target points must both be (N, 2), got {source.shape} and {target.shape}"
        )
    fixed, side = _fixed(width, height), float(max(width, height))
    points, count = target / side, len(target)
    weights = _solve(points, (source - target) / side, fixed.anchors, stiffness)
    near = points.astype(np.float32)
    squared = fixed.nodes @ (-2 * near.T)
    squared += np.square(fixed.nodes).sum(axis=1)[:, None]
    squared += np.square(near).sum(axis=1)
    shift = _thin_plate(np.maximum(squared, 0, out=squared)) @ weights[:count]
    shift += fixed.anchored @ weights[count:]
    scaled: Array = (shift * np.float32(side)).T.reshape(2, GRID, GRID)
    return scaled


@dataclass(frozen=True)
class _Fixed:
    """What all splines of one picture size share; lengths in units of the longer side."""

    nodes: Array
    """(G 2) float32"""
    anchors: Array
    """(A 2)"""
    anchored: Array
    """(G A + 3) float32: kernel of the nodes to the anchors, then 1, x and y of the nodes."""


@lru_cache(maxsize=KEPT_SIZES)
def _fixed(width: int, height: int) -> _Fixed:
    span = np.array([width - 1, height - 1]) / max(width, height)
    steps = np.linspace(0, 1, GRID)
    nodes = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) * span
    part = np.linspace(0, 1, ANCHORS_PER_SIDE)[:-1]
    ring = [(part, 0 * part), (0 * part + 1, part), (1 - part, 0 * part + 1), (0 * part, 1 - part)]
    anchors = np.concatenate([np.stack(pair, axis=-1) for pair in ring]) * span
    kernel = _thin_plate(_squared_distances(nodes, anchors))
    anchored = np.concatenate([kernel, np.ones((len(nodes), 1)), nodes], axis=1)
    return _Fixed(nodes.astype(np.float32), anchors, anchored.astype(np.float32))


def _solve(points: Array, shifts: Array, anchors: Array, stiffness: float) -> Array:
    """Return float32 (N + A + 3, 2): the regularised spline's weights of points (N 2), of anchors (A 2) and
    its plane.
    """
    centres = np.concatenate([points, anchors])
    count = len(centres)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _thin_plate(_squared_distances(centres, centres))
    system[range(count), range(count)] += stiffness
    system[:count, count] = 1
    system[:count, count + 1 :] = centres
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, 2))
    right[: len(shifts)] = shifts
    solved: Array = np.linalg.solve(system, right).astype(np.float32)
    return solved


def _squared_distances(points: Array, others: Array) -> Array:
    """Return (N M) squared distances of points (N 2) from others (M 2)."""
    across, down = (points[:, axis, None] - others[:, axis] for axis in (0, 1))
    squared: Array = across * across + down * down
    return squared


def _thin_plate(squared: Array) -> Array:
    """Return r^2 log r^2 in the type and the memory of the squared distances."""
    logarithm = squared + squared.dtype.type(TINY)
    np.log(logarithm, out=logarithm)
    squared *= logarithm
    return squared


def _full_size(field: Array, width: int, height: int) -> Array:
    """Return (2 H W) float32: where in the picture each pixel of the result comes from."""
    places: Array = _between(height) @ field @ _between(width).T
    places[0] += np.arange(width, dtype=np.float32)
    places[1] += np.arange(height, dtype=np.float32)[:, None]
    return places


@lru_cache(maxsize=KEPT_SIZES)
def _between(length: int) -> Array:
    """Return (length GRID) float32: linear interpolation from nodes, the first and last on the end pixels."""
    position = np.linspace(0, GRID - 1, length)
    share: Array = np.maximum(1 - np.abs(position[:, None] - np.arange(GRID)), 0)
    return share.astype(np.float32)
