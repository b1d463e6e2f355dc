"""Random windows for the landmark network: shifts, turns, mirror, colour, blur, noise, things in the way."""

import math

import cv2
import numpy as np

from talkvid.face.layout import mirrored_contour, mirrored_lips
from talkvid.face.pose import about_z
from talkvid.records import NUM_LIP, Array
from talkvid.training.face_teacher import STORED_SCALE, STORED_SIZE, Samples

MIRROR = np.array([*mirrored_lips(), *(NUM_LIP + index for index in mirrored_contour())])
MIRROR_AXES = np.diag([-1.0, 1.0, 1.0])
ROUGH = {"angle_deg": 12.0, "zoom": 0.12, "shift": 0.05}
FINE = {"angle_deg": 2.5, "zoom": 0.03, "shift": 0.012}
"""Standard deviations of the window: as after a detector, and as after a first pass of the network itself."""
ROUGH_SHARE = 0.35
LARGEST_ANGLE_DEG = 30.0


def draw_batch(
    samples: Samples, indices: Array, size: int, generator: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Return images (B size size 3) uint8, points (B 145 2), rotations (B 3 3), jaws (B,)."""
    drawn = [draw_window(samples, int(index), size, generator) for index in indices]
    images = np.stack([_disturb(image, samples, generator) for image, _, _ in drawn])
    points = np.stack([shape for _, shape, _ in drawn]).astype(np.float32)
    rotations = np.stack([rotation for _, _, rotation in drawn]).astype(np.float32)
    return images, points, rotations, samples.jaw_open[indices]


def draw_window(
    samples: Samples, index: int, size: int, generator: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return image (size size 3), points (145 2) in window units and rotation (3 3) of one random window."""
    spread = ROUGH if generator.random() < ROUGH_SHARE else FINE
    limit = math.radians(LARGEST_ANGLE_DEG)
    angle = float(np.clip(generator.normal(0, math.radians(spread["angle_deg"])), -limit, limit))
    zoom = math.exp(generator.normal(0, spread["zoom"]))
    shift = generator.normal(0, spread["shift"], size=2)
    return place_window(samples, index, size, angle, zoom, shift, mirror=bool(generator.random() < 0.5))


def place_window(
    samples: Samples, index: int, size: int, angle: float, zoom: float, shift: Array, *, mirror: bool = False
) -> tuple[Array, Array, Array]:
    """Return the window in which the stored face is turned counter-clockwise by `angle` and `zoom` times
    larger.
    """
    image, points = samples.images[index], samples.points[index]
    rotation = samples.rotations[index]
    if mirror:
        image, points = image[:, ::-1], points[MIRROR] * [-1, 1]
        rotation = MIRROR_AXES @ rotation @ MIRROR_AXES
    scale = zoom * STORED_SCALE
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    turn = np.array([[cos, sin], [-sin, cos]])
    pixels = turn * (size / STORED_SIZE)
    middle = np.full(2, (size - 1) / 2) + shift * size
    offset = middle - pixels @ np.full(2, (STORED_SIZE - 1) / 2)
    matrix = np.concatenate([pixels, offset[:, None]], axis=1)
    window = cv2.warpAffine(np.ascontiguousarray(image), matrix, (size, size), flags=cv2.INTER_LINEAR)
    return window, points @ turn.T + shift, about_z(angle) @ rotation


def _disturb(image: Array, samples: Samples, generator: np.random.Generator) -> Array:
    """Return the window as a worse camera would show it."""
    if generator.random() < 0.15:
        image = _cover(image, samples, generator)
    if generator.random() < 0.3:
        image = _blur(image, generator)
    light: Array = image.astype(np.float32)
    if generator.random() < 0.8:
        gain = generator.uniform(0.6, 1.4) * generator.uniform(0.85, 1.15, size=3)
        light = (light - 128) * gain + 128 + generator.uniform(-40, 40)
    if generator.random() < 0.12:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    if generator.random() < 0.2:
        light = light + generator.normal(0, generator.uniform(2, 14), size=light.shape)
    result: Array = np.clip(light, 0, 255).astype(np.uint8)
    if generator.random() < 0.15:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(generator.integers(20, 70))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", result, quality)[1], cv2.IMREAD_COLOR)
        assert decoded is not None
        result = decoded
    return result


def _blur(image: Array, generator: np.random.Generator) -> Array:
    size = image.shape[0]
    if generator.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), float(generator.uniform(0.5, 2.0)))
    small = int(size * generator.uniform(0.3, 0.8))
    return cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), (size, size))


def _cover(image: Array, samples: Samples, generator: np.random.Generator) -> Array:
    """Return the window with a rectangle of another picture, of one colour or of noise over it."""
    size = image.shape[0]
    width, height = (int(size * generator.uniform(0.1, 0.4)) for _ in range(2))
    left, top = int(generator.integers(0, size - width)), int(generator.integers(0, size - height))
    image = image.copy()
    kind = generator.integers(3)
    if kind == 0:
        other = samples.images[int(generator.integers(len(samples)))]
        patch = other[:height, :width]
    elif kind == 1:
        patch = generator.integers(0, 256, size=(1, 1, 3), dtype=np.uint8)
    else:
        patch = generator.integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    image[top : top + height, left : left + width] = patch
    return image
