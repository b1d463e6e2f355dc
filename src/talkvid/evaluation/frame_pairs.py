"""Made pictures beside the true ones: aligned by one stated rule, or refused with the numbers."""

import itertools
import math
from collections.abc import Iterable, Iterator

from talkvid.evaluation.facts import checked_frame, picture_size
from talkvid.records import Array

FramePair = tuple[Array, Array]
"""A made and a true picture, both RGB uint8 (H W 3) of one size."""

SLACK = 1e-6


def frame_pairs(made: Iterable[Array], truth: Iterable[Array]) -> Iterator[FramePair]:
    """Yield picture k of both, RGB uint8 (H W 3), one pair in memory at a time.

    ValueError when one side ends first or two pictures differ in size: nothing is cut or resized silently.
    """
    ended = object()
    count = -1
    for count, (ours, theirs) in enumerate(itertools.zip_longest(made, truth, fillvalue=ended)):
        if ours is ended or theirs is ended:
            short, long = ("made", "true") if ours is ended else ("true", "made")
            raise ValueError(
                f"the {short} video ends after {count} pictures, the {long} one goes on; "
                "align them with aligned_pairs or cut the longer one"
            )
        yield checked_pair(ours, theirs, number=count)  # type: ignore[arg-type]
    if count < 0:
        raise ValueError("there are no pictures to compare; give two videos with pictures")


def aligned_pairs(
    made: Iterable[Array], truth: Iterable[Array], *, made_fps: float, truth_fps: float
) -> Iterator[FramePair]:
    """Yield each made picture beside the true one shown at its middle, RGB uint8 (H W 3).

    As in `pairing.paired`: beside made picture k is true picture floor((k + 0.5) / made_fps · truth_fps).
    What one side has after the other's end is left out, so the number of pairs belongs to the result.
    ValueError when the rates are not positive, sizes differ or no pair is left.
    """
    if not (made_fps > 0 and truth_fps > 0):
        raise ValueError(f"frame rates must be above 0, got {made_fps:g} and {truth_fps:g}")
    count, shown, picture = 0, -1, None
    true_pictures = iter(truth)
    for ours in made:
        wanted = math.floor((count + 0.5) / made_fps * truth_fps + SLACK)
        while shown < wanted:
            picture = next(true_pictures, None)
            if picture is None:
                break
            shown += 1
        if picture is None:
            break
        yield checked_pair(ours, picture, number=count)
        count += 1
    if not count:
        raise ValueError("the made and the true video share no picture; give two videos with pictures")


def checked_pair(ours: Array, theirs: Array, *, number: int | None = None) -> FramePair:
    """Return both pictures when they are RGB uint8 (H W 3) of one size; ValueError otherwise."""
    ours, theirs = checked_frame(ours), checked_frame(theirs)
    if ours.shape != theirs.shape:
        where = "" if number is None else f"pair {number}: "
        raise ValueError(
            f"{where}the made picture is {picture_size(ours)}, the true one {picture_size(theirs)}; "
            "bring both to one size first"
        )
    return ours, theirs
