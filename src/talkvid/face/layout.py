"""The order of our dense face points: 40 lip points and 105 further contour points, by name and by mirror."""

from talkvid.records import NUM_LIP

CONTOUR_PARTS = {
    "outline": slice(0, 36),
    "image_left_eye": slice(36, 52),
    "image_right_eye": slice(52, 68),
    "image_left_brow": slice(68, 78),
    "image_right_brow": slice(78, 88),
    "nose_ridge": slice(88, 94),
    "nose_base": slice(94, 103),
    "irises": slice(103, 105),
}
"""Outline: clockwise as seen, from the top of the forehead (chin = 18). Eyes: from the outer corner along
the lower lid and back along the upper one. Brows: five points of the upper edge from the outside in, five
of the lower edge from the inside out. Ridge: from between the eyes down to the tip. Base: from image-left
to image-right under the tip. Irises: image-left, image-right."""
NUM_CONTOUR = 105
NOSE_TIP = 93
IRISES = (103, 104)
LIP_CORNERS = (0, 10)


def _mirrored_ring(start: int, count: int) -> list[int]:
    """Return the index swap of a ring whose first point lies on the mirror axis."""
    return [start + (-index) % count for index in range(count)]


def _mirrored_lips() -> list[int]:
    """Return the index swap of the two lip rings, which start at the image-left corner (10 is the right)."""
    outer = [(10 - index) % 20 for index in range(20)]
    return outer + [20 + index for index in outer]


def mirrored_lips() -> list[int]:
    """Return for each lip point the index of the point that takes its place in a mirrored picture."""
    swap = _mirrored_lips()
    assert len(swap) == NUM_LIP
    return swap


def mirrored_contour() -> list[int]:
    """Return for each contour point the index of the point that takes its place in a mirrored picture."""
    swap = _mirrored_ring(0, 36)
    for left, right in (("image_left_eye", "image_right_eye"), ("image_left_brow", "image_right_brow")):
        left_range = list(range(CONTOUR_PARTS[left].start, CONTOUR_PARTS[left].stop))
        right_range = list(range(CONTOUR_PARTS[right].start, CONTOUR_PARTS[right].stop))
        swap += right_range + left_range
    swap += list(range(88, 94))
    swap += list(range(102, 93, -1))
    swap += [104, 103]
    assert sorted(swap) == list(range(NUM_CONTOUR))
    return swap
