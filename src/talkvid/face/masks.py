"""Masks over the face for training losses."""

import numpy as np

from talkvid.records import Array

LIP_SCALE = 2.0


def lip_mask(lips: Array, width: int, height: int, *, scale: float = LIP_SCALE) -> Array:
    """Return the float32 (height width) mask, 1 inside the box of the lip points widened `scale` times, else
    0.

    `lips` (N 2) in pixels, any order (our 40 points or points 52-71 of insightface's 106). The box keeps its
    centre and is clipped to the picture, so that a mouth near an edge is weighted as far as it is seen.
    """
    points = np.asarray(lips, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"lip points must have shape (N, 2), got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("lip points contain values that are not numbers; skip the frame or fill them")
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2 * scale
    limits = np.array([width, height])
    left, top = np.clip(np.floor(centre - half), 0, limits).astype(int)
    right, bottom = np.clip(np.ceil(centre + half), 0, limits).astype(int)
    mask = np.zeros((height, width), dtype=np.float32)
    mask[top:bottom, left:right] = 1.0
    return mask
