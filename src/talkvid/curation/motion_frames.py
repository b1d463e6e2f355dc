"""Which pictures of a clip the motion scores look at: two a second in up to three stretches of six seconds.

The choice is the one with which the published `cotracker_ratio` was made.
"""

import math

SEGMENT_S = 6.0
"""Length of a stretch."""
LOOKS_PER_S = 2.0
MAX_FPS = 30.0
"""Of faster videos as many pictures are taken as of one with this rate."""
TRIM_S = 0.2
"""What is left out at each end of a clip longer than TRIMMED_FROM_S, where a transition may linger."""
TRIMMED_FROM_S = 1.0


def segments(duration_s: float) -> list[tuple[float, float]]:
    """Return (start, end) in seconds of the stretches: all, first and last, or first, middle and last."""
    if duration_s <= SEGMENT_S:
        return [(0.0, duration_s)]
    last = (duration_s - SEGMENT_S, duration_s)
    if duration_s <= 2 * SEGMENT_S:
        return [(0.0, SEGMENT_S), last]
    middle = duration_s / 2
    return [(0.0, SEGMENT_S), (middle - SEGMENT_S / 2, middle + SEGMENT_S / 2), last]


def segment_pictures(fps: float, num_frames: int, duration_s: float) -> list[list[int]]:
    """Return the numbers of the chosen pictures, ascending, for each stretch that has any.

    Times are counted after the trim, as published. Below 5 pictures a second nothing is trimmed and below 2
    every picture is taken; both were faults. Any clip with a picture has at least one stretch with one.
    """
    assert fps > 0 and num_frames > 0
    used = min(fps, MAX_FPS)
    numbers = list(range(num_frames))
    if fps > MAX_FPS:
        numbers = [int(number * fps / used) for number in range(int(num_frames * used / fps))] or [0]
    trim = int(TRIM_S * used) if len(numbers) / used > TRIMMED_FROM_S else 0
    kept = numbers[trim : len(numbers) - trim] or numbers
    step = max(1, int(used / LOOKS_PER_S))
    chosen = [
        kept[int(start_s * used) : math.ceil(end_s * used) : step] for start_s, end_s in segments(duration_s)
    ]
    return [pictures for pictures in chosen if pictures] or [kept[:1]]
