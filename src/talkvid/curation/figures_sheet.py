"""The diversity sheet: one picture each of many kept clips, as different as the run has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from talkvid.curation.records import KEPT
from talkvid.curation.report_numbers import ANNOTATED, told_value
from talkvid.curation.report_picks import picture_of
from talkvid.curation.report_table import UNKNOWN, RunTable
from talkvid.curation.thumbnails import Request, Thumbnail
from talkvid.media.image import save_image

TILE = 176
GAP = 6
GROUND = (255, 255, 255)


def varied_clips(table: RunTable, *, most: int) -> list[int]:
    """Return up to `most` rows of kept clips: one of each person or else video, spread over the run.

    Further clips of the same person come only when there are not enough.
    """
    rows = np.flatnonzero(table.has(KEPT)).tolist()
    videos = table.column("video_id")
    by_source: dict[str, list[int]] = {}
    for row in rows:
        person, _ = told_value(table.told[row], ANNOTATED["person"])
        source = f"video {videos[row]}" if person == UNKNOWN else f"person {person}"
        by_source.setdefault(source, []).append(row)
    queues = [by_source[key] for key in by_source]
    found: list[int] = []
    depth = 0
    while len(found) < most and any(depth < len(queue) for queue in queues):
        turn = [queue[depth] for queue in queues if depth < len(queue)]
        room = most - len(found)
        if len(turn) > room:
            turn = [turn[place] for place in np.linspace(0, len(turn) - 1, room).round().astype(int)]
        found += turn
        depth += 1
    return sorted(found)


def sheet_pictures(table: RunTable, *, most: int) -> list[Request]:
    """Return what has to be drawn for the sheet."""
    return [replace(picture_of(table, row), longest_side=2 * TILE) for row in varied_clips(table, most=most)]


def draw_sheet(thumbnails: Mapping[str, Thumbnail], target: Path, *, columns: int = 8) -> Path:
    """Write the pictures in a grid of squares, each cut to its middle, and return the path."""
    tiles = [_square(thumbnail) for thumbnail in thumbnails.values()]
    save_image(target, np.asarray(_grid(tiles, columns)))
    return target


def _grid(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, -(-len(tiles) // columns))
    step = TILE + GAP
    sheet = Image.new("RGB", (columns * step + GAP, rows * step + GAP), GROUND)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        sheet.paste(tile, (GAP + column * step, GAP + row * step))
    return sheet


def _square(thumbnail: Thumbnail) -> Image.Image:
    picture = Image.open(BytesIO(thumbnail.jpeg)).convert("RGB")
    side = min(picture.size)
    # Heads are in the upper part of an upright picture.
    left, top = (picture.width - side) // 2, (picture.height - side) // 6
    box = (left, top, left + side, top + side)
    return picture.resize((TILE, TILE), Image.Resampling.LANCZOS, box=box)
