"""Which pictures of a clip the head scores look at."""

import math
from fractions import Fraction

from talkvid.curation.records import Span


def looks_each_second(span: Span) -> list[int]:
    """Return the pictures shown at 0, 1, 2 … seconds of the clip, at least the first.

    Exact for an even rate whatever it is (30000/1001 gives picture 29 at 1 s and 59 at 2 s); where the rate
    varies, the times are those of a clip with as many pictures evenly spread. With less than one picture a
    second each picture is one look.
    """
    duration = span.duration_s
    if duration <= 0 or span.num_frames < 1:
        return [0]
    rate = Fraction(span.num_frames) / duration
    shown = (math.floor(second * rate) for second in range(math.ceil(duration)))
    return list(dict.fromkeys(shown))


def looks_as_published(span: Span) -> list[int]:
    """Return pictures 0, f, 2f …, num_frames // f of them, where f is the rate without its fraction.

    29.97 pictures a second thus are taken for 29, and the looks drift. A clip with fewer pictures than f, or
    less than one a second, had no look as published; here it has one at its first picture.
    """
    step = int(span.fps)
    if step < 1:
        return [0]
    return [number * step for number in range(span.num_frames // step)] or [0]
