"""Small pictures of clips: one from near the middle as JPEG, made by processes that can be ended."""

import base64
import json
import logging
import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from PIL import Image

from talkvid.media.still import still
from talkvid.records import Array
from talkvid.runner import local
from talkvid.runner.outcome import Outcome

logger = logging.getLogger(__name__)

QUALITY = 68


@dataclass(frozen=True)
class Request:
    """A picture that is wanted; `id` is unique among those asked for together."""

    id: str
    path: str
    start_s: float
    end_s: float
    """Seconds from the first picture of the file."""
    longest_side: int = 208
    """In pixels."""


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG and its size in pixels."""

    jpeg: bytes
    width: int
    height: int

    @property
    def data_url(self) -> str:
        """Return the picture as a `data:` address, so that a page needs no file beside it."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


def make_thumbnails(
    requests: Sequence[Request],
    *,
    workers: int = 1,
    deadline_s: float = 20.0,
    budget_s: float = 60.0,
    executor: str = "local",
) -> dict[str, Thumbnail]:
    """Return id -> thumbnail, the first requests first, as many as `budget_s` seconds allow.

    A picture that cannot be had (the file has gone, the decoder hangs) is left out and logged; `local`
    makes them in processes with a deadline each, `inline` in this one.
    """
    there = [request for request in requests if os.path.isfile(request.path)]
    if len(there) < len(requests):
        gone = len(requests) - len(there)
        logger.info("%d of %d pictures cannot be made: the files have gone", gone, len(requests))
    if not there:
        return {}
    found: dict[str, Thumbnail] = {}
    begin = time.monotonic()
    if executor == "inline":
        outcomes = local.execute_inline(there, draw, setup=None, workers=1, deadline_s=None)
    else:
        outcomes = local.execute(
            there, draw, setup=None, workers=min(workers, len(there)), deadline_s=deadline_s
        )
    # Closing ends the processes that are still at work when the time is up.
    with closing(cast(Generator[Outcome], outcomes)):
        for outcome in outcomes:
            request = there[outcome.index]
            if outcome.payload is None:
                logger.info("no picture of %s: %s", request.id, outcome.reason)
            else:
                told = json.loads(outcome.payload)
                jpeg = base64.b64decode(told["jpeg"])
                found[request.id] = Thumbnail(jpeg, told["width"], told["height"])
            if time.monotonic() - begin > budget_s:
                logger.info("%d of %d pictures were made in %g s", len(found), len(there), budget_s)
                break
    return found


def draw(request: Request) -> dict[str, Any]:
    """Return JPEG (base64), width and height of one request; raise ValueError when there is no picture."""
    small = shrink(still(request.path, request.start_s, request.end_s), request.longest_side)
    stream = BytesIO()
    small.save(stream, "JPEG", quality=QUALITY, optimize=True)
    jpeg = base64.b64encode(stream.getvalue()).decode("ascii")
    return {"jpeg": jpeg, "width": small.width, "height": small.height}


def shrink(picture: Array, longest_side: int) -> Image.Image:
    """Return the picture (H W 3) uint8 with its longer side at most `longest_side`, its shape kept."""
    image = Image.fromarray(picture)
    image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image
