"""Head rotation between matrices and the three angles of `records.Face.pose`."""

import numpy as np

from talkvid.records import Array


def angles_from_matrix(rotation: Array) -> Array:
    """Return (..., 3) float32 pitch, yaw, roll in degrees of (..., 3, 3) rotations of an upright frontal
    head.

    Axes: x to the image's right, y up, z towards the camera. R = Ry(yaw) Rx(-pitch) Rz(-roll), so that a
    positive pitch looks up, a positive yaw turns to the image's right, a positive roll tilts clockwise.
    """
    forward = rotation[..., :, 2]
    pitch = np.arcsin(np.clip(forward[..., 1], -1.0, 1.0))
    yaw = np.arctan2(forward[..., 0], forward[..., 2])
    roll = np.arctan2(-rotation[..., 1, 0], rotation[..., 1, 1])
    angles: Array = np.degrees(np.stack([pitch, yaw, roll], axis=-1)).astype(np.float32)
    return angles


def matrix_from_angles(angles: Array) -> Array:
    """Return (..., 3, 3) float64 rotations of (..., 3) angles in degrees, as angles_from_matrix gives."""
    pitch, yaw, roll = np.moveaxis(np.radians(np.asarray(angles, dtype=np.float64)), -1, 0)
    return _about_y(yaw) @ _about_x(-pitch) @ about_z(-roll)


def about_z(angle: Array | float) -> Array:
    """Return (..., 3, 3) rotations about the viewing axis, counter-clockwise as seen, by `angle` radians."""
    angle = np.asarray(angle, dtype=np.float64)
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return _stack([[cos, -sin, zero], [sin, cos, zero], [zero, zero, zero + 1]])


def _about_y(angle: Array) -> Array:
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return _stack([[cos, zero, sin], [zero, zero + 1, zero], [-sin, zero, cos]])


def _about_x(angle: Array) -> Array:
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    return _stack([[zero + 1, zero, zero], [zero, cos, -sin], [zero, sin, cos]])


def _stack(rows: list[list[Array]]) -> Array:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
