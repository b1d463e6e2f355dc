"""One picture that shows what a step can do: real frames over generated ones, clip by clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talkvid.media.image import resize
from talkvid.records import Array

SHEET_NAME = "sheet.png"
SHEET_TIMES = 6
"""Moments of each clip on the sheet."""
TILE_HEIGHT = 160
"""Largest height of one still in pixels."""
SMALLEST_TILE = 96
MARGIN = 4
LINE = 20
FONT_SIZE = 13
GROUND = (250, 250, 250)
INK = (40, 40, 40)


@dataclass(frozen=True)
class Row:
    """One clip: the portrait it was made from, and pairs of a real and a generated frame."""

    name: str
    portrait: Array
    """(H W 3) uint8."""
    pairs: Sequence[tuple[Array, Array]]
    """Each (H W 3) uint8."""


def draw_sheet(rows: Sequence[Row], *, title: str) -> Array:
    """Return the sheet (height width 3) uint8: portrait, then real frames above generated ones."""
    height, width = rows[0].portrait.shape[:2]
    tile_height = max(SMALLEST_TILE, min(TILE_HEIGHT, height))
    size = (max(1, round(width * tile_height / height)), tile_height)
    step_x, step_y = size[0] + MARGIN, size[1] + MARGIN
    columns = 1 + max(len(row.pairs) for row in rows)
    block = LINE + 2 * step_y
    canvas = Image.new("RGB", (MARGIN + columns * step_x, LINE + len(rows) * block), GROUND)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=FONT_SIZE)
    draw.text((MARGIN, 2), title, font=font, fill=INK)
    for number, row in enumerate(rows):
        top = LINE + number * block
        words = f"{row.name}: real above, generated below"
        draw.text((MARGIN, top + 2), words, font=font, fill=INK)
        top += LINE
        _paste(canvas, row.portrait, (MARGIN, top), size)
        draw.text((MARGIN, top + step_y), "portrait", font=font, fill=INK)
        for column, pair in enumerate(row.pairs, start=1):
            for line, picture in enumerate(pair):
                _paste(canvas, picture, (MARGIN + column * step_x, top + line * step_y), size)
    return np.array(canvas)


def _paste(canvas: Image.Image, picture: Array, place: tuple[int, int], size: tuple[int, int]) -> None:
    canvas.paste(Image.fromarray(resize(picture, *size)), place)
